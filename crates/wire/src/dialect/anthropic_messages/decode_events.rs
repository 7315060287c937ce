//! Reads a stream.
//!
//! Content blocks are numbered across all kinds; the hub numbers tool calls alone. Blocks and deltas
//! that the hub cannot hold (tools the provider runs itself, citations) are signs of life.

use super::usage::Counts;
use super::{ID, JSON_TOOL, blocks, failure, words};
use crate::dialect::{DecodeEvents, Quirks};
use crate::error::DecodeError;
use crate::hub::{Event, Part, Signature, ToolCall};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    json_tool: bool,
    blocks: BTreeMap<u64, Block>,
    tools: u32,
    saw_json: bool,
    counts: Counts,
    early_stop: Option<String>,
    stopped: bool,
}

/// What an open block is.
#[derive(Debug)]
enum Block {
    Text,
    Thinking,
    /// A call; `pending` is the input told at its start, used when no piece of it follows.
    Tool {
        index: u32,
        pending: String,
        any: bool,
    },
    /// The forced JSON tool, whose input is the answer's text.
    Json {
        pending: String,
        any: bool,
    },
    /// Known to the provider only.
    Other,
}

/// An event as it stands on the wire; deltas, which are most, are read without copying.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    index: Option<u64>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    content_block: Option<Value>,
    message: Option<Value>,
    usage: Option<Counts>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
}

type Out<'a> = &'a mut Vec<Event>;
type Read = fn(&mut Reader, Frame<'_>, Out<'_>) -> Result<(), DecodeError>;

static READERS: &[(&str, Read)] = &[
    ("content_block_delta", Reader::delta),
    ("content_block_start", Reader::block_start),
    ("content_block_stop", Reader::block_stop),
    ("message_start", Reader::start),
    ("message_delta", Reader::message_delta),
    ("message_stop", Reader::message_stop),
    ("error", Reader::error),
];

impl DecodeEvents for Reader {
    fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if data.trim_ascii_start().first() != Some(&b'{') {
            return Err(DecodeError::at("", "must be an object"));
        }
        let frame: Frame<'_> = serde_json::from_slice(data)
            .map_err(|error| DecodeError::at("", format!("malformed event: {error}")))?;
        let kind = match (&frame.kind, name) {
            (Some(kind), _) => kind.clone(),
            (None, Some(name)) => String::from_utf8_lossy(name).into_owned().into(),
            (None, None) => return Err(DecodeError::at("type", "is required")),
        };
        match READERS.iter().find(|(known, _)| *known == kind) {
            Some((_, read)) => read(self, frame, out),
            None => {
                out.push(Event::Ping);
                Ok(())
            }
        }
    }

    fn end(&mut self, _out: &mut Vec<Event>) {}
}

impl Reader {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { json_tool: quirks.schema_as_tool, ..Self::default() }
    }

    fn start(&mut self, frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        let Some(mut message) = frame.message else {
            return Err(DecodeError::at("message", "is required"));
        };
        if let Some(usage) = message.get_mut("usage").map(Value::take) {
            let counts: Option<Counts> = serde_json::from_value(usage)
                .map_err(|error| DecodeError::at("message.usage", error.to_string()))?;
            self.counts.update(counts.unwrap_or_default());
        }
        let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::to_owned);
        self.early_stop = text("stop_reason");
        let usage = Some(self.counts.usage()).filter(|_| self.counts != Counts::default());
        out.push(Event::Start {
            id: text("id").unwrap_or_default(),
            model: text("model").unwrap_or_default(),
            created: None,
            usage,
        });
        let Some(Value::Array(content)) = message.get_mut("content").map(Value::take) else {
            return Ok(());
        };
        for (at, block) in content.into_iter().enumerate() {
            let mut open = self.open(block, format!("message.content[{at}]"), out)?;
            self.close(&mut open, out);
        }
        Ok(())
    }

    fn block_start(&mut self, frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        let (Some(index), Some(block)) = (frame.index, frame.content_block) else {
            return Err(DecodeError::at("content_block", "is required, and so is index"));
        };
        let block = self.open(block, "content_block".to_owned(), out)?;
        self.blocks.insert(index, block);
        Ok(())
    }

    /// Says what a block holds at its start.
    fn open(&mut self, block: Value, path: String, out: Out<'_>) -> Result<Block, DecodeError> {
        let block = match blocks::read_block(block, path)? {
            Part::Text { text, .. } => {
                push_text(text, out);
                Block::Text
            }
            Part::Reasoning { text, signature } => {
                push_thinking(text, signature, out);
                Block::Thinking
            }
            Part::RedactedReasoning { data, origin } => {
                out.push(Event::RedactedReasoning { choice: 0, data, origin });
                Block::Other
            }
            Part::ToolCall(call) => self.open_call(call, out),
            _ => Block::Other,
        };
        if out.is_empty() {
            out.push(Event::Ping);
        }
        Ok(block)
    }

    fn open_call(&mut self, call: ToolCall, out: Out<'_>) -> Block {
        let pending = call.arguments;
        if self.json_tool && call.name == JSON_TOOL {
            self.saw_json = true;
            return Block::Json { pending, any: false };
        }
        let index = self.tools;
        self.tools = self.tools.saturating_add(1);
        let ToolCall { id, name, signature, .. } = call;
        out.push(Event::ToolStart { choice: 0, index, id, name, signature });
        Block::Tool { index, pending, any: false }
    }

    fn delta(&mut self, frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        let (Some(index), Some(delta)) = (frame.index, frame.delta) else {
            return Err(DecodeError::at("delta", "is required, and so is index"));
        };
        let Some(block) = self.blocks.get_mut(&index) else {
            return Err(DecodeError::at("index", format!("block {index} is not open")));
        };
        let before = out.len();
        match (delta.kind.as_deref().unwrap_or_default(), block) {
            ("text_delta", _) => push_text(delta.text.unwrap_or_default().into_owned(), out),
            ("thinking_delta", _) => {
                push_thinking(delta.thinking.unwrap_or_default().into_owned(), None, out);
            }
            ("signature_delta", _) => {
                let value = delta.signature.unwrap_or_default().into_owned();
                let signature = Some(Signature { origin: ID, value });
                push_thinking(String::new(), signature.filter(|s| !s.value.is_empty()), out);
            }
            ("input_json_delta", block) => {
                push_input(block, delta.partial_json.unwrap_or_default().into_owned(), out);
            }
            _ => {}
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn block_stop(&mut self, frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        let closed = frame.index.and_then(|index| self.blocks.remove(&index));
        let Some(mut block) = closed else {
            return Err(DecodeError::at("index", "names no open block"));
        };
        self.close(&mut block, out);
        if out.is_empty() {
            out.push(Event::Ping);
        }
        Ok(())
    }

    /// A call whose input came whole, or not at all, gets it now.
    fn close(&mut self, block: &mut Block, out: Out<'_>) {
        let (Block::Tool { pending, any: false, .. } | Block::Json { pending, any: false }) = block
        else {
            return;
        };
        let whole = std::mem::take(pending);
        push_input(block, whole, out);
    }

    fn message_delta(&mut self, frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        let before = out.len();
        if let Some(counts) = frame.usage {
            self.counts.update(counts);
            out.push(Event::Usage(self.counts.usage()));
        }
        let delta = frame.delta.unwrap_or_default();
        if let Some(word) = delta.stop_reason {
            self.stop(word, delta.stop_sequence, out);
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn stop(&mut self, word: String, sequence: Option<String>, out: Out<'_>) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        let json_only = self.saw_json && self.tools == 0;
        out.push(Event::Stop { choice: 0, stop: words::STOPS.stop(word, sequence, json_only) });
    }

    fn message_stop(&mut self, _frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        if let Some(word) = self.early_stop.take() {
            self.stop(word, None, out);
        }
        out.push(Event::Done);
        Ok(())
    }

    fn error(&mut self, frame: Frame<'_>, out: Out<'_>) -> Result<(), DecodeError> {
        out.push(Event::Error(failure::reported(None, frame.error.as_ref())));
        Ok(())
    }
}

fn push_text(text: String, out: Out<'_>) {
    if !text.is_empty() {
        out.push(Event::Text { choice: 0, text, logprobs: None });
    }
}

fn push_thinking(text: String, signature: Option<Signature>, out: Out<'_>) {
    if !text.is_empty() {
        out.push(Event::Reasoning { choice: 0, text });
    }
    if let Some(signature) = signature {
        out.push(Event::ReasoningSignature { choice: 0, signature });
    }
}

fn push_input(block: &mut Block, piece: String, out: Out<'_>) {
    if piece.is_empty() {
        return;
    }
    match block {
        Block::Tool { index, any, .. } => {
            *any = true;
            out.push(Event::ToolArguments { choice: 0, index: *index, fragment: piece });
        }
        Block::Json { any, .. } => {
            *any = true;
            push_text(piece, out);
        }
        Block::Text | Block::Thinking | Block::Other => {}
    }
}
