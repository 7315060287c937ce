//! Token counts: `inputTokens` excludes the cache; what was written to it is told as a whole and by
//! how long it lives. Reasoning is not told apart from the output.

use crate::fields::figure;
use crate::hub::Usage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The counts as they stand on the wire.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Counts {
    #[serde(deserialize_with = "figure")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    output_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cache_read_input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<Written>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Written {
    ttl: Option<String>,
    #[serde(deserialize_with = "figure")]
    input_tokens: Option<u64>,
}

/// The names that [`Counts`] reads; all others of a usage object are kept as they stand.
pub(super) static COUNTED: &[&str] = &[
    "inputTokens",
    "outputTokens",
    "cacheReadInputTokens",
    "cacheWriteInputTokens",
    "cacheDetails",
];

impl Counts {
    /// The counts in the hub's form.
    pub(super) fn usage(&self) -> Usage {
        let lived = |ttl: &str| {
            let details = self.cache_details.iter().flatten();
            let of_ttl = details.filter(|written| written.ttl.as_deref() == Some(ttl));
            of_ttl.fold(0u64, |sum, written| sum.saturating_add(written.input_tokens.unwrap_or(0)))
        };
        let hour = lived("1h");
        let told = self.cache_write_input_tokens.unwrap_or(0);
        let written = told.max(lived("5m").saturating_add(hour));
        Usage {
            input: self.input_tokens.unwrap_or(0),
            cached_input: self.cache_read_input_tokens.unwrap_or(0),
            cache_write: written - hour,
            cache_write_1h: hour,
            output: self.output_tokens.unwrap_or(0),
            ..Usage::default()
        }
    }
}

/// A usage object of this dialect, with the fields of `more` that are not counts.
pub(super) fn write(usage: &Usage, more: Option<&Value>) -> Map<String, Value> {
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let total = usage.total_input().saturating_add(usage.total_output());
    let mut map = Map::new();
    map.insert("inputTokens".to_owned(), usage.input.into());
    map.insert("outputTokens".to_owned(), usage.total_output().into());
    map.insert("cacheReadInputTokens".to_owned(), usage.cached_input.into());
    map.insert("cacheWriteInputTokens".to_owned(), written.into());
    if usage.cache_write_1h > 0 {
        let details = json!([
            {"ttl": "5m", "inputTokens": usage.cache_write},
            {"ttl": "1h", "inputTokens": usage.cache_write_1h},
        ]);
        map.insert("cacheDetails".to_owned(), details);
    }
    map.extend(more.and_then(Value::as_object).cloned().unwrap_or_default());
    map.entry("totalTokens").or_insert_with(|| total.into());
    map
}
