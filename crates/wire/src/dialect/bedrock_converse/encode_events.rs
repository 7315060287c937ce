//! Writes a stream for a client.
//!
//! Only calls have a start; texts and thoughts begin with their first delta. The usage comes after
//! the stop, so that both are held until the end. An answer that has no stop reason is never closed.

use super::words::STOPS;
use super::{ID, failure, usage, writing};
use crate::dialect::EncodeEvents;
use crate::eventstream;
use crate::hub::{Event, Stop, Usage};
use crate::seal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Writes the events of one stream. Only the first alternative has a place here.
#[derive(Debug, Default)]
pub(super) struct Writer {
    started: bool,
    finished: bool,
    next: u64,
    open: Option<(Kind, u64)>,
    tools: BTreeMap<u32, u64>,
    stop: Option<Stop>,
    usage: Usage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    /// Nothing more fits into it: a sealed thought, or a call.
    Full,
}

impl EncodeEvents for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match event {
            Event::Start { usage, .. } => {
                self.usage = usage.unwrap_or(self.usage);
                self.begin(out);
            }
            Event::Text { choice: 0, text, .. } | Event::Refusal { choice: 0, text } => {
                self.piece(Kind::Text, text, json!({"text": text}), out);
            }
            Event::Reasoning { choice: 0, text } => {
                let delta = json!({"reasoningContent": {"text": text}});
                self.piece(Kind::Thought, text, delta, out);
            }
            Event::ReasoningSignature { choice: 0, signature } => {
                let seal = seal::wrap(signature.origin, &signature.value, ID);
                self.piece(Kind::Thought, &seal, thought("signature", &seal), out);
                self.open = self.open.map(|(_, index)| (Kind::Full, index));
            }
            Event::RedactedReasoning { choice: 0, data, origin } if *origin == ID => {
                self.block(Kind::Full, out);
                self.delta(thought("redactedContent", data), out);
            }
            Event::ToolStart { choice: 0, index, id, name, .. } => {
                self.call(*index, id, name, out);
            }
            Event::ToolArguments { choice: 0, index, fragment } => {
                if let Some(block) = self.tools.get(index) {
                    write_delta(*block, json!({"toolUse": {"input": fragment}}), out);
                }
            }
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage = *usage,
            Event::Error(reported) => {
                self.finished = true;
                let status = reported.status.unwrap_or(500);
                failure::write_frame(status, &reported.message, out);
            }
            Event::Done => self.end(out),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let Some(stop) = self.stop.take().filter(|_| !self.finished) else { return };
        self.finished = true;
        self.begin(out);
        self.close(out);
        let mut last = json!({"stopReason": STOPS.word(&stop)});
        if let (Some(sequence), Some(map)) = (&stop.sequence, last.as_object_mut()) {
            let more = json!({"stop_sequence": sequence});
            map.insert("additionalModelResponseFields".to_owned(), more);
        }
        write("messageStop", &last, out);
        let usage = usage::write(&self.usage, None);
        let metrics = json!({"latencyMs": 0});
        write("metadata", &json!({"usage": usage, "metrics": metrics}), out);
    }
}

impl Writer {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            write("messageStart", &json!({"role": "assistant"}), out);
        }
    }

    fn piece(&mut self, kind: Kind, text: &str, delta: Value, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.open.is_none_or(|(open, _)| open != kind) {
            self.block(kind, out);
        }
        self.delta(delta, out);
    }

    /// Opens a new block of this kind and gives its number.
    fn block(&mut self, kind: Kind, out: &mut Vec<u8>) -> u64 {
        self.begin(out);
        self.close(out);
        let index = self.next;
        self.next = self.next.saturating_add(1);
        self.open = Some((kind, index));
        index
    }

    fn delta(&self, delta: Value, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open {
            write_delta(index, delta, out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((_, index)) = self.open.take() {
            write("contentBlockStop", &json!({"contentBlockIndex": index}), out);
        }
    }

    fn call(&mut self, call: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        let index = self.block(Kind::Full, out);
        self.tools.insert(call, index);
        let start = json!({"toolUse": {"toolUseId": writing::tool_id(id), "name": name}});
        write("contentBlockStart", &json!({"start": start, "contentBlockIndex": index}), out);
    }
}

fn thought(key: &str, value: &str) -> Value {
    json!({"reasoningContent": {key: value}})
}

fn write_delta(index: u64, delta: Value, out: &mut Vec<u8>) {
    write("contentBlockDelta", &json!({"delta": delta, "contentBlockIndex": index}), out);
}

fn write(name: &str, data: &Value, out: &mut Vec<u8>) {
    eventstream::encode(name, false, data.to_string().as_bytes(), out);
}
