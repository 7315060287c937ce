//! Content blocks, written.
//!
//! What the provider may get back is its own: foreign seals, and thinking without a seal, are left
//! out, while a client carries them all.

use super::ID;
use crate::fields::{arguments_object, merge, put};
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::media;
use crate::seal::{self, Reader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Writes parts as blocks.
pub(super) struct Writing {
    /// Whom for.
    pub(super) reader: Reader,
    /// Whether the extras come from this dialect.
    pub(super) own_extras: bool,
    /// Wishes that had no place here.
    pub(super) lost: Vec<&'static str>,
}

impl Writing {
    /// Writes for `reader` what was read from the dialect `origin`.
    pub(super) fn new(reader: Reader, origin: &str) -> Self {
        Self { reader, own_extras: origin == ID, lost: Vec::new() }
    }

    /// All parts as blocks.
    pub(super) fn blocks(&mut self, parts: &[Part]) -> Vec<Value> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            self.push(part, &mut blocks);
        }
        blocks
    }

    /// Appends the blocks that say `part`; none where it cannot be said.
    fn push(&mut self, part: &Part, blocks: &mut Vec<Value>) {
        match part {
            Part::ToolCall(call) => self.push_call(call, blocks),
            Part::Text { text, extra } => self.push_text(text, extra, blocks),
            Part::Refusal(text) => self.push_text(text, &Extra::new(), blocks),
            Part::Other { origin, value } if *origin == ID => blocks.push(value.clone()),
            Part::Other { .. } => {}
            Part::Audio { .. } => self.lost.push("input_audio"),
            Part::Image { source, extra } => {
                let block = source_of(source, self.own_extras)
                    .map(|source| self.block(json!({"type": "image", "source": source}), extra));
                self.push_or_lose(block, "image_url", blocks);
            }
            Part::File { source, name, extra } => {
                let block = source_of(source, self.own_extras)
                    .map(|source| self.document(source, name.as_deref(), extra));
                self.push_or_lose(block, "file", blocks);
            }
            Part::ToolResult { call_id, content, is_error, extra, .. } => {
                let block = self.tool_result(call_id, content, *is_error, extra);
                blocks.push(block);
            }
            Part::Reasoning { text, signature } => {
                blocks.extend(self.thinking(text, signature.as_ref()));
            }
            Part::RedactedReasoning { data, origin } => {
                if let Some(data) = self.sealed(origin, data) {
                    blocks.push(json!({"type": "redacted_thinking", "data": data}));
                }
            }
        }
    }

    fn push_or_lose(&mut self, block: Option<Value>, name: &'static str, out: &mut Vec<Value>) {
        match block {
            Some(block) => out.push(block),
            None => self.lost.push(name),
        }
    }

    /// Empty texts are left out, because the provider refuses them.
    fn push_text(&self, text: &str, extra: &Extra, blocks: &mut Vec<Value>) {
        if !text.is_empty() {
            blocks.push(self.block(json!({"type": "text", "text": text}), extra));
        }
    }

    fn push_call(&self, call: &ToolCall, blocks: &mut Vec<Value>) {
        if self.reader == Reader::Client && call.signature.is_some() {
            blocks.extend(self.thinking("", call.signature.as_ref()));
        }
        let block = json!({
            "type": "tool_use",
            "id": tool_id(&call.id),
            "name": call.name,
            "input": arguments_object(&call.arguments),
        });
        blocks.push(self.block(block, &call.extra));
    }

    fn tool_result(&mut self, id: &str, content: &[Part], is_error: bool, extra: &Extra) -> Value {
        let mut block = Map::new();
        put(&mut block, "type", Some("tool_result"));
        put(&mut block, "tool_use_id", Some(tool_id(id)));
        let content = plain_or_blocks(self.blocks(content));
        put(&mut block, "content", content);
        put(&mut block, "is_error", is_error.then_some(true));
        self.block(Value::Object(block), extra)
    }

    fn document(&self, source: Value, name: Option<&str>, extra: &Extra) -> Value {
        let mut block = Map::new();
        put(&mut block, "type", Some("document"));
        put(&mut block, "source", Some(source));
        put(&mut block, "title", name);
        self.block(Value::Object(block), extra)
    }

    /// Reasoning for the provider needs its own seal; a client gets it in any case.
    fn thinking(&self, text: &str, signature: Option<&Signature>) -> Option<Value> {
        let seal = match signature {
            Some(seal) => self.sealed(seal.origin, &seal.value)?,
            None if self.reader == Reader::Client => String::new(),
            None => return None,
        };
        Some(json!({"type": "thinking", "thinking": text, "signature": seal}))
    }

    fn sealed(&self, origin: &str, value: &str) -> Option<String> {
        match self.reader {
            Reader::Client => Some(seal::wrap(origin, value, ID)),
            Reader::Provider => (origin == ID).then(|| value.to_owned()),
        }
    }

    fn block(&self, mut block: Value, extra: &Extra) -> Value {
        if let Value::Object(map) = &mut block {
            self.add_extra(map, extra);
        }
        block
    }

    /// Adds extras of this dialect, or of any other the one field meant for this dialect.
    pub(super) fn add_extra(&self, map: &mut Map<String, Value>, extra: &Extra) {
        if self.own_extras {
            merge(map, extra);
        } else if let Some(control) = cache_control(extra) {
            map.insert(CACHE_CONTROL.to_owned(), control.clone());
        }
    }
}

const CACHE_CONTROL: &str = "cache_control";

/// The mark of a cached prefix among another dialect's extras; on OpenAI's tools it may stand
/// within the function.
pub(super) fn cache_control(extra: &Extra) -> Option<&Value> {
    let within = || extra.get("function")?.get(CACHE_CONTROL);
    extra.get(CACHE_CONTROL).or_else(within).filter(|control| control.is_object())
}

/// Puts the mark of a whole foreign message onto its last block.
pub(super) fn mark_last(blocks: &mut [Value], extra: &Extra) {
    if let (Some(control), Some(Value::Object(last))) = (cache_control(extra), blocks.last_mut()) {
        last.entry(CACHE_CONTROL).or_insert_with(|| control.clone());
    }
}

/// A lone plain text stands as a string, anything else as blocks; nothing is nothing.
pub(super) fn plain_or_blocks(mut blocks: Vec<Value>) -> Option<Value> {
    let plain = match blocks.as_mut_slice() {
        [] => return None,
        [Value::Object(block)] if block.len() == 2 => block.get_mut("text").map(Value::take),
        _ => None,
    };
    Some(plain.unwrap_or(Value::Array(blocks)))
}

/// A file id means something only to the provider that stores the file.
fn source_of(source: &Media, own: bool) -> Option<Value> {
    match media::resolved(source) {
        Media::Base64 { mime, data } if mime == "text/plain" => plain_text(&data)
            .map(|text| json!({"type": "text", "media_type": "text/plain", "data": text})),
        Media::Base64 { mime, data } => {
            Some(json!({"type": "base64", "media_type": mime, "data": data}))
        }
        Media::Url(url) => Some(json!({"type": "url", "url": url})),
        Media::FileId(id) => own.then(|| json!({"type": "file", "file_id": id})),
    }
}

fn plain_text(data: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// Call ids may hold letters, digits, `_` and `-` only.
pub(super) fn tool_id(id: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    id.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect()
}
