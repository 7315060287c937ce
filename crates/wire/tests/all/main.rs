//! Everything about `wire` that is checked from outside, one module per subject.

mod openai_chat;
mod openai_recorded;
mod peek;
mod sse;
