//! Reads a stream of chunks into events: text, end, usage, error, in this order within a chunk.

use super::logprobs;
use crate::dialect::openai_chat::{DONE, finish, parse_chunk, report, usage};
use crate::dialect::{DecodeEvents, Quirks};
use crate::error::DecodeError;
use crate::hub::Event;
use serde_json::{Map, Value};

/// More alternatives than any API gives; bounds what is remembered.
const MAX_CHOICES: usize = 128;

/// The reader of one stream.
pub(super) struct Reader {
    quirks: Quirks,
    started: bool,
    /// The alternatives that have ended: some hosts tell it twice.
    ended: Vec<u32>,
}

impl Reader {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { quirks: quirks.clone(), started: false, ended: Vec::new() }
    }

    fn chunk(
        &mut self,
        chunk: &Map<String, Value>,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        self.start(chunk, out);
        let choices = chunk.get("choices").and_then(Value::as_array);
        choices.into_iter().flatten().try_for_each(|choice| self.choice(choice, out))?;
        let counts = chunk.get("usage").and_then(|usage| usage::of_value(usage, &self.quirks));
        out.extend(counts.map(Event::Usage));
        out.extend(report::inside(chunk).map(Event::Error));
        Ok(())
    }

    fn start(&mut self, chunk: &Map<String, Value>, out: &mut Vec<Event>) {
        let text = |key| chunk.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_answer = chunk.contains_key("choices") || !text("id").is_empty();
        if is_answer && !std::mem::replace(&mut self.started, true) {
            let created = chunk.get("created").and_then(Value::as_i64);
            out.push(Event::Start { id: text("id"), model: text("model"), created, usage: None });
        }
    }

    fn choice(&mut self, value: &Value, out: &mut Vec<Event>) -> Result<(), DecodeError> {
        let index = value.get("index").and_then(Value::as_u64).unwrap_or(0);
        let choice = u32::try_from(index).unwrap_or(u32::MAX);
        let text = value.get("text").and_then(Value::as_str).unwrap_or_default();
        let logprobs = value.get("logprobs").and_then(logprobs::decode);
        if !text.is_empty() || logprobs.is_some() {
            out.push(Event::Text { choice, text: text.to_owned(), logprobs });
        }
        let word = value.get("finish_reason").and_then(Value::as_str);
        let Some(word) = word.filter(|_| !self.ended.contains(&choice)) else { return Ok(()) };
        if self.ended.len() >= MAX_CHOICES {
            return Err(DecodeError::at("choices", "too many"));
        }
        self.ended.push(choice);
        out.push(Event::Stop { choice, stop: finish::stop(word, false) });
        Ok(())
    }
}

impl DecodeEvents for Reader {
    fn event(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let before = out.len();
        match data.trim_ascii() {
            DONE => out.push(Event::Done),
            b"" => {}
            data => self.chunk(&parse_chunk(data)?, out)?,
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<Event>) {}
}
