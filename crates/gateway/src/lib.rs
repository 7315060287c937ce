//! The running program.
//!
//! From top to bottom: `cli` and `app` put it together, `http` and `admin` answer, `pipeline` carries a
//! request across, `upstream` talks to providers, `listen` accepts connections, `telemetry` tells what happened, `config` says what
//! the operator wants. A module knows only those below it; `failure` and `world` are the ground floor.

pub mod cli;
pub mod app;
pub mod admin;
pub mod http;
pub mod pipeline;
pub mod upstream;
pub mod listen;
pub mod telemetry;
pub mod config;
pub mod failure;
pub mod world;
