//! `mid_stream: continue`: a cut plain-text answer goes on from another deployment.
//!
//! Either the deployment continues the partial answer given as an assistant prefill, or it answers
//! anew and only what follows the delivered text is sent, as long as it agrees with it to the
//! letter. The join is exact or there is none. A rejection never replaces the original error: the
//! caller keeps that and sends it when this gives up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use wire::dialect::{Dialect, EncodeEvents};
use wire::hub::{Event, Stop, Usage};
use wire::join::{Joined, Joiner, Prefilled};

use super::Core;
use super::attempt::continue_on;
use super::exchange::Open;
use super::feed::{Along, Fed};
use super::fire::{Arrived, Opening};
use super::lapse::{Cause, Lapse};
use super::plan::{self, Planned};
use super::settle;

/// What comes next of a continued answer.
#[derive(Debug)]
pub enum Piece {
    /// Bytes for the client.
    Bytes(Bytes),
    /// Nothing yet; the client should hear that we are still there.
    Waiting,
    /// The answer is complete.
    Complete {
        /// The last bytes that say something: the reason of its end, usage.
        last: Bytes,
        /// The bytes that close the stream.
        closing: Bytes,
    },
    /// No deployment could continue it.
    Failed,
}

/// How the new text meets the old.
enum Join {
    Prefill(Prefilled),
    Restart(Joiner),
}

struct Running {
    opening: Opening,
    join: Join,
    index: usize,
    read: Duration,
    heard: Instant,
}

/// An answer being continued.
pub struct Continuation {
    lanes: VecDeque<(Planned, bool)>,
    encoder: Box<dyn EncodeEvents>,
    delivered: String,
    running: Option<Running>,
    stop: Option<Stop>,
}

impl Continuation {
    /// Prepares to continue what `along` read for a client of `door`, on the lanes that have not been tried.
    #[must_use]
    pub fn new(core: &Core, open: &mut Open, door: &Dialect, along: Along) -> Self {
        let mut encoder = (door.encode_events)(open.wants_usage());
        let mut unheard = Vec::new();
        // The client has seen the stream's beginning; the encoder must believe that it wrote it.
        let mut start = along.start.unwrap_or(Event::Start {
            id: open.id_text.to_string(),
            model: open.model().to_owned(),
            created: None,
            usage: None,
        });
        if let Event::Start { created, .. } = &mut start {
            created.get_or_insert(open.asked_unix(&core.world));
        }
        encoder.event(&start, &mut unheard);
        let text = Event::Text { choice: 0, text: along.text.clone(), logprobs: None };
        encoder.event(&text, &mut unheard);
        let lanes = untried(core, open);
        Self { lanes, encoder, delivered: along.text, running: None, stop: None }
    }

    /// The next piece. Losing the future loses nothing that was read.
    pub async fn next(&mut self, core: &Arc<Core>, open: &mut Open) -> Piece {
        loop {
            if self.running.is_none() && !self.start(core, open).await {
                return Piece::Failed;
            }
            if let Some(piece) = self.step(core, open).await {
                return piece;
            }
        }
    }

    /// Starts the next lane: with a prefill where the model takes one, and anew where it does not
    /// or has refused it.
    async fn start(&mut self, core: &Arc<Core>, open: &mut Open) -> bool {
        let limit = open.group.as_ref().map_or(3, |group| group.failover.max_attempts);
        while (open.attempts.len() as u64) < u64::from(limit) && Instant::now() < open.deadline {
            let Some((planned, prefill)) = self.lanes.pop_front() else { return false };
            let read = planned.timeouts.read;
            let partial = prefill.then_some(self.delivered.as_str());
            match continue_on(core, open, planned.clone(), partial).await {
                Ok(Arrived::Stream(opening)) => {
                    let join = if prefill {
                        Join::Prefill(Prefilled::new(&self.delivered, self.delivered.trim_end()))
                    } else {
                        Join::Restart(Joiner::new(self.delivered.clone()))
                    };
                    let index = open.attempts.len().saturating_sub(1);
                    let heard = Instant::now();
                    self.running = Some(Running { opening: *opening, join, index, read, heard });
                    return true;
                }
                Ok(Arrived::Whole { .. }) => return false,
                Err(lapse) if prefill && lapse.cause == Cause::ClientError => {
                    self.lanes.push_front((planned, false));
                }
                Err(_) => {}
            }
        }
        false
    }

    async fn step(&mut self, core: &Arc<Core>, open: &mut Open) -> Option<Piece> {
        let events = self.running.as_mut()?.opening.feed.take_events();
        if !events.is_empty() {
            return self.say(core, open, events);
        }
        let running = self.running.as_mut()?;
        let due = (running.heard + running.read).min(open.deadline);
        let fed = match running.opening.closing.take() {
            Some(closing) => Fed::Complete(closing),
            None => match timeout_at(due, running.opening.feed.next()).await {
                Ok(fed) => fed,
                Err(_) => Fed::Lapsed(Lapse::new(Cause::ReadIdle)),
            },
        };
        running.heard = Instant::now();
        match fed {
            Fed::Quiet | Fed::Frame { .. } => {
                let events = running.opening.feed.take_events();
                self.say(core, open, events)
            }
            Fed::Complete(closing) => {
                let events = running.opening.feed.take_events();
                let last = self.say(core, open, events);
                // A disagreement in the last events has ended this lane; the next one is tried.
                let running = self.running.as_mut()?;
                if last.is_some() {
                    running.opening.closing = Some(closing);
                    return last;
                }
                Some(self.complete(core, open))
            }
            Fed::Lapsed(lapse) => {
                self.give_up(core, open, &lapse);
                None
            }
        }
    }

    /// Writes what the events add to the delivered text.
    fn say(&mut self, core: &Core, open: &mut Open, events: Vec<Event>) -> Option<Piece> {
        let mut out = Vec::new();
        for event in events {
            match event {
                Event::Text { choice: 0, text, .. } => match self.join(&text) {
                    Joined::Waiting => {}
                    Joined::Emit(text) => {
                        self.delivered.push_str(&text);
                        self.encoder
                            .event(&Event::Text { choice: 0, text, logprobs: None }, &mut out);
                    }
                    Joined::Disagrees => {
                        self.give_up(core, open, &Lapse::new(Cause::Disagreed));
                        break;
                    }
                },
                Event::Stop { stop, .. } => self.stop = Some(stop),
                _ => {}
            }
        }
        (!out.is_empty()).then(|| Piece::Bytes(Bytes::from(out)))
    }

    fn join(&mut self, text: &str) -> Joined {
        match self.running.as_mut().map(|running| &mut running.join) {
            Some(Join::Prefill(join)) => join.push(text),
            Some(Join::Restart(join)) => join.push(text),
            None => Joined::Disagrees,
        }
    }

    fn give_up(&mut self, core: &Core, open: &mut Open, lapse: &Lapse) {
        let Some(running) = self.running.take() else { return };
        note(open, &running);
        drop(running.opening);
        settle::lapsed(core, open, running.index, &lapse.clone().interrupted(), true);
        self.stop = None;
    }

    /// The continuation is whole, unless the restart ended before it had even caught up.
    fn complete(&mut self, core: &Core, open: &mut Open) -> Piece {
        let Some(mut running) = self.running.take() else { return Piece::Failed };
        note(open, &running);
        let mut out = Vec::new();
        match &mut running.join {
            Join::Restart(join) if !join.caught_up() => {
                self.running = Some(running);
                self.give_up(core, open, &Lapse::new(Cause::Disagreed));
                return Piece::Waiting;
            }
            Join::Restart(_) => {}
            Join::Prefill(join) => {
                if let Some(text) = join.finish() {
                    let event = Event::Text { choice: 0, text, logprobs: None };
                    self.encoder.event(&event, &mut out);
                }
            }
        }
        if let Some(stop) = self.stop.take() {
            self.encoder.event(&Event::Stop { choice: 0, stop }, &mut out);
        }
        let told = running.opening.feed.tally.usage;
        super::relay::finish_reading(running.opening.feed.into_body());
        settle::succeeded(core, open, running.index);
        if let Some(usage) = told {
            let whole = whole_usage(open, usage, &running.join);
            self.encoder.event(&Event::Usage(whole), &mut out);
        }
        let mut closing = Vec::new();
        self.encoder.end(&mut closing);
        Piece::Complete { last: Bytes::from(out), closing: Bytes::from(closing) }
    }
}

fn note(open: &mut Open, running: &Running) {
    if let Some(attempt) = open.attempts.get_mut(running.index) {
        attempt.content_bytes = running.opening.feed.tally.content_bytes;
        attempt.usage = running.opening.feed.tally.usage;
    }
}

/// Usage as if one deployment had answered: the continuation's own, and with a prefill the part
/// that the first deployment wrote moves from input to output.
fn whole_usage(open: &Open, usage: Usage, join: &Join) -> Usage {
    if matches!(join, Join::Restart(_)) {
        return usage;
    }
    let earlier: u64 = open
        .attempts
        .iter()
        .filter(|attempt| attempt.record.ledger == "interrupted")
        .map(|attempt| attempt.record.output_tokens)
        .sum();
    Usage { input: usage.input.saturating_sub(earlier), output: usage.output + earlier, ..usage }
}

/// The lanes that the request has not been to, each with the way to continue there.
fn untried(core: &Core, open: &mut Open) -> VecDeque<(Planned, bool)> {
    let tried: Vec<Arc<str>> =
        open.attempts.iter().map(|attempt| Arc::clone(&attempt.lane.id)).collect();
    let Ok(plan) = plan::plan(core, open) else { return VecDeque::new() };
    let fresh = plan.lanes.into_iter().filter(|planned| !tried.contains(&planned.lane.id));
    fresh
        .map(|planned| {
            let prefill = planned.lane.prefill;
            (planned, prefill)
        })
        .collect()
}
