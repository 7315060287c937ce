//! The simulator as its clients see it: over pipes under a paused clock, and over real sockets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod client;

mod dialects;
mod faults;
mod faults_streams;
mod http2;
mod lines;
mod money;
mod plain;
mod sockets;
mod upstreams;
