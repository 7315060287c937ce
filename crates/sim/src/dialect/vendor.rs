//! Whose house it is: keys, errors and the header of the request's id.
//!
//! A vendor may speak several dialects and a dialect may be spoken by several vendors; what follows
//! from the house rather than from the format is here.

use serde_json::{Value, json};

use super::{anthropic, gemini, openai, put};
use crate::ask::Complaint;
use crate::reply::Reply;

/// A house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAi,
    Azure,
    Anthropic,
    Google,
    Aws,
    Cohere,
    Voyage,
}

/// Status, OpenAI's type, Anthropic's type, Google's status, the name of AWS's exception.
const STATUS_WORDS: &[(u16, &str, &str, &str, &str)] = &[
    (
        400,
        "invalid_request_error",
        "invalid_request_error",
        "INVALID_ARGUMENT",
        "ValidationException",
    ),
    (
        401,
        "invalid_request_error",
        "authentication_error",
        "UNAUTHENTICATED",
        "UnrecognizedClientException",
    ),
    (
        402,
        "insufficient_quota",
        "billing_error",
        "FAILED_PRECONDITION",
        "ServiceQuotaExceededException",
    ),
    (
        403,
        "invalid_request_error",
        "permission_error",
        "PERMISSION_DENIED",
        "AccessDeniedException",
    ),
    (404, "invalid_request_error", "not_found_error", "NOT_FOUND", "ResourceNotFoundException"),
    (408, "server_error", "timeout_error", "DEADLINE_EXCEEDED", "ModelTimeoutException"),
    (413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT", "ValidationException"),
    (424, "server_error", "api_error", "INTERNAL", "ModelErrorException"),
    (429, "rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException"),
    (500, "server_error", "api_error", "INTERNAL", "InternalServerException"),
    (502, "server_error", "api_error", "UNAVAILABLE", "ServiceUnavailableException"),
    (
        503,
        "service_unavailable_error",
        "overloaded_error",
        "UNAVAILABLE",
        "ServiceUnavailableException",
    ),
    (504, "server_error", "timeout_error", "DEADLINE_EXCEEDED", "ModelTimeoutException"),
    (
        529,
        "service_unavailable_error",
        "overloaded_error",
        "UNAVAILABLE",
        "ServiceUnavailableException",
    ),
];

/// The words of a status; those of 500 for an unknown one.
fn words(status: u16) -> (&'static str, &'static str, &'static str, &'static str) {
    let row = STATUS_WORDS.iter().find(|row| row.0 == status);
    row.map_or(
        ("server_error", "api_error", "INTERNAL", "InternalServerException"),
        |(_, openai, anthropic, google, aws)| (openai, anthropic, google, aws),
    )
}

/// The name of AWS's exception for a complaint.
pub(crate) fn exception(complaint: &Complaint) -> &'static str {
    complaint.kind.unwrap_or(words(complaint.status).3)
}

impl Vendor {
    /// The JSON of an error.
    pub(crate) fn error(self, complaint: &Complaint, id: &str) -> Value {
        let (openai, anthropic, google, _) = words(complaint.status);
        match self {
            Self::OpenAi | Self::Azure => openai::error(complaint, openai),
            Self::Anthropic => anthropic::error(complaint, anthropic, id),
            Self::Google => gemini::error(complaint, google),
            Self::Aws => json!({ "message": complaint.message }),
            Self::Cohere => json!({ "id": id, "message": complaint.message }),
            Self::Voyage => json!({ "detail": complaint.message }),
        }
    }

    /// The reply that refuses.
    pub(crate) fn refusal(self, complaint: &Complaint, id: &str) -> Reply {
        let mut body = self.error(complaint, id);
        let nameless = self == Self::Azure && complaint.code.is_none();
        if let Some(error) = body.get_mut("error").filter(|_| nameless) {
            put(error, "code", complaint.status.to_string().into());
        }
        let reply = Reply::json(complaint.status, body.to_string());
        if self == Self::Aws {
            return reply.header("x-amzn-errortype", exception(complaint));
        }
        reply
    }

    /// The header in which the request's id is told.
    pub(crate) fn id_header(self) -> &'static str {
        match self {
            Self::Anthropic => "request-id",
            Self::Aws => "x-amzn-requestid",
            Self::Azure => "apim-request-id",
            _ => "x-request-id",
        }
    }

    /// Refuses a request without a key. A key that begins with "wrong" is a wrong one.
    pub(crate) fn check_key(self, key: &str) -> Result<(), Complaint> {
        if !key.is_empty() && !key.starts_with("wrong") {
            return Ok(());
        }
        Err(self.bad_key())
    }

    /// What is said to a bad key.
    pub(crate) fn bad_key(self) -> Complaint {
        match self {
            Self::OpenAi => {
                Complaint::new(401, "Incorrect API key provided.").code("invalid_api_key")
            }
            Self::Azure => Complaint::new(
                401,
                "Access denied due to invalid subscription key or wrong API endpoint.",
            )
            .code("401"),
            Self::Anthropic => Complaint::new(401, "invalid x-api-key"),
            Self::Google => Complaint::new(401, "API key not valid. Please pass a valid API key."),
            Self::Aws => {
                Complaint::new(403, "The security token included in the request is invalid.")
                    .kind("UnrecognizedClientException")
            }
            Self::Cohere => Complaint::new(401, "invalid api token"),
            Self::Voyage => Complaint::new(401, "Provided API key is invalid."),
        }
    }

    /// What vendors say to a conversation that ends with the assistant's words, where the model
    /// cannot go on from them.
    pub(crate) fn no_prefill(self) -> Complaint {
        let say = |message| Complaint::new(400, message);
        match self {
            Self::OpenAi | Self::Azure => say("Invalid 'messages': the last message \
                 must not have role 'assistant' for this model.")
            .param("messages")
            .code("invalid_value"),
            Self::Google => say("Please ensure that multiturn requests end with \
                 a user role or a function response."),
            Self::Cohere => say("invalid request: the last message must be from \
                 the user or a tool."),
            _ => say("This model does not support assistant message prefill. \
                 The conversation must end with a user message."),
        }
    }
}
