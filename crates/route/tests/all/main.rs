//! The claims of this room, one module a subject, in the order of its layout.
