//! The three ways an upstream speaks.
//!
//! Each dialect reads its JSON into an [`Ask`], renders an [`Answer`] whole or as a stream, and
//! words its own errors. The formats are written out by hand from plain JSON, apart from the
//! gateway's encoders on purpose. What is said is decided elsewhere; HTTP is elsewhere too.

pub(crate) mod anthropic;
pub(crate) mod gemini;
pub(crate) mod openai;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ask::{Ask, Complaint};
use crate::reply::{Reply, Step};

/// The second every answer claims to be made in (2026-01-01T00:00:00Z): answers must not depend on
/// the clock.
pub(crate) const CREATED: u64 = 1_767_225_600;

/// The wire format of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
    Gemini,
}

/// Status, OpenAI's type, Anthropic's type, Google's status.
const STATUS_WORDS: &[(u16, &str, &str, &str)] = &[
    (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    (401, "invalid_request_error", "authentication_error", "UNAUTHENTICATED"),
    (402, "insufficient_quota", "billing_error", "FAILED_PRECONDITION"),
    (403, "invalid_request_error", "permission_error", "PERMISSION_DENIED"),
    (404, "invalid_request_error", "not_found_error", "NOT_FOUND"),
    (413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
    (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    (500, "server_error", "api_error", "INTERNAL"),
    (502, "server_error", "api_error", "UNAVAILABLE"),
    (503, "service_unavailable_error", "overloaded_error", "UNAVAILABLE"),
    (504, "server_error", "timeout_error", "DEADLINE_EXCEEDED"),
    (529, "service_unavailable_error", "overloaded_error", "UNAVAILABLE"),
];

impl Dialect {
    pub(crate) fn read(self, body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
        match self {
            Self::OpenAi => openai::read(body),
            Self::Anthropic => anthropic::read(body),
            Self::Gemini => gemini::read(body, path),
        }
    }

    /// The reply with the whole answer in one body or as events.
    pub(crate) fn render(self, ask: &Ask, answer: &Answer, id: &str, stream: bool) -> Reply {
        match (self, stream) {
            (Self::OpenAi, false) => whole(answer, openai::whole(ask, answer, id).to_string()),
            (Self::OpenAi, true) => Reply::events(openai::stream(ask, answer, id)),
            (Self::Anthropic, false) => {
                whole(answer, anthropic::whole(ask, answer, id).to_string())
            }
            (Self::Anthropic, true) => Reply::events(anthropic::stream(ask, answer, id)),
            (Self::Gemini, false) => whole(answer, gemini::whole(ask, answer, id).to_string()),
            (Self::Gemini, true) if ask.sse => Reply::events(gemini::stream(ask, answer, id)),
            (Self::Gemini, true) => whole(answer, gemini::array(ask, answer, id)),
        }
    }

    /// The JSON of an error.
    pub(crate) fn error(self, complaint: &Complaint, id: &str) -> Value {
        let row = STATUS_WORDS.iter().find(|row| row.0 == complaint.status);
        let (_, openai, anthropic, google) =
            row.copied().unwrap_or((500, "server_error", "api_error", "INTERNAL"));
        match self {
            Self::OpenAi => openai::error(complaint, openai),
            Self::Anthropic => anthropic::error(complaint, anthropic, id),
            Self::Gemini => gemini::error(complaint, google),
        }
    }

    /// One event of a stream.
    pub(crate) fn event(self, name: &str, data: &str) -> Bytes {
        match self {
            Self::Anthropic => Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
            Self::OpenAi | Self::Gemini => Bytes::from(format!("data: {data}\n\n")),
        }
    }

    /// An event without content, as providers send to keep a connection alive.
    pub(crate) fn ping(self) -> Step {
        Step::noise(match self {
            Self::Anthropic => self.event("ping", r#"{"type":"ping"}"#),
            Self::OpenAi | Self::Gemini => Bytes::from_static(b": keep-alive\n\n"),
        })
    }

    /// The header in which the request's id is told.
    pub(crate) fn id_header(self) -> &'static str {
        if self == Self::Anthropic { "request-id" } else { "x-request-id" }
    }

    /// Refuses a request without a key. A key that begins with "wrong" is a wrong one.
    pub(crate) fn check_key(self, key: &str) -> Result<(), Complaint> {
        if !key.is_empty() && !key.starts_with("wrong") {
            return Ok(());
        }
        let complaint = match self {
            Self::OpenAi => {
                Complaint::new(401, "Incorrect API key provided.").code("invalid_api_key")
            }
            Self::Anthropic => Complaint::new(401, "invalid x-api-key"),
            Self::Gemini => Complaint::new(401, "API key not valid. Please pass a valid API key."),
        };
        Err(complaint)
    }

    /// What vendors say to a conversation that ends with the assistant's words, where the model
    /// cannot go on from them.
    pub(crate) fn no_prefill(self) -> Complaint {
        match self {
            Self::OpenAi => Complaint::new(
                400,
                "Invalid 'messages': the last message \
                 must not have role 'assistant' for this model.",
            )
            .param("messages")
            .code("invalid_value"),
            Self::Anthropic => Complaint::new(
                400,
                "This model does not support assistant message prefill. \
                 The conversation must end with a user message.",
            ),
            Self::Gemini => Complaint::new(
                400,
                "Please ensure that multiturn requests end with \
                 a user role or a function response.",
            ),
        }
    }

    /// The list of models in this dialect's shape.
    pub(crate) fn models(self, ids: &[String]) -> Value {
        match self {
            Self::Gemini => {
                json!({ "models": ids.iter().map(|id| gemini::model(id)).collect::<Vec<_>>() })
            }
            Self::Anthropic => json!({
                "data": ids.iter().map(|id| anthropic::model(id)).collect::<Vec<_>>(),
                "has_more": false, "first_id": ids.first(), "last_id": ids.last(),
            }),
            Self::OpenAi => json!({
                "object": "list",
                "data": ids.iter().map(|id| openai::model(id)).collect::<Vec<_>>(),
            }),
        }
    }
}

/// What the path says about a request (Gemini puts the model and the streaming there).
#[derive(Debug, Clone, Default)]
pub(crate) struct PathFacts {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) sse: bool,
}

fn whole(answer: &Answer, body: String) -> Reply {
    Reply::whole(200, "application/json", body, answer.usage.output)
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
