//! The kinds of failure, and for each what it means: one row a class.
//!
//! A row says how the breaker counts it, whether the request may be sent again, and which way leads
//! on. What the breaker counts is evidence against the health of an upstream: it could not be
//! reached, it was silent, it broke off, it said so itself. A rate limit, a spent quota or a refused
//! key are statements about us, a bad request is one about the client, and a pool race is one about
//! timing; none of them may take an upstream out of service for everyone else.
//!
//! Which answer of which provider belongs to which class is not known here.

use super::StopReason;
use crate::breaker::Verdict;

/// The kinds of failure that need different treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Too many requests or tokens for now (429).
    RateLimited,
    /// The account's money or quota is used up.
    Quota,
    /// The credential was refused (401, 403).
    Auth,
    /// The prompt is longer than the model takes.
    ContextLength,
    /// The prompt or the answer was refused as content.
    ContentPolicy,
    /// The model or deployment does not exist there (404).
    NotFound,
    /// Any other fault of the request itself (4xx).
    ClientError,
    /// Status 500 exactly.
    ServerError500,
    /// The connection was reset before the first byte of the answer.
    Reset,
    /// Any other failure of the server: 502, 504, malformed, truncated, empty, an error in a 200.
    Server,
    /// It says that it has no capacity (503, 529).
    Overloaded,
    /// No connection: refused, timed out, DNS, TLS.
    Connect,
    /// Connected, but silent for too long.
    Timeout,
    /// A kept-alive connection was closed, or the stream refused, before the request was processed.
    PoolRace,
    /// The time for the whole request, all attempts together, is over.
    TotalTimeout,
    /// The client has left.
    ClientGone,
}

/// Whether a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resend {
    /// Nothing was processed.
    Safe,
    /// It may have been processed, and may have to be paid: possible, and booked as uncertain.
    Uncertain,
    /// The client has seen a part of the answer, or must not get another one.
    Never,
}

/// Where a class of failure leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The end.
    Stop(StopReason),
    /// The same deployment on a fresh connection.
    Fresh,
    /// The next credential, then another deployment.
    Key,
    /// The same deployment once more, then another one.
    Same,
    /// Another deployment, and the same once more only if there is no other.
    Other,
    /// Another deployment or nothing.
    Elsewhere,
    /// The fallback for prompts that are too long, or nothing.
    Context,
    /// The fallback for refused content, or nothing.
    Content,
}

/// What one class means.
struct Row {
    verdict: Verdict,
    resend: Resend,
    way: Way,
}

const fn row(verdict: Verdict, resend: Resend, way: Way) -> Row {
    Row { verdict, resend, way }
}

impl Class {
    /// How the breaker counts it.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.row().verdict
    }

    /// Whether the request may usually be sent again after it; `Never` whenever the client has seen
    /// a part of the answer.
    #[must_use]
    pub fn resend(self) -> Resend {
        self.row().resend
    }

    pub(super) fn way(self) -> Way {
        self.row().way
    }

    fn row(self) -> Row {
        use Resend::{Never, Safe, Uncertain};
        use Verdict::{Failure, Ignored};
        match self {
            Self::RateLimited => row(Ignored, Safe, Way::Other),
            Self::Quota => row(Ignored, Safe, Way::Key),
            Self::Auth => row(Ignored, Safe, Way::Key),
            Self::ContextLength => row(Ignored, Safe, Way::Context),
            Self::ContentPolicy => row(Ignored, Safe, Way::Content),
            Self::NotFound => row(Ignored, Safe, Way::Elsewhere),
            Self::ClientError => row(Ignored, Never, Way::Stop(StopReason::Final)),
            Self::ServerError500 => row(Failure, Uncertain, Way::Same),
            Self::Reset => row(Failure, Uncertain, Way::Other),
            Self::Server => row(Failure, Uncertain, Way::Other),
            Self::Overloaded => row(Failure, Safe, Way::Other),
            Self::Connect => row(Failure, Safe, Way::Other),
            Self::Timeout => row(Failure, Uncertain, Way::Other),
            Self::PoolRace => row(Ignored, Safe, Way::Fresh),
            Self::TotalTimeout => row(Ignored, Never, Way::Stop(StopReason::TotalTimeout)),
            Self::ClientGone => row(Ignored, Never, Way::Stop(StopReason::ClientGone)),
        }
    }
}
