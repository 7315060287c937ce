//! Providers that misbehave on cue, with their own independent bill.
//!
//! A [`Sim`] answers in the dialects of the gateway's upstreams, deterministically from a seed, and plays every fault of [`FAULTS`] when a model's name (`fault-f21`), a header
//! (`x-sim-fault: f21`) or a [`Script`] asks for it. It counts and charges on its own and keeps a
//! journal of what it received and sent, so that a test can hold the gateway's story against a
//! second one. All waiting is tokio's: under a paused clock, over [`memory::pipe`], a minute takes
//! no time.
//!
//! # Layout
//! `settings` what it is built from · `script` who gets which fault, and says which lines ·
//! `request`, `route`, `ask` what came and where it wants to go · `answer`, `text`, `schema` what
//! is said · `dialect` how it is written · `plain` the calls that are no conversations · `shelf`
//! what is stored for later · `reply` the answer as steps · `fault` what bends the steps · `sim`, `call` the decision · `serve`, `http1`, `play`,
//! `http2`, `link` the wire · `journal` the books · `admin` the pages under `/sim/` · `net`,
//! `memory`, `tls` listeners, in-memory peers and certificates.
//!
//! It does not know the gateway, and it does not read requests more strictly than the vendors do.

mod admin;
mod answer;
mod ask;
mod call;
mod chance;
mod dialect;
mod fault;
mod http1;
mod http2;
mod journal;
mod link;
pub mod memory;
pub mod net;
mod plain;
mod play;
mod reply;
mod request;
mod route;
mod schema;
mod script;
mod serve;
mod settings;
mod shelf;
mod sim;
mod text;
pub mod tls;

pub use chance::{Fnv, fnv1a};
pub use dialect::Dialect;
pub use fault::{FAULTS, Fault, FaultCall};
pub use journal::{Bill, BillRow, Ending, Entry};
pub use link::Link;
pub use memory::MemoryPeer;
pub use script::{Line, LineCall, Rule, Script, ScriptError};
pub use settings::{Delay, ModelSettings, Price, Profile, ProviderSettings, SimSettings};
pub use sim::{Provider, Sim};
