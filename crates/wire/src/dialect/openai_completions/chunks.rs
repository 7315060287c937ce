//! Writes events as a stream of chunks: texts, ends, usage if it was asked for, and `[DONE]`.
//!
//! Reasoning and calls of tools have no place here and are left out.

use super::answer::word;
use super::{OBJECT, logprobs};
use crate::dialect::EncodeEvents;
use crate::dialect::openai_chat::{report, usage};
use crate::hub::{Event, Usage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The writer of one stream.
pub(super) struct Writer {
    include_usage: bool,
    /// The fields that begin every chunk.
    head: Map<String, Value>,
    /// How many characters of each alternative were told with their log probabilities.
    offsets: BTreeMap<u32, usize>,
    usage: Option<Usage>,
    closed: bool,
}

impl Writer {
    pub(super) fn new(include_usage: bool) -> Self {
        let head = head("", "", 0);
        Self { include_usage, head, offsets: BTreeMap::new(), usage: None, closed: false }
    }

    fn chunk(&self, choices: Value, usage: Value, out: &mut Vec<u8>) {
        let mut chunk = self.head.clone();
        chunk.insert("choices".to_owned(), choices);
        if self.include_usage {
            chunk.insert("usage".to_owned(), usage);
        }
        out.extend_from_slice(format!("data: {}\n\n", Value::Object(chunk)).as_bytes());
    }

    fn text(&mut self, index: u32, text: &str, hub: Option<&Value>, out: &mut Vec<u8>) {
        let offset = self.offsets.entry(index).or_default();
        let told = hub.and_then(|hub| logprobs::encode(hub, offset));
        self.choice(index, text, told, None, out);
    }

    fn choice(
        &self,
        index: u32,
        text: &str,
        logprobs: Option<Value>,
        reason: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let choice = json!({
            "text": text,
            "index": index,
            "logprobs": logprobs,
            "finish_reason": reason,
        });
        self.chunk(json!([choice]), Value::Null, out);
    }
}

fn head(id: &str, model: &str, created: i64) -> Map<String, Value> {
    let fields: [(&str, Value); 4] = [
        ("id", id.into()),
        ("object", OBJECT.into()),
        ("created", created.into()),
        ("model", model.into()),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

impl EncodeEvents for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model, created, usage } => {
                self.head = head(id, model, created.unwrap_or(0));
                self.usage = usage.or(self.usage);
            }
            Event::Text { choice, text, logprobs } => {
                self.text(*choice, text, logprobs.as_ref(), out);
            }
            Event::Refusal { choice, text } => self.text(*choice, text, None, out),
            Event::Stop { choice, stop } => {
                self.choice(*choice, "", None, Some(word(stop.reason)), out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(reported) => {
                self.closed = true;
                report::write_frame(reported, out);
            }
            Event::Done => self.end(out),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            self.chunk(json!([]), usage::to_value(&usage), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
