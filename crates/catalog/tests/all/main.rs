//! The catalog as its callers see it: the embedded rows, then overlays.

mod overlay;
mod rows;
