//! Counting the tokens of a conversation without answering it.
//!
//! The body is read by the dialect itself, so the count is what the same conversation would cost.
//! Counting is free.

use serde_json::{Value, json};

use super::{Answered, Done, Errand};
use crate::dialect::{Dialect, PathFacts, put};

/// The model is in the body, on Google's cloud too: the place of the model in its path is taken.
pub(super) fn anthropic(errand: &Errand<'_>) -> Answered {
    let mut body = errand.body.clone();
    put(&mut body, "max_tokens", 1.into());
    let ask = Dialect::Anthropic.read(&body, &PathFacts::default())?;
    let answer = json!({ "input_tokens": ask.input_tokens });
    Ok(Done { model: ask.model, ..Done::free(&answer) })
}

/// The conversation is the body, or a whole request inside it.
pub(super) fn gemini(errand: &Errand<'_>) -> Answered {
    let inner = errand.body.get("generateContentRequest");
    let body: &Value = inner.unwrap_or(&errand.body);
    let ask = Dialect::Gemini.read(body, errand.facts)?;
    let details = json!([{ "modality": "TEXT", "tokenCount": ask.input_tokens }]);
    let answer = json!({ "totalTokens": ask.input_tokens, "promptTokensDetails": details });
    Ok(Done { model: ask.model, ..Done::free(&answer) })
}
