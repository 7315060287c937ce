//! The store from outside: what every backend promises, and what SQLite's promises in addition.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]

mod conformance;
mod opening;
mod sample;
mod trouble;
