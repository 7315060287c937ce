//! Token counts: the prompt includes what came from the cache, the candidates exclude thoughts.
//!
//! Every chunk of a stream tells its counts anew, so that the last one counts. What tools put into
//! the prompt is counted beside it.

use crate::fields::figure;
use crate::hub::Usage;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The counts as they stand on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Counts {
    #[serde(deserialize_with = "figure")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "figure")]
    cached_content_token_count: Option<u64>,
    #[serde(deserialize_with = "figure")]
    candidates_token_count: Option<u64>,
    #[serde(deserialize_with = "figure")]
    thoughts_token_count: Option<u64>,
    #[serde(deserialize_with = "figure")]
    tool_use_prompt_token_count: Option<u64>,
    prompt_tokens_details: Option<Vec<Detail>>,
    candidates_tokens_details: Option<Vec<Detail>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    modality: Option<Cow<'static, str>>,
    #[serde(deserialize_with = "figure")]
    token_count: Option<u64>,
}

impl Counts {
    /// Takes over what newer counts say.
    pub(super) fn update(&mut self, newer: Self) {
        self.prompt_token_count = newer.prompt_token_count.or(self.prompt_token_count);
        self.cached_content_token_count =
            newer.cached_content_token_count.or(self.cached_content_token_count);
        self.candidates_token_count = newer.candidates_token_count.or(self.candidates_token_count);
        self.thoughts_token_count = newer.thoughts_token_count.or(self.thoughts_token_count);
        self.tool_use_prompt_token_count =
            newer.tool_use_prompt_token_count.or(self.tool_use_prompt_token_count);
        self.prompt_tokens_details =
            newer.prompt_tokens_details.or(self.prompt_tokens_details.take());
        self.candidates_tokens_details =
            newer.candidates_tokens_details.or(self.candidates_tokens_details.take());
    }

    /// The counts in the hub's form; `None` while nothing was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.prompt_token_count.or(self.candidates_token_count)?;
        let prompt = self.prompt_token_count.unwrap_or(0);
        let total = prompt.saturating_add(self.tool_use_prompt_token_count.unwrap_or(0));
        let cached = self.cached_content_token_count.unwrap_or(0).min(total);
        Some(Usage {
            input: total - cached,
            cached_input: cached,
            output: self.candidates_token_count.unwrap_or(0),
            reasoning: self.thoughts_token_count.unwrap_or(0),
            audio_input: audio(self.prompt_tokens_details.as_deref()),
            audio_output: audio(self.candidates_tokens_details.as_deref()),
            ..Usage::default()
        })
    }
}

fn audio(details: Option<&[Detail]>) -> u64 {
    let heard = details.into_iter().flatten();
    heard
        .filter(|detail| detail.modality.as_deref() == Some("AUDIO"))
        .fold(0, |sum, detail| detail.token_count.unwrap_or(0).saturating_add(sum))
}

/// The names that [`write`] sets anew; all others of a usage object are kept as they stand.
pub(super) static COUNTED: &[&str] = &[
    "promptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
];

/// A usage object of this dialect.
pub(super) fn write(usage: &Usage) -> Map<String, Value> {
    let total = usage.total_input().saturating_add(usage.total_output());
    let mut map = Map::new();
    map.insert("promptTokenCount".to_owned(), usage.total_input().into());
    if usage.cached_input > 0 {
        map.insert("cachedContentTokenCount".to_owned(), usage.cached_input.into());
    }
    map.insert("candidatesTokenCount".to_owned(), usage.output.into());
    if usage.reasoning > 0 {
        map.insert("thoughtsTokenCount".to_owned(), usage.reasoning.into());
    }
    map.insert("totalTokenCount".to_owned(), total.into());
    let details = [
        ("promptTokensDetails", usage.audio_input),
        ("candidatesTokensDetails", usage.audio_output),
    ];
    for (name, tokens) in details.into_iter().filter(|(_, tokens)| *tokens > 0) {
        let detail = json!([{"modality": "AUDIO", "tokenCount": tokens}]);
        map.insert(name.to_owned(), detail);
    }
    map
}
