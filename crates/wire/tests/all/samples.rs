//! What the dialects' tests share: ways in and out of a dialect, and sample inputs.

use serde_json::Value;
use wire::dialect::{Dialect, Quirks, Seen, Target, find};
use wire::hub::{Event, Extra, Message, Part, Request, Role};
use wire::sse::{FrameKind, Framer};

pub(crate) const ANTHROPIC: &str = "anthropic_messages";
pub(crate) const GEMINI: &str = "gemini";

/// Event name and data, as the framer gives them.
pub(crate) type Wire = (Option<bytes::Bytes>, bytes::Bytes);

pub(crate) fn dialect(id: &str) -> &'static Dialect {
    find(id).expect("a known dialect")
}

pub(crate) fn target<'a>(model: &'a str, quirks: &'a Quirks) -> Target<'a> {
    Target { model, stream: false, default_max_tokens: 4096, quirks, prefill: None }
}

/// The body for an upstream, and what was dropped.
pub(crate) fn encode(id: &str, request: &Request, target: &Target<'_>) -> (Value, String) {
    let encoded = (dialect(id).encode_request)(request, target);
    let body = serde_json::from_slice(&encoded.body).expect("a JSON body");
    (body, encoded.dropped.join(" "))
}

pub(crate) fn decode(id: &str, body: &Value) -> Request {
    let body = body.to_string();
    (dialect(id).decode_request)(body.as_bytes(), Some("m"), false).expect("a good request")
}

/// The frames of a stream that arrives in chunks of `size` bytes.
pub(crate) fn frames(stream: &[u8], size: usize) -> Vec<Wire> {
    let mut framer = Framer::new(1 << 24);
    let mut frames = Vec::new();
    for chunk in stream.chunks(size.max(1)) {
        framer.push(bytes::Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next().expect("no frame is too large") {
            frames.push(frame);
        }
    }
    frames.extend(framer.finish());
    let events = frames.into_iter().filter(|frame| frame.kind == FrameKind::Event);
    events.map(|frame| (frame.event, frame.data)).collect()
}

/// Data payloads, one a line, as a stream.
pub(crate) fn lines_as_stream(lines: &str) -> Vec<u8> {
    let data = lines.lines().filter(|line| !line.trim().is_empty());
    data.map(|line| format!("data: {line}\n\n")).collect::<String>().into_bytes()
}

pub(crate) fn events(id: &str, quirks: &Quirks, frames: &[Wire]) -> Vec<Event> {
    let mut decoder = (dialect(id).decode_events)(quirks);
    let mut events = Vec::new();
    for (name, data) in frames {
        decoder.event(name.as_deref(), data, &mut events).expect("a good event");
    }
    decoder.end(&mut events);
    events
}

pub(crate) fn metered(id: &str, frames: &[Wire]) -> Seen {
    let mut meter = (dialect(id).meter)(&Quirks::default());
    let mut sum = Seen::default();
    for (name, data) in frames {
        let seen = meter.event(name.as_deref(), data).expect("a good event");
        sum.content |= seen.content;
        sum.content_bytes += seen.content_bytes;
        sum.stop = seen.stop.or(sum.stop);
        sum.usage = seen.usage.or(sum.usage);
        sum.error = seen.error.or(sum.error);
        sum.done |= seen.done;
    }
    sum
}

pub(crate) fn aggregated(id: &str, frames: &[Wire]) -> Vec<u8> {
    let mut aggregate = (dialect(id).aggregate)();
    for (name, data) in frames {
        aggregate.event(name.as_deref(), data).expect("a good event");
    }
    aggregate.finish()
}

/// The stream that a client reads.
pub(crate) fn written(id: &str, events: &[Event]) -> String {
    let mut encoder = (dialect(id).encode_events)(true);
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    String::from_utf8(out).expect("UTF-8")
}

pub(crate) fn text(text: &str) -> Part {
    Part::Text { text: text.to_owned(), extra: Extra::new() }
}

pub(crate) fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, extra: Extra::new() }
}

/// All text of an answer, and the names and arguments of its calls.
pub(crate) fn said(parts: &[Part]) -> (String, Vec<(String, Value)>) {
    let mut said = String::new();
    let mut calls = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, .. } => said.push_str(text),
            Part::ToolCall(call) => {
                // Arguments that were cut off have no value.
                let arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
                calls.push((call.name.clone(), arguments));
            }
            _ => {}
        }
    }
    (said, calls)
}

/// The recorded files under `folder`, by name; nothing where there are no recordings.
#[expect(clippy::disallowed_methods, reason = "tests read recordings from the disk")]
pub(crate) fn recorded(folder: &str) -> Vec<(String, String)> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var("WEIGHBRIDGE_DATA").unwrap_or_else(|_| beside.to_owned());
    let Ok(entries) = std::fs::read_dir(format!("{root}/recorded/{folder}")) else {
        println!("no recordings of {folder}: set WEIGHBRIDGE_DATA to check against them");
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut files: Vec<_> = paths
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some((name, std::fs::read_to_string(&path).ok()?))
        })
        .collect();
    files.sort();
    files
}
