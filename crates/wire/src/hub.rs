//! The neutral form every dialect is translated through: requests, answers, stream events, usage.
//!
//! Hub and spoke: a dialect knows how to read and write these types and never meets another
//! dialect. What the types cannot hold travels in the `extra` maps, keyed by the field name of
//! the dialect it came from; an encoder of another dialect leaves them out and says so.

use serde_json::{Map, Value};

/// Fields that only their own dialect understands, kept so that a round trip loses nothing.
pub type Extra = Map<String, Value>;

/// A chat request, whoever asked it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The model name as the sender wrote it.
    pub model: String,
    /// System and developer instructions that stand before the first turn.
    pub system: Vec<Part>,
    /// The conversation in order. Consecutive turns of one role are allowed here.
    pub messages: Vec<Message>,
    /// The tools on offer.
    pub tools: Vec<Tool>,
    /// How the model may choose among them; `None` is the provider's default.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tool calls may come in one turn.
    pub parallel_tool_calls: Option<bool>,
    /// The bound on output tokens, reasoning included.
    pub max_tokens: Option<u64>,
    /// Sampling temperature on the 0..2 scale of OpenAI.
    pub temperature: Option<f64>,
    /// Nucleus sampling mass, 0..1.
    pub top_p: Option<f64>,
    /// Sampling among the k likeliest tokens.
    pub top_k: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How many alternative answers; `None` is one.
    pub n: Option<u32>,
    /// Seed for repeatable sampling.
    pub seed: Option<i64>,
    /// Presence penalty, -2..2.
    pub presence_penalty: Option<f64>,
    /// Frequency penalty, -2..2.
    pub frequency_penalty: Option<f64>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// How many alternatives per token with their log probabilities.
    pub top_logprobs: Option<u32>,
    /// The shape the answer must have.
    pub format: Option<Format>,
    /// How much the model should reason before it answers.
    pub reasoning: Option<Reasoning>,
    /// The end user's opaque id.
    pub user: Option<String>,
    /// The provider's processing tier (`auto`, `flex`, `priority`...).
    pub service_tier: Option<String>,
    /// Whether the sender wants the answer as a stream.
    pub stream: bool,
    /// Whether the sender asked for usage at the end of the stream.
    pub include_usage: bool,
    /// The dialect it was read from; it alone may write the `extra` maps in here back. Empty for
    /// none.
    pub origin: &'static str,
    /// Whether [`Request::drop_seals`] was called: what was reasoned is another provider's.
    pub unsealed: bool,
    /// What only the sender's dialect knows.
    pub extra: Extra,
}

impl Request {
    /// Leaves out every provider's seal on reasoning and tool calls, and reasoning that only its
    /// provider can read: they are refused by every provider but the one that made them.
    pub fn drop_seals(&mut self) {
        self.unsealed = true;
        for message in &mut self.messages {
            message.parts.iter_mut().for_each(Part::drop_seal);
            message.parts.retain(|part| match part {
                Part::RedactedReasoning { .. } => false,
                Part::Reasoning { text, .. } => !text.is_empty(),
                _ => true,
            });
        }
    }
}

impl Part {
    /// Leaves out the provider's seal, wherever this kind of part has it.
    fn drop_seal(&mut self) {
        match self {
            Self::Reasoning { signature, .. } => *signature = None,
            Self::ToolCall(call) => call.signature = None,
            Self::Text { extra, .. }
            | Self::Image { extra, .. }
            | Self::File { extra, .. }
            | Self::Audio { extra, .. } => {
                extra.shift_remove(SEAL_FIELD);
            }
            Self::Other { value: Value::Object(map), .. } => {
                map.shift_remove(SEAL_FIELD);
            }
            _ => {}
        }
    }
}

/// The field in which Gemini's parts carry their seal, where the hub leaves it in the extras.
const SEAL_FIELD: &str = "thoughtSignature";

/// Whose turn a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions in the middle of a conversation.
    System,
    /// The human, and results of tools.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Whose turn it is.
    pub role: Role,
    /// Its content in order.
    pub parts: Vec<Part>,
    /// What only the sender's dialect knows about this turn (`name`, `cache_control`...).
    pub extra: Extra,
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Plain text.
    Text {
        /// The text.
        text: String,
        /// Dialect extras (`cache_control`, `citations`, a thought signature...).
        extra: Extra,
    },
    /// A picture.
    Image {
        /// Where its bytes are.
        source: Media,
        /// Dialect extras (`detail`, `cache_control`...).
        extra: Extra,
    },
    /// A document, such as a PDF.
    File {
        /// Where its bytes are.
        source: Media,
        /// Its name, where one was given.
        name: Option<String>,
        /// Dialect extras.
        extra: Extra,
    },
    /// Sound.
    Audio {
        /// Where its bytes are.
        source: Media,
        /// Dialect extras.
        extra: Extra,
    },
    /// The model asks for a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult {
        /// The id of the call it answers.
        call_id: String,
        /// The tool's name where the dialect says it.
        name: Option<String>,
        /// The result; text or images.
        content: Vec<Part>,
        /// Whether the tool failed.
        is_error: bool,
        /// Dialect extras.
        extra: Extra,
    },
    /// The model's reasoning, readable.
    Reasoning {
        /// The reasoning text; may be empty when only a signature was given.
        text: String,
        /// The provider's seal on it. Opaque, valid only for the provider that made it.
        signature: Option<Signature>,
    },
    /// Reasoning that only the provider can read.
    RedactedReasoning {
        /// Opaque data.
        data: String,
        /// The dialect that made it.
        origin: &'static str,
    },
    /// The model declines.
    Refusal(String),
    /// A part that only the dialect `origin` knows, kept whole.
    Other {
        /// The dialect id.
        origin: &'static str,
        /// The part as it stood.
        value: Value,
    },
}

/// A provider's opaque seal on a piece of reasoning or a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The dialect that made it; other dialects must drop it.
    pub origin: &'static str,
    /// The opaque text.
    pub value: String,
}

/// A call to a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Its id; synthesised by the decoder where the dialect has none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them.
    pub arguments: String,
    /// A thought signature bound to this call.
    pub signature: Option<Signature>,
    /// Dialect extras.
    pub extra: Extra,
}

/// Where media bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// Inline.
    Base64 {
        /// MIME type, such as `image/png`.
        mime: String,
        /// Standard base64 text.
        data: String,
    },
    /// To be fetched by the provider.
    Url(String),
    /// An id of a file the provider stores.
    FileId(String),
}

/// A tool on offer.
#[derive(Debug, Clone, PartialEq)]
pub enum Tool {
    /// A function the client runs.
    Function {
        /// Its name.
        name: String,
        /// What it does, for the model.
        description: Option<String>,
        /// JSON Schema of its arguments; `None` is "no arguments".
        parameters: Option<Value>,
        /// Whether arguments must follow the schema exactly.
        strict: Option<bool>,
        /// Dialect extras (`cache_control`...).
        extra: Extra,
    },
    /// A tool that only the dialect `origin` knows (web search, code execution...).
    Native {
        /// The dialect id.
        origin: &'static str,
        /// The tool as it stood.
        value: Value,
    },
}

/// How the model may choose among tools.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// No tool.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// A choice only the dialect `origin` knows.
    Other {
        /// The dialect id.
        origin: &'static str,
        /// The choice as it stood.
        value: Value,
    },
}

/// The shape an answer must have.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema's name.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema.
        schema: Value,
        /// Whether it must be followed exactly.
        strict: Option<bool>,
    },
}

/// How much to reason.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasoning {
    /// `none minimal low medium high xhigh max`.
    pub effort: Option<String>,
    /// A bound on reasoning tokens; 0 is off, -1 is the model's choice.
    pub budget_tokens: Option<i64>,
    /// Whether thoughts should be returned readable.
    pub include: Option<bool>,
}

/// An unstreamed answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// Unix seconds, where the dialect says it.
    pub created: Option<i64>,
    /// The alternatives; one unless `n` was asked.
    pub choices: Vec<Choice>,
    /// What it used; `None` where the provider did not say.
    pub usage: Option<Usage>,
    /// The dialect it was read from; it alone may write the `extra` maps in here back. Empty for
    /// none.
    pub origin: &'static str,
    /// What only the provider's dialect knows.
    pub extra: Extra,
}

/// One alternative of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// Its number, from 0.
    pub index: u32,
    /// Its content in order.
    pub parts: Vec<Part>,
    /// Why it ended; `None` means that the provider did not say.
    pub stop: Option<Stop>,
    /// Log probabilities in OpenAI's form.
    pub logprobs: Option<Value>,
    /// What only the provider's dialect knows.
    pub extra: Extra,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The common reason.
    pub reason: StopReason,
    /// The provider's own word for it.
    pub native: String,
    /// The stop sequence that matched, where the dialect says it.
    pub sequence: Option<String>,
}

/// The common reasons of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The bound on output or the context window.
    Length,
    /// It waits for tools.
    ToolCalls,
    /// A filter or a refusal.
    ContentFilter,
    /// The provider failed in the middle (`MALFORMED_FUNCTION_CALL`, `insufficient_system_resource`...);
    /// counted as a failure of the attempt, never shown as complete.
    Error,
}

/// Tokens in one internal form; every provider's habits are undone by its decoder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that came from no cache.
    pub input: u64,
    /// Input tokens read from the provider's cache.
    pub cached_input: u64,
    /// Input tokens written to the cache (default, five-minute class).
    pub cache_write: u64,
    /// Input tokens written to the one-hour cache.
    pub cache_write_1h: u64,
    /// Output tokens without reasoning.
    pub output: u64,
    /// Reasoning tokens.
    pub reasoning: u64,
    /// Audio tokens within the input.
    pub audio_input: u64,
    /// Audio tokens within the output.
    pub audio_output: u64,
}

impl Usage {
    /// All input tokens, cached or not.
    #[must_use]
    pub fn total_input(&self) -> u64 {
        self.input
            .saturating_add(self.cached_input)
            .saturating_add(self.cache_write)
            .saturating_add(self.cache_write_1h)
    }

    /// All output tokens, reasoning included.
    #[must_use]
    pub fn total_output(&self) -> u64 {
        self.output.saturating_add(self.reasoning)
    }
}

/// One step of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer begins. No content yet.
    Start {
        /// The provider's id of the answer.
        id: String,
        /// The model that answers.
        model: String,
        /// Unix seconds, where the dialect says it.
        created: Option<i64>,
        /// Usage known at the start (Anthropic tells input tokens here).
        usage: Option<Usage>,
    },
    /// A piece of text of one alternative.
    Text {
        /// The alternative's number.
        choice: u32,
        /// The piece.
        text: String,
        /// Log probabilities in OpenAI's form.
        logprobs: Option<Value>,
    },
    /// A piece of refusal text.
    Refusal {
        /// The alternative's number.
        choice: u32,
        /// The piece.
        text: String,
    },
    /// A piece of readable reasoning.
    Reasoning {
        /// The alternative's number.
        choice: u32,
        /// The piece.
        text: String,
    },
    /// The seal on the reasoning so far (or on the text or call that follows).
    ReasoningSignature {
        /// The alternative's number.
        choice: u32,
        /// The seal.
        signature: Signature,
    },
    /// Reasoning that only the provider can read.
    RedactedReasoning {
        /// The alternative's number.
        choice: u32,
        /// Opaque data.
        data: String,
        /// The dialect that made it.
        origin: &'static str,
    },
    /// A tool call begins. `index` counts tool calls of the alternative from 0, never reused.
    ToolStart {
        /// The alternative's number.
        choice: u32,
        /// The call's number.
        index: u32,
        /// Its id; synthesised where the dialect has none.
        id: String,
        /// The tool's name.
        name: String,
        /// A thought signature bound to this call.
        signature: Option<Signature>,
    },
    /// A piece of a call's arguments, JSON text.
    ToolArguments {
        /// The alternative's number.
        choice: u32,
        /// The call's number.
        index: u32,
        /// The piece.
        fragment: String,
    },
    /// An alternative has ended.
    Stop {
        /// The alternative's number.
        choice: u32,
        /// Why.
        stop: Stop,
    },
    /// Usage so far; the last one counts.
    Usage(Usage),
    /// The provider reports a failure inside the stream.
    Error(crate::error::Reported),
    /// A sign of life without content (`ping`, an empty delta).
    Ping,
    /// The stream is complete in the dialect's own way (`[DONE]`, `message_stop`).
    Done,
}

impl Event {
    /// The alternative it belongs to, if it belongs to one.
    #[must_use]
    pub fn choice(&self) -> Option<u32> {
        match self {
            Self::Text { choice, .. }
            | Self::Refusal { choice, .. }
            | Self::Reasoning { choice, .. }
            | Self::ReasoningSignature { choice, .. }
            | Self::RedactedReasoning { choice, .. }
            | Self::ToolStart { choice, .. }
            | Self::ToolArguments { choice, .. }
            | Self::Stop { choice, .. } => Some(*choice),
            Self::Start { .. } | Self::Usage(_) | Self::Error(_) | Self::Ping | Self::Done => None,
        }
    }

    /// Whether this is content in the sense of the first-token timer: text, a tool call or reasoning.
    #[must_use]
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text { text, .. } | Self::Refusal { text, .. } | Self::Reasoning { text, .. } => {
                !text.is_empty()
            }
            Self::RedactedReasoning { .. } | Self::ToolStart { .. } => true,
            Self::ToolArguments { fragment, .. } => !fragment.is_empty(),
            _ => false,
        }
    }
}
