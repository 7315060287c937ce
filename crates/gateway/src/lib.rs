//! The running program.

pub mod config;
