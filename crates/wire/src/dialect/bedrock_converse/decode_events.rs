//! Reads a stream.
//!
//! Blocks are numbered across all kinds; the hub numbers calls alone. Texts begin without a start.
//! The last event tells the usage and comes after the stop, but a stream may end without it.

use super::frame::{Delta, Frame, Thought};
use super::words::STOPS;
use super::{ID, answer, failure};
use crate::dialect::{DecodeEvents, Quirks};
use crate::error::DecodeError;
use crate::hub::{Event, Signature};
use crate::json_tool;
use std::collections::BTreeMap;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    json_tool: bool,
    calls: BTreeMap<u64, Call>,
    tools: u32,
    saw_json: bool,
    stopped: bool,
    done: bool,
}

/// A call whose block is open.
#[derive(Debug)]
struct Call {
    kind: Kind,
    /// Whether any of its input has come.
    any: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A call of this number.
    Tool(u32),
    /// The forced JSON tool, whose input is the answer's text.
    Json,
    /// A tool that the provider runs itself.
    Other,
}

type Out<'a> = &'a mut Vec<Event>;
type Read = fn(&mut Reader, Frame<String>, Out<'_>) -> Result<(), DecodeError>;

static READERS: &[(&str, Read)] = &[
    ("contentBlockDelta", Reader::delta),
    ("contentBlockStart", Reader::block_start),
    ("contentBlockStop", Reader::block_stop),
    ("messageStart", Reader::start),
    ("messageStop", Reader::message_stop),
    ("metadata", Reader::metadata),
];

impl DecodeEvents for Reader {
    fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let (name, frame) = Frame::read(name, data)?;
        let before = out.len();
        match READERS.iter().find(|(known, _)| *known == name) {
            Some((_, read)) => read(self, frame, out)?,
            None if frame.is_failure(name) => {
                let original = frame.original_status_code;
                out.push(Event::Error(failure::in_stream(name, frame.message, original)));
            }
            None => {}
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        self.finish(out);
    }
}

impl Reader {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { json_tool: quirks.schema_as_tool, ..Self::default() }
    }

    fn start(&mut self, _frame: Frame<String>, out: Out<'_>) -> Result<(), DecodeError> {
        out.push(Event::Start {
            id: String::new(),
            model: String::new(),
            created: None,
            usage: None,
        });
        Ok(())
    }

    fn block_start(&mut self, frame: Frame<String>, out: Out<'_>) -> Result<(), DecodeError> {
        let Some(block) = frame.content_block_index else {
            return Err(DecodeError::at("contentBlockIndex", "is required"));
        };
        let Some(call) = frame.start.and_then(|start| start.tool_use) else { return Ok(()) };
        let kind = if call.kind.is_some() {
            Kind::Other
        } else if self.json_tool && call.name == json_tool::NAME {
            self.saw_json = true;
            Kind::Json
        } else {
            let index = self.tools;
            self.tools = self.tools.saturating_add(1);
            let (id, name) = (call.tool_use_id, call.name);
            out.push(Event::ToolStart { choice: 0, index, id, name, signature: None });
            Kind::Tool(index)
        };
        self.calls.insert(block, Call { kind, any: false });
        Ok(())
    }

    fn delta(&mut self, frame: Frame<String>, out: Out<'_>) -> Result<(), DecodeError> {
        let (Some(block), Some(delta)) = (frame.content_block_index, frame.delta) else {
            return Err(DecodeError::at("delta", "is required, and so is contentBlockIndex"));
        };
        let Delta { text, tool_use, reasoning_content } = delta;
        push_text(text.unwrap_or_default(), out);
        if let Some(thought) = reasoning_content {
            push_thought(thought, out);
        }
        let input = tool_use.and_then(|call| call.input).filter(|input| !input.is_empty());
        if let Some(input) = input {
            let Some(call) = self.calls.get_mut(&block) else {
                return Err(DecodeError::at("contentBlockIndex", "names no open call"));
            };
            call.any = true;
            push_input(call.kind, input, out);
        }
        Ok(())
    }

    /// A call without input has the empty object.
    fn block_stop(&mut self, frame: Frame<String>, out: Out<'_>) -> Result<(), DecodeError> {
        let call = frame.content_block_index.and_then(|block| self.calls.remove(&block));
        if let Some(Call { kind, any: false }) = call {
            push_input(kind, "{}".to_owned(), out);
        }
        Ok(())
    }

    fn message_stop(&mut self, frame: Frame<String>, out: Out<'_>) -> Result<(), DecodeError> {
        let Some(word) = frame.stop_reason else {
            return Err(DecodeError::at("stopReason", "is required"));
        };
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        let json_only = self.saw_json && self.tools == 0;
        let sequence = frame.additional_model_response_fields.as_ref().and_then(answer::matched);
        out.push(Event::Stop { choice: 0, stop: STOPS.stop(word, sequence, json_only) });
        Ok(())
    }

    fn metadata(&mut self, frame: Frame<String>, out: Out<'_>) -> Result<(), DecodeError> {
        out.extend(frame.usage.map(|counts| Event::Usage(counts.usage())));
        self.finish(out);
        Ok(())
    }

    fn finish(&mut self, out: Out<'_>) {
        if self.stopped && !self.done {
            self.done = true;
            out.push(Event::Done);
        }
    }
}

fn push_text(text: String, out: Out<'_>) {
    if !text.is_empty() {
        out.push(Event::Text { choice: 0, text, logprobs: None });
    }
}

fn push_thought(thought: Thought<String>, out: Out<'_>) {
    if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
        out.push(Event::Reasoning { choice: 0, text });
    }
    if let Some(value) = thought.signature.filter(|seal| !seal.is_empty()) {
        let signature = Signature { origin: ID, value };
        out.push(Event::ReasoningSignature { choice: 0, signature });
    }
    if let Some(data) = thought.redacted_content {
        out.push(Event::RedactedReasoning { choice: 0, data, origin: ID });
    }
}

fn push_input(kind: Kind, fragment: String, out: Out<'_>) {
    match kind {
        Kind::Tool(index) => out.push(Event::ToolArguments { choice: 0, index, fragment }),
        Kind::Json => push_text(fragment, out),
        Kind::Other => {}
    }
}
