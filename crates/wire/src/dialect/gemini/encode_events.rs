//! Writes a stream for a client: each frame is an answer that adds to the ones before it.
//!
//! Function calls go out whole, when their arguments are complete. Finish reasons and usage go out
//! together in the last frame; without a stop there is none, so that a cut answer shows.

use super::writing::redacted_part;
use super::{ID, failure, usage, words};
use crate::dialect::EncodeEvents;
use crate::fields::{arguments_object, put};
use crate::hub::{Event, Signature, Stop, Usage};
use crate::seal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Writes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Writer {
    id: String,
    model: String,
    usage: Option<Usage>,
    lanes: BTreeMap<u32, Lane>,
    finished: bool,
}

/// One alternative.
#[derive(Debug, Default)]
struct Lane {
    /// Calls whose arguments may still come.
    calls: BTreeMap<u32, Call>,
    /// A seal that waits for the part it belongs to.
    seal: Option<String>,
    thinking: bool,
    stop: Option<Stop>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    seal: Option<String>,
}

impl EncodeEvents for Writer {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match event {
            Event::Start { id, model, usage, .. } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                self.usage = usage.or(self.usage);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(reported) => {
                self.finished = true;
                failure::write_frame(reported, out);
            }
            Event::Done => self.end(out),
            Event::Ping => {}
            event => self.content(event, out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.finished || self.lanes.values().all(|lane| lane.stop.is_none()) {
            return;
        }
        self.finished = true;
        let mut lanes = std::mem::take(&mut self.lanes);
        let candidates = lanes.iter_mut().map(|(choice, lane)| lane.last(*choice)).collect();
        self.frame(candidates, self.usage, out);
    }
}

impl Writer {
    fn content(&mut self, event: &Event, out: &mut Vec<u8>) {
        let Some(choice) = event.choice() else { return };
        let parts = self.lanes.entry(choice).or_default().take(event);
        if !parts.is_empty() {
            self.frame(vec![candidate(choice, parts, None)], None, out);
        }
    }

    fn frame(&self, candidates: Vec<Value>, usage: Option<Usage>, out: &mut Vec<u8>) {
        let mut body = Map::new();
        put(&mut body, "candidates", Some(candidates));
        put(&mut body, "usageMetadata", usage.as_ref().map(usage::write));
        put(&mut body, "modelVersion", Some(self.model.as_str()));
        put(&mut body, "responseId", Some(self.id.as_str()));
        failure::write_data(&Value::Object(body), out);
    }
}

fn candidate(choice: u32, parts: Vec<Value>, stop: Option<&Stop>) -> Value {
    let mut map = Map::new();
    put(&mut map, "content", Some(json!({"parts": parts, "role": "model"})));
    put(&mut map, "finishReason", stop.map(words::word));
    put(&mut map, "index", Some(choice));
    Value::Object(map)
}

impl Lane {
    /// Takes an event and gives the parts that can go out now.
    fn take(&mut self, event: &Event) -> Vec<Value> {
        let was_thinking = std::mem::replace(&mut self.thinking, false);
        match event {
            Event::Text { text, .. } | Event::Refusal { text, .. } if !text.is_empty() => {
                let mut parts = self.flush_calls();
                let mut part = Map::new();
                put(&mut part, "text", Some(text.as_str()));
                put(&mut part, "thoughtSignature", self.seal.take());
                parts.push(Value::Object(part));
                parts
            }
            Event::Reasoning { text, .. } if !text.is_empty() => {
                self.thinking = true;
                let mut parts = self.flush_seal();
                parts.push(json!({"text": text, "thought": true}));
                parts
            }
            Event::ReasoningSignature { signature, .. } => self.sealed(signature, was_thinking),
            Event::RedactedReasoning { data, origin, .. } => vec![redacted_part(data, origin)],
            Event::ToolStart { index, id, name, signature, .. } => {
                let own = signature.as_ref().map(wrapped);
                let seal = own.or_else(|| self.seal.take());
                let (id, name) = (id.clone(), name.clone());
                self.calls.insert(*index, Call { id, name, arguments: String::new(), seal });
                Vec::new()
            }
            Event::ToolArguments { index, fragment, .. } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(fragment);
                }
                Vec::new()
            }
            Event::Stop { stop, .. } => {
                self.stop = Some(stop.clone());
                self.flush_calls()
            }
            _ => Vec::new(),
        }
    }

    /// Another provider's seal closes the thoughts before it; Gemini's own binds to what follows.
    fn sealed(&mut self, signature: &Signature, was_thinking: bool) -> Vec<Value> {
        let text = wrapped(signature);
        if was_thinking && signature.origin != ID {
            return vec![json!({"text": "", "thought": true, "thoughtSignature": text})];
        }
        let parts = self.flush_seal();
        self.seal = Some(text);
        parts
    }

    fn flush_calls(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.calls).into_values().map(Call::into_part).collect()
    }

    fn flush_seal(&mut self) -> Vec<Value> {
        let seal = self.seal.take();
        seal.into_iter().map(|seal| json!({"text": "", "thoughtSignature": seal})).collect()
    }

    fn last(&mut self, choice: u32) -> Value {
        let mut parts = self.flush_calls();
        parts.extend(self.flush_seal());
        if parts.is_empty() {
            parts.push(json!({"text": ""}));
        }
        candidate(choice, parts, self.stop.as_ref())
    }
}

impl Call {
    fn into_part(self) -> Value {
        let mut call = Map::new();
        put(&mut call, "id", Some(self.id));
        put(&mut call, "name", Some(self.name));
        put(&mut call, "args", Some(arguments_object(&self.arguments)));
        let mut part = Map::from_iter([("functionCall".to_owned(), Value::Object(call))]);
        put(&mut part, "thoughtSignature", self.seal);
        Value::Object(part)
    }
}

fn wrapped(signature: &Signature) -> String {
    seal::wrap(signature.origin, &signature.value, ID)
}
