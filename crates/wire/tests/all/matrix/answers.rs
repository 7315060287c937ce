//! What a client reads of each upstream's answer, whole and streamed.

use super::folder::{cases, check, shown};
use super::{Upstream, doors};
use crate::samples::{Wire, dialect, said};
use serde_json::Value;
use wire::dialect::Quirks;
use wire::eventstream;
use wire::frames::{Framer, Framing};
use wire::hub::{Answer, Part, StopReason};
use wire::replay::answer_of;
use wire::sse::FrameKind;
use wire::translate::{StreamTranslator, answer as translated};

const NOW: i64 = 1_700_000_000;

/// The stream as it comes over the wire: each line is an event, `name {json}` or bare data. A name
/// that begins with `!` is an exception of the binary framing.
pub(super) fn stream_bytes(framing: Framing, lines: &str) -> Vec<u8> {
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
pub(super) fn framed(framing: Framing, stream: &[u8], size: usize) -> Vec<Wire> {
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

/// What a client of `door` reads when these lines stream from the upstream.
fn streamed(upstream: &Upstream, lines: &str, door: &str) -> Vec<u8> {
    let from = upstream.dialect();
    let mut translator =
        StreamTranslator::new(from, &upstream.quirks(), dialect(door), true).created(NOW);
    let mut out = Vec::new();
    for (name, data) in framed(from.framing, &stream_bytes(from.framing, lines), 61) {
        translator.frame(name.as_deref(), &data, &mut out).expect("a good event");
    }
    translator.end(&mut out);
    translator.close(&mut out);
    out
}

/// The section's text as a client of `door` reads it.
fn told(heading: &str, text: &str, door: &str) -> Vec<u8> {
    let (name, kind) = heading.split_once(' ').expect("an upstream and a kind");
    let upstream = Upstream::named(name);
    match kind {
        "stream" => streamed(upstream, text, door),
        _ => {
            translated(upstream.dialect(), &upstream.quirks(), text.as_bytes(), dialect(door), NOW)
                .expect("a good answer")
        }
    }
}

#[test]
fn every_client_is_told_what_the_golden_files_say() {
    for (case, answered) in cases("answered.txt") {
        for door in doors() {
            let sections = answered.iter().map(|(heading, text)| {
                let bytes = told(heading, text, door);
                let text = if heading.ends_with(" whole") {
                    shown(&bytes)
                } else {
                    String::from_utf8(bytes).expect("UTF-8")
                };
                (heading.clone(), text)
            });
            check(&case, &format!("told.{door}.txt"), sections.collect());
        }
    }
}

/// What must be the same whoever answered and whoever reads.
#[derive(Debug, PartialEq)]
struct Meaning {
    text: String,
    thoughts: String,
    calls: Vec<(String, Value)>,
    stop: Option<StopReason>,
    input: Option<u64>,
    output: Option<u64>,
}

fn meaning(answer: &Answer) -> Meaning {
    let choice = &answer.choices[0];
    let (text, calls) = said(&choice.parts);
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

/// What a client of `door` understands of what it reads.
fn understood(heading: &str, bytes: &[u8], door: &str) -> Meaning {
    let (quirks, door) = (Quirks::default(), dialect(door));
    if heading.ends_with(" whole") {
        return meaning(&(door.decode_answer)(bytes, &quirks).expect("a good answer"));
    }
    let mut decoder = (door.decode_events)(&quirks);
    let mut events = Vec::new();
    for (name, data) in framed(door.framing, bytes, 97) {
        decoder.event(name.as_deref(), &data, &mut events).expect("a good event");
    }
    decoder.end(&mut events);
    meaning(&answer_of(&events))
}

#[test]
fn every_client_understands_the_same_whoever_answered() {
    for (case, answered) in cases("answered.txt") {
        let (first, text) = &answered[0];
        let expected = understood(first, &told(first, text, "openai_chat"), "openai_chat");
        for (heading, text) in &answered {
            for door in doors() {
                let bytes = told(heading, text, door);
                let is = understood(heading, &bytes, door);
                let shown = String::from_utf8_lossy(&bytes);
                assert_eq!(is, expected, "{case}: {heading} -> {door}\n{shown}");
            }
        }
    }
}

#[test]
fn a_stream_aggregated_and_metered_says_what_the_whole_answer_says() {
    for (case, answered) in cases("answered.txt") {
        let streams = answered.iter().filter(|(heading, _)| heading.ends_with(" stream"));
        for (heading, text) in streams {
            let name = heading.split(' ').next().expect("a name");
            let (upstream, quirks) = (Upstream::named(name), Upstream::named(name).quirks());
            let from = upstream.dialect();
            let mut aggregate = (from.aggregate)();
            let mut meter = (from.meter)(&quirks);
            let (mut usage, mut stop) = (None, None);
            for (name, data) in framed(from.framing, &stream_bytes(from.framing, text), 7) {
                aggregate.event(name.as_deref(), &data).expect("a good event");
                let seen = meter.event(name.as_deref(), &data).expect("a good event");
                usage = seen.usage.or(usage);
                stop = seen.stop.or(stop);
            }
            let sum = (from.decode_answer)(&aggregate.finish(), &quirks).expect("a good answer");
            let whole_of = format!("{name} whole");
            let (_, whole) = answered.iter().find(|(is, _)| *is == whole_of).expect("both kinds");
            let whole = (from.decode_answer)(whole.as_bytes(), &quirks).expect("a good answer");
            assert_eq!(meaning(&sum), meaning(&whole), "{case}: {name}: aggregate");
            assert_eq!(usage, whole.usage, "{case}: {name}: usage of the meter");
            let expected = meaning(&whole).stop;
            assert_eq!(stop, expected, "{case}: {name}: stop of the meter");
        }
    }
}
