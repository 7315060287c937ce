//! Builds the unstreamed message out of a stream, unknown fields included.

use crate::dialect::Aggregate;
use crate::error::DecodeError;
use crate::fields::Fields;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Collects the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Collector {
    message: Map<String, Value>,
    content: Vec<Value>,
    open: BTreeMap<u64, Open>,
}

/// An open block: its place in the content, and the pieces of its input.
#[derive(Debug)]
struct Open {
    place: usize,
    input: String,
}

impl Aggregate for Collector {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        let mut fields = Fields::parse(data)?;
        match fields.need_text("type")?.as_str() {
            "message_start" => self.start(&mut fields),
            "content_block_start" => self.block_start(&mut fields),
            "content_block_delta" => self.delta(&mut fields),
            "content_block_stop" => self.block_stop(&mut fields),
            "message_delta" => self.message_delta(fields),
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Vec<u8> {
        let left = std::mem::take(&mut self.open);
        left.into_values().for_each(|open| self.close(&open));
        self.message.insert("content".to_owned(), Value::Array(self.content));
        Value::Object(self.message).to_string().into_bytes()
    }
}

impl Collector {
    fn start(&mut self, fields: &mut Fields) -> Result<(), DecodeError> {
        let Some(Value::Object(mut message)) = fields.take("message") else {
            return Err(DecodeError::at("message", "must be an object"));
        };
        // The place of `content` among the fields is kept; its value comes at the end.
        if let Some(Value::Array(content)) = message.get_mut("content").map(Value::take) {
            self.content = content;
        }
        self.message = message;
        Ok(())
    }

    fn block_start(&mut self, fields: &mut Fields) -> Result<(), DecodeError> {
        let block = fields.take("content_block").filter(Value::is_object);
        let (Some(index), Some(block)) = (fields.u64("index")?, block) else {
            return Err(DecodeError::at("content_block", "is required, and so is index"));
        };
        self.open.insert(index, Open { place: self.content.len(), input: String::new() });
        self.content.push(block);
        Ok(())
    }

    fn delta(&mut self, fields: &mut Fields) -> Result<(), DecodeError> {
        let (Some(index), Some(mut delta)) = (fields.u64("index")?, fields.object("delta")?) else {
            return Err(DecodeError::at("delta", "is required, and so is index"));
        };
        let open = self.open.get_mut(&index);
        let Some(open) = open else {
            return Err(DecodeError::at("index", format!("block {index} is not open")));
        };
        let Some(Value::Object(block)) = self.content.get_mut(open.place) else { return Ok(()) };
        delta.take("type");
        if let Some(piece) = delta.text("partial_json")? {
            open.input.push_str(&piece);
        }
        if let Some(citation) = delta.take("citation") {
            append_item(block, "citations", citation);
        }
        for (key, value) in delta.rest() {
            append(block, &key, value);
        }
        Ok(())
    }

    fn block_stop(&mut self, fields: &mut Fields) -> Result<(), DecodeError> {
        let open = fields.u64("index")?.and_then(|index| self.open.remove(&index));
        match open {
            Some(open) => {
                self.close(&open);
                Ok(())
            }
            None => Err(DecodeError::at("index", "names no open block")),
        }
    }

    /// Input that was cut off is no JSON: the block keeps what it had at its start.
    fn close(&mut self, open: &Open) {
        let Some(Value::Object(block)) = self.content.get_mut(open.place) else { return };
        if let Ok(input) = serde_json::from_str(&open.input) {
            block.insert("input".to_owned(), input);
        }
    }

    fn message_delta(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        if let Some(Value::Object(delta)) = fields.take("delta") {
            self.message.extend(delta);
        }
        if let Some(Value::Object(newer)) = fields.take("usage") {
            let usage = self.message.entry("usage").or_insert_with(|| json!({}));
            if let Value::Object(usage) = usage {
                usage.extend(newer);
            }
        }
        self.message.extend(fields.rest());
        Ok(())
    }
}

/// Texts grow, anything else is replaced.
fn append(block: &mut Map<String, Value>, key: &str, value: Value) {
    match (block.get_mut(key), value) {
        (Some(Value::String(old)), Value::String(more)) => old.push_str(&more),
        (_, value) => {
            block.insert(key.to_owned(), value);
        }
    }
}

fn append_item(block: &mut Map<String, Value>, key: &str, item: Value) {
    match block.get_mut(key) {
        Some(Value::Array(list)) => list.push(item),
        _ => {
            block.insert(key.to_owned(), Value::Array(vec![item]));
        }
    }
}
