//! The atomics of this room, in one place so that the model checker can stand in for them.
//!
//! Unit tests built with `--cfg loom` run on loom's atomics, which explore every interleaving; all
//! other builds use the standard ones. Nothing else in the room names either.

#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(all(test, loom)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
