//! What a client reads of each upstream's answer, whole and streamed.

use super::folder::{cases, check, shown};
use super::{DOORS, Upstream};
use crate::meaning::{Meaning, framed, meaning, of_stream, of_whole, stream_bytes};
use crate::samples::dialect;
use wire::dialect::Quirks;
use wire::translate::{Known, StreamTranslator, answer as translated};

/// What the gateway knows of an answer before it comes.
const KNOWN: Known<'static> = Known { created: 1_700_000_000, id: "wb-1", model: "m", asked: None };

/// What a client of `door` reads when these lines stream from the upstream.
fn streamed(upstream: &Upstream, lines: &str, door: &str) -> Vec<u8> {
    let from = upstream.dialect();
    let mut translator =
        StreamTranslator::new(from, &upstream.quirks(), dialect(door), true).known(&KNOWN);
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
        _ => translated(
            upstream.dialect(),
            &upstream.quirks(),
            text.as_bytes(),
            dialect(door),
            &KNOWN,
        )
        .expect("a good answer"),
    }
}

#[test]
fn every_client_is_told_what_the_golden_files_say() {
    for (case, answered) in cases("answered.txt") {
        for door in DOORS {
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

/// What a client of `door` understands of what it reads.
fn understood(heading: &str, bytes: &[u8], door: &str) -> Meaning {
    let (quirks, door) = (Quirks::default(), dialect(door));
    match heading.ends_with(" whole") {
        true => of_whole(door, &quirks, bytes),
        false => of_stream(door, &quirks, bytes, 97),
    }
}

#[test]
fn every_client_understands_the_same_whoever_answered() {
    for (case, answered) in cases("answered.txt") {
        let (first, text) = &answered[0];
        let expected = understood(first, &told(first, text, "openai_chat"), "openai_chat");
        for (heading, text) in &answered {
            for door in DOORS {
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
