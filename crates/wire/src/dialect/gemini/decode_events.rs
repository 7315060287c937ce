//! Reads a stream: each event is a whole answer that adds to the ones before it.
//!
//! The stream ends with the connection, so that only a finish reason tells a complete answer from a
//! cut one. A body that is a list stands for its elements, because errors come that way.

use super::calls::Calls;
use super::partial::Partial;
use super::usage::Counts;
use super::{failure, logprobs, parts, words};
use crate::dialect::DecodeEvents;
use crate::error::DecodeError;
use crate::hub::{Event, Part, ToolCall, Usage};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    calls: Option<Calls>,
    lanes: BTreeMap<u32, Lane>,
    counts: Counts,
    told: Option<Usage>,
    stopped: bool,
}

/// One alternative.
#[derive(Debug, Default)]
struct Lane {
    tools: u32,
    /// A call whose arguments come in pieces.
    open: Option<(u32, Partial)>,
    stopped: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Counts>,
    model_version: Option<String>,
    response_id: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u32>,
    content: Option<Content>,
    finish_reason: Option<String>,
    logprobs_result: Option<Value>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

type Out<'a> = &'a mut Vec<Event>;

impl DecodeEvents for Reader {
    fn event(
        &mut self,
        _name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let chunks = read_body(data)?;
        let before = out.len();
        for chunk in chunks {
            self.chunk(chunk, out)?;
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        if std::mem::take(&mut self.stopped) {
            out.push(Event::Done);
        }
    }
}

/// An object goes straight to its type, so that the usual event is parsed once.
fn read_body(data: &[u8]) -> Result<Vec<Chunk>, DecodeError> {
    let wrong = |error: serde_json::Error| DecodeError::at("", format!("malformed event: {error}"));
    if data.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(data).map_err(wrong);
    }
    serde_json::from_slice(data).map(|chunk| vec![chunk]).map_err(wrong)
}

impl Reader {
    fn chunk(&mut self, chunk: Chunk, out: Out<'_>) -> Result<(), DecodeError> {
        if let Some(error) = &chunk.error {
            out.push(Event::Error(failure::reported(None, error)));
            return Ok(());
        }
        if self.calls.is_none() {
            self.start(&chunk, out);
        }
        for candidate in chunk.candidates.into_iter().flatten() {
            self.candidate(candidate, out)?;
        }
        if let Some(reason) = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason)
            && self.lanes.is_empty()
        {
            self.stopped = true;
            out.push(Event::Stop { choice: 0, stop: words::blocked(reason) });
        }
        self.usage(chunk.usage_metadata, out);
        Ok(())
    }

    fn start(&mut self, chunk: &Chunk, out: Out<'_>) {
        let id = chunk.response_id.clone().unwrap_or_default();
        self.calls = Some(Calls::new(&id));
        let model = chunk.model_version.clone().unwrap_or_default();
        out.push(Event::Start { id, model, created: None, usage: None });
    }

    fn usage(&mut self, counts: Option<Counts>, out: Out<'_>) {
        let Some(counts) = counts else { return };
        self.counts.update(counts);
        let usage = self.counts.usage();
        if usage != self.told {
            self.told = usage;
            out.extend(usage.map(Event::Usage));
        }
    }

    fn candidate(&mut self, candidate: Candidate, out: Out<'_>) -> Result<(), DecodeError> {
        let choice = candidate.index.unwrap_or(0);
        let lane = self.lanes.entry(choice).or_default();
        let calls = self.calls.get_or_insert_default();
        let mut logprobs = candidate.logprobs_result.as_ref().and_then(logprobs::read);
        let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        for (at, part) in parts.into_iter().enumerate() {
            lane.part(choice, part, at, calls, out)?;
        }
        for event in out.iter_mut().rev() {
            if let Event::Text { choice: of, logprobs: none @ None, .. } = event
                && *of == choice
            {
                *none = logprobs.take();
                break;
            }
        }
        let word = candidate.finish_reason.filter(|_| !lane.stopped);
        if let Some(stop) = word.and_then(|word| words::stop(word, lane.tools > 0)) {
            lane.close(choice, out);
            lane.stopped = true;
            self.stopped = true;
            out.push(Event::Stop { choice, stop });
        }
        Ok(())
    }
}

impl Lane {
    fn part(
        &mut self,
        choice: u32,
        value: Value,
        at: usize,
        calls: &mut Calls,
        out: Out<'_>,
    ) -> Result<(), DecodeError> {
        if let Some(call) = value.get("functionCall").filter(|call| self.is_piece(call)) {
            let seal = value.get("thoughtSignature").and_then(Value::as_str);
            return self.piece(choice, call, seal, calls, out);
        }
        let mut parts = Vec::new();
        parts::read(value, format!("parts[{at}]"), calls, &mut parts)?;
        if !parts.is_empty() {
            self.close(choice, out);
        }
        for part in parts {
            self.whole(choice, part, out);
        }
        Ok(())
    }

    /// Whether this is a piece of a call: it says so, or goes on with the open one.
    fn is_piece(&self, call: &Value) -> bool {
        let goes_on = call.get("willContinue") == Some(&Value::Bool(true));
        let nameless = call.get("name").is_none() && self.open.is_some();
        call.get("partialArgs").is_some() || goes_on || nameless
    }

    fn piece(
        &mut self,
        choice: u32,
        call: &Value,
        seal: Option<&str>,
        calls: &mut Calls,
        out: Out<'_>,
    ) -> Result<(), DecodeError> {
        if let Some(name) = call.get("name").and_then(Value::as_str) {
            self.close(choice, out);
            let id = call.get("id").and_then(Value::as_str).map(str::to_owned);
            let id = calls.call(id, name);
            let signature = seal.map(|seal| crate::seal::open(seal.to_owned(), super::ID));
            let index = self.begin(choice, (id, name.to_owned()), signature, out);
            self.open = Some((index, Partial::default()));
        }
        let Some((_, partial)) = &mut self.open else {
            return Err(DecodeError::at("functionCall", "goes on where no call is open"));
        };
        let pieces = call.get("partialArgs").and_then(Value::as_array);
        for piece in pieces.into_iter().flatten() {
            partial.add(piece)?;
        }
        if call.get("willContinue") != Some(&Value::Bool(true)) {
            self.close(choice, out);
        }
        Ok(())
    }

    fn begin(
        &mut self,
        choice: u32,
        (id, name): (String, String),
        signature: Option<crate::hub::Signature>,
        out: Out<'_>,
    ) -> u32 {
        let index = self.tools;
        self.tools = self.tools.saturating_add(1);
        out.push(Event::ToolStart { choice, index, id, name, signature });
        index
    }

    /// The arguments of the open call are complete.
    fn close(&mut self, choice: u32, out: Out<'_>) {
        if let Some((index, partial)) = self.open.take() {
            out.push(Event::ToolArguments { choice, index, fragment: partial.into_text() });
        }
    }

    fn whole(&mut self, choice: u32, part: Part, out: Out<'_>) {
        match part {
            Part::Text { text, .. } => out.push(Event::Text { choice, text, logprobs: None }),
            Part::Reasoning { text, signature } => {
                if !text.is_empty() {
                    out.push(Event::Reasoning { choice, text });
                }
                let seal = signature.map(|s| Event::ReasoningSignature { choice, signature: s });
                out.extend(seal);
            }
            Part::ToolCall(ToolCall { id, name, arguments, signature, .. }) => {
                let index = self.begin(choice, (id, name), signature, out);
                out.push(Event::ToolArguments { choice, index, fragment: arguments });
            }
            _ => out.push(Event::Ping),
        }
    }
}
