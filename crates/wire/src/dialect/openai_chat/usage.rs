//! Token counts in OpenAI's shape, with the habits of its imitators undone.
//!
//! OpenAI counts cached tokens within the prompt and reasoning within the completion. Some hosts
//! report reasoning beside the completion; the total gives them away, and where there is no
//! telling total the quirk decides.

use crate::dialect::Quirks;
use crate::fields::figure;
use crate::hub::Usage;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire {
    #[serde(deserialize_with = "figure")]
    prompt_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    completion_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    total_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cached_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    prompt_cache_hit_tokens: Option<u64>,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InputDetails {
    #[serde(deserialize_with = "figure")]
    cached_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cache_write_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    audio_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    #[serde(deserialize_with = "figure")]
    reasoning_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    audio_tokens: Option<u64>,
}

/// Where a chunk may tell its usage: at the top, in Groq's own field, or, as Moonshot does, in the
/// alternative that ended.
pub(super) fn places(chunk: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let groq = chunk.get("x_groq").and_then(|own| own.get("usage"));
    let choices = chunk.get("choices").and_then(Value::as_array).into_iter().flatten();
    let inner = choices.filter_map(|choice| choice.get("usage"));
    chunk.get("usage").into_iter().chain(groq).chain(inner).filter(|usage| usage.is_object())
}

/// Reads a usage object in JSON text; `None` when it is no object, or says nothing.
pub(super) fn of_slice(text: &[u8], quirks: &Quirks) -> Option<Usage> {
    serde_json::from_slice::<Wire>(text).ok().and_then(|wire| normalised(&wire, quirks))
}

/// Reads a usage object; `None` when it is no object, or says nothing.
pub(in crate::dialect) fn of_value(value: &Value, quirks: &Quirks) -> Option<Usage> {
    Wire::deserialize(value).ok().and_then(|wire| normalised(&wire, quirks))
}

fn normalised(wire: &Wire, quirks: &Quirks) -> Option<Usage> {
    if wire.prompt_tokens.is_none() && wire.completion_tokens.is_none() {
        return None;
    }
    let none = (InputDetails::default(), OutputDetails::default());
    let input = wire.prompt_tokens_details.as_ref().unwrap_or(&none.0);
    let output = wire.completion_tokens_details.as_ref().unwrap_or(&none.1);
    let top_level = wire.cached_tokens.filter(|_| quirks.top_level_cached_tokens);
    let cached = input.cached_tokens.or(wire.prompt_cache_hit_tokens).or(top_level).unwrap_or(0);
    let cache_write = input.cache_write_tokens.unwrap_or(0);
    let reasoning = output.reasoning_tokens.unwrap_or(0);
    let completion = wire.completion_tokens.unwrap_or(0);
    let outside = reasoning_is_outside(wire, reasoning, quirks);
    Some(Usage {
        input: wire.prompt_tokens.unwrap_or(0).saturating_sub(cached).saturating_sub(cache_write),
        cached_input: cached,
        cache_write,
        cache_write_1h: 0,
        output: if outside { completion } else { completion.saturating_sub(reasoning) },
        reasoning,
        audio_input: input.audio_tokens.unwrap_or(0),
        audio_output: output.audio_tokens.unwrap_or(0),
    })
}

fn reasoning_is_outside(wire: &Wire, reasoning: u64, quirks: &Quirks) -> bool {
    let sum = wire.prompt_tokens.unwrap_or(0).saturating_add(wire.completion_tokens.unwrap_or(0));
    match wire.total_tokens {
        Some(total) if total == sum => false,
        Some(total) if total == sum.saturating_add(reasoning) => true,
        _ => quirks.reasoning_outside_completion,
    }
}

/// Usage as OpenAI words it.
pub(in crate::dialect) fn to_value(usage: &Usage) -> Value {
    let prompt = usage.total_input();
    let completion = usage.total_output();
    let mut input = Map::new();
    input.insert("cached_tokens".to_owned(), usage.cached_input.into());
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    if written > 0 {
        input.insert("cache_write_tokens".to_owned(), written.into());
    }
    if usage.audio_input > 0 {
        input.insert("audio_tokens".to_owned(), usage.audio_input.into());
    }
    let mut output = Map::new();
    output.insert("reasoning_tokens".to_owned(), usage.reasoning.into());
    if usage.audio_output > 0 {
        output.insert("audio_tokens".to_owned(), usage.audio_output.into());
    }
    serde_json::json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt.saturating_add(completion),
        "prompt_tokens_details": input,
        "completion_tokens_details": output,
    })
}
