//! The paths of the data listener. What a request means is the pipeline's.

pub mod doors;
pub mod router;
pub mod models;
pub mod count;

pub use crate::listen::{Gate, Limits, serve_io, serve_listener};
