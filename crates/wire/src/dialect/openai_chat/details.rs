//! `reasoning_details`: how seals on reasoning travel through an OpenAI client.
//!
//! OpenAI's chat API has no place for them, so they go in an array beside `reasoning_content`, one
//! item for each sealed piece:
//! `{"type":"thinking","text":..,"signature":..,"origin":"anthropic_messages"}` and
//! `{"type":"redacted_thinking","data":..,"origin":..}`. A client that sends its assistant
//! messages back whole lets the next turn continue the reasoning. Items without one of our
//! dialects as `origin` are some other host's (OpenRouter has an array of this name): they are
//! reasoning that only a host of this dialect can read, and go back to one as they came.

use super::ID;
use crate::hub::{Event, Part, Signature};
use serde_json::{Map, Value, json};

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
    let own = if origin == ID { whole(data) } else { None };
    own.unwrap_or_else(|| json!({ "type": "redacted_thinking", "data": data, "origin": origin }))
}

/// A host's own item, out of the data it was kept as.
pub(super) fn whole(data: &str) -> Option<Value> {
    serde_json::from_str(data).ok().filter(Value::is_object)
}

/// The items as reasoning parts.
pub(super) fn parts(items: &[Value]) -> Vec<Part> {
    items.iter().map(|item| part(item).unwrap_or_else(|| kept(item))).collect()
}

fn kept(item: &Value) -> Part {
    Part::RedactedReasoning { data: item.to_string(), origin: ID }
}

/// More items than any answer has; bounds the search.
const MAX_ITEMS: usize = 256;

/// A host's own items of a stream, which come in pieces.
#[derive(Default)]
pub(super) struct Pieces(Vec<Map<String, Value>>);

impl Pieces {
    /// Adds a piece: to the item of its kind and number, else as a new one.
    pub(super) fn add(&mut self, piece: &Map<String, Value>) {
        let same = |item: &Map<String, Value>| {
            ["type", "index", "id"].iter().all(|key| {
                let (old, new) = (item.get(*key), piece.get(*key));
                old == new || (*key == "id" && (old.is_none() || new.is_none_or(Value::is_null)))
            })
        };
        let Self(items) = self;
        match items.iter().rposition(same) {
            Some(place) => items.get_mut(place).into_iter().for_each(|item| grow(item, piece)),
            None if items.len() < MAX_ITEMS => items.push(piece.clone()),
            None => {}
        }
    }

    /// What was gathered, as events of the alternative `choice`.
    pub(super) fn take(&mut self, choice: u32) -> Vec<Event> {
        let items = std::mem::take(&mut self.0).into_iter();
        let event = |item| {
            let data = Value::Object(item).to_string();
            Event::RedactedReasoning { choice, data, origin: ID }
        };
        items.map(event).collect()
    }
}

/// Texts grow; of other fields the last that says something counts.
fn grow(item: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (key, value) in piece {
        match (item.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(more))
                if matches!(key.as_str(), "text" | "summary" | "data") =>
            {
                text.push_str(more);
            }
            (_, Value::Null) => {}
            (Some(old), value) => *old = value.clone(),
            (None, value) => {
                item.insert(key.clone(), value.clone());
            }
        }
    }
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
