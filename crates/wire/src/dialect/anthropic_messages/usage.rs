//! Token counts: `input_tokens` excludes the cache, `output_tokens` includes thinking.
//!
//! A stream tells its counts twice: at the start, and cumulatively in `message_delta`, where some
//! fields may be missing. `iterations` lists inner calls (compaction, a fallback model) whose tokens
//! the top-level counts leave out but the bill does not, so that the larger sum counts.

use crate::fields::figure;
use crate::hub::Usage;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The counts as they stand on the wire.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    #[serde(deserialize_with = "figure")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cache_read_input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<Creation>,
    #[serde(deserialize_with = "figure")]
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
    iterations: Option<Vec<Self>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Creation {
    #[serde(deserialize_with = "figure")]
    ephemeral_5m_input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
struct OutputDetails {
    #[serde(deserialize_with = "figure")]
    thinking_tokens: Option<u64>,
}

impl Counts {
    /// Takes over what newer counts say.
    pub(super) fn update(&mut self, newer: Self) {
        self.input_tokens = newer.input_tokens.or(self.input_tokens);
        self.cache_read_input_tokens =
            newer.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            newer.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_creation = newer.cache_creation.or(self.cache_creation);
        self.output_tokens = newer.output_tokens.or(self.output_tokens);
        self.output_tokens_details = newer.output_tokens_details.or(self.output_tokens_details);
        self.iterations = newer.iterations.or(self.iterations.take());
    }

    /// The counts in the hub's form.
    pub(super) fn usage(&self) -> Usage {
        let mut inner = Usage::default();
        for iteration in self.iterations.iter().flatten() {
            add(&mut inner, iteration.own());
        }
        larger(self.own(), inner)
    }

    fn own(&self) -> Usage {
        let creation = self.cache_creation.unwrap_or_default();
        let hour = creation.ephemeral_1h_input_tokens.unwrap_or(0);
        let five = creation.ephemeral_5m_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0).max(five.saturating_add(hour));
        let output = self.output_tokens.unwrap_or(0);
        let thinking = self.output_tokens_details.and_then(|details| details.thinking_tokens);
        let reasoning = thinking.unwrap_or(0).min(output);
        Usage {
            input: self.input_tokens.unwrap_or(0),
            cached_input: self.cache_read_input_tokens.unwrap_or(0),
            cache_write: written - hour.min(written),
            cache_write_1h: hour,
            output: output - reasoning,
            reasoning,
            ..Usage::default()
        }
    }
}

fn add(sum: &mut Usage, more: Usage) {
    sum.input = sum.input.saturating_add(more.input);
    sum.cached_input = sum.cached_input.saturating_add(more.cached_input);
    sum.cache_write = sum.cache_write.saturating_add(more.cache_write);
    sum.cache_write_1h = sum.cache_write_1h.saturating_add(more.cache_write_1h);
    sum.output = sum.output.saturating_add(more.output);
    sum.reasoning = sum.reasoning.saturating_add(more.reasoning);
}

fn larger(one: Usage, other: Usage) -> Usage {
    Usage {
        input: one.input.max(other.input),
        cached_input: one.cached_input.max(other.cached_input),
        cache_write: one.cache_write.max(other.cache_write),
        cache_write_1h: one.cache_write_1h.max(other.cache_write_1h),
        output: one.output.max(other.output),
        reasoning: one.reasoning.max(other.reasoning),
        ..Usage::default()
    }
}

/// The names that [`Counts`] reads; all others of a usage object are kept as they stand.
pub(super) static COUNTED: &[&str] = &[
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
];

/// A usage object of this dialect.
pub(super) fn write(usage: &Usage) -> Map<String, Value> {
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let mut map = Map::new();
    map.insert("input_tokens".to_owned(), usage.input.into());
    map.insert("cache_creation_input_tokens".to_owned(), written.into());
    map.insert("cache_read_input_tokens".to_owned(), usage.cached_input.into());
    if usage.cache_write_1h > 0 {
        let creation = json!({
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        });
        map.insert("cache_creation".to_owned(), creation);
    }
    map.insert("output_tokens".to_owned(), usage.total_output().into());
    if usage.reasoning > 0 {
        let details = json!({"thinking_tokens": usage.reasoning});
        map.insert("output_tokens_details".to_owned(), details);
    }
    map
}
