//! `reasoning_details`: how seals on reasoning travel through an OpenAI client.
//!
//! OpenAI's chat API has no place for them, so they go in an array beside `reasoning_content`, one
//! item for each sealed piece:
//! `{"type":"thinking","text":..,"signature":..,"origin":"anthropic_messages"}` and
//! `{"type":"redacted_thinking","data":..,"origin":..}`. A client that sends its assistant
//! messages back whole lets the next turn continue the reasoning. Items without one of our
//! dialects as `origin` are some other host's (OpenRouter has an array of this name) and stay
//! extras.

use crate::hub::{Part, Signature};
use serde_json::{Value, json};

/// The field's name.
pub(super) const FIELD: &str = "reasoning_details";

/// A sealed piece of reasoning.
pub(super) fn thinking(text: &str, signature: &Signature) -> Value {
    json!({
        "type": "thinking",
        "text": text,
        "signature": signature.value,
        "origin": signature.origin,
    })
}

/// Reasoning that only its provider can read.
pub(super) fn redacted(data: &str, origin: &str) -> Value {
    json!({ "type": "redacted_thinking", "data": data, "origin": origin })
}

/// The reasoning parts among the items, and the items that are not ours.
pub(super) fn split(items: Vec<Value>) -> (Vec<Part>, Vec<Value>) {
    let mut parts = Vec::new();
    let mut foreign = Vec::new();
    for item in items {
        match part(&item) {
            Some(part) => parts.push(part),
            None => foreign.push(item),
        }
    }
    (parts, foreign)
}

/// The item as a part, if it is ours.
pub(super) fn part(item: &Value) -> Option<Part> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let origin = crate::dialect::find(text("origin")?)?.id;
    match text("type")? {
        "thinking" => Some(Part::Reasoning {
            text: text("text").unwrap_or_default().to_owned(),
            signature: Some(Signature { origin, value: text("signature")?.to_owned() }),
        }),
        "redacted_thinking" => {
            Some(Part::RedactedReasoning { data: text("data")?.to_owned(), origin })
        }
        _ => None,
    }
}
