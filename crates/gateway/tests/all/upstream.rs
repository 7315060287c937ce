//! The client towards providers, against servers that misbehave byte by byte.

mod connect;
mod decoding;
mod http1;
mod http1_faults;
mod http2;
mod pooling;
mod support;
mod tls;
