//! Step 6: commit at the first content, then stream chunk by chunk.
//!
//! The body is one state machine that the connection polls: no channel and no task stands between
//! upstream and client, so a slow reader slows the upstream down. When the client goes away the
//! machine is dropped, the upstream with it, and the exchange goes to the settling task.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, Stream};
use http::Response;
use route::attempt::Class;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use wire::hub::Usage;

use super::Core;
use super::attempt::Crossing;
use super::exchange::{Ending, Open};
use super::feed::{Along, Fed, Feed};
use super::fire::{Arrived, Opening};
use super::lapse::{Cause, Lapse};
use super::reply::{self, Body};
use super::resume::{Continuation, Piece};
use super::settle;
use super::speech::Speech;
use crate::config::{MidStream, Timeouts};
use crate::failure::Failure;
use crate::upstream::ResponseBody;

/// What keeps a silent stream alive for clients and proxies between: a comment, or a blank line for
/// clients that know no comments.
fn keep_alive(door: Speech) -> Bytes {
    Bytes::from_static(if door.takes_comments() { b": keep-alive\n\n" } else { b"\n" })
}

type Pieces = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Answers with what the attempts brought.
#[must_use]
pub fn respond(
    core: Arc<Core>,
    mut open: Open,
    result: Result<Arrived, Failure>,
) -> Response<Body> {
    match result {
        Err(failure) => refuse(&core, open, failure),
        Ok(Arrived::Whole { body, usage, content_bytes, malformed }) => {
            open.malformed = malformed;
            settle_whole(&core, &mut open, &body, usage, content_bytes);
            let response = reply::whole(&open, body);
            settle::finish(&core, open, &Ending::Answered);
            response
        }
        Ok(Arrived::Stream(opening)) => {
            let (told, array) = (reply::told(&open), open.said.array);
            let mut response = reply::events(array, pieces(core, open, *opening));
            response.headers_mut().extend(told);
            response
        }
    }
}

fn settle_whole(
    core: &Core,
    open: &mut Open,
    body: &Bytes,
    usage: Option<Usage>,
    content_bytes: u64,
) {
    let index = winner(open);
    if let Some(attempt) = open.attempts.get_mut(index) {
        (attempt.usage, attempt.content_bytes) = (usage, content_bytes);
    }
    open.bytes_out = body.len() as u64;
    settle::succeeded(core, open, index);
}

/// Answers with an error.
#[must_use]
pub fn refuse(core: &Core, open: Open, failure: Failure) -> Response<Body> {
    let response = reply::refusal(&open, &failure);
    settle::finish(core, open, &Ending::Refused(failure));
    response
}

/// Sends the headers while the attempts still run: comments keep the connection alive, and every
/// failure until the first content can still be fallen back from.
#[must_use]
pub fn early(core: Arc<Core>, door: Speech, array: bool, mut crossing: Crossing) -> Response<Body> {
    reply::events(
        array,
        Box::pin(async_stream::stream! {
            let every = core.snapshot.load().config.timeouts.keep_alive_every;
            let (mut open, result) = loop {
                yield keep_alive(door);
                if let Ok(ended) = timeout_at(Instant::now() + every, &mut crossing).await {
                    break ended;
                }
            };
            match result {
                Ok(Arrived::Stream(opening)) => {
                    for await piece in pieces(core, open, *opening) {
                        yield piece;
                    }
                }
                Ok(Arrived::Whole { body, usage, content_bytes, malformed }) => {
                    open.malformed = malformed;
                    settle_whole(&core, &mut open, &body, usage, content_bytes);
                    settle::finish(&core, open, &Ending::Answered);
                    yield body;
                }
                Err(failure) => {
                    let said = open.door.encode_stream_error(&reply::problem(&failure, &open.id_text));
                    open.bytes_out = said.len() as u64;
                    settle::finish(&core, open, &Ending::Refused(failure));
                    yield Bytes::from(said);
                }
            }
        }),
    )
}

/// The index of the attempt whose answer the client gets.
fn winner(open: &Open) -> usize {
    let index = open.attempts.iter().rposition(|attempt| attempt.shot.is_some());
    index.unwrap_or(open.attempts.len().saturating_sub(1))
}

/// The clocks of a stream under way.
///
/// One alarm serves them all and is set anew only when it has rung: an event moves `heard`, and
/// touches no timer.
struct Pace {
    read: Duration,
    every: Duration,
    deadline: Instant,
    heard: Instant,
    said: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Pace {
    fn new(timeouts: &Timeouts, deadline: Instant) -> Self {
        let now = Instant::now();
        let (read, every) = (timeouts.read, timeouts.keep_alive_every);
        let alarm = Box::pin(sleep_until((now + read).min(now + every).min(deadline)));
        Self { read, every, deadline, heard: now, said: now, alarm }
    }

    /// The feed's next step, or nothing when a clock has run out.
    async fn next(&mut self, feed: &mut Feed) -> Option<Fed> {
        loop {
            tokio::select! {
                biased;
                fed = feed.next() => {
                    self.heard = Instant::now();
                    return Some(fed);
                }
                () = self.alarm.as_mut() => {
                    let due = self.wake();
                    if Instant::now() >= due {
                        return None;
                    }
                    self.alarm.as_mut().reset(due);
                }
            }
        }
    }

    fn wake(&self) -> Instant {
        (self.heard + self.read).min(self.said + self.every).min(self.deadline)
    }

    /// Why the clock rang; `None` is only the silence that a comment ends.
    fn rang(&mut self) -> Option<Lapse> {
        let now = Instant::now();
        if now >= self.deadline {
            return Some(Lapse::new(Cause::TotalTimeout));
        }
        if now >= self.heard + self.read {
            return Some(Lapse::new(Cause::ReadIdle));
        }
        self.said = now;
        let next = self.wake();
        self.alarm.as_mut().reset(next);
        None
    }
}

fn pieces(core: Arc<Core>, mut open: Open, opening: Opening) -> Pieces {
    Box::pin(async_stream::stream! {
        let Opening { held, mut feed, closing } = opening;
        let index = winner(&open);
        let timeouts = open.attempts.get(index).map_or(
            core.snapshot.load().config.timeouts,
            |attempt| attempt.lane.timeouts.over(&open.timeouts()),
        );
        let mut pace = Pace::new(&timeouts, open.deadline);
        if open.mid_stream() == MidStream::Error || !open.is_plain_text() {
            open.release_body();
        }
        note(&mut open, index, &feed.tally);
        for bytes in held {
            open.bytes_out += bytes.len() as u64;
            yield bytes;
        }
        let ended = if let Some(closing) = closing { Ok(closing) } else {
            loop {
                match pace.next(&mut feed).await {
                    Some(Fed::Quiet) => {}
                    Some(Fed::Frame { bytes, .. }) => {
                        pace.said = pace.heard;
                        note(&mut open, index, &feed.tally);
                        open.bytes_out += bytes.len() as u64;
                        yield bytes;
                    }
                    Some(Fed::Complete(closing)) => break Ok(closing),
                    Some(Fed::Lapsed(lapse)) => break Err(lapse),
                    None => match pace.rang() {
                        Some(lapse) => break Err(lapse),
                        None => yield keep_alive(open.door),
                    },
                }
            }
        };
        note(&mut open, index, &feed.tally);
        match ended {
            Ok(closing) => {
                if feed.tally.missing_done {
                    open.notes.push("missing_done");
                }
                finish_reading(feed.into_body());
                settle::succeeded(&core, &mut open, index);
                let words = last_words(&mut open, &closing);
                // Told first: clients hang up at the end mark, and this answer was not abandoned.
                settle::finish(&core, open, &Ending::Answered);
                yield words;
            }
            Err(lapse) => {
                let along = feed.take_along();
                drop(feed);
                for await piece in broken(core, open, index, lapse.interrupted(), along, pace) {
                    yield piece;
                }
            }
        }
    })
}

/// The stream broke after content had reached the client: continue it elsewhere where that is
/// allowed and possible, else say so in band.
fn broken(
    core: Arc<Core>,
    mut open: Open,
    index: usize,
    lapse: Lapse,
    along: Option<Along>,
    mut pace: Pace,
) -> Pieces {
    let speech = open.door;
    Box::pin(async_stream::stream! {
        settle::lapsed(&core, &mut open, index, &lapse, true);
        let eligible = may_go_on(&lapse) && open.mid_stream() == MidStream::Continue;
        let along = along.filter(|along| eligible && !along.impure);
        if let (Some(along), Speech::Chat(door)) = (along, open.door) {
            let mut rest = Continuation::new(&core, &mut open, door, along);
            loop {
                let piece = {
                    let mut next = std::pin::pin!(rest.next(&core, &mut open));
                    loop {
                        match timeout_at(pace.said + pace.every, next.as_mut()).await {
                            Ok(piece) => break piece,
                            Err(_) => yield keep_alive(speech),
                        }
                        pace.said = Instant::now();
                    }
                };
                pace.said = Instant::now();
                match piece {
                    Piece::Bytes(bytes) => {
                        open.bytes_out += bytes.len() as u64;
                        yield bytes;
                    }
                    Piece::Waiting => yield keep_alive(open.door),
                    Piece::Complete { last, closing } => {
                        open.bytes_out += last.len() as u64;
                        let words = last_words(&mut open, &closing);
                        settle::finish(&core, open, &Ending::Answered);
                        yield last;
                        yield words;
                        return;
                    }
                    Piece::Failed => break,
                }
            }
        }
        let failure = Failure::new(lapse.code).caused_by(lapse.detail.clone().unwrap_or_default());
        let bytes = Bytes::from(open.door.encode_stream_error(&reply::problem(&failure, &open.id_text)));
        open.bytes_out += bytes.len() as u64;
        settle::finish(&core, open, &Ending::Interrupted(lapse));
        yield bytes;
    })
}

/// Whether another deployment may take over. Time that is up is up for all, and what a provider
/// refused to say is not asked of the next.
fn may_go_on(lapse: &Lapse) -> bool {
    let refused =
        matches!(lapse.class, Class::ClientError | Class::ContextLength | Class::ContentPolicy);
    lapse.cause != Cause::TotalTimeout && !refused
}

fn note(open: &mut Open, index: usize, tally: &super::feed::Tally) {
    open.malformed = tally.malformed;
    if let Some(attempt) = open.attempts.get_mut(index) {
        attempt.content_bytes = tally.content_bytes;
        attempt.usage = tally.usage.or(attempt.usage);
    }
}

/// The comment with the cost and the bytes that close the stream.
fn last_words(open: &mut Open, closing: &[u8]) -> Bytes {
    let served = open.attempts.iter().rev().find(|attempt| attempt.record.outcome == "ok");
    let model = served.map_or("", |attempt| &attempt.lane.id);
    let mut words = Vec::with_capacity(128 + closing.len());
    if open.door.takes_comments() {
        let (cost, attempts) = (reply::usd(open.cost_nanousd()), open.attempts.len());
        let story = format!(": weighbridge cost_usd={cost} model={model} attempts={attempts}\n\n");
        words.extend_from_slice(story.as_bytes());
    }
    words.extend_from_slice(closing);
    open.bytes_out += words.len() as u64;
    Bytes::from(words)
}

/// Reads a finished answer's body to its end, so that its connection can be used again. Most have
/// their end in hand already and need no task.
pub fn finish_reading(body: Option<ResponseBody>) {
    let Some(mut body) = body else { return };
    if body.next().now_or_never().is_none() {
        tokio::spawn(body.finish());
    }
}
