//! Our own accept loop, for both listeners.
//!
//! The bounds live here: connections, the time and size of a head, and how long a client may stop
//! reading. It knows nothing of what requests mean.

pub mod accept;
pub mod stall;

pub use accept::{Answer, Gate, Limits, serve_io, serve_listener};
