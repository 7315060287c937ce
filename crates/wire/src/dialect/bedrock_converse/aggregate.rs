//! Builds the unstreamed answer out of a stream, unknown fields included.

use crate::dialect::Aggregate;
use crate::error::DecodeError;
use crate::fields::{Fields, merge};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Collects the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Collector {
    blocks: BTreeMap<u64, Block>,
    /// The answer's fields beside the content.
    rest: Map<String, Value>,
}

/// A block, piece by piece.
#[derive(Debug, Default)]
struct Block {
    text: String,
    input: String,
    thought: Map<String, Value>,
    citations: Vec<Value>,
    /// What it began with, and what else came.
    whole: Map<String, Value>,
}

impl Aggregate for Collector {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        let mut fields = Fields::parse(data)?;
        let name = name.unwrap_or_default();
        match name {
            b"contentBlockStart" => {
                let start = fields.object("start")?.map(Fields::rest).unwrap_or_default();
                self.block(&mut fields)?.whole.extend(start);
            }
            b"contentBlockDelta" => {
                let delta = fields.object("delta")?;
                let block = self.block(&mut fields)?;
                if let Some(delta) = delta {
                    block.add(delta)?;
                }
            }
            b"messageStop" | b"metadata" => self.rest.extend(fields.rest()),
            _ => {}
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        let written = self.blocks.into_values().map(Block::written);
        let content: Vec<Value> =
            written.filter(|block| !block.is_empty()).map(Value::Object).collect();
        let message = json!({"role": "assistant", "content": content});
        let mut body = Map::from_iter([("output".to_owned(), json!({"message": message}))]);
        merge(&mut body, &self.rest);
        Value::Object(body).to_string().into_bytes()
    }
}

impl Collector {
    fn block(&mut self, fields: &mut Fields) -> Result<&mut Block, DecodeError> {
        match fields.u64("contentBlockIndex")? {
            Some(index) => Ok(self.blocks.entry(index).or_default()),
            None => Err(DecodeError::at("contentBlockIndex", "is required")),
        }
    }
}

impl Block {
    fn add(&mut self, mut delta: Fields) -> Result<(), DecodeError> {
        if let Some(text) = delta.text("text")? {
            self.text.push_str(&text);
        }
        if let Some(mut call) = delta.object("toolUse")? {
            self.input.push_str(&call.text("input")?.unwrap_or_default());
        }
        if let Some(thought) = delta.object("reasoningContent")? {
            thought.rest().into_iter().for_each(|(key, value)| self.think(&key, value));
        }
        self.citations.extend(delta.take("citation"));
        merge(&mut self.whole, &delta.rest());
        Ok(())
    }

    /// Thoughts and seals come in pieces.
    fn think(&mut self, key: &str, piece: Value) {
        match (self.thought.get_mut(key), piece) {
            (Some(Value::String(old)), Value::String(more)) => old.push_str(&more),
            (_, piece) => {
                self.thought.insert(key.to_owned(), piece);
            }
        }
    }

    fn written(mut self) -> Map<String, Value> {
        if let Some(Value::Object(call)) = self.whole.get_mut("toolUse") {
            // Input that was cut off is no JSON.
            let input = serde_json::from_str(&self.input).unwrap_or_else(|_| json!({}));
            call.insert("input".to_owned(), input);
        }
        if !self.citations.is_empty() {
            let cited = json!({"content": [{"text": self.text}], "citations": self.citations});
            self.whole.insert("citationsContent".to_owned(), cited);
        } else if !self.text.is_empty() {
            self.whole.insert("text".to_owned(), self.text.into());
        }
        if let Some(thought) = thought(self.thought) {
            self.whole.insert("reasoningContent".to_owned(), thought);
        }
        self.whole
    }
}

/// Streamed, a thought's text and seal stand beside each other; whole, they are one thing.
fn thought(mut pieces: Map<String, Value>) -> Option<Value> {
    if pieces.is_empty() {
        return None;
    }
    if pieces.contains_key("redactedContent") {
        return Some(pieces.into());
    }
    let text = pieces.shift_remove("text").unwrap_or_else(|| "".into());
    let mut whole = Map::from_iter([("text".to_owned(), text)]);
    whole.extend(pieces);
    Some(json!({"reasoningText": whole}))
}
