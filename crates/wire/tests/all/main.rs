//! Everything about `wire` that is checked from outside, one module per subject.

mod anthropic;
mod errors;
mod gemini;
mod join;
mod laws;
mod openai_chat;
mod openai_recorded;
mod peek;
mod recordings;
mod samples;
mod splice;
mod sse;
