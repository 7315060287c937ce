//! Everything about `wire` that is checked from outside, one module per subject.

mod peek;
mod sse;
