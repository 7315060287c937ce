//! Builds the `chat.completion` that a stream of `chat.completion.chunk`s amounts to.
//!
//! Nothing is lost: known texts are concatenated, tool calls are gathered by their slots, log
//! probabilities are appended, objects are merged, and of any other field the last value that is
//! not null stands. Only `obfuscation` goes, which pads chunks and is in no unstreamed answer.

use super::slots::Slots;
use super::{DONE, parse_chunk};
use crate::dialect::Aggregate;
use crate::error::DecodeError;
use serde_json::{Map, Value, json};

/// More alternatives than any API gives; bounds the search.
const MAX_CHOICES: usize = 128;

/// Fields of a delta whose pieces are one text.
const TEXTS: &[&str] =
    &["content", "refusal", "reasoning_content", "reasoning", "arguments", "transcript", "data"];

/// The answer so far.
#[derive(Default)]
pub(super) struct Completion {
    top: Map<String, Value>,
    choices: Vec<Choice>,
}

struct Choice {
    index: u64,
    fields: Map<String, Value>,
    message: Map<String, Value>,
    slots: Slots,
    calls: Vec<Map<String, Value>>,
}

impl Aggregate for Completion {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        let data = data.trim_ascii();
        if data == DONE || data.is_empty() {
            return Ok(());
        }
        for (key, value) in parse_chunk(data)? {
            match (key.as_str(), value) {
                ("object" | "obfuscation", _) => {}
                ("choices", Value::Array(choices)) => {
                    choices.into_iter().try_for_each(|choice| self.choice(choice))?;
                }
                (_, value) => overlay(&mut self.top, key, value),
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        let mut top = self.top;
        let mut answer = Map::new();
        answer.insert("id".to_owned(), top.shift_remove("id").unwrap_or_default());
        answer.insert("object".to_owned(), "chat.completion".into());
        for key in ["created", "model"] {
            answer.insert(key.to_owned(), top.shift_remove(key).unwrap_or_default());
        }
        let mut choices = self.choices;
        choices.sort_by_key(|choice| choice.index);
        answer.insert("choices".to_owned(), choices.into_iter().map(Choice::finish).collect());
        answer.extend(top);
        Value::Object(answer).to_string().into_bytes()
    }
}

impl Completion {
    fn choice(&mut self, value: Value) -> Result<(), DecodeError> {
        let Value::Object(fields) = value else {
            return Err(DecodeError::at("choices", "must hold objects only"));
        };
        let index = fields.get("index").and_then(Value::as_u64).unwrap_or(0);
        let known = self.choices.iter().position(|choice| choice.index == index);
        let at = known.unwrap_or(self.choices.len());
        if known.is_none() {
            if self.choices.len() >= MAX_CHOICES {
                return Err(DecodeError::at("choices", "too many"));
            }
            self.choices.push(Choice::new(index));
        }
        self.choices.get_mut(at).map_or(Ok(()), |choice| choice.merge(fields))
    }
}

impl Choice {
    fn new(index: u64) -> Self {
        Self {
            index,
            fields: Map::new(),
            message: Map::new(),
            slots: Slots::default(),
            calls: Vec::new(),
        }
    }

    fn merge(&mut self, fields: Map<String, Value>) -> Result<(), DecodeError> {
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("index", _) => {}
                ("delta" | "message", Value::Object(delta)) => self.delta(delta)?,
                ("logprobs", Value::Object(more)) => gather_all(&mut self.fields, &key, more),
                (_, value) => overlay(&mut self.fields, key, value),
            }
        }
        Ok(())
    }

    fn delta(&mut self, delta: Map<String, Value>) -> Result<(), DecodeError> {
        for (key, value) in delta {
            match (key.as_str(), value) {
                ("tool_calls", Value::Array(pieces)) => {
                    pieces.into_iter().try_for_each(|piece| self.tool_call(piece))?;
                }
                ("content", Value::Array(parts)) => self.content_parts(parts),
                ("function_call" | "audio", Value::Object(piece)) => {
                    gather_all(&mut self.message, &key, piece);
                }
                (_, value) => gather(&mut self.message, key, value),
            }
        }
        Ok(())
    }

    /// Content in parts (Mistral's thinking): neighbours of one type are one part.
    fn content_parts(&mut self, parts: Vec<Value>) {
        let content = self.message.entry("content").or_insert(Value::Null);
        let mut list = match content.take() {
            Value::Array(list) => list,
            Value::String(text) if !text.is_empty() => vec![json!({"type": "text", "text": text})],
            _ => Vec::new(),
        };
        parts.into_iter().for_each(|part| append_part(&mut list, part));
        *content = Value::Array(list);
    }

    fn tool_call(&mut self, piece: Value) -> Result<(), DecodeError> {
        let Value::Object(mut piece) = piece else {
            return Err(DecodeError::at("tool_calls", "must hold objects only"));
        };
        let index = piece.shift_remove("index").and_then(|index| index.as_u64());
        let id = piece.get("id").and_then(Value::as_str).unwrap_or_default();
        let name = piece.get("function").and_then(|function| function.get("name"));
        let name = name.and_then(Value::as_str).unwrap_or_default();
        let at = self.slots.place(index, id, name)?;
        if self.calls.len() < self.slots.len() {
            self.calls.push(Map::new());
        }
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        for (key, value) in piece {
            match (key.as_str(), value) {
                ("id", value) => keep_first(call, key, value),
                ("function", Value::Object(function)) => {
                    gather_all(call, "function", function);
                }
                (_, value) => overlay(call, key, value),
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Value {
        let mut message = Map::new();
        let role = self.message.shift_remove("role").filter(|role| role.is_string());
        message.insert("role".to_owned(), role.unwrap_or_else(|| "assistant".into()));
        let content = self.message.shift_remove("content");
        let empty = content.as_ref().and_then(Value::as_str) == Some("");
        // Hosts open a stream of tool calls with an empty text; unstreamed they say null.
        let content = content.filter(|_| !empty || self.calls.is_empty());
        message.insert("content".to_owned(), content.unwrap_or_default());
        message.extend(self.message);
        if !self.calls.is_empty() {
            self.calls.iter_mut().for_each(complete_call);
            message.insert("tool_calls".to_owned(), self.calls.into());
        }
        let mut choice = Map::new();
        choice.insert("index".to_owned(), self.index.into());
        choice.insert("message".to_owned(), message.into());
        choice.extend(self.fields);
        choice.entry("finish_reason").or_insert(Value::Null);
        choice.into()
    }
}

/// A call that was streamed without its type is a function's, and one without arguments has none.
fn complete_call(call: &mut Map<String, Value>) {
    call.entry("type").or_insert_with(|| "function".into());
    if let Some(Value::Object(function)) = call.get_mut("function") {
        function.entry("arguments").or_insert_with(|| "".into());
    }
}

/// Adds one field of a delta: texts grow, names stay, lists are appended, the rest is overlaid.
fn gather(map: &mut Map<String, Value>, key: String, value: Value) {
    match (map.get_mut(&key), value) {
        (Some(Value::String(text)), Value::String(more)) if TEXTS.contains(&key.as_str()) => {
            text.push_str(&more);
        }
        (Some(Value::Array(parts)), Value::String(more)) if key == "content" => {
            append_part(parts, json!({"type": "text", "text": more}));
        }
        (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
        (_, value) if key == "name" => keep_first(map, key, value),
        (_, value) => overlay(map, key, value),
    }
}

/// Sets a field unless it has a value; empty texts are none.
fn keep_first(map: &mut Map<String, Value>, key: String, value: Value) {
    let blank = |value: &Value| value.is_null() || value.as_str() == Some("");
    if map.get(&key).is_none_or(blank) {
        map.insert(key, value);
    }
}

/// The last value that says something stands; objects are merged. Nesting is bounded by the parser.
pub(in crate::dialect) fn overlay(map: &mut Map<String, Value>, key: String, value: Value) {
    let blank = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match (map.get_mut(&key), value) {
        (Some(_), _) if blank => {}
        (Some(Value::Object(old)), Value::Object(new)) => {
            new.into_iter().for_each(|(key, value)| overlay(old, key, value));
        }
        (_, value) => {
            map.insert(key, value);
        }
    }
}

/// Changes the object under `key`, which is made if there is none.
fn change(map: &mut Map<String, Value>, key: &str, by: impl FnOnce(&mut Map<String, Value>)) {
    let mut object = match map.get_mut(key).map(Value::take) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    by(&mut object);
    map.insert(key.to_owned(), object.into());
}

/// Adds pieces of an object to those of before.
pub(in crate::dialect) fn gather_all(
    map: &mut Map<String, Value>,
    key: &str,
    pieces: Map<String, Value>,
) {
    change(map, key, |whole| {
        pieces.into_iter().for_each(|(key, value)| gather(whole, key, value));
    });
}

/// Appends a content part, joining it with the last one when both are texts or both thoughts.
fn append_part(list: &mut Vec<Value>, part: Value) {
    if part.get("type").and_then(Value::as_str) == Some("text")
        && part.get("text").and_then(Value::as_str) == Some("")
    {
        return;
    }
    let same = list.last().is_some_and(|last| last.get("type") == part.get("type"));
    let joined = same && list.last_mut().is_some_and(|last| join(last, &part));
    if !joined {
        list.push(part);
    }
}

fn join(last: &mut Value, part: &Value) -> bool {
    for key in ["text", "thinking"] {
        match (last.get_mut(key), part.get(key)) {
            (Some(Value::String(text)), Some(Value::String(more))) => {
                text.push_str(more);
                return true;
            }
            (Some(Value::Array(list)), Some(Value::Array(more))) => {
                more.iter().for_each(|part| append_part(list, part.clone()));
                return true;
            }
            _ => {}
        }
    }
    false
}
