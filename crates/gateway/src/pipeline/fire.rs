//! One upstream call, from the request's first byte to the moment it can be committed.
//!
//! It owns all it needs, so that a hedge can run two of them side by side and drop the loser, which
//! cancels the upstream. It knows the timers of one attempt and turns whatever comes back into
//! either something to commit or a [`Lapse`]. It decides nothing about retries or fallbacks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};
use wire::classify::{self, Sighting};
use wire::dialect::{Dialect, Quirks};
use wire::error::{DecodeError, Reported};
use wire::hub::{Answer, Part, Request, StopReason, Usage};
use wire::plain::{Ask, Found, PlainDialect};
use wire::translate::{self, Known, StreamTranslator};

use super::Core;
use super::exchange::Shot;
use super::feed::{Along, Fed, Feed, Reader, Tally};
use super::lanes::Lane;
use super::lapse::{Cause, Lapse};
use super::proof::Proof;
use crate::config::Timeouts;
use crate::upstream::{Call, Origin, Response, ResponseBody};

/// The largest unstreamed answer.
pub const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// The largest streamed answer after decoding its content encoding.
const MAX_STREAM_BYTES: u64 = 1 << 30;
/// This much of an error body is read; the rest says nothing more.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// Error bodies must come within this time once their headers have.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(2);

/// Where and how to call.
#[derive(Debug, Clone)]
pub struct Aim {
    /// The deployment.
    pub lane: Arc<Lane>,
    /// Where it is.
    pub origin: Arc<Origin>,
    /// Its peculiarities.
    pub quirks: Quirks,
    /// The request.
    pub call: Call,
    /// What else the request must carry.
    pub proof: Arc<Proof>,
    /// What is spoken on both sides.
    pub talk: Talk,
    /// The clocks of this attempt.
    pub timeouts: Timeouts,
    /// When the whole request must be over.
    pub deadline: Instant,
    /// The request's id.
    pub id: Arc<str>,
    /// When the client asked, in seconds since 1970: the answer's time where the upstream's dialect
    /// tells none.
    pub asked_unix: i64,
    /// Alternatives that the upstream was asked for.
    pub alternatives: u64,
    /// Whether the upstream was asked for a stream.
    pub ask_stream: bool,
    /// What the client gets.
    pub want: Want,
}

/// The dialects on both sides of an attempt.
#[derive(Debug, Clone)]
pub enum Talk {
    /// A conversation.
    Chat {
        /// The client's.
        door: &'static Dialect,
        /// The upstream's.
        upstream: &'static Dialect,
        /// What was asked, where the answer is translated; some doors repeat parts of it.
        asked: Option<Arc<Request>>,
    },
    /// A call that is answered whole.
    Plain(Arc<PlainTalk>),
}

/// A plain call's dialects.
#[derive(Debug)]
pub struct PlainTalk {
    /// The client's.
    pub door: &'static PlainDialect,
    /// The upstream's.
    pub upstream: &'static PlainDialect,
    /// What was asked; some answers repeat it.
    pub ask: Arc<Ask>,
}

impl Talk {
    /// The id of the upstream's dialect.
    fn upstream_id(&self) -> &'static str {
        match self {
            Self::Chat { upstream, .. } => upstream.id,
            Self::Plain(talk) => talk.upstream.id,
        }
    }
}

/// What the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// One body.
    Whole,
    /// A stream. `usage`: with usage at its end; `along`: its text is read along.
    Stream {
        /// The client asked for usage.
        usage: bool,
        /// The answer may have to be continued elsewhere.
        along: bool,
    },
    /// Neither: the events of a continuation.
    Events,
}

/// An answer that can be committed.
#[derive(Debug)]
pub enum Arrived {
    /// The whole answer in the client's dialect.
    Whole {
        /// The body.
        body: Bytes,
        /// Usage as the provider told it.
        usage: Option<Usage>,
        /// Bytes of content in it.
        content_bytes: u64,
        /// Remarks.
        malformed: u32,
    },
    /// A stream whose first content is here.
    Stream(Box<Opening>),
}

/// A stream that has begun.
#[derive(Debug)]
pub struct Opening {
    /// Frames held back until the first content, and the first content.
    pub held: Vec<Bytes>,
    /// What is still to come; the tally of what was.
    pub feed: Feed,
    /// The closing bytes, if the stream is complete already.
    pub closing: Option<Bytes>,
}

/// Makes the call.
///
/// # Errors
/// The lapse, whatever went wrong.
pub async fn fire(core: Arc<Core>, shot: Arc<Shot>, mut aim: Aim) -> Result<Arrived, Lapse> {
    let mut call = std::mem::take(&mut aim.call);
    let proven = aim.proof.put_on(&core, &shot.permit, &aim.origin, &mut call);
    timeout_at(aim.deadline, proven).await.map_err(|_| Lapse::new(Cause::TotalTimeout))??;
    let response = answer_head(&core, &shot, &aim, call).await?;
    shot.raced.store(response.resent, Ordering::Relaxed);
    let status = response.status;
    if !(200..300).contains(&status) {
        return Err(refused(&core, &aim, response).await);
    }
    let kind = match body_kind(&response.headers, aim.ask_stream) {
        BodyKind::Alien(kind) => {
            return Err(Lapse::new(Cause::BadContentType).status(status).detail(kind));
        }
        kind => kind,
    };
    match &aim.talk {
        Talk::Chat { door, upstream, asked } => {
            let pair = Pair { door, upstream, asked: asked.as_deref() };
            match kind {
                BodyKind::Events => streamed(&shot, &aim, pair, response).await,
                _ => whole(&aim, pair, response).await,
            }
        }
        Talk::Plain(talk) => {
            let body = body_of(&aim, response).await?;
            found(&aim, talk, body).map_err(|lapse| lapse.status(status))
        }
    }
}

/// The two dialects of a conversation.
#[derive(Clone, Copy)]
struct Pair<'r> {
    door: &'static Dialect,
    upstream: &'static Dialect,
    asked: Option<&'r Request>,
}

impl Pair<'_> {
    fn is_same(self) -> bool {
        self.door.id == self.upstream.id
    }
}

/// Waits for the answer's head. The first-token clock starts when the request is on the wire, so
/// the wait is looked at again whenever it could have run out.
async fn answer_head(core: &Core, shot: &Shot, aim: &Aim, call: Call) -> Result<Response, Lapse> {
    let patience =
        if aim.ask_stream { aim.timeouts.first_token } else { aim.timeouts.unstreamed_read };
    let on_sent = |at| {
        let _ = shot.sent.set(at);
    };
    let connect = aim.timeouts.connect;
    let send = core.upstream.send(&shot.permit, &aim.origin, call, connect, on_sent);
    tokio::pin!(send);
    let started = Instant::now();
    let mut wake = started + patience;
    loop {
        if let Ok(result) = timeout_at(wake.min(aim.deadline), &mut send).await {
            return result.map_err(Lapse::of_send);
        }
        let now = Instant::now();
        if now >= aim.deadline {
            return Err(Lapse::new(Cause::TotalTimeout));
        }
        // Not even sent by now: the upstream takes no bytes, and gets no longer than twice.
        let due = shot.sent.get().map_or(started + connect + patience, |sent| *sent + patience);
        if due <= now {
            return Err(Lapse::new(Cause::FirstToken));
        }
        wake = due;
    }
}

enum BodyKind {
    Events,
    Json,
    Alien(String),
}

fn body_kind(headers: &HeaderMap, ask_stream: bool) -> BodyKind {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kind == "text/event-stream" || kind == "application/vnd.amazon.eventstream" {
        BodyKind::Events
    } else if kind == "application/json" || kind.ends_with("+json") {
        BodyKind::Json
    } else if kind.contains("html") || kind.starts_with("image/") {
        BodyKind::Alien(kind)
    } else if ask_stream {
        BodyKind::Events
    } else {
        BodyKind::Json
    }
}

/// Reads an error answer and finds out what it means.
async fn refused(core: &Core, aim: &Aim, response: Response) -> Lapse {
    let status = response.status;
    let headers = response.headers.clone();
    if (300..400).contains(&status) {
        return Lapse::new(Cause::Redirect).status(status);
    }
    let body = match response.decoded(MAX_ERROR_BYTES as u64) {
        Ok(response) => error_body(response.body).await,
        Err(_) => Bytes::new(),
    };
    let mut verdict = classify::classify(&Sighting {
        provider: &aim.lane.vendor,
        dialect: aim.talk.upstream_id(),
        status,
        header: &|name| headers.get(name).and_then(|value| value.to_str().ok()),
        body: &body,
        now_unix_ms: core.world.unix_ms(Instant::now()),
    });
    if status == 401 {
        aim.proof.forget();
    }
    verdict.reported = aim.lane.discreet(verdict.reported);
    Lapse::of_verdict(verdict, status)
}

async fn error_body(mut body: ResponseBody) -> Bytes {
    let until = Instant::now() + ERROR_BODY_WAIT;
    let mut read = BytesMut::new();
    while read.len() < MAX_ERROR_BYTES {
        match timeout_at(until, body.next()).await {
            Ok(Some(Ok(chunk))) => read.extend_from_slice(&chunk),
            _ => break,
        }
    }
    read.truncate(MAX_ERROR_BYTES);
    read.freeze()
}

async fn streamed(
    shot: &Shot,
    aim: &Aim,
    pair: Pair<'_>,
    response: Response,
) -> Result<Arrived, Lapse> {
    let sent = response.sent_at;
    let status = response.status;
    let response = response.decoded(MAX_STREAM_BYTES).map_err(Lapse::of_send)?;
    let classify = classifier(aim, pair, status);
    let (reader, alternatives) = (reader(aim, pair), aim.alternatives);
    let mut feed =
        Feed::new(response.body, reader, alternatives, pair.upstream, pair.door, classify);
    let first_token = sent + aim.timeouts.first_token;
    match aim.want {
        Want::Whole => aggregate(shot, aim, pair, feed, first_token).await,
        Want::Stream { .. } | Want::Events => {
            let (held, closing) = open(&mut feed, first_token, aim.deadline).await?;
            Ok(Arrived::Stream(Box::new(Opening { held, feed, closing })))
        }
    }
}

/// How errors inside the stream are classed; owned by the feed.
fn classifier(
    aim: &Aim,
    pair: Pair<'_>,
    status: u16,
) -> Box<dyn Fn(&Reported) -> Lapse + Send + Sync> {
    let lane = Arc::clone(&aim.lane);
    Box::new(move |reported| {
        let (class, wait) =
            classify::classify_reported(&lane.vendor, pair.upstream.id, status, reported);
        Lapse::in_band(class, wait, lane.discreet(reported.clone()))
    })
}

fn reader(aim: &Aim, pair: Pair<'_>) -> Reader {
    let (upstream, quirks) = (pair.upstream, &aim.quirks);
    let along = |wanted: bool| wanted.then(|| Along::new(upstream, quirks));
    match aim.want {
        Want::Whole => {
            Reader::Aggregate { meter: (upstream.meter)(quirks), aggregate: (upstream.aggregate)() }
        }
        Want::Events => {
            Reader::Events { decoder: (upstream.decode_events)(quirks), events: Vec::new() }
        }
        Want::Stream { usage, along: wanted } if pair.is_same() => Reader::Relay {
            meter: (upstream.meter)(quirks),
            keep_usage: usage,
            along: along(wanted),
        },
        Want::Stream { usage, along: wanted } => Reader::Translate {
            translator: StreamTranslator::new(upstream, quirks, pair.door, usage)
                .known(&known(aim, pair)),
            along: along(wanted),
        },
    }
}

/// What an upstream need not tell of its answer.
fn known<'a>(aim: &'a Aim, pair: Pair<'a>) -> Known<'a> {
    Known { created: aim.asked_unix, id: &aim.id, model: &aim.lane.model, asked: pair.asked }
}

/// Holds frames back until the first content, so that every failure before it stays invisible.
async fn open(
    feed: &mut Feed,
    first_token: Instant,
    deadline: Instant,
) -> Result<(Vec<Bytes>, Option<Bytes>), Lapse> {
    let mut held = Vec::new();
    loop {
        let Ok(fed) = timeout_at(first_token.min(deadline), feed.next()).await else {
            return Err(timed_out(deadline, Cause::FirstToken));
        };
        match fed {
            Fed::Quiet => {}
            Fed::Frame { bytes, content } => {
                held.push(bytes);
                if content {
                    return Ok((held, None));
                }
            }
            Fed::Complete(closing) => {
                return barren(&feed.tally).map_or(Ok((held, Some(closing))), Err);
            }
            Fed::Lapsed(lapse) => return Err(placed(lapse, &feed.tally)),
        }
    }
}

/// Why a complete answer without content is none. Some reasons explain it: a bound reached while
/// reasoning. A filter that let nothing through has refused the request.
fn barren(tally: &Tally) -> Option<Lapse> {
    let cause = match tally.stop {
        _ if tally.content => return None,
        Some(StopReason::Stop) => Cause::Empty,
        Some(StopReason::ContentFilter) => Cause::ContentPolicy,
        _ => return None,
    };
    Some(Lapse { usage: tally.usage.map(Box::new), ..Lapse::new(cause) })
}

/// A broken answer is named for where it broke: after content it was interrupted, and one that
/// ended in order before any was empty.
fn placed(lapse: Lapse, tally: &Tally) -> Lapse {
    match lapse.cause {
        Cause::Reset if tally.content => {
            Lapse { detail: lapse.detail, ..Lapse::new(Cause::Interrupted) }
        }
        Cause::Interrupted if !tally.content => Lapse::new(Cause::Empty),
        _ => lapse,
    }
}

fn timed_out(deadline: Instant, otherwise: Cause) -> Lapse {
    Lapse::new(if Instant::now() >= deadline { Cause::TotalTimeout } else { otherwise })
}

/// Gathers a stream into the unstreamed answer. What arrived of a broken one is wasted, and paid.
async fn aggregate(
    shot: &Shot,
    aim: &Aim,
    pair: Pair<'_>,
    mut feed: Feed,
    first_token: Instant,
) -> Result<Arrived, Lapse> {
    match gather(shot, aim, &mut feed, first_token).await {
        Ok(()) => gathered(aim, pair, feed),
        Err(lapse) => {
            let (usage, content_bytes) = (feed.tally.usage.map(Box::new), feed.tally.content_bytes);
            Err(Lapse { usage, content_bytes, ..lapse })
        }
    }
}

async fn gather(
    shot: &Shot,
    aim: &Aim,
    feed: &mut Feed,
    first_token: Instant,
) -> Result<(), Lapse> {
    let mut due = first_token;
    loop {
        let Ok(fed) = timeout_at(due.min(aim.deadline), feed.next()).await else {
            let idle = if feed.tally.content { Cause::ReadIdle } else { Cause::FirstToken };
            return Err(timed_out(aim.deadline, idle));
        };
        if feed.tally.content {
            let now = Instant::now();
            due = now + aim.timeouts.read;
            let _ = shot.first.set(now);
        }
        match fed {
            Fed::Quiet | Fed::Frame { .. } if feed.tally.content_bytes > MAX_ANSWER_BYTES => {
                return Err(Lapse::new(Cause::TooLarge));
            }
            Fed::Quiet | Fed::Frame { .. } => {}
            Fed::Complete(_) => return barren(&feed.tally).map_or(Ok(()), Err),
            Fed::Lapsed(lapse) => return Err(placed(lapse, &feed.tally)),
        }
    }
}

fn gathered(aim: &Aim, pair: Pair<'_>, feed: Feed) -> Result<Arrived, Lapse> {
    let (whole, tally, body) = feed.into_aggregate();
    super::relay::finish_reading(body);
    let body = in_door(aim, pair, Bytes::from(whole))?;
    Ok(Arrived::Whole {
        body,
        usage: tally.usage,
        content_bytes: tally.content_bytes,
        malformed: tally.malformed,
    })
}

fn in_door(aim: &Aim, pair: Pair<'_>, body: Bytes) -> Result<Bytes, Lapse> {
    if pair.is_same() {
        return Ok(body);
    }
    let known = known(aim, pair);
    let answer = translate::answer(pair.upstream, &aim.quirks, &body, pair.door, &known);
    answer.map(Bytes::from).map_err(|error| Lapse::new(Cause::BadJson).detail(error.to_string()))
}

/// Reads an unstreamed answer.
async fn whole(aim: &Aim, pair: Pair<'_>, response: Response) -> Result<Arrived, Lapse> {
    let status = response.status;
    let body = body_of(aim, response).await?;
    judge(aim, pair, body).map_err(|lapse| lapse.status(status))
}

async fn body_of(aim: &Aim, response: Response) -> Result<Bytes, Lapse> {
    let response = response.decoded(MAX_ANSWER_BYTES).map_err(Lapse::of_send)?;
    let idle = if aim.ask_stream { aim.timeouts.read } else { aim.timeouts.unstreamed_read };
    read_whole(response, idle, aim.deadline).await
}

async fn read_whole(
    mut response: Response,
    idle: Duration,
    deadline: Instant,
) -> Result<Bytes, Lapse> {
    let mut read = BytesMut::new();
    loop {
        let due = (Instant::now() + idle).min(deadline);
        match timeout_at(due, response.body.next()).await {
            Ok(Some(Ok(chunk))) if read.len() as u64 + chunk.len() as u64 > MAX_ANSWER_BYTES => {
                return Err(Lapse::new(Cause::TooLarge));
            }
            Ok(Some(Ok(chunk))) => read.extend_from_slice(&chunk),
            Ok(Some(Err(failure))) => return Err(Lapse::of_body(failure, Cause::Truncated)),
            Ok(None) => return Ok(read.freeze()),
            Err(_) => return Err(timed_out(deadline, Cause::ReadIdle)),
        }
    }
}

#[derive(serde::Deserialize)]
struct ErrorProbe<'a> {
    #[serde(borrow)]
    error: Option<&'a serde_json::value::RawValue>,
}

/// Refuses a body with status 200 that is empty or reports an error.
fn sound(aim: &Aim, body: &[u8], decode_error: fn(u16, &[u8]) -> Reported) -> Result<(), Lapse> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Lapse::new(Cause::Empty));
    }
    // The word is looked for first: an answer without it needs no second reading.
    let has_error = memchr::memmem::find(body, b"\"error\"").is_some()
        && serde_json::from_slice::<ErrorProbe<'_>>(body)
            .is_ok_and(|probe| probe.error.is_some_and(|error| error.get() != "null"));
    if has_error {
        let said = aim.lane.discreet(decode_error(200, body));
        return Err(Lapse::new(Cause::ErrorIn200).detail(said.message));
    }
    Ok(())
}

/// Decides whether a plain call's body with status 200 is an answer.
fn found(aim: &Aim, talk: &PlainTalk, body: Bytes) -> Result<Arrived, Lapse> {
    sound(aim, &body, talk.upstream.decode_error)?;
    let not_an_answer = |error: DecodeError| Lapse::new(Cause::BadJson).detail(error.to_string());
    let mut reply = (talk.upstream.decode_reply)(&body, &aim.quirks).map_err(not_an_answer)?;
    if reply.model.is_empty() {
        aim.lane.model.as_ref().clone_into(&mut reply.model);
    }
    let content_bytes = body.len() as u64;
    let body = if talk.upstream.id == talk.door.id {
        body
    } else if matches!(&reply.found, Found::Vectors(vectors) if vectors.is_empty()) {
        return Err(Lapse::new(Cause::Empty));
    } else {
        Bytes::from((talk.door.encode_reply)(&reply, &talk.ask))
    };
    Ok(Arrived::Whole {
        body,
        usage: reply.usage,
        content_bytes: content_bytes.min(1),
        malformed: 0,
    })
}

/// Decides whether a body with status 200 is an answer.
fn judge(aim: &Aim, pair: Pair<'_>, body: Bytes) -> Result<Arrived, Lapse> {
    sound(aim, &body, pair.upstream.decode_error)?;
    let answer = match (pair.upstream.decode_answer)(&body, &aim.quirks) {
        Err(error) => return Err(Lapse::new(Cause::BadJson).detail(error.to_string())),
        Ok(answer) if answer.choices.is_empty() => return Err(Lapse::new(Cause::Empty)),
        Ok(answer) => Answer { created: answer.created.or(Some(aim.asked_unix)), ..answer },
    };
    let stops = || answer.choices.iter().filter_map(|choice| choice.stop.as_ref());
    if stops().any(|stop| stop.reason == StopReason::Error) {
        return Err(Lapse::new(Cause::ModelFailed));
    }
    let blank = |part: &Part| matches!(part, Part::Text { text, .. } if text.is_empty());
    let bare = answer.choices.iter().all(|choice| choice.parts.iter().all(blank));
    if bare && stops().all(|stop| stop.reason == StopReason::Stop) {
        return Err(Lapse::new(Cause::Empty));
    }
    arrived(aim, pair, &answer, body)
}

fn arrived(aim: &Aim, pair: Pair<'_>, answer: &Answer, body: Bytes) -> Result<Arrived, Lapse> {
    let content_bytes = body.len() as u64;
    match aim.want {
        Want::Whole => Ok(Arrived::Whole {
            body: in_door(aim, pair, body)?,
            usage: answer.usage,
            content_bytes,
            malformed: 0,
        }),
        Want::Stream { usage, .. } => {
            let mut encoder = (pair.door.encode_events)(usage);
            if let Some(asked) = pair.asked {
                encoder.asked(asked);
            }
            let (mut out, mut closing) = (Vec::new(), Vec::new());
            for event in wire::replay::events_of(answer) {
                encoder.event(&event, &mut out);
            }
            encoder.end(&mut closing);
            Ok(replayed(pair, answer, vec![Bytes::from(out)], Bytes::from(closing)))
        }
        Want::Events => Ok(replayed(pair, answer, Vec::new(), Bytes::new())),
    }
}

/// An unstreamed answer as a stream that is complete from the start.
fn replayed(pair: Pair<'_>, answer: &Answer, held: Vec<Bytes>, closing: Bytes) -> Arrived {
    let feed = Feed::replay(wire::replay::events_of(answer), answer.usage, pair.door);
    Arrived::Stream(Box::new(Opening { held, feed, closing: Some(closing) }))
}
