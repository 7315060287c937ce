//! Writes a stream for a client.
//!
//! The order is fixed: `message_start`, then each block as start, deltas and stop, then one
//! `message_delta` with stop and usage, then `message_stop`. Stop and usage are therefore held until
//! the end. Frames carry their event name, because clients drop those without. An answer that has no
//! stop reason is never closed, so that it cannot pass for a complete one.

use super::{ID, answer, failure, usage, words, writing};
use crate::dialect::EncodeEvents;
use crate::hub::{Event, Signature, Stop, Usage};
use crate::seal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Writes the events of one stream. Only the first alternative has a place here.
#[derive(Debug, Default)]
pub(super) struct Writer {
    started: bool,
    finished: bool,
    /// The last frame was a ping. One sign of life is enough until there is something to tell.
    pinged: bool,
    next: u64,
    open: Option<Open>,
    tools: BTreeMap<u32, u64>,
    stop: Option<Stop>,
    usage: Usage,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    kind: Kind,
    index: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    /// Thinking that has its seal: what follows belongs to a new block.
    Sealed,
    Tool,
}

impl EncodeEvents for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        let pinged = std::mem::take(&mut self.pinged);
        match event {
            Event::Start { id, model, usage, .. } => self.start(id, model, *usage, out),
            Event::Text { choice: 0, text, .. } | Event::Refusal { choice: 0, text } => {
                self.text(text, out);
            }
            Event::Reasoning { choice: 0, text } => self.thinking(text, out),
            Event::ReasoningSignature { choice: 0, signature } => self.signature(signature, out),
            Event::RedactedReasoning { choice: 0, data, origin } => {
                self.redacted(data, origin, out);
            }
            Event::ToolStart { choice: 0, index, id, name, signature } => {
                self.tool(*index, (id, name), signature.as_ref(), out);
            }
            Event::ToolArguments { choice: 0, index, fragment } => {
                self.arguments(*index, fragment, out);
            }
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage = *usage,
            Event::Ping => self.ping(pinged, out),
            Event::Error(reported) => {
                self.finished = true;
                failure::write_frame(reported, out);
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
        let delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": words::STOPS.word(&stop), "stop_sequence": stop.sequence},
            "usage": usage::write(&self.usage),
        });
        frame("message_delta", delta, out);
        frame("message_stop", json!({"type": "message_stop"}), out);
    }
}

impl Writer {
    fn start(&mut self, id: &str, model: &str, usage: Option<Usage>, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        self.usage = usage.unwrap_or_default();
        let mut message = answer::head(id, model, Vec::new());
        message.insert("stop_reason".to_owned(), Value::Null);
        message.insert("stop_sequence".to_owned(), Value::Null);
        message.insert("usage".to_owned(), Value::Object(usage::write(&self.usage)));
        frame("message_start", json!({"type": "message_start", "message": message}), out);
    }

    /// Content before any start begins the message all the same.
    fn ping(&mut self, pinged: bool, out: &mut Vec<u8>) {
        if self.started && !pinged {
            frame("ping", json!({"type": "ping"}), out);
        }
        self.pinged = self.started;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.start("", "", None, out);
    }

    /// The open block's number if it is of this kind, else that of a new one.
    fn block(&mut self, kind: Kind, content: impl FnOnce() -> Value, out: &mut Vec<u8>) -> u64 {
        match self.open {
            Some(open) if open.kind == kind && kind != Kind::Tool => open.index,
            _ => self.new_block(kind, content(), out),
        }
    }

    fn new_block(&mut self, kind: Kind, content: Value, out: &mut Vec<u8>) -> u64 {
        self.begin(out);
        self.close(out);
        let index = self.next;
        self.next = self.next.saturating_add(1);
        self.open = Some(Open { kind, index });
        let data = json!({"type": "content_block_start", "index": index, "content_block": content});
        frame("content_block_start", data, out);
        index
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            let data = json!({"type": "content_block_stop", "index": open.index});
            frame("content_block_stop", data, out);
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            let index = self.block(Kind::Text, || json!({"type": "text", "text": ""}), out);
            delta(index, json!({"type": "text_delta", "text": text}), out);
        }
    }

    fn thinking(&mut self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            let index = self.block(Kind::Thinking, empty_thinking, out);
            delta(index, json!({"type": "thinking_delta", "thinking": text}), out);
        }
    }

    fn signature(&mut self, signature: &Signature, out: &mut Vec<u8>) {
        let index = self.block(Kind::Thinking, empty_thinking, out);
        let seal = seal::wrap(signature.origin, &signature.value, ID);
        delta(index, json!({"type": "signature_delta", "signature": seal}), out);
        self.open = Some(Open { kind: Kind::Sealed, index });
    }

    fn redacted(&mut self, data: &str, origin: &str, out: &mut Vec<u8>) {
        let data = seal::wrap(origin, data, ID);
        let block = json!({"type": "redacted_thinking", "data": data});
        self.new_block(Kind::Sealed, block, out);
    }

    fn tool(
        &mut self,
        call: u32,
        (id, name): (&str, &str),
        signature: Option<&Signature>,
        out: &mut Vec<u8>,
    ) {
        if let Some(signature) = signature {
            self.close(out);
            self.signature(signature, out);
        }
        let id = writing::tool_id(id);
        let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
        let index = self.new_block(Kind::Tool, block, out);
        self.tools.insert(call, index);
    }

    /// A late piece of an earlier call still names that call's block.
    fn arguments(&mut self, call: u32, piece: &str, out: &mut Vec<u8>) {
        if let Some(index) = self.tools.get(&call) {
            delta(*index, json!({"type": "input_json_delta", "partial_json": piece}), out);
        }
    }
}

fn empty_thinking() -> Value {
    json!({"type": "thinking", "thinking": "", "signature": ""})
}

fn delta(index: u64, delta: Value, out: &mut Vec<u8>) {
    let data = json!({"type": "content_block_delta", "index": index, "delta": delta});
    frame("content_block_delta", data, out);
}

/// Appends one complete frame.
pub(super) fn frame(name: &str, data: Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
