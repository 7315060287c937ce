//! The laws of the books, from outside.

mod concurrent;
mod laws;
mod outage;
mod sample;
