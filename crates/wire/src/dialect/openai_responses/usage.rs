//! Token counts: cached tokens are within the input, reasoning is within the output.

use crate::fields::figure;
use crate::hub::Usage;
use serde::Deserialize;
use serde_json::{Value, json};

/// A usage object as it stands on the wire.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    #[serde(deserialize_with = "figure")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    output_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct InputDetails {
    #[serde(deserialize_with = "figure")]
    cached_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
struct OutputDetails {
    #[serde(deserialize_with = "figure")]
    reasoning_tokens: Option<u64>,
}

impl Counts {
    /// The counts in the hub's form; `None` when they say nothing.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        let input = self.input_tokens_details.unwrap_or_default();
        let cached_input = input.cached_tokens.unwrap_or(0);
        let cache_write = input.cache_write_tokens.unwrap_or(0);
        let output = self.output_tokens.unwrap_or(0);
        let details = self.output_tokens_details.unwrap_or_default();
        let reasoning = details.reasoning_tokens.unwrap_or(0);
        let all = self.input_tokens.unwrap_or(0);
        Some(Usage {
            input: all.saturating_sub(cached_input).saturating_sub(cache_write),
            cached_input,
            cache_write,
            output: output.saturating_sub(reasoning),
            reasoning,
            ..Usage::default()
        })
    }
}

/// Reads a usage object; `None` when it is none, or says nothing.
pub(super) fn read(value: &Value) -> Option<Usage> {
    Counts::deserialize(value).ok()?.usage()
}

/// Usage as this dialect words it.
pub(super) fn write(usage: &Usage) -> Value {
    let input = usage.total_input();
    let output = usage.total_output();
    json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input,
            "cache_write_tokens": usage.cache_write.saturating_add(usage.cache_write_1h),
        },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": input.saturating_add(output),
    })
}
