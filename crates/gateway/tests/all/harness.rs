//! The whole gateway in one process: simulated providers below, a client above, pipes between.
//!
//! A [`Stage`] is a gateway put together from YAML, with the providers `a` and `b` behind it. Under
//! a paused clock waiting costs nothing and times are exact. The groups are `pair` (A, then B),
//! `solo` (A), `other` (B), and `wide` (A, with B for long contexts); every deployment is also
//! known by its own name, `a/m` and `b/m`. After each story [`Stage::quiet`] holds the gateway to
//! its promise that nothing stays behind.
//!
//! It asserts only what holds for every request; what a fault should look like is the test's.

mod client;
mod network;
mod stage;

pub(crate) use client::{Ask, Live, Reply, ask, get, post, send};
pub(crate) use network::Place;
pub(crate) use stage::{Setup, Stage, simulator};
