//! What exists and what it costs: providers, models, prices, token counts, money.
//!
//! Everything here is data or a pure function of it. Providers and models are rows of TOML in
//! `data/`, embedded at build time; a row can be added or replaced by an overlay that the caller
//! passes in as text. Amounts are integers from the first digit parsed to the last digit printed.
//!
//! This room does no IO and knows neither requests in flight nor keys nor what was spent.

pub mod money;

pub use money::{AmountError, Money, PicoUsd};
/// Tokens of one attempt, as the books and the prices see them.
pub use wire::hub::Usage;
