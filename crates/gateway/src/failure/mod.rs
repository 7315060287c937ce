//! The one typed error: the only way to build an error answer.
//!
//! A failure knows who is at fault, whether the client's retry can help, what the client may read
//! (`public`) and what only the log may hold (`cause`). The table in `codes.rs` gives each code its
//! status, type, sentence and remedy; the reference page is generated from it.

use std::time::Duration;

mod codes;

pub use codes::{CODES, Code, CodeRow, Fault, reference};

/// A request that ends in an error.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The code, which settles status and type.
    pub code: Code,
    /// What the client reads. Holds no secret and no upstream address.
    pub public: String,
    /// What the log holds beside it.
    pub cause: Option<String>,
    /// The request field at fault, in the client's naming.
    pub param: Option<String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The status to show instead of the code's own: a client error that an upstream reported.
    pub status: Option<u16>,
    /// Whether the client's SDK should try again by itself; `None` says nothing.
    pub should_retry: Option<bool>,
}

impl Failure {
    /// A failure with the code's own sentence.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self::because(code, code.row().sentence)
    }

    /// A failure with a sentence of its own.
    #[must_use]
    pub fn because(code: Code, public: impl Into<String>) -> Self {
        Self {
            code,
            public: public.into(),
            cause: None,
            param: None,
            retry_after: None,
            status: None,
            should_retry: None,
        }
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn on(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds what only the log may hold.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// The HTTP status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(self.code.row().status)
    }
}
