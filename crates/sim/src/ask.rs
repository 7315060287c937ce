//! What was asked, whatever the dialect it was asked in.
//!
//! The dialects read their JSON into an [`Ask`]; the answer is made from it alone, so that the
//! dialects give the same text to the same question. Only what the simulator reacts to is
//! kept. Nothing is shared with the gateway's own decoders: the judge must not repeat the
//! defendant's mistakes.

use serde_json::Value;

use crate::dialect::{Dialect, Vendor};
use crate::text;

/// A request, understood.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) dialect: Dialect,
    /// In whose words errors are told.
    pub(crate) vendor: Vendor,
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// OpenAI: a usage chunk was asked for. Always true elsewhere.
    pub(crate) include_usage: bool,
    /// Gemini: events rather than one JSON array.
    pub(crate) sse: bool,
    pub(crate) choices: u32,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) question: String,
    pub(crate) images: u32,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) parallel: bool,
    /// The text of the tool results the conversation ends with.
    pub(crate) tool_result: Option<String>,
    /// The assistant's words the conversation ends with.
    pub(crate) prefill: Option<String>,
    pub(crate) format: Format,
    pub(crate) input_tokens: u32,
    /// How often tools were called before, calls at once counted once.
    pub(crate) rounds: u32,
    /// The last turn heard called tools.
    pub(crate) calling: bool,
    /// The body, where the answer repeats parts of it; else null.
    pub(crate) echo: Box<Value>,
}

impl Ask {
    pub(crate) fn new(dialect: Dialect, model: String) -> Self {
        Self {
            dialect,
            vendor: dialect.vendor(),
            model,
            stream: false,
            include_usage: true,
            sse: true,
            choices: 1,
            max_tokens: None,
            question: String::new(),
            images: 0,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel: true,
            tool_result: None,
            prefill: None,
            format: Format::Text,
            input_tokens: 3,
            rounds: 0,
            calling: false,
            echo: Box::new(Value::Null),
        }
    }

    /// Takes in the conversation, turn by turn.
    pub(crate) fn hear(&mut self, turn: Turn) {
        self.input_tokens = self.input_tokens.saturating_add(3 + text::count(&turn.text));
        self.input_tokens = self.input_tokens.saturating_add(turn.images.saturating_mul(85));
        self.images = self.images.saturating_add(turn.images);
        self.prefill = None;
        self.rounds = self.rounds.saturating_add(u32::from(turn.calls && !self.calling));
        self.calling = turn.calls;
        match turn.speaker {
            Speaker::User => {
                self.tool_result = None;
                self.question = turn.text;
            }
            Speaker::Tool => {
                let earlier = self.tool_result.take().map(|text| text + "; ").unwrap_or_default();
                self.tool_result = Some(earlier + &turn.text);
            }
            Speaker::Assistant => {
                self.tool_result = None;
                self.prefill = Some(turn.text).filter(|_| !turn.calls);
            }
            Speaker::System => {}
        }
    }
}

/// One turn of a conversation.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) speaker: Speaker,
    pub(crate) text: String,
    pub(crate) images: u32,
    /// The turn calls tools.
    pub(crate) calls: bool,
}

impl Turn {
    /// Words alone.
    pub(crate) fn said(speaker: Speaker, text: impl Into<String>) -> Self {
        Self { speaker, text: text.into(), images: 0, calls: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    Auto,
    Never,
    Required,
    Named(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    Text,
    /// JSON that fits the schema; `Null` asks for any object.
    Json(Value),
}

/// Why a request is refused, before a dialect words it.
#[derive(Debug, Clone)]
pub(crate) struct Complaint {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// OpenAI's `type` and AWS's exception where it is not the usual one of the status;
    /// Anthropic's and Google's follow from the status.
    pub(crate) kind: Option<&'static str>,
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<&'static str>,
    /// Google's `details`, Anthropic's `details`, Azure's `innererror`.
    pub(crate) details: Box<Value>,
}

impl Complaint {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            message,
            kind: None,
            code: None,
            param: None,
            details: Box::new(Value::Null),
        }
    }

    pub(crate) fn kind(self, kind: &'static str) -> Self {
        Self { kind: Some(kind), ..self }
    }

    pub(crate) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(crate) fn param(self, param: &'static str) -> Self {
        Self { param: Some(param), ..self }
    }

    pub(crate) fn details(self, details: Value) -> Self {
        Self { details: Box::new(details), ..self }
    }
}

/// The array under `key`, or nothing.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text under `key`, or "".
pub(crate) fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The number under `key`, capped to 32 bits.
pub(crate) fn number(value: &Value, key: &str) -> Option<u32> {
    value.get(key).and_then(Value::as_u64).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
}
