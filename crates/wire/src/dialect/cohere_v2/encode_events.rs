//! Writes a stream for a client.
//!
//! Content and calls are numbered apart, each bracketed by a start and an end. The last event holds
//! stop and usage, so that both are held until the end; without a stop it is not written.

use super::failure;
use super::usage;
use super::words::STOPS;
use crate::dialect::EncodeEvents;
use crate::hub::{Event, Stop, Usage};
use serde_json::{Value, json};

/// Writes the events of one stream. Only the first alternative has a place here.
#[derive(Debug, Default)]
pub(super) struct Writer {
    started: bool,
    finished: bool,
    contents: u64,
    /// What is open: the event that closes it, its number and, of content, its kind.
    open: Option<(&'static str, u64, &'static str)>,
    stop: Option<Stop>,
    usage: Usage,
}

impl EncodeEvents for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match event {
            Event::Start { id, usage, .. } => {
                self.usage = usage.unwrap_or(self.usage);
                self.begin(id, out);
            }
            Event::Text { choice: 0, text, .. } | Event::Refusal { choice: 0, text } => {
                self.content("text", text, out);
            }
            Event::Reasoning { choice: 0, text } => self.content("thinking", text, out),
            Event::ToolStart { choice: 0, index, id, name, .. } => {
                self.call(u64::from(*index), id, name, out);
            }
            Event::ToolArguments { choice: 0, index, fragment } => {
                let calls = json!({"function": {"arguments": fragment}});
                let message = json!({"tool_calls": calls});
                piece("tool-call-delta", u64::from(*index), &message, out);
            }
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Usage(usage) => self.usage = *usage,
            Event::Error(reported) => {
                self.finished = true;
                failure::write_frame(&reported.message, out);
            }
            Event::Done => self.end(out),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let Some(stop) = self.stop.take().filter(|_| !self.finished) else { return };
        self.begin("", out);
        self.close(out);
        self.finished = true;
        let usage = usage::write(&self.usage, None);
        let delta = json!({"finish_reason": STOPS.word(&stop), "usage": usage});
        frame("message-end", json!({"type": "message-end", "delta": delta}), out);
    }
}

impl Writer {
    fn begin(&mut self, id: &str, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            let delta = json!({"message": {"role": "assistant"}});
            frame("message-start", json!({"type": "message-start", "id": id, "delta": delta}), out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some((name, index, _)) = self.open.take() {
            frame(name, json!({"type": name, "index": index}), out);
        }
    }

    fn content(&mut self, kind: &'static str, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let index = match self.open {
            Some(("content-end", index, open)) if open == kind => index,
            _ => self.open_content(kind, out),
        };
        piece("content-delta", index, &json!({"content": {kind: text}}), out);
    }

    fn open_content(&mut self, kind: &'static str, out: &mut Vec<u8>) -> u64 {
        self.begin("", out);
        self.close(out);
        let index = self.contents;
        self.contents = self.contents.saturating_add(1);
        self.open = Some(("content-end", index, kind));
        piece("content-start", index, &json!({"content": {"type": kind, kind: ""}}), out);
        index
    }

    fn call(&mut self, index: u64, id: &str, name: &str, out: &mut Vec<u8>) {
        self.begin("", out);
        self.close(out);
        self.open = Some(("tool-call-end", index, ""));
        let function = json!({"name": name, "arguments": ""});
        let call = json!({"id": id, "type": "function", "function": function});
        piece("tool-call-start", index, &json!({"tool_calls": call}), out);
    }
}

fn piece(name: &str, index: u64, message: &Value, out: &mut Vec<u8>) {
    let delta = json!({"message": message});
    frame(name, json!({"type": name, "index": index, "delta": delta}), out);
}

/// Appends one complete frame.
pub(super) fn frame(name: &str, data: Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
