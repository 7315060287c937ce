//! Writes events as a stream of chunks: role first, then deltas, the finish chunk, usage if it was
//! asked for, and `[DONE]`.
//!
//! A tool call's first delta has index, id, type and name, the later ones only arguments. Seals
//! on reasoning go out as `reasoning_details` (see `details`), each with the text it seals.

use super::{details, finish, report, thought_signature, usage};
use crate::dialect::EncodeEvents;
use crate::hub::{Event, Extra, Usage};
use serde::Serialize;
use serde_json::Value;

/// The writer of one stream.
pub(super) struct ChunkWriter {
    include_usage: bool,
    id: String,
    model: String,
    created: i64,
    choices: Vec<Choice>,
    usage: Option<Usage>,
    closed: bool,
}

/// What was written of one alternative.
struct Choice {
    index: u32,
    /// Reasoning since the last seal.
    thought: String,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: &'a [ChunkChoice<'a>],
    /// OpenAI's chunks say `null` here when usage was asked for, but the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<&'a Value>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<[Value; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolDelta<'a>; 1]>,
}

#[derive(Serialize)]
struct ToolDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionDelta<'a>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    extension: Option<Extra>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl ChunkWriter {
    pub(super) fn new(include_usage: bool) -> Self {
        Self {
            include_usage,
            id: String::new(),
            model: String::new(),
            created: 0,
            choices: Vec::new(),
            usage: None,
            closed: false,
        }
    }

    fn start(&mut self, event: &Event) {
        if let Event::Start { id, model, created, usage } = event {
            id.clone_into(&mut self.id);
            model.clone_into(&mut self.model);
            self.created = created.unwrap_or(0);
            self.usage = usage.or(self.usage);
        }
    }

    /// Writes a delta, after the role chunk if it is the alternative's first.
    fn delta(&mut self, index: u32, delta: Delta<'_>, out: &mut Vec<u8>) {
        self.choice_chunk(index, delta, None, None, out);
    }

    fn choice_chunk(
        &mut self,
        index: u32,
        delta: Delta<'_>,
        logprobs: Option<&Value>,
        finish_reason: Option<&'static str>,
        out: &mut Vec<u8>,
    ) {
        if !self.choices.iter().any(|choice| choice.index == index) {
            self.choices.push(Choice { index, thought: String::new() });
            let role = Delta { role: Some("assistant"), content: Some(""), ..Delta::default() };
            let choice = ChunkChoice { index, delta: role, logprobs: None, finish_reason: None };
            self.chunk(&[choice], None, out);
        }
        self.chunk(&[ChunkChoice { index, delta, logprobs, finish_reason }], None, out);
    }

    fn chunk(&self, choices: &[ChunkChoice<'_>], usage: Option<Value>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage: usage.or(self.include_usage.then_some(Value::Null)),
        };
        out.extend_from_slice(b"data: ");
        // Writing strings and numbers to memory cannot fail; a failure would leave an empty event.
        let _written = serde_json::to_writer(&mut *out, &chunk);
        out.extend_from_slice(b"\n\n");
    }

    fn reasoning(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        self.delta(index, Delta { reasoning_content: Some(text), ..Delta::default() }, out);
        if let Some(choice) = self.choices.iter_mut().find(|choice| choice.index == index) {
            choice.thought.push_str(text);
        }
    }

    fn detail(&mut self, index: u32, detail: Value, out: &mut Vec<u8>) {
        self.delta(index, Delta { reasoning_details: Some([detail]), ..Delta::default() }, out);
    }

    fn thought(&mut self, index: u32) -> String {
        let choice = self.choices.iter_mut().find(|choice| choice.index == index);
        choice.map(|choice| std::mem::take(&mut choice.thought)).unwrap_or_default()
    }

    fn tool(&mut self, choice: u32, tool: ToolDelta<'_>, out: &mut Vec<u8>) {
        self.delta(choice, Delta { tool_calls: Some([tool]), ..Delta::default() }, out);
    }

    fn error(&mut self, reported: &crate::error::Reported, out: &mut Vec<u8>) {
        self.closed = true;
        report::write_frame(reported, out);
    }
}

impl EncodeEvents for ChunkWriter {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.start(event),
            Event::Text { choice, text, logprobs } => {
                let delta = Delta { content: Some(text), ..Delta::default() };
                self.choice_chunk(*choice, delta, logprobs.as_ref(), None, out);
            }
            Event::Refusal { choice, text } => {
                self.delta(*choice, Delta { refusal: Some(text), ..Delta::default() }, out);
            }
            Event::Reasoning { choice, text } => self.reasoning(*choice, text, out),
            Event::ReasoningSignature { choice, signature } => {
                let thought = self.thought(*choice);
                self.detail(*choice, details::thinking(&thought, signature), out);
            }
            Event::RedactedReasoning { choice, data, origin } => {
                self.detail(*choice, details::redacted(data, origin), out);
            }
            Event::ToolStart { choice, index, id, name, signature } => {
                let tool = ToolDelta {
                    index: *index,
                    id: Some(id),
                    kind: Some("function"),
                    function: FunctionDelta { name: Some(name), arguments: "" },
                    extension: thought_signature(signature.as_ref()),
                };
                self.tool(*choice, tool, out);
            }
            Event::ToolArguments { choice, index, fragment } => {
                let function = FunctionDelta { name: None, arguments: fragment };
                let tool =
                    ToolDelta { index: *index, id: None, kind: None, function, extension: None };
                self.tool(*choice, tool, out);
            }
            Event::Stop { choice, stop } => {
                let word = Some(finish::word(stop.reason));
                self.choice_chunk(*choice, Delta::default(), None, word, out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(reported) => self.error(reported, out),
            Event::Ping => {}
            Event::Done => self.end(out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(usage) = self.usage.filter(|_| self.include_usage) {
            self.chunk(&[], Some(usage::to_value(&usage)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}
