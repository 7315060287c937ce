//! What upstreams report as failures, and what a client is told.
//!
//! `Reported` is the raw report in one form. `classify` (in `classify.rs`) decides from the table of
//! `data/errors.toml` what it means. `Problem` is what goes out, in any dialect. Nothing here
//! decides on retries or fallbacks: that is `route`'s.

/// A failure as an upstream worded it, in any dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// HTTP status, or the one named inside an in-band error.
    pub status: Option<u16>,
    /// The provider's type or status word (`overloaded_error`, `RESOURCE_EXHAUSTED`).
    pub kind: Option<String>,
    /// The provider's code (`insufficient_quota`).
    pub code: Option<String>,
    /// The provider's sentence; empty when it gave none.
    pub message: String,
    /// The request field it complains about.
    pub param: Option<String>,
    /// How long to wait in milliseconds, where the body says so (Gemini's RetryInfo, "try again in 5.2s").
    pub retry_after_ms: Option<u64>,
}

/// What a report means. The names follow the table of classes in the error data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// 429 of any kind that a short wait cures.
    RateLimited,
    /// Money or a long quota is used up.
    Quota,
    /// The credential was refused.
    Auth,
    /// The prompt does not fit the model.
    ContextLength,
    /// A filter refused the content.
    ContentPolicy,
    /// The model is unknown there.
    ModelNotFound,
    /// The request itself is wrong.
    InvalidRequest,
    /// 500, and anything unknown at 5xx.
    Server,
    /// 502 and 504: a part behind the front failed or timed out.
    BadGateway,
    /// 503, 529: too busy, nothing was processed.
    Overloaded,
}

/// An error answer of ours, before it is worded in a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem<'a> {
    /// HTTP status.
    pub status: u16,
    /// OpenAI's error type, such as `rate_limit_error`.
    pub kind: &'a str,
    /// Our code, such as `first_token_timeout`.
    pub code: &'a str,
    /// One sentence for the client; holds no secret.
    pub message: &'a str,
    /// The request field at fault.
    pub param: Option<&'a str>,
    /// Our request id.
    pub request_id: Option<&'a str>,
}

/// Bytes that are not what the dialect allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Where, as a JSON path such as `messages[2].content`; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl DecodeError {
    /// An error at `path`.
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for DecodeError {}
