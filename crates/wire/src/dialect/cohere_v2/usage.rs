//! Token counts: what is billed leaves out the provider's own preamble, which the actual counts
//! hold; the cache is part of the actual counts only. The bill is what counts here.

use crate::fields::{figure, merge};
use crate::hub::Usage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The counts as they stand on the wire.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    billed_units: Option<Pair>,
    tokens: Option<Pair>,
    #[serde(deserialize_with = "figure")]
    cached_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Pair {
    #[serde(deserialize_with = "figure")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    output_tokens: Option<u64>,
}

/// The object of what is billed and the names in it that [`Counts`] reads.
pub(super) const BILLED: &str = "billed_units";
pub(super) static COUNTED: &[&str] = &["input_tokens", "output_tokens"];

impl Counts {
    /// The counts in the hub's form.
    pub(super) fn usage(&self) -> Usage {
        let (billed, actual) =
            (self.billed_units.unwrap_or_default(), self.tokens.unwrap_or_default());
        let output = billed.output_tokens.or(actual.output_tokens).unwrap_or(0);
        if let Some(input) = billed.input_tokens {
            return Usage { input, output, ..Usage::default() };
        }
        let read = actual.input_tokens.unwrap_or(0);
        let cached_input = self.cached_tokens.unwrap_or(0).min(read);
        Usage { input: read - cached_input, cached_input, output, ..Usage::default() }
    }
}

/// A usage object of this dialect, with what else `more` tells.
pub(super) fn write(usage: &Usage, more: Option<&Value>) -> Map<String, Value> {
    let counts =
        json!({"input_tokens": usage.total_input(), "output_tokens": usage.total_output()});
    let mut map = Map::from_iter([(BILLED.to_owned(), counts.clone())]);
    if let Some(Value::Object(more)) = more {
        merge(&mut map, more);
    }
    map.entry("tokens").or_insert(counts);
    map
}
