//! Reads a stream of chunks into events, with stable numbers, ids and names for tool calls.
//!
//! The order within one chunk is fixed: reasoning, text, refusal, tool calls, end, usage, error.
//! A field of the wrong type counts as absent; only what is no JSON object at all is malformed.

use super::slots::Slots;
use super::{DONE, details, finish, parse_chunk, report, take_thought_signature, usage};
use crate::dialect::{DecodeEvents, Quirks};
use crate::error::DecodeError;
use crate::hub::{Event, Part, Signature};
use serde_json::{Map, Value};

/// More alternatives than any API gives; bounds the search.
const MAX_CHOICES: usize = 128;

/// The number that stands for the one call of the legacy `function_call` field.
const LEGACY: Option<u64> = Some(u64::MAX);

/// The reader of one stream.
pub(super) struct ChunkReader {
    quirks: Quirks,
    started: bool,
    id: String,
    choices: Vec<Choice>,
}

struct Choice {
    index: u32,
    stopped: bool,
    slots: Slots,
    calls: Vec<Call>,
    /// Sealed reasoning of the host, to be told of before what it led to.
    details: details::Pieces,
}

/// A call is told of once its name is known; what came before is held.
#[derive(Default)]
struct Call {
    started: bool,
    id: String,
    signature: Option<Signature>,
    held: String,
}

impl ChunkReader {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { quirks: quirks.clone(), started: false, id: String::new(), choices: Vec::new() }
    }

    fn start(&mut self, chunk: &Map<String, Value>, out: &mut Vec<Event>) {
        let text = |key| chunk.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let has_choices = list(chunk, "choices").next().is_some();
        // Azure opens with a chunk that has neither id nor choices, only filter results.
        if self.started || (text("id").is_empty() && !has_choices) {
            return;
        }
        self.started = true;
        self.id = text("id");
        out.push(Event::Start {
            id: self.id.clone(),
            model: text("model"),
            created: chunk.get("created").and_then(Value::as_i64),
            usage: None,
        });
    }

    fn choice(&mut self, choice: &Value, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let known = self.choices.iter().position(|choice| choice.index == index);
        if known.is_none() && self.choices.len() >= MAX_CHOICES {
            return Err(DecodeError::at("choices", "too many"));
        }
        if known.is_none() {
            self.choices.push(Choice::new(index));
        }
        let at = known.unwrap_or(self.choices.len() - 1);
        let Some(state) = self.choices.get_mut(at) else { return Ok(()) };
        let delta = choice.get("delta").or_else(|| choice.get("message"));
        let logprobs = choice.get("logprobs").filter(|logprobs| !logprobs.is_null());
        if let Some(Value::Object(delta)) = delta {
            state.delta(delta, logprobs, &self.id, out)?;
        }
        if let Some(word) = choice.get("finish_reason").and_then(Value::as_str) {
            state.stop(word, &self.id, out);
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut Vec<Event>) {
        for choice in &mut self.choices {
            choice.flush(&self.id, out);
        }
    }
}

impl DecodeEvents for ChunkReader {
    fn event(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let data = data.trim_ascii();
        if data == DONE {
            self.flush(out);
            out.push(Event::Done);
            return Ok(());
        }
        if data.is_empty() {
            out.push(Event::Ping);
            return Ok(());
        }
        let before = out.len();
        let chunk = parse_chunk(data)?;
        self.start(&chunk, out);
        list(&chunk, "choices").try_for_each(|choice| self.choice(choice, out))?;
        let counted = usage::places(&chunk).find_map(|usage| usage::of_value(usage, &self.quirks));
        out.extend(counted.map(Event::Usage));
        out.extend(report::inside(&chunk).map(Event::Error));
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.flush(out);
    }
}

impl Choice {
    fn new(index: u32) -> Self {
        let details = details::Pieces::default();
        Self { index, stopped: false, slots: Slots::default(), calls: Vec::new(), details }
    }

    fn delta(
        &mut self,
        delta: &Map<String, Value>,
        logprobs: Option<&Value>,
        answer_id: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        self.reasoning(delta, out);
        let led_to = out.len();
        self.text(delta, logprobs, out);
        if let Some(text) = text(delta, "refusal") {
            out.push(Event::Refusal { choice: self.index, text: text.to_owned() });
        }
        for piece in list(delta, "tool_calls").filter_map(Value::as_object) {
            let index = piece.get("index").and_then(Value::as_u64);
            self.tool_call(index, piece, piece.get("function"), answer_id, out)?;
        }
        if let Some(Value::Object(function)) = delta.get("function_call") {
            let whole = Value::Object(function.clone());
            self.tool_call(LEGACY, &Map::new(), Some(&whole), answer_id, out)?;
        }
        if out.len() > led_to {
            out.splice(led_to..led_to, self.details.take(self.index));
        }
        Ok(())
    }

    fn reasoning(&mut self, delta: &Map<String, Value>, out: &mut Vec<Event>) {
        let choice = self.index;
        // Hosts that send both fields send the same text in them.
        let thought = text(delta, "reasoning_content").or_else(|| text(delta, "reasoning"));
        out.extend(thought.map(|text| Event::Reasoning { choice, text: text.to_owned() }));
        for item in list(delta, details::FIELD) {
            match (details::part(item), item) {
                (Some(Part::Reasoning { signature: Some(signature), .. }), _) => {
                    out.push(Event::ReasoningSignature { choice, signature });
                }
                (Some(Part::RedactedReasoning { data, origin }), _) => {
                    out.push(Event::RedactedReasoning { choice, data, origin });
                }
                (None, Value::Object(piece)) => self.details.add(piece),
                _ => {}
            }
        }
    }

    fn text(&self, delta: &Map<String, Value>, logprobs: Option<&Value>, out: &mut Vec<Event>) {
        let choice = self.index;
        let before = out.len();
        match delta.get("content") {
            Some(Value::String(text)) if !text.is_empty() => {
                out.push(Event::Text { choice, text: text.clone(), logprobs: logprobs.cloned() })
            }
            Some(Value::Array(parts)) => {
                parts.iter().for_each(|part| out.extend(event_of_part(choice, part)));
            }
            _ => {}
        }
        if let Some(logprobs) = logprobs.filter(|_| out.len() == before) {
            out.push(Event::Text { choice, text: String::new(), logprobs: Some(logprobs.clone()) });
        }
    }

    fn tool_call(
        &mut self,
        index: Option<u64>,
        piece: &Map<String, Value>,
        function: Option<&Value>,
        answer_id: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let of_function = |key| function.and_then(|function| function.get(key));
        let id = text(piece, "id").unwrap_or_default();
        let name = of_function("name").and_then(Value::as_str).unwrap_or_default();
        let at = self.slots.place(index, id, name)?;
        if self.calls.len() <= at {
            self.calls.resize_with(at + 1, Call::default);
        }
        let choice = self.index;
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if !call.started {
            call.learn(id, piece);
        }
        if !call.started && !name.is_empty() {
            call.start(choice, at, name, answer_id, out);
        }
        let fragment = match of_function("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(whole @ Value::Object(_)) => whole.to_string(),
            _ => String::new(),
        };
        if call.started {
            push_arguments(choice, at, fragment, out);
        } else {
            call.held.push_str(&fragment);
        }
        Ok(())
    }

    fn stop(&mut self, word: &str, answer_id: &str, out: &mut Vec<Event>) {
        self.flush(answer_id, out);
        out.extend(self.details.take(self.index));
        if !self.stopped {
            self.stopped = true;
            let stop = finish::stop(word, !self.calls.is_empty());
            out.push(Event::Stop { choice: self.index, stop });
        }
    }

    /// Tells of calls whose name never came, rather than losing them.
    fn flush(&mut self, answer_id: &str, out: &mut Vec<Event>) {
        for (at, call) in self.calls.iter_mut().enumerate().filter(|(_, call)| !call.started) {
            call.start(self.index, at, "", answer_id, out);
        }
    }
}

impl Call {
    fn learn(&mut self, id: &str, piece: &Map<String, Value>) {
        if self.id.is_empty() {
            id.clone_into(&mut self.id);
        }
        if self.signature.is_none() {
            self.signature = take_thought_signature(piece);
        }
    }

    fn start(&mut self, choice: u32, at: usize, name: &str, answer: &str, out: &mut Vec<Event>) {
        self.started = true;
        if self.id.is_empty() {
            self.id = made_up_id(answer, choice, at);
        }
        out.push(Event::ToolStart {
            choice,
            index: number(at),
            id: std::mem::take(&mut self.id),
            name: name.to_owned(),
            signature: self.signature.take(),
        });
        push_arguments(choice, at, std::mem::take(&mut self.held), out);
    }
}

/// An id for a call whose host gave none: unlike those of other answers, and the same at each reading.
pub(super) fn made_up_id(answer_id: &str, choice: u32, at: usize) -> String {
    let plain: String = answer_id.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail = plain.get(plain.len().saturating_sub(16)..).unwrap_or_default();
    format!("call_{tail}_{choice}_{at}")
}

fn push_arguments(choice: u32, at: usize, fragment: String, out: &mut Vec<Event>) {
    if !fragment.is_empty() {
        out.push(Event::ToolArguments { choice, index: number(at), fragment });
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn event_of_part(choice: u32, part: &Value) -> Option<Event> {
    match part.get("type")?.as_str()? {
        "text" => Some(Event::Text {
            choice,
            text: part.get("text")?.as_str()?.to_owned(),
            logprobs: None,
        }),
        "thinking" => {
            let text = super::content::thinking_text(part.get("thinking")?);
            Some(Event::Reasoning { choice, text })
        }
        _ => None,
    }
}

/// A text that is there and not empty.
fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn list<'a>(map: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    map.get(key).and_then(Value::as_array).into_iter().flatten()
}
