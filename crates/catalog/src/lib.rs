//! What exists and what it costs: providers, models, prices, token counts, money.
//!
//! Everything here is data or a pure function of it. Providers and models are rows of TOML in
//! `data/`, embedded at build time; a row can be added or replaced by an overlay that the caller
//! passes in as text. Amounts are integers from the first digit parsed to the last digit printed.
//!
//! This room does no IO and knows neither requests in flight nor keys nor what was spent.

pub mod money;
pub mod price;

pub mod model;
pub mod provider;
pub mod quirks;

mod catalog;
mod layers;
mod rows;

pub mod tokens;

pub use catalog::{Catalog, CatalogError, Problem};
pub use model::{Capabilities, Kind, Model};
pub use money::{AmountError, Money, PicoUsd};
pub use price::{CacheWrites, Price, Tier, cost};
pub use provider::{AuthKind, Blank, Face, Provider, StreamSupport};
pub use quirks::QuirkSet;
pub use tokens::{Count, Encoding};
pub use wire::hub::Usage;
