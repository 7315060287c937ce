//! What the APIs say: bytes and meaning, dialect by dialect.
//!
//! Pure functions and small state machines over bytes. This room knows no runtime, no HTTP client,
//! no clock, no configuration, no provider by name and no money.

pub mod sse;

pub mod frames;

pub mod eventstream;

mod scan;

pub mod peek;

pub mod splice;

pub mod fit;

pub mod hub;

pub mod error;

pub mod classify;

pub mod dialect;

pub mod plain;

mod fields;

mod dropped;

mod measure;

mod media;

mod seal;

mod stops;

mod turns;

mod thinking;

mod sampling;

mod json_tool;

mod wait;

pub mod translate;

pub mod replay;

pub mod join;
