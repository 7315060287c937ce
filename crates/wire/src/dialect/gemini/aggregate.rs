//! Builds the unstreamed answer out of a stream, unknown fields included.
//!
//! Texts of one kind in a row become one part, as the provider writes them unstreamed; a signature
//! on an empty text belongs to the text before it. Calls in pieces become whole.

use super::partial::Partial;
use crate::dialect::Aggregate;
use crate::error::DecodeError;
use crate::fields::Fields;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Collects the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Collector {
    body: Map<String, Value>,
    lanes: BTreeMap<u64, Lane>,
}

/// One alternative.
#[derive(Debug, Default)]
struct Lane {
    fields: Map<String, Value>,
    content: Map<String, Value>,
    parts: Vec<Value>,
    open: Option<Partial>,
}

impl Aggregate for Collector {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        if data.trim_ascii_start().first() == Some(&b'[') {
            let list: Vec<Value> = serde_json::from_slice(data)
                .map_err(|error| DecodeError::at("", format!("malformed event: {error}")))?;
            return list.into_iter().try_for_each(|chunk| self.chunk(Fields::of(chunk, "")?));
        }
        self.chunk(Fields::parse(data)?)
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        let mut body = Map::new();
        if !self.lanes.is_empty() {
            let candidates = self.lanes.into_values().map(Lane::finish).collect();
            body.insert("candidates".to_owned(), Value::Array(candidates));
        }
        body.extend(self.body);
        Value::Object(body).to_string().into_bytes()
    }
}

impl Collector {
    fn chunk(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        for (at, value) in fields.list("candidates")?.into_iter().enumerate() {
            let mut candidate = Fields::of(value, format!("candidates[{at}]"))?;
            let index = candidate.u64("index")?.unwrap_or(0);
            self.lanes.entry(index).or_default().add(index, candidate)?;
        }
        update(&mut self.body, fields.rest());
        Ok(())
    }
}

/// Newer fields replace older ones, and objects are joined.
fn update(old: &mut Map<String, Value>, newer: Map<String, Value>) {
    for (key, value) in newer {
        match (old.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(newer)) => update(old, newer),
            (_, value) => {
                old.insert(key, value);
            }
        }
    }
}

impl Lane {
    fn add(&mut self, index: u64, mut candidate: Fields) -> Result<(), DecodeError> {
        if let Some(mut content) = candidate.object("content")? {
            for part in content.list("parts")? {
                self.part(part)?;
            }
            update(&mut self.content, content.rest());
        }
        self.fields.insert("index".to_owned(), index.into());
        update(&mut self.fields, candidate.rest());
        Ok(())
    }

    fn part(&mut self, part: Value) -> Result<(), DecodeError> {
        let call = part.get("functionCall");
        if call.is_some_and(|call| is_piece(call, self.open.is_some())) {
            return self.piece(part);
        }
        if !joined(self.parts.last_mut(), &part) && !is_empty(&part) {
            self.close();
            self.parts.push(part);
        }
        Ok(())
    }

    fn piece(&mut self, mut part: Value) -> Result<(), DecodeError> {
        let Some(call) = part.get_mut("functionCall").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        let pieces = call.shift_remove("partialArgs");
        let goes_on = call.shift_remove("willContinue") == Some(Value::Bool(true));
        if call.contains_key("name") {
            self.close();
            self.parts.push(part);
            self.open = Some(Partial::default());
        }
        let Some(open) = &mut self.open else {
            return Err(DecodeError::at("functionCall", "goes on where no call is open"));
        };
        let pieces = pieces.as_ref().and_then(Value::as_array);
        pieces.into_iter().flatten().try_for_each(|piece| open.add(piece))?;
        if !goes_on {
            self.close();
        }
        Ok(())
    }

    /// The open call, which is the last part, gets its arguments.
    fn close(&mut self) {
        let Some(partial) = self.open.take() else { return };
        let call = self.parts.last_mut().and_then(|part| part.get_mut("functionCall"));
        if let Some(Value::Object(call)) = call {
            call.insert("args".to_owned(), partial.into_value());
        }
    }

    fn finish(mut self) -> Value {
        self.close();
        let mut content = Map::from_iter([("parts".to_owned(), Value::Array(self.parts))]);
        content.entry("role").or_insert_with(|| json!("model"));
        content.extend(self.content);
        let mut candidate = Map::from_iter([("content".to_owned(), Value::Object(content))]);
        candidate.extend(self.fields);
        Value::Object(candidate)
    }
}

fn is_piece(call: &Value, open: bool) -> bool {
    call.get("partialArgs").is_some()
        || call.get("willContinue") == Some(&Value::Bool(true))
        || (open && call.get("name").is_none())
}

fn is_empty(part: &Value) -> bool {
    part.as_object().is_some_and(|part| part.len() == 1 && part.get("text") == Some(&json!("")))
}

/// Joins a text to a text of the same kind before it. A sealed text takes no more.
fn joined(last: Option<&mut Value>, part: &Value) -> bool {
    let (Some(Value::Object(last)), Value::Object(part)) = (last, part) else { return false };
    let known = |key: &String| ["text", "thought", "thoughtSignature"].contains(&key.as_str());
    let alike = last.get("thought") == part.get("thought")
        && !last.contains_key("thoughtSignature")
        && last.keys().chain(part.keys()).all(known);
    let (Some(Value::String(text)), Some(Value::String(more)), true) =
        (last.get_mut("text"), part.get("text"), alike)
    else {
        return false;
    };
    // A seal on a piece with text of its own seals that piece alone.
    let seal = part.get("thoughtSignature");
    if seal.is_some() && !more.is_empty() && !text.is_empty() {
        return false;
    }
    text.push_str(more);
    if let Some(seal) = seal {
        last.insert("thoughtSignature".to_owned(), seal.clone());
    }
    true
}
