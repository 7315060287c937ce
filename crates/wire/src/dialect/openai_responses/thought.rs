//! Reasoning items and their seals.
//!
//! The seal of an item is what the provider needs to see again: its id, its encrypted content and
//! all that is no readable text. It travels as the encrypted content alone where there is nothing
//! else, and as a JSON object otherwise. Seals of other dialects travel in `encrypted_content`,
//! marked as `seal` does it.

use super::ID;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Part, Signature};
use crate::seal;
use serde_json::{Map, Value, json};

/// Marks data that only its provider can read, as against a seal.
const REDACTED: &str = "redacted:";

const SEALED: &str = "encrypted_content";

/// Reads an item, without its type.
pub(super) fn read(mut fields: Fields) -> Result<Part, DecodeError> {
    let summary = texts(&fields.list("summary")?);
    let content = fields.list("content")?;
    let sealed = fields.text(SEALED)?.filter(|sealed| !sealed.is_empty());
    let spoken = if summary.is_empty() { texts(&content) } else { summary.clone() };
    let text = spoken.join("\n\n");
    if let Some(sealed) = sealed.as_deref().and_then(carried) {
        return Ok(opened(text, sealed));
    }
    let mut map = fields.rest();
    map.retain(|key, value| key != "id" || value.as_str().is_some_and(|id| !id.is_empty()));
    if !content.is_empty() {
        let kept = if summary.is_empty() { Vec::new() } else { content };
        map.insert("content".to_owned(), kept.into());
    }
    let value = match sealed {
        Some(sealed) if map.is_empty() => Some(sealed),
        sealed => {
            map.extend(sealed.map(|sealed| (SEALED.to_owned(), sealed.into())));
            Some(map).filter(|map| !map.is_empty()).map(|map| Value::Object(map).to_string())
        }
    };
    Ok(Part::Reasoning { text, signature: value.map(|value| Signature { origin: ID, value }) })
}

/// The seal within an encrypted content that we wrote ourselves.
fn carried(sealed: &str) -> Option<Signature> {
    let signature = seal::open(sealed.to_owned(), ID);
    (signature.origin != ID || sealed.starts_with('{')).then_some(signature)
}

fn opened(text: String, signature: Signature) -> Part {
    match signature.value.strip_prefix(REDACTED) {
        Some(data) if signature.origin != ID => {
            Part::RedactedReasoning { data: data.to_owned(), origin: signature.origin }
        }
        _ => Part::Reasoning { text, signature: Some(signature) },
    }
}

fn texts(list: &[Value]) -> Vec<String> {
    list.iter().filter_map(|part| part.get("text")?.as_str().map(str::to_owned)).collect()
}

/// The item that says this to its own provider.
pub(super) fn write(text: &str, signature: Option<&Signature>) -> Map<String, Value> {
    let mut fields = signature.map(|seal| unfolded(&seal.value)).unwrap_or_default();
    let mut item = Map::from_iter([("type".to_owned(), Value::from("reasoning"))]);
    let in_content = fields.get("content").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let (summary, content) = if in_content { ("", text) } else { (text, "") };
    item.insert("summary".to_owned(), list("summary_text", summary));
    if in_content {
        fields.insert("content".to_owned(), list("reasoning_text", content));
    }
    item.extend(fields);
    item
}

fn list(kind: &str, text: &str) -> Value {
    if text.is_empty() { json!([]) } else { json!([{ "type": kind, "text": text }]) }
}

/// The fields of an item that a seal holds.
fn unfolded(value: &str) -> Map<String, Value> {
    match serde_json::from_str(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::from_iter([(SEALED.to_owned(), value.into())]),
    }
}

/// Whether a seal means something to a provider that stores nothing for us.
pub(super) fn stands_alone(seal: &Signature) -> bool {
    seal.origin == ID && unfolded(&seal.value).contains_key(SEALED)
}

/// What a client carries for us of a seal.
pub(super) fn for_client(seal: &Signature) -> String {
    seal::wrap(seal.origin, &seal.value, ID)
}

/// What a client carries for us of reasoning that only its provider can read.
pub(super) fn redacted_for_client(data: &str, origin: &str) -> String {
    seal::wrap(origin, &format!("{REDACTED}{data}"), ID)
}

/// Whether the part is a bare seal of another dialect, which belongs to the call that follows.
pub(super) fn is_foreign_seal(part: &Part) -> bool {
    matches!(part, Part::Reasoning { text, signature: Some(seal) }
        if text.is_empty() && seal.origin != ID)
}
