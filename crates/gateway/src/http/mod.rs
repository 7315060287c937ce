//! The paths of the data listener. What a request means is the pipeline's.

pub mod router;
pub mod models;

pub use crate::listen::{Gate, Limits, serve_io, serve_listener};
