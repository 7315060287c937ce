//! From one dialect to another through the hub: unstreamed answers and streams.
//!
//! A request is read once and written once an attempt, so that it has no composition here.
//! Only composition lives here; each dialect's own file knows its format. A failure inside a stream
//! is reported in [`Seen`] and never written to the client from here, because the gateway decides
//! how the client hears of it.

use crate::dialect::{DecodeEvents, Dialect, EncodeEvents, Quirks, Seen};
use crate::error::DecodeError;
use crate::hub::{Event, Request, StopReason};

/// What is known of an answer beside what its upstream says: some dialects tell no time, no id or
/// no model, and some repeat what was asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// When it was asked, in seconds since 1970.
    pub created: i64,
    /// An id for it.
    pub id: &'a str,
    /// The model that answers.
    pub model: &'a str,
    /// What was asked.
    pub asked: Option<&'a Request>,
}

impl Known<'_> {
    /// Nothing but the time, in seconds since 1970.
    #[must_use]
    pub fn at(created: i64) -> Self {
        Self { created, ..Self::default() }
    }
}

/// Reads an upstream's unstreamed answer and writes it for a client of another dialect, with what
/// is `known` in the places that the upstream left empty.
///
/// # Errors
/// When the bytes are not an answer of the dialect `upstream`.
pub fn answer(
    upstream: &Dialect,
    quirks: &Quirks,
    body: &[u8],
    door: &Dialect,
    known: &Known<'_>,
) -> Result<Vec<u8>, DecodeError> {
    let mut answer = (upstream.decode_answer)(body, quirks)?;
    answer.created.get_or_insert(known.created);
    fill(&mut answer.id, known.id);
    fill(&mut answer.model, known.model);
    Ok(door.encode_answer_to(&answer, known.asked))
}

fn fill(place: &mut String, known: &str) {
    if place.is_empty() {
        known.clone_into(place);
    }
}

/// Rewrites an upstream's stream in the client's dialect, event by event.
pub struct StreamTranslator {
    decoder: Box<dyn DecodeEvents>,
    encoder: Box<dyn EncodeEvents>,
    events: Vec<Event>,
    created: Option<i64>,
    id: String,
    model: String,
}

impl StreamTranslator {
    /// A translator from `upstream` to `door`. `include_usage`: the client asked for usage.
    #[must_use]
    pub fn new(upstream: &Dialect, quirks: &Quirks, door: &Dialect, include_usage: bool) -> Self {
        Self {
            decoder: (upstream.decode_events)(quirks),
            encoder: (door.encode_events)(include_usage),
            events: Vec::new(),
            created: None,
            id: String::new(),
            model: String::new(),
        }
    }

    /// Fills in what is known in the places that the upstream leaves empty.
    #[must_use]
    pub fn known(mut self, known: &Known<'_>) -> Self {
        self.created = Some(known.created);
        self.id = known.id.to_owned();
        self.model = known.model.to_owned();
        if let Some(asked) = known.asked {
            self.encoder.asked(asked);
        }
        self
    }

    /// Takes one upstream event (its name and data) and appends the client's frames to `out`.
    /// Events from a reported error on are not written.
    ///
    /// # Errors
    /// When the event is malformed: nothing was written, and the translator stays usable.
    pub fn frame(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Seen, DecodeError> {
        self.events.clear();
        self.decoder.event(name, data, &mut self.events)?;
        Ok(self.write(out))
    }

    /// The upstream connection ended in order: appends what that itself says. [`Seen::done`] tells
    /// whether the upstream's stream is complete.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Seen {
        self.events.clear();
        self.decoder.end(&mut self.events);
        self.write(out)
    }

    /// Closes the client's stream as complete, unless that was done already. To be called only
    /// when a stop reason was seen.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        self.encoder.end(out);
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Seen {
        for event in &mut self.events {
            if let Event::Start { created, id, model, .. } = event {
                *created = created.or(self.created);
                fill(id, &self.id);
                fill(model, &self.model);
            }
        }
        let sound = self.events.iter().take_while(|event| !matches!(event, Event::Error(_)));
        for event in sound {
            self.encoder.event(event, out);
        }
        seen(&self.events)
    }
}

/// What these events say, as far as the gateway must know.
#[must_use]
pub fn seen(events: &[Event]) -> Seen {
    let mut seen = Seen::default();
    for event in events {
        seen.content |= event.is_content();
        seen.content_bytes += content_bytes(event);
        note(event, &mut seen);
    }
    seen.usage_only = seen.usage.is_some()
        && events.iter().all(|event| matches!(event, Event::Usage(_) | Event::Ping));
    seen
}

fn note(event: &Event, seen: &mut Seen) {
    match event {
        Event::Start { usage: Some(usage), .. } | Event::Usage(usage) => seen.usage = Some(*usage),
        // A failed alternative outweighs the others: the answer must not be shown as complete.
        Event::Stop { stop, .. } if seen.stop != Some(StopReason::Error) => {
            seen.stop = Some(stop.reason);
        }
        Event::Error(reported) if seen.error.is_none() => seen.error = Some(reported.clone()),
        Event::Done => seen.done = true,
        _ => {}
    }
}

fn content_bytes(event: &Event) -> usize {
    match event {
        Event::Text { text, .. } | Event::Refusal { text, .. } | Event::Reasoning { text, .. } => {
            text.len()
        }
        Event::ToolStart { name, .. } => name.len(),
        Event::ToolArguments { fragment, .. } => fragment.len(),
        _ => 0,
    }
}
