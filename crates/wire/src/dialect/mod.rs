//! The wire formats, one row each. A dialect reads and writes the hub's types and knows no provider.
//!
//! A new dialect is a file beside this one and a row in [`DIALECTS`].

use crate::error::{DecodeError, Problem, Reported};
use crate::frames::Framing;
use crate::hub::{Answer, Event, Request, StopReason, Usage};
use crate::peek::{ChatPeek, PeekError};

pub mod anthropic_messages;
pub mod bedrock_converse;
pub mod cohere_v2;
pub mod gemini;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_responses;

/// All dialects.
pub static DIALECTS: &[Dialect] = &[
    openai_chat::DIALECT,
    anthropic_messages::DIALECT,
    gemini::DIALECT,
    openai_responses::DIALECT,
    bedrock_converse::DIALECT,
    cohere_v2::DIALECT,
    openai_completions::DIALECT,
];

/// The dialect with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|dialect| dialect.id == id)
}

/// Reads a request out of its body, the model in the path and whether the path asks for a stream.
pub type DecodeRequest =
    fn(body: &[u8], path_model: Option<&str>, path_stream: bool) -> Result<Request, DecodeError>;

/// What a wire format can do, as plain functions.
#[derive(Debug)]
pub struct Dialect {
    /// Its name in configuration and data.
    pub id: &'static str,
    /// The path after the provider's base URL for this upstream model name, streamed or not.
    pub path: fn(model: &str, stream: bool) -> String,
    /// Whether the body names the model and asks for the stream; otherwise the path does.
    pub model_in_body: bool,
    /// How its streams are cut into events.
    pub framing: Framing,
    /// Whether its streams close with a mark of their own (`[DONE]`, `message_stop`); otherwise
    /// the end of the connection is the end of the answer.
    pub end_mark: bool,
    /// Finds the fields of a client's request that the gateway itself must know, in one pass.
    pub peek: fn(&[u8]) -> Result<ChatPeek, PeekError>,
    /// Reads a client's request. `path_model` is the model named in the URL, where the dialect has
    /// it there (Gemini); `path_stream` whether the URL asks for a stream.
    pub decode_request: DecodeRequest,
    /// Writes a request for an upstream.
    pub encode_request: fn(&Request, &Target<'_>) -> Encoded,
    /// Reads an upstream's unstreamed answer (status 200).
    pub decode_answer: fn(&[u8], &Quirks) -> Result<Answer, DecodeError>,
    /// Writes an unstreamed answer for a client.
    pub encode_answer: fn(&Answer) -> Vec<u8>,
    /// A reader of an upstream's stream.
    pub decode_events: fn(&Quirks) -> Box<dyn DecodeEvents>,
    /// A writer of a stream for a client. `include_usage`: the client asked for usage.
    pub encode_events: fn(include_usage: bool) -> Box<dyn EncodeEvents>,
    /// A cheap observer of an upstream's stream that is relayed as it is.
    pub meter: fn(&Quirks) -> Box<dyn Meter>,
    /// Builds the unstreamed answer out of a stream of the same dialect.
    pub aggregate: fn() -> Box<dyn Aggregate>,
    /// Reads an upstream's error body (any bytes at all).
    pub decode_error: fn(status: u16, body: &[u8]) -> Reported,
    /// Writes our error as an unstreamed body (JSON).
    pub encode_error: fn(&Problem<'_>) -> Vec<u8>,
    /// Writes our error as the last bytes of a stream, complete SSE frames.
    pub encode_stream_error: fn(&Problem<'_>) -> Vec<u8>,
}

type EncodeAnswerTo = fn(&Answer, Option<&Request>) -> Vec<u8>;

/// The dialects whose answers repeat their request.
static REPEATING: &[(&str, EncodeAnswerTo)] =
    &[(openai_responses::ID, openai_responses::encode_answer_to)];

impl Dialect {
    /// Writes an unstreamed answer for a client whose request is known: some dialects repeat it in
    /// the answer, and call tools back in the way they were offered.
    #[must_use]
    pub fn encode_answer_to(&self, answer: &Answer, asked: Option<&Request>) -> Vec<u8> {
        match REPEATING.iter().find(|(id, _)| *id == self.id) {
            Some((_, encode)) => encode(answer, asked),
            None => (self.encode_answer)(answer),
        }
    }
}

/// Where a request is going: what the encoder must know of the upstream.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The upstream's name of the model.
    pub model: &'a str,
    /// Whether to ask for a stream (with usage).
    pub stream: bool,
    /// The output bound to send where the request has none and the dialect demands one.
    pub default_max_tokens: u64,
    /// The upstream's peculiarities.
    pub quirks: &'a Quirks,
    /// A partial answer to be continued: sent as the last assistant turn in the way this dialect
    /// and provider know as prefill.
    pub prefill: Option<&'a str>,
}

/// A request ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The JSON body.
    pub body: Vec<u8>,
    /// Request fields that this dialect cannot express, by their OpenAI name (`seed`, `logprobs`).
    pub dropped: Vec<&'static str>,
}

/// Named peculiarities of a provider or model. All false or empty by default.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Wants `max_completion_tokens` instead of `max_tokens`.
    pub max_completion_tokens: bool,
    /// Refuses `stream_options`; usage comes anyway or not at all.
    pub no_stream_options: bool,
    /// Refuses temperature, top_p and penalties.
    pub no_sampling: bool,
    /// The highest temperature it accepts, in hundredths; 0 means no lower bound than the dialect's.
    pub max_temperature_centi: u32,
    /// Calls the seed `random_seed`.
    pub random_seed: bool,
    /// What to do with `reasoning_content` on assistant turns sent back.
    pub reasoning_content: ReasoningContent,
    /// Reports reasoning tokens beside, not inside, completion tokens.
    pub reasoning_outside_completion: bool,
    /// Reports cached tokens at the top level of usage.
    pub top_level_cached_tokens: bool,
    /// Field of the trailing assistant message that marks it as a prefill (`prefix`, `partial`).
    pub prefill_field: Option<String>,
    /// Tool-call ids must be nine letters or digits.
    pub short_tool_ids: bool,
    /// The model takes a thinking level (`thinkingLevel`) or adaptive thinking with an effort,
    /// instead of a token budget.
    pub effort_reasoning: bool,
    /// JSON schemas must be asked through a forced tool.
    pub schema_as_tool: bool,
    /// Refuses `parallel_tool_calls`.
    pub no_parallel_tool_calls: bool,
    /// Takes no wish about how much to reason.
    pub no_reasoning: bool,
    /// The model reasons and hands its reasoning out encrypted when asked (Responses API).
    pub encrypted_reasoning: bool,
    /// The body must not name the model, because the path does (Anthropic's models on Vertex).
    pub no_model: bool,
    /// What the body's field `anthropic_version` must say (Anthropic's models on Vertex).
    pub anthropic_version: Option<String>,
    /// Takes Anthropic's `cache_control` on content parts and tools, also in another dialect.
    pub cache_control: bool,
}

/// Policy for `reasoning_content` on assistant turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningContent {
    /// Leave out (strict hosts refuse the field).
    #[default]
    Strip,
    /// Send what the client sent.
    Keep,
    /// Send it on every assistant turn with tool calls, empty if unknown.
    Inject,
}

/// Reads a stream, event by event. One call is one SSE event's name and data.
pub trait DecodeEvents: Send {
    /// Appends what the event says to `out`. An `Err` is one malformed event; the reader stays usable.
    ///
    /// # Errors
    /// When the data is not what the dialect allows.
    fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError>;
    /// The connection ended in order. Appends what the end itself says (Gemini's only end mark).
    fn end(&mut self, out: &mut Vec<Event>);
}

/// Writes a stream, event by event, as complete SSE frames.
pub trait EncodeEvents: Send {
    /// Tells what the client asked, before any event. Some dialects repeat it in the answer, and
    /// call tools back in the way they were offered.
    fn asked(&mut self, _request: &Request) {}
    /// Appends the frames that say `event` to `out`.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);
    /// Closes the stream in the dialect's way (`[DONE]`, `message_stop`), if that was not written yet.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// What a relayed event said, as far as the gateway must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// It carries text, a tool call or reasoning.
    pub content: bool,
    /// Bytes of text-like content in it (for local counting).
    pub content_bytes: usize,
    /// An alternative ended for this reason.
    pub stop: Option<StopReason>,
    /// Usage so far.
    pub usage: Option<Usage>,
    /// The event is nothing but usage (OpenAI's extra chunk), to be dropped for clients that did
    /// not ask.
    pub usage_only: bool,
    /// An error inside the stream.
    pub error: Option<Reported>,
    /// The dialect's end mark.
    pub done: bool,
}

/// Observes a stream that is relayed byte by byte. Cheap: looks closely only where it must.
pub trait Meter: Send {
    /// Observes one SSE event.
    ///
    /// # Errors
    /// When the data is malformed; the meter stays usable.
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError>;
}

/// Builds one unstreamed answer from a stream, losing nothing: unknown fields are merged.
pub trait Aggregate: Send {
    /// Takes one SSE event.
    ///
    /// # Errors
    /// When the data is malformed; the event is left out.
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError>;
    /// The answer as the provider would have sent it unstreamed.
    fn finish(self: Box<Self>) -> Vec<u8>;
}
