//! Why no answer came, or why its body broke off: hyper's errors sorted by what a caller decides.
//!
//! The decision is always the same: can the provider have worked on the request, and so cost
//! money? Texts are for logs; none of them holds a header or a body.

use std::error::Error;
use std::fmt;
use std::io;

/// No answer was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendFailure {
    /// No connection could be made; nothing was sent.
    Refused,
    /// The connection was not ready in time; nothing was sent.
    ConnectTimeout,
    /// The name has no address; nothing was sent.
    Dns,
    /// The TLS handshake failed; nothing was sent.
    Tls(String),
    /// The connection ended before a response head.
    Reset {
        /// Whether any byte of the request was written.
        sent: bool,
    },
    /// The response head is malformed, too large, or in a coding that was not asked for.
    BadHeaders,
    /// Too many interim (1xx) responses.
    Informational,
    /// The peer reset the HTTP/2 stream.
    Http2 {
        /// Whether it said that the request was not processed.
        refused: bool,
    },
    /// The name leads only to addresses that are never connected to; nothing was sent.
    ForbiddenAddress,
    /// The request cannot be expressed, or the peer broke HTTP in another way.
    Protocol(String),
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the connection was refused"),
            Self::ConnectTimeout => f.write_str("the connection was not ready in time"),
            Self::Dns => f.write_str("the host name could not be resolved"),
            Self::Tls(text) => write!(f, "TLS failed: {text}"),
            Self::Reset { sent: true } => f.write_str("the connection was reset after sending"),
            Self::Reset { sent: false } => f.write_str("the connection was reset before sending"),
            Self::BadHeaders => f.write_str("the response head is not acceptable"),
            Self::Informational => f.write_str("too many interim responses"),
            Self::Http2 { refused: true } => f.write_str("the HTTP/2 stream was refused"),
            Self::Http2 { refused: false } => f.write_str("the HTTP/2 stream was reset"),
            Self::ForbiddenAddress => f.write_str("the host name leads to a forbidden address"),
            Self::Protocol(text) => write!(f, "HTTP failed: {text}"),
        }
    }
}

impl Error for SendFailure {}

/// The body did not arrive whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFailure {
    /// The connection or the stream was reset.
    Reset,
    /// The connection closed before the body was complete.
    Truncated,
    /// The body is longer than the bound, or expands beyond reason.
    TooLarge,
    /// The compressed bytes are broken.
    Encoding,
    /// The framing is broken.
    Protocol(String),
}

impl fmt::Display for BodyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str("the connection was reset within the body"),
            Self::Truncated => f.write_str("the body ended early"),
            Self::TooLarge => f.write_str("the body is too large"),
            Self::Encoding => f.write_str("the body's compression is broken"),
            Self::Protocol(text) => write!(f, "the body's framing is broken: {text}"),
        }
    }
}

impl Error for BodyFailure {}

impl BodyFailure {
    /// What a body error of hyper means.
    pub(super) fn of(error: &hyper::Error) -> Self {
        if error.is_incomplete_message() {
            return Self::Truncated;
        }
        if cause::<h2::Error>(error).is_some() {
            return Self::Reset;
        }
        match cause::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof) => Self::Truncated,
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Self::Protocol(text(error))
            }
            _ => Self::Reset,
        }
    }
}

/// A request that got no answer, and what is known about it.
#[derive(Debug)]
pub(super) struct Lost {
    /// What the caller is told if it is not sent again.
    pub(super) failure: SendFailure,
    /// The provider did not process it, for certain.
    pub(super) never_processed: bool,
    /// The connection ended and the peer had said nothing.
    pub(super) silent: bool,
}

impl Lost {
    /// Not to be sent again by this client.
    pub(super) fn final_(failure: SendFailure) -> Self {
        Self { failure, never_processed: false, silent: false }
    }

    /// The connection ended before anything was received.
    pub(super) fn silent(sent: bool) -> Self {
        Self { failure: SendFailure::Reset { sent }, never_processed: !sent, silent: true }
    }

    /// The peer said that it did not process the request.
    pub(super) fn refused() -> Self {
        let failure = SendFailure::Http2 { refused: true };
        Self { failure, never_processed: true, silent: false }
    }
}

/// The first cause of the given type.
pub(super) fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    std::iter::successors(error.source(), |error| (*error).source())
        .find_map(|error| error.downcast_ref())
}

/// An error and its causes in one line.
pub(super) fn text(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<String> = std::iter::successors(Some(error), |error| (*error).source())
        .map(ToString::to_string)
        .collect();
    causes.join(": ")
}
