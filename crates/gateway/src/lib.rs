//! The running program.

pub mod config;
pub mod upstream;
