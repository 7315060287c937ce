//! How an attempt can fail: one flat table from cause to reason, error code, class and booking.
//!
//! A [`Lapse`] is the failure of one attempt and stays inside the pipeline; only the last one of a
//! request becomes a [`Failure`]. The rows follow the fault table of the design: what the breaker
//! counts and whether a resend is safe hangs on `class`, what the ledger books on `ledger`.

use std::time::Duration;

use ledger::Kind;
use route::attempt::{Class, Resend};
use tokio::time::Instant;
use wire::classify::Verdict;
use wire::error::{Class as Said, Reported};
use wire::hub::Usage;

use crate::failure::{Code, Failure};
use crate::upstream::{BodyFailure, SendFailure};

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// The word in logs, headers and metrics.
    pub reason: &'static str,
    /// The client's error code when this was the last attempt.
    pub code: Code,
    /// The class the route decides by.
    pub class: Class,
    /// Whether resending is safe.
    pub resend: Resend,
    /// How the attempt is booked when nothing reached the client.
    pub ledger: Kind,
}

macro_rules! rows {
    ($( $cause:ident $reason:literal $code:ident $class:expr; $resend:ident $ledger:ident )*) => {
        /// What went wrong with an attempt.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause { $( #[doc = concat!("Logged as `", $reason, "`.")] $cause, )* }

        impl Cause {
            /// The row of this cause.
            #[must_use]
            pub fn row(self) -> &'static Row {
                match self { $( Cause::$cause => { static ROW: Row = Row {
                    reason: $reason, code: Code::$code, class: $class,
                    resend: Resend::$resend, ledger: Kind::$ledger,
                }; &ROW } )* }
            }
        }
        /// Every cause.
        #[cfg(test)]
        const CAUSES: &[Cause] = &[ $( Cause::$cause, )* ];
    };
}

rows! {
    ConnectRefused   "connect_refused"     UpstreamConnectFailed    Class::Connect;        Safe Released
    ConnectTimeout   "connect_timeout"     UpstreamConnectTimeout   Class::Connect;        Safe Released
    Dns              "dns"                 UpstreamDnsFailed        Class::Connect;        Safe Released
    Tls              "tls"                 UpstreamTlsFailed        Class::Connect;        Safe Released
    ForbiddenAddress "forbidden_address"   UpstreamConnectFailed    Class::Connect;        Safe Released
    ResetUnsent      "reset"               UpstreamReset            Class::Reset;          Safe Released
    Reset            "reset"               UpstreamReset            Class::Reset;          Uncertain Uncertain
    FirstToken       "first_token_timeout" FirstTokenTimeout        Class::Timeout;        Uncertain Uncertain
    ReadIdle         "read_idle"           StreamInterrupted        Class::Timeout;        Uncertain Uncertain
    RateLimited      "rate_limited"        RateLimitExceeded        Class::RateLimited; Safe Released
    Quota            "quota"               UpstreamQuotaExhausted   Class::Quota;          Safe Released
    Auth             "auth"                UpstreamAuthFailed       Class::Auth;           Safe Released
    Server500        "5xx"                 Upstream5xx              Class::ServerError500; Uncertain Uncertain
    BadGateway       "5xx"                 Upstream5xx              Class::Server;         Uncertain Uncertain
    Overloaded       "overloaded"          UpstreamOverloaded       Class::Overloaded;     Safe Released
    Interrupted      "interrupted"         StreamInterrupted        Class::Server;         Uncertain Uncertain
    InBandError      "in_band_error"       UpstreamError            Class::Server;         Uncertain Uncertain
    ErrorIn200       "error_in_200"        UpstreamError            Class::Server;         Uncertain Uncertain
    BadJson          "bad_json"            UpstreamInvalidResponse  Class::Server;         Uncertain Uncertain
    Truncated        "truncated"           UpstreamInvalidResponse  Class::Server;         Uncertain Uncertain
    BadContentType   "bad_content_type"    UpstreamInvalidResponse  Class::Server;         Uncertain Uncertain
    Empty            "empty"               UpstreamEmptyResponse    Class::Server;         Uncertain Uncertain
    TooLarge         "too_large"           UpstreamResponseTooLarge Class::Server;         Uncertain Uncertain
    EventTooLarge    "event_too_large"     UpstreamResponseTooLarge Class::Server;         Uncertain Uncertain
    MalformedEvents  "malformed_events"    UpstreamInvalidResponse  Class::Server;         Uncertain Uncertain
    BadHeaders       "bad_headers"         UpstreamInvalidResponse  Class::Server;         Uncertain Uncertain
    Informational    "bad_headers"         UpstreamInvalidResponse  Class::Server;         Uncertain Released
    Redirect         "redirect"            UpstreamRedirect         Class::Server;         Safe Released
    Http2Refused     "h2"                  UpstreamReset            Class::PoolRace;       Safe Released
    Http2            "h2"                  UpstreamReset            Class::Server;         Uncertain Uncertain
    ModelFailed      "model_failed"        UpstreamError            Class::Server;         Uncertain Uncertain
    ClientError      "client_error"        InvalidRequest           Class::ClientError;    Never Released
    Inexpressible    "inexpressible"       InvalidRequest           Class::ClientError;    Never Released
    Lossy            "lossy"               InvalidRequest           Class::NotFound;       Safe Released
    ContextLength    "context_length"      ContextLengthExceeded    Class::ContextLength;  Safe Released
    ContentPolicy    "content_policy"      ContentPolicyViolation   Class::ContentPolicy;  Safe Released
    NotFound         "model_not_found"     ModelNotFound            Class::NotFound;       Safe Released
    TotalTimeout     "total_timeout"       RequestTimeout           Class::TotalTimeout;   Never Uncertain
    Disagreed        "disagreed"           StreamInterrupted        Class::ClientGone;     Never Interrupted
    HedgeLost        "hedge_lost"          InternalError            Class::ClientGone;     Never Hedge
    ClientGone       "client_gone"         InternalError            Class::ClientGone;     Never Uncertain
}

/// The failure of one attempt.
#[derive(Debug, Clone)]
pub struct Lapse {
    /// What went wrong.
    pub cause: Cause,
    /// The class the route decides by; the cause's, refined by what the upstream said.
    pub class: Class,
    /// The code for the client, refined likewise.
    pub code: Code,
    /// What the upstream said or the system reported: for the log, shortened.
    pub detail: Option<String>,
    /// What a client may read of it, for client errors that are passed through.
    pub reported: Option<Box<Reported>>,
    /// The upstream's status.
    pub status: Option<u16>,
    /// When the upstream wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What the upstream counted all the same.
    pub usage: Option<Box<Usage>>,
    /// Bytes of content that had arrived and that nobody will get.
    pub content_bytes: u64,
    /// When the failure became known: decisions are timed from here.
    pub known_at: Instant,
}

/// Details in the log are shortened to this many bytes.
const DETAIL_BYTES: usize = 300;

impl Lapse {
    /// A lapse with nothing to add to its cause.
    #[must_use]
    pub fn new(cause: Cause) -> Self {
        let row = cause.row();
        Self {
            cause,
            class: row.class,
            code: row.code,
            detail: None,
            reported: None,
            status: None,
            retry_after: None,
            usage: None,
            content_bytes: 0,
            known_at: Instant::now(),
        }
    }

    /// Adds what the log may hold.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.len() > DETAIL_BYTES {
            let cut = detail.floor_char_boundary(DETAIL_BYTES);
            detail.truncate(cut);
        }
        self.detail = Some(detail);
        self
    }

    /// Adds the upstream's status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The word for logs, headers and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.cause.row().reason
    }

    /// A request that could not be sent.
    #[must_use]
    pub fn of_send(failure: SendFailure) -> Self {
        let cause = match &failure {
            SendFailure::Refused => Cause::ConnectRefused,
            SendFailure::ConnectTimeout => Cause::ConnectTimeout,
            SendFailure::Dns => Cause::Dns,
            SendFailure::Tls(_) => Cause::Tls,
            SendFailure::Reset { sent: false } => Cause::ResetUnsent,
            SendFailure::Reset { sent: true } => Cause::Reset,
            SendFailure::BadHeaders => Cause::BadHeaders,
            SendFailure::Informational => Cause::Informational,
            SendFailure::Http2 { refused: true } => Cause::Http2Refused,
            SendFailure::Http2 { refused: false } => Cause::Http2,
            SendFailure::ForbiddenAddress => Cause::ForbiddenAddress,
            SendFailure::Protocol(_) => Cause::BadHeaders,
        };
        let lapse = Self::new(cause);
        match failure {
            SendFailure::Tls(text) | SendFailure::Protocol(text) => lapse.detail(text),
            _ => lapse,
        }
    }

    /// An answer that broke off. `whole` is the cause when a body with a known end was cut. It is
    /// no reset before the first byte, which would be tried again at the same place.
    #[must_use]
    pub fn of_body(failure: BodyFailure, whole: Cause) -> Self {
        match failure {
            BodyFailure::Reset | BodyFailure::Truncated => {
                Self { class: Class::Server, ..Self::new(whole) }
            }
            BodyFailure::TooLarge => Self::new(Cause::TooLarge),
            BodyFailure::Encoding => Self::new(Cause::BadHeaders).detail("content-encoding"),
            BodyFailure::Protocol(text) => Self::new(whole).detail(text),
        }
    }

    /// What an upstream reported with its error status.
    #[must_use]
    pub fn of_verdict(verdict: Verdict, status: u16) -> Self {
        let wait = verdict.retry_after_ms.or(verdict.quota_reset_ms);
        Self::said(verdict.class, wait, verdict.reported).status(status)
    }

    /// An error inside an answer that had begun with status 200: classed by what it says, but
    /// named for where it stood. A backend that had begun to answer is not tried again like one
    /// that said 500 at once.
    #[must_use]
    pub fn in_band(class: Said, wait_ms: Option<u64>, reported: Reported) -> Self {
        let inner = Self::said(class, wait_ms, reported);
        let class = match inner.class {
            Class::ServerError500 => Class::Server,
            class => class,
        };
        Self { cause: Cause::InBandError, class, ..inner }
    }

    fn said(class: Said, wait_ms: Option<u64>, reported: Reported) -> Self {
        let cause = match class {
            Said::RateLimited => Cause::RateLimited,
            Said::Quota => Cause::Quota,
            Said::Auth => Cause::Auth,
            Said::ContextLength => Cause::ContextLength,
            Said::ContentPolicy => Cause::ContentPolicy,
            Said::ModelNotFound => Cause::NotFound,
            Said::InvalidRequest => Cause::ClientError,
            Said::Server => Cause::Server500,
            Said::BadGateway => Cause::BadGateway,
            Said::Overloaded => Cause::Overloaded,
        };
        let mut lapse = Self::new(cause).detail(reported.message.clone());
        lapse.retry_after = wait_ms.map(Duration::from_millis);
        lapse.reported = Some(Box::new(reported));
        lapse
    }

    /// The same failure, now that content has reached the client.
    #[must_use]
    pub fn interrupted(self) -> Self {
        let code = match self.cause {
            Cause::TotalTimeout => Code::RequestTimeout,
            Cause::EventTooLarge => Code::UpstreamResponseTooLarge,
            Cause::InBandError => self.code,
            _ => Code::StreamInterrupted,
        };
        let cause = match self.cause {
            Cause::Reset | Cause::Truncated | Cause::Http2 => Cause::Interrupted,
            other => other,
        };
        Self { cause, code, ..self }
    }

    /// The failure of the whole request, if this lapse was its last. `tried` lists the attempts.
    #[must_use]
    pub fn into_failure(self, tried: &str) -> Failure {
        let row = self.code.row();
        let passed_on = matches!(
            self.cause,
            Cause::ClientError
                | Cause::ContextLength
                | Cause::ContentPolicy
                | Cause::NotFound
                | Cause::Inexpressible
                | Cause::Lossy
        );
        let said = self.reported.as_ref().filter(|said| passed_on && !said.message.is_empty());
        let public = match said {
            Some(said) => said.message.clone(),
            None if passed_on => self.detail.clone().unwrap_or_else(|| row.sentence.to_owned()),
            None => format!("{} Tried: {tried}.", row.sentence),
        };
        let mut failure = Failure::because(self.code, public);
        failure.param = said.and_then(|said| said.param.clone());
        failure.retry_after = match self.class {
            Class::RateLimited | Class::Overloaded => {
                Some(self.retry_after.unwrap_or(Duration::from_secs(1)))
            }
            _ => None,
        };
        if self.cause == Cause::ClientError {
            failure.status = self.status.filter(|status| matches!(status, 400..=499));
        }
        failure.cause = self.detail;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_that_may_have_been_processed_is_booked() {
        for cause in CAUSES {
            let row = cause.row();
            if row.resend == Resend::Uncertain && *cause != Cause::Informational {
                assert_eq!(row.ledger, Kind::Uncertain, "{cause:?}");
            }
        }
    }

    #[test]
    fn a_passed_on_client_error_keeps_its_status_and_sentence() {
        let mut lapse = Lapse::new(Cause::ClientError).status(422);
        let said = Reported { message: "bad n".into(), ..Reported::default() };
        lapse.reported = Some(Box::new(said));
        let failure = lapse.into_failure("a");
        assert_eq!((failure.status(), failure.public.as_str()), (422, "bad n"));
    }
}
