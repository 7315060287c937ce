//! What an answer means, whoever gave it and in whichever dialect it is read, and streams as bytes.

use crate::samples::{Wire, said};
use serde_json::Value;
use wire::dialect::{Dialect, Quirks};
use wire::eventstream;
use wire::frames::{Framer, Framing};
use wire::hub::{Answer, Extra, Part, StopReason};
use wire::replay::answer_of;
use wire::sse::FrameKind;

/// The stream as it comes over the wire: each line is an event, `name {json}` or bare data. A name
/// that begins with `!` is an exception of the binary framing.
pub(crate) fn stream_bytes(framing: Framing, lines: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.lines() {
        let named = line.split_once(' ').filter(|(name, _)| !name.starts_with(['{', '[']));
        let (name, data) = named.map_or(("", line), |(name, data)| (name, data));
        match framing {
            Framing::EventStream => {
                let (name, exception) = match name.strip_prefix('!') {
                    Some(name) => (name, true),
                    None => (name, false),
                };
                eventstream::encode(name, exception, data.as_bytes(), &mut out);
            }
            Framing::Sse if name.is_empty() => {
                out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
            }
            Framing::Sse => {
                out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
            }
        }
    }
    out
}

/// The events in a stream that comes in chunks of `size` bytes.
pub(crate) fn framed(framing: Framing, stream: &[u8], size: usize) -> Vec<Wire> {
    let mut framer = Framer::new(framing, 1 << 24);
    let mut frames = Vec::new();
    for chunk in stream.chunks(size) {
        framer.push(bytes::Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next().expect("a good frame") {
            frames.push(frame);
        }
    }
    frames.extend(framer.finish());
    let events = frames.into_iter().filter(|frame| frame.kind == FrameKind::Event);
    events.map(|frame| (frame.event, frame.data)).collect()
}

/// What must be the same whoever answered and whoever reads.
#[derive(Debug, PartialEq)]
pub(crate) struct Meaning {
    pub(crate) text: String,
    pub(crate) thoughts: String,
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) stop: Option<StopReason>,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
}

pub(crate) fn meaning(answer: &Answer) -> Meaning {
    let choice = answer.choices.first().cloned().unwrap_or_default();
    let (text, mut calls) = said(&choice.parts);
    // Arguments that were cut off have no value; whole answers of some dialects must have one.
    let cut = calls.iter_mut().filter(|(_, arguments)| arguments.is_null());
    cut.for_each(|(_, arguments)| *arguments = Value::Object(Extra::new()));
    let thoughts = choice.parts.iter().filter_map(|part| match part {
        Part::Reasoning { text, .. } => Some(text.as_str()),
        _ => None,
    });
    Meaning {
        text,
        thoughts: thoughts.collect(),
        calls,
        stop: choice.stop.as_ref().map(|stop| stop.reason),
        input: answer.usage.map(|usage| usage.total_input()),
        output: answer.usage.map(|usage| usage.total_output()),
    }
}

/// What a client of `door` understands of an unstreamed answer.
pub(crate) fn of_whole(door: &Dialect, quirks: &Quirks, bytes: &[u8]) -> Meaning {
    meaning(&(door.decode_answer)(bytes, quirks).expect("a good answer"))
}

/// What a client of `door` understands of a stream that comes in chunks of `size` bytes.
pub(crate) fn of_stream(door: &Dialect, quirks: &Quirks, bytes: &[u8], size: usize) -> Meaning {
    let mut decoder = (door.decode_events)(quirks);
    let mut events = Vec::new();
    for (name, data) in framed(door.framing, bytes, size) {
        decoder.event(name.as_deref(), &data, &mut events).expect("a good event");
    }
    decoder.end(&mut events);
    meaning(&answer_of(&events))
}
