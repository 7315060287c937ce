//! An upstream's stream, read event by event: what the client gets of it and what it says.
//!
//! A feed knows no timers and no fallback. It frames the bytes, lets a reader look at each event
//! (relay as it is, translate, or aggregate), counts what must be counted and says when the stream
//! ended and how. Dropping it cancels the upstream.

use std::collections::VecDeque;

use bytes::Bytes;
use wire::dialect::{Aggregate, Dialect, Meter, Quirks, Seen};
use wire::error::{DecodeError, Reported};
use wire::frames::Framer;
use wire::hub::{Event, StopReason, Usage};
use wire::sse::{Frame, FrameKind};
use wire::translate::StreamTranslator;

use super::lapse::{Cause, Lapse};
use crate::upstream::ResponseBody;

/// The largest single event of a stream.
pub const MAX_EVENT_BYTES: usize = 16 << 20;
/// This many malformed events end a stream; fewer are dropped.
const MAX_MALFORMED: u32 = 3;

/// What an upstream's stream has said so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Content was seen.
    pub content: bool,
    /// Bytes of content.
    pub content_bytes: u64,
    /// Why the answer ended, once an alternative of it has.
    pub stop: Option<StopReason>,
    /// Alternatives that ended.
    pub stops: u64,
    /// The last usage told.
    pub usage: Option<Usage>,
    /// Malformed events dropped.
    pub malformed: u32,
    /// The stream ended in order but without the dialect's end mark.
    pub missing_done: bool,
}

/// How the events become what the client gets.
pub enum Reader {
    /// The client speaks the same dialect: frames go on as they are.
    Relay {
        /// Looks at each event.
        meter: Box<dyn Meter>,
        /// Whether usage-only events go on as well.
        keep_usage: bool,
        /// Reads the text along, where the answer may have to be continued elsewhere.
        along: Option<Along>,
    },
    /// The client speaks another dialect.
    Translate {
        /// Rewrites each event.
        translator: StreamTranslator,
        /// Reads the text along, where the answer may have to be continued elsewhere.
        along: Option<Along>,
    },
    /// The client wants the answer whole.
    Aggregate {
        /// Looks at each event.
        meter: Box<dyn Meter>,
        /// Gathers them.
        aggregate: Box<dyn Aggregate>,
    },
    /// The stream is read for its meaning only: the rest of a continued answer.
    Events {
        /// Reads each event.
        decoder: Box<dyn wire::dialect::DecodeEvents>,
        /// What was read and not yet taken.
        events: Vec<Event>,
    },
}

/// Reads a stream's text beside its relay.
pub struct Along {
    decoder: Box<dyn wire::dialect::DecodeEvents>,
    events: Vec<Event>,
    /// The text that went to the client.
    pub text: String,
    /// The answer's first event, which names its id and model.
    pub start: Option<Event>,
    /// Something other than text went to the client.
    pub impure: bool,
}

impl Along {
    /// A companion for a stream of this dialect.
    #[must_use]
    pub fn new(dialect: &Dialect, quirks: &Quirks) -> Self {
        Self {
            decoder: (dialect.decode_events)(quirks),
            events: Vec::new(),
            text: String::new(),
            start: None,
            impure: false,
        }
    }

    fn take(&mut self, frame: &Frame) {
        self.events.clear();
        if self.decoder.event(frame.event.as_deref(), &frame.data, &mut self.events).is_err() {
            return;
        }
        for event in self.events.drain(..) {
            match event {
                Event::Text { choice: 0, text, .. } => self.text.push_str(&text),
                Event::Start { .. } if self.start.is_none() => self.start = Some(event),
                other => self.impure |= other.is_content(),
            }
        }
    }
}

/// One step of a feed.
#[derive(Debug)]
pub enum Fed {
    /// Bytes for the client. `content` tells whether they hold any.
    Frame {
        /// Complete frames in the client's dialect.
        bytes: Bytes,
        /// Whether this is content in the sense of the first-token timer.
        content: bool,
    },
    /// Something arrived that is not for the client.
    Quiet,
    /// The answer is complete; these bytes close the client's stream.
    Complete(Bytes),
    /// The stream failed.
    Lapsed(Lapse),
}

/// An upstream's stream.
pub struct Feed {
    body: Option<ResponseBody>,
    framer: Framer,
    reader: Reader,
    upstream: &'static Dialect,
    door: &'static Dialect,
    alternatives: u64,
    ready: VecDeque<Fed>,
    ended: bool,
    /// What it has said so far.
    pub tally: Tally,
    /// Classes an error that the stream reports.
    classify: Box<dyn Fn(&Reported) -> Lapse + Send + Sync>,
}

impl Feed {
    /// A feed over an answer whose status was 200, of so many alternatives, from one dialect to
    /// another.
    pub fn new(
        body: ResponseBody,
        reader: Reader,
        alternatives: u64,
        upstream: &'static Dialect,
        door: &'static Dialect,
        classify: Box<dyn Fn(&Reported) -> Lapse + Send + Sync>,
    ) -> Self {
        Self {
            body: Some(body),
            framer: Framer::new(upstream.framing, MAX_EVENT_BYTES),
            reader,
            upstream,
            door,
            alternatives,
            ready: VecDeque::new(),
            ended: false,
            tally: Tally::default(),
            classify,
        }
    }

    /// A feed over an answer that came whole: its events, already complete.
    #[must_use]
    pub fn replay(events: Vec<Event>, usage: Option<Usage>, door: &'static Dialect) -> Self {
        let seen = wire::translate::seen(&events);
        Self {
            body: None,
            framer: Framer::new(door.framing, MAX_EVENT_BYTES),
            reader: Reader::Events { decoder: (door.decode_events)(&Quirks::default()), events },
            upstream: door,
            door,
            alternatives: 0,
            ready: VecDeque::new(),
            ended: true,
            tally: Tally {
                content: seen.content,
                content_bytes: seen.content_bytes as u64,
                stop: seen.stop,
                usage,
                ..Tally::default()
            },
            classify: Box::new(|_| Lapse::new(Cause::InBandError)),
        }
    }

    /// The next step. Losing the future loses nothing of the stream.
    pub async fn next(&mut self) -> Fed {
        loop {
            if let Some(fed) = self.ready.pop_front() {
                return fed;
            }
            if self.ended {
                return self.at_end();
            }
            let Some(body) = &mut self.body else { return self.at_end() };
            match body.next().await {
                Some(Ok(chunk)) => {
                    self.framer.push(chunk);
                    self.drain_framer();
                    if self.ready.is_empty() {
                        return Fed::Quiet;
                    }
                }
                Some(Err(failure)) => return self.cut(Lapse::of_body(failure, Cause::Reset)),
                None => self.last_frame(),
            }
        }
    }

    fn drain_framer(&mut self) {
        loop {
            match self.framer.next() {
                Ok(Some(frame)) => {
                    if let Some(fed) = self.read(&frame) {
                        self.ready.push_back(fed);
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    self.ready.push_back(Fed::Lapsed(Lapse::new(Cause::EventTooLarge)));
                    return;
                }
            }
        }
    }

    /// The connection closed: what is left is one last frame, and the end itself may speak.
    fn last_frame(&mut self) {
        self.ended = true;
        if let Some(frame) = self.framer.finish()
            && let Some(fed) = self.read(&closed(frame))
        {
            self.ready.push_back(fed);
        }
    }

    /// A cut connection after a complete answer is an end, not a failure.
    fn cut(&mut self, lapse: Lapse) -> Fed {
        self.ended = true;
        if self.tally.stop.is_some_and(|stop| stop != StopReason::Error) && self.all_ended() {
            return self.at_end();
        }
        Fed::Lapsed(lapse)
    }

    fn at_end(&mut self) -> Fed {
        let mut out = Vec::new();
        let mut seen = Seen::default();
        match &mut self.reader {
            Reader::Translate { translator, .. } => seen = translator.end(&mut out),
            Reader::Events { decoder, events } => decoder.end(events),
            Reader::Relay { .. } | Reader::Aggregate { .. } => {}
        }
        let done = seen.done;
        self.note(&seen);
        match self.tally.stop {
            None => Fed::Lapsed(Lapse::new(Cause::Interrupted)),
            Some(StopReason::Error) => Fed::Lapsed(Lapse::new(Cause::ModelFailed)),
            Some(_) if self.has_end_mark() && !self.all_ended() => {
                Fed::Lapsed(Lapse::new(Cause::Interrupted))
            }
            Some(_) => {
                self.tally.missing_done = !done && self.has_end_mark();
                self.close(&mut out);
                Fed::Complete(Bytes::from(out))
            }
        }
    }

    /// Whether every alternative has ended. One event may end several, so a stream that ended in
    /// order is not held to it.
    fn all_ended(&self) -> bool {
        self.tally.stops >= self.alternatives
    }

    fn has_end_mark(&self) -> bool {
        self.upstream.end_mark
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match &mut self.reader {
            Reader::Translate { translator, .. } => translator.close(out),
            Reader::Relay { .. } => (self.door.encode_events)(false).end(out),
            Reader::Aggregate { .. } | Reader::Events { .. } => {}
        }
    }

    fn read(&mut self, frame: &Frame) -> Option<Fed> {
        if frame.kind == FrameKind::Comment {
            let relayed = matches!(self.reader, Reader::Relay { .. });
            return relayed.then(|| Fed::Frame { bytes: frame.raw.clone(), content: false });
        }
        let mut out = Vec::new();
        match self.look(frame, &mut out) {
            Ok(seen) => self.said(seen, frame, out),
            Err(error) => self.malformed(&error),
        }
    }

    fn look(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<Seen, DecodeError> {
        let (name, data) = (frame.event.as_deref(), &frame.data[..]);
        match &mut self.reader {
            Reader::Relay { meter, along, .. } => {
                let seen = meter.event(name, data)?;
                if let Some(along) = along {
                    along.take(frame);
                }
                Ok(seen)
            }
            Reader::Translate { translator, along } => {
                let seen = translator.frame(name, data, out)?;
                if let Some(along) = along {
                    along.take(frame);
                }
                Ok(seen)
            }
            Reader::Aggregate { meter, aggregate } => {
                let seen = meter.event(name, data)?;
                if seen.error.is_none() {
                    aggregate.event(name, data)?;
                }
                Ok(seen)
            }
            Reader::Events { decoder, events } => {
                let from = events.len();
                decoder.event(name, data, events)?;
                Ok(wire::translate::seen(events.get(from..).unwrap_or_default()))
            }
        }
    }

    fn malformed(&mut self, error: &DecodeError) -> Option<Fed> {
        self.tally.malformed += 1;
        (self.tally.malformed >= MAX_MALFORMED)
            .then(|| Fed::Lapsed(Lapse::new(Cause::MalformedEvents).detail(error.to_string())))
    }

    fn note(&mut self, seen: &Seen) {
        self.tally.content |= seen.content;
        self.tally.content_bytes += seen.content_bytes as u64;
        self.tally.stop = seen.stop.or(self.tally.stop);
        self.tally.stops += u64::from(seen.stop.is_some());
        if let Some(usage) = seen.usage {
            self.tally.usage = Some(usage);
        }
    }

    fn said(&mut self, seen: Seen, frame: &Frame, out: Vec<u8>) -> Option<Fed> {
        self.note(&seen);
        if let Some(reported) = &seen.error {
            return Some(Fed::Lapsed((self.classify)(reported)));
        }
        if self.tally.stop == Some(StopReason::Error) {
            return Some(Fed::Lapsed(Lapse::new(Cause::ModelFailed)));
        }
        let content = seen.content;
        let bytes = match &self.reader {
            Reader::Relay { keep_usage, .. } if seen.usage_only && !keep_usage => return None,
            Reader::Relay { .. } => frame.raw.clone(),
            Reader::Translate { .. } => Bytes::from(out),
            Reader::Aggregate { .. } | Reader::Events { .. } => Bytes::new(),
        };
        if seen.done {
            // A mark without a reason is no end: the answer was cut by somebody upstream.
            let cut = self.tally.stop.is_none();
            return Some(if cut {
                Fed::Lapsed(Lapse::new(Cause::Interrupted))
            } else {
                Fed::Complete(bytes)
            });
        }
        (content || !bytes.is_empty()).then_some(Fed::Frame { bytes, content })
    }

    /// The aggregated answer in the upstream's dialect. Empty unless this feed aggregates.
    #[must_use]
    pub fn into_aggregate(self) -> (Vec<u8>, Tally, Option<ResponseBody>) {
        let whole = match self.reader {
            Reader::Aggregate { aggregate, .. } => aggregate.finish(),
            _ => Vec::new(),
        };
        (whole, self.tally, self.body)
    }

    /// What was read along, if anything was.
    #[must_use]
    pub fn take_along(&mut self) -> Option<Along> {
        match &mut self.reader {
            Reader::Relay { along, .. } | Reader::Translate { along, .. } => along.take(),
            Reader::Aggregate { .. } | Reader::Events { .. } => None,
        }
    }

    /// The events read since the last call; only of a feed that reads for meaning.
    pub fn take_events(&mut self) -> Vec<Event> {
        match &mut self.reader {
            Reader::Events { events, .. } => std::mem::take(events),
            _ => Vec::new(),
        }
    }

    /// Gives the rest of the body away, to be read to its end so that the connection can be used
    /// again.
    #[must_use]
    pub fn into_body(self) -> Option<ResponseBody> {
        self.body
    }
}

/// A last frame with the blank line that its end needs: without it the frame would swallow what
/// is sent after it.
fn closed(frame: Frame) -> Frame {
    const ENDS: [&[u8]; 3] = [b"\n\n", b"\r\r", b"\n\r"];
    let blank = ENDS.iter().any(|end| frame.raw.ends_with(end)) || frame.raw.ends_with(b"\n\r\n");
    if blank { frame } else { Frame { raw: [&frame.raw[..], b"\n\n"].concat().into(), ..frame } }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("tally", &self.tally).finish_non_exhaustive()
    }
}
