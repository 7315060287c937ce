//! One request under way: what was asked, by whom, under which configuration, and what was tried.
//!
//! The exchange is owned by whoever works on it. When the client vanishes, the future that holds it
//! is dropped, and [`Open`] hands the unfinished exchange to the settling task: no accounting is
//! done inside `Drop`.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderMap;
use ledger::{Permit, Principal};
use route::{RetryToken, SplitMix64, Ticket};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use wire::error::DecodeError;
use wire::hub;
use wire::peek::ChatPeek;
use wire::plain::Ask;

use super::lanes::{Group, Lane, Snapshot};
use super::lapse::{Cause, Lapse};
use super::speech::Speech;
use crate::config::{MidStream, Timeouts};
use crate::failure::Failure;
use crate::telemetry::AttemptRecord;
use crate::world::World;

/// A request under way.
#[derive(Debug)]
pub struct Exchange {
    /// Our id.
    pub id: u128,
    /// The id as text, as clients see it.
    pub id_text: Arc<str>,
    /// When it arrived.
    pub arrived: Instant,
    /// The configuration it runs under to its end.
    pub snapshot: Arc<Snapshot>,
    /// The dialect it was asked in.
    pub door: Speech,
    /// What its URL says.
    pub said: Said,
    /// The client's own bytes.
    pub body: Bytes,
    /// The fields found in them.
    pub peek: ChatPeek,
    /// Headers of the client that concern the pipeline.
    pub asks: Asks,
    /// Who asks.
    pub principal: Principal,
    /// The group its model name means; set by `plan`.
    pub group: Option<Arc<Group>>,
    /// When the whole request must be over.
    pub deadline: Instant,
    /// The attempts so far, in order.
    pub attempts: Vec<Attempt>,
    /// Deployments that were skipped, with the reason.
    pub skipped: Vec<(Arc<str>, &'static str)>,
    /// The deployment that should have served and was left out, with the reason.
    pub passed_over: Option<(Arc<Lane>, &'static str)>,
    /// When the first content could be sent to the client.
    pub first_content: Option<Instant>,
    /// Bytes of the client's body, which may be gone by now.
    pub bytes_in: u64,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
    /// Chance of its own.
    pub chance: SplitMix64,
    /// Remarks that are no failure.
    pub notes: Vec<&'static str>,
    /// Malformed events that were dropped.
    pub malformed: u32,
    /// Request fields that the last upstream's dialect cannot express.
    pub dropped: Vec<&'static str>,
    retry_token: Option<RetryToken>,
    request: OnceLock<Result<Arc<hub::Request>, DecodeError>>,
    ask: OnceLock<Result<Arc<Ask>, DecodeError>>,
}

/// What a request's URL says, where its dialect has it there and not in the body.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The model.
    pub model: Option<Arc<str>>,
    /// That a stream is wanted.
    pub stream: bool,
    /// That the stream is wanted as one JSON array.
    pub array: bool,
    /// What goes on in the query to an upstream of the same dialect.
    pub query: Option<&'static str>,
}

/// What the client's headers ask for.
#[derive(Debug, Clone, Default)]
pub struct Asks {
    /// `x-weighbridge-timeout`.
    pub timeout: Option<std::time::Duration>,
    /// `x-weighbridge-feature`.
    pub feature: Option<Arc<str>>,
    /// `x-weighbridge-user`.
    pub user: Option<Arc<str>>,
    /// `Cache-Control: only-if-cached`.
    pub only_if_cached: bool,
    /// `x-weighbridge-strict`: nothing of the request may be left out.
    pub strict: bool,
    /// Headers that go upstream as they are when the dialect is the client's own.
    pub forwarded: HeaderMap,
}

impl Exchange {
    /// A request that has just been read.
    #[expect(clippy::too_many_arguments, reason = "these are the parts of a request, given once")]
    #[must_use]
    pub fn new(
        id: u128,
        arrived: Instant,
        snapshot: Arc<Snapshot>,
        door: Speech,
        said: Said,
        body: Bytes,
        peek: ChatPeek,
        asks: Asks,
        chance: SplitMix64,
    ) -> Self {
        let total = asks.timeout.unwrap_or(snapshot.config.timeouts.total);
        Self {
            id,
            id_text: Arc::from(format!("req_{id:032x}")),
            arrived,
            door,
            said,
            bytes_in: body.len() as u64,
            body,
            peek,
            principal: crate::pipeline::admit::anonymous(),
            group: None,
            deadline: arrived + total,
            // Most requests need one attempt, and an open stream keeps what it has.
            attempts: Vec::with_capacity(1),
            skipped: Vec::new(),
            passed_over: None,
            first_content: None,
            bytes_out: 0,
            chance,
            notes: Vec::new(),
            malformed: 0,
            dropped: Vec::new(),
            retry_token: None,
            request: OnceLock::new(),
            ask: OnceLock::new(),
            asks,
            snapshot,
        }
    }

    /// The model name the client asked for.
    #[must_use]
    pub fn model(&self) -> &str {
        let in_body = || self.peek.model.as_ref().map(|model| &*model.value);
        self.said.model.as_deref().or_else(in_body).unwrap_or("")
    }

    /// Whether the client wants a stream.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.said.stream || self.peek.stream.as_ref().is_some_and(|stream| stream.value)
    }

    /// Whether the client asked for usage in its stream.
    #[must_use]
    pub fn wants_usage(&self) -> bool {
        if !self.door.asks_usage() {
            return true;
        }
        self.peek.stream_options.as_ref().and_then(|options| options.value.include_usage)
            == Some(true)
    }

    /// Lets the request's bytes go: it is committed and will not be sent again. A stream may be
    /// open for minutes, and its prompt can be large.
    pub fn release_body(&mut self) {
        self.body = Bytes::new();
        self.request = OnceLock::new();
        self.ask = OnceLock::new();
        self.peek.members = Vec::new();
    }

    /// The clocks of its group.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.group.as_ref().map_or(self.snapshot.config.timeouts, |group| group.timeouts)
    }

    /// When it arrived, in seconds since 1970.
    #[must_use]
    pub fn asked_unix(&self, world: &World) -> i64 {
        world.unix_ms(self.arrived) / 1_000
    }

    /// What its group does with a stream that breaks.
    #[must_use]
    pub fn mid_stream(&self) -> MidStream {
        self.group.as_ref().map_or(MidStream::Error, |group| group.failover.mid_stream)
    }

    /// Keeps the retry budget's share for the attempt that begins next.
    pub fn retry_token(&mut self, token: Option<RetryToken>) {
        self.retry_token = token;
    }

    /// The share kept for the attempt that begins now.
    pub fn take_retry_token(&mut self) -> Option<RetryToken> {
        self.retry_token.take()
    }

    /// The request in neutral form, decoded at most once.
    ///
    /// # Errors
    /// When the body is JSON but no request of its dialect.
    pub fn request(&self) -> Result<&Arc<hub::Request>, &DecodeError> {
        self.request
            .get_or_init(|| match self.door {
                Speech::Chat(door) => {
                    let (model, stream) = (self.said.model.as_deref(), self.streams());
                    (door.decode_request)(&self.body, model, stream).map(Arc::new)
                }
                _ => Err(DecodeError::at("", "this is no conversation")),
            })
            .as_ref()
    }

    /// The plain call in neutral form, decoded at most once.
    ///
    /// # Errors
    /// When the body is JSON but no request of its dialect.
    pub fn ask(&self) -> Result<Arc<Ask>, &DecodeError> {
        let ask = self.ask.get_or_init(|| match self.door {
            Speech::Plain(door) => {
                (door.decode_ask)(&self.body, self.said.model.as_deref()).map(Arc::new)
            }
            _ => Err(DecodeError::at("", "this is no such call")),
        });
        ask.as_ref().map(Arc::clone)
    }

    /// Whether nothing of the request may be left out.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.asks.strict || self.group.as_ref().is_some_and(|group| group.strict)
    }

    /// Whether an answer cut in the middle could be continued: plain text, one alternative.
    #[must_use]
    pub fn is_plain_text(&self) -> bool {
        let peek = &self.peek;
        // Events of the Responses API are numbered, and nobody knows how far the numbers had come.
        let joinable = matches!(self.door, Speech::Chat(door) if door.id != "openai_responses");
        joinable && !peek.has_tools && !peek.structured && !peek.audio && peek.n.unwrap_or(1) == 1
    }

    /// The attempts as they may be shown to a client: names and reasons, no secrets.
    #[must_use]
    pub fn tried(&self) -> String {
        let attempts =
            self.attempts.iter().map(|attempt| (&attempt.lane.id, attempt.record.outcome));
        let skipped = self.skipped.iter().map(|(id, reason)| (id, *reason));
        let tried: Vec<String> =
            attempts.chain(skipped).map(|(id, reason)| format!("{id} ({reason})")).collect();
        if tried.is_empty() { "nothing".to_owned() } else { tried.join(", ") }
    }
}

/// One attempt with what it holds until it is settled.
#[derive(Debug)]
pub struct Attempt {
    /// Where it went.
    pub lane: Arc<Lane>,
    /// Which credential it used.
    pub credential: usize,
    /// The reservation and what its call shares with us; taken when settled.
    pub shot: Option<Arc<Shot>>,
    /// The share of the retry budget it holds.
    pub token: Option<RetryToken>,
    /// The breaker's ticket; taken when its verdict is recorded.
    pub ticket: Option<Ticket>,
    /// It is the one probe of a breaker that was open.
    pub probe: bool,
    /// When it began.
    pub started: Instant,
    /// Content bytes that arrived, for counting locally.
    pub content_bytes: u64,
    /// Usage as the provider told it, if it did.
    pub usage: Option<hub::Usage>,
    /// When the failure that led to it became known.
    pub since: Option<Instant>,
    /// What it will tell.
    pub record: AttemptRecord,
}

/// What an upstream call and its exchange share while the call runs.
#[derive(Debug)]
pub struct Shot {
    /// The reservation that allows the call.
    pub permit: Permit,
    /// When the request was on the wire.
    pub sent: OnceLock<Instant>,
    /// When the first content came, whoever was to get it.
    pub first: OnceLock<Instant>,
    /// It met a connection that was closing, and was sent again unseen.
    pub raced: AtomicBool,
}

impl Shot {
    /// A call that has not begun.
    #[must_use]
    pub fn new(permit: Permit) -> Self {
        Self {
            permit,
            sent: OnceLock::new(),
            first: OnceLock::new(),
            raced: AtomicBool::new(false),
        }
    }
}

/// What became of a request: the last thing said about it.
#[derive(Debug)]
pub enum Ending {
    /// The answer is complete.
    Answered,
    /// The client got an error instead of an answer.
    Refused(Failure),
    /// The answer broke off after content had reached the client, who was told in band.
    Interrupted(Lapse),
    /// The client went away.
    Abandoned,
}

impl Ending {
    /// The word for the log.
    #[must_use]
    pub fn outcome(&self, exchange: &Exchange) -> &'static str {
        match self {
            Self::Answered => "ok",
            Self::Refused(failure) => {
                exchange.attempts.last().map_or(failure.code.name(), |last| last.record.outcome)
            }
            Self::Interrupted(lapse) => lapse.reason(),
            Self::Abandoned => Cause::ClientGone.row().reason,
        }
    }
}

/// An exchange that will be settled, whatever happens to the future that holds it.
#[derive(Debug)]
pub struct Open {
    exchange: Option<Box<Exchange>>,
    abandoned: UnboundedSender<Box<Exchange>>,
}

impl Open {
    /// Watches over an exchange. `abandoned` is the settling task's queue.
    #[must_use]
    pub fn new(exchange: Exchange, abandoned: UnboundedSender<Box<Exchange>>) -> Self {
        Self { exchange: Some(Box::new(exchange)), abandoned }
    }

    /// Ends the watch: the caller settles the exchange itself.
    #[must_use]
    pub fn close(mut self) -> Option<Box<Exchange>> {
        self.exchange.take()
    }
}

impl std::ops::Deref for Open {
    type Target = Exchange;

    #[expect(clippy::expect_used, reason = "only `close` empties it, and `close` consumes it")]
    fn deref(&self) -> &Exchange {
        self.exchange.as_deref().expect("open until closed")
    }
}

impl std::ops::DerefMut for Open {
    #[expect(clippy::expect_used, reason = "only `close` empties it, and `close` consumes it")]
    fn deref_mut(&mut self) -> &mut Exchange {
        self.exchange.as_deref_mut().expect("open until closed")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            // The settling task lives as long as the gateway; without it nobody could settle.
            let _ = self.abandoned.send(exchange);
        }
    }
}
