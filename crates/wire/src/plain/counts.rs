//! What an answer says about its costs, in the shapes of all providers at once.
//!
//! Embedders and rerankers only read, so that one number is enough: the prompt's tokens, the total
//! where nothing else is told, or what Cohere bills. Pictures are billed apart and counted in.

use crate::dialect::Quirks;
use crate::fields::figure;
use crate::hub::Usage;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "snake_case")]
struct Wire {
    usage: Option<Tokens>,
    meta: Option<Meta>,
    #[serde(rename = "usageMetadata")]
    usage_metadata: Option<Google>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tokens {
    #[serde(deserialize_with = "figure")]
    prompt_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    completion_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    total_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    billed_units: Option<Units>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Units {
    #[serde(deserialize_with = "figure")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    image_tokens: Option<u64>,
    #[serde(deserialize_with = "figure")]
    search_units: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Google {
    #[serde(deserialize_with = "figure")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "figure")]
    total_token_count: Option<u64>,
}

/// The usage in an answer; `None` when it tells none or is no answer.
pub(super) fn usage(body: &[u8], _quirks: &Quirks) -> Option<Usage> {
    let wire: Wire = serde_json::from_slice(body).ok()?;
    let output = wire.usage.as_ref().and_then(|usage| usage.completion_tokens);
    let tokens = wire.usage.and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
    let google =
        wire.usage_metadata.and_then(|usage| usage.prompt_token_count.or(usage.total_token_count));
    let billed = wire.meta.and_then(|meta| meta.billed_units).and_then(|units| units.tokens());
    let input = tokens.or(google).or(billed)?;
    Some(Usage { input, output: output.unwrap_or(0), ..Usage::default() })
}

/// The searches that an answer was billed as (Cohere's search units: one for a query with up to a
/// hundred documents); `None` where it does not say.
#[must_use]
pub fn searches(body: &[u8]) -> Option<u64> {
    let wire: Wire = serde_json::from_slice(body).ok()?;
    wire.meta?.billed_units?.search_units
}

impl Units {
    fn tokens(&self) -> Option<u64> {
        match (self.input_tokens, self.image_tokens) {
            (None, images) => images,
            (Some(texts), images) => Some(texts.saturating_add(images.unwrap_or(0))),
        }
    }
}
