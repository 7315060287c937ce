//! What each upstream's failures mean, and how our own errors read in each dialect.

use super::folder::{cases, check, shown};
use super::{DOORS, Upstream};
use crate::meaning::{framed, stream_bytes};
use crate::samples::dialect;
use wire::classify::{Sighting, classify, classify_reported};
use wire::error::Problem;
use wire::hub::{Event, StopReason};

/// The provider's id: the first word of the name.
fn provider(upstream: &Upstream) -> &str {
    upstream.name.split('_').next().unwrap_or_default()
}

fn of_body(upstream: &Upstream, status: u16, body: &str) -> String {
    let verdict = classify(&Sighting {
        provider: provider(upstream),
        dialect: upstream.dialect,
        status,
        header: &|_| None,
        body: body.trim_end().as_bytes(),
        now_unix_ms: 0,
    });
    let wait = verdict.retry_after_ms;
    let rule = verdict.rule.unwrap_or("none");
    format!("{:?} by {rule}, wait {wait:?}\n{:?}\n", verdict.class, verdict.reported)
}

fn of_stream(upstream: &Upstream, lines: &str) -> String {
    let from = upstream.dialect();
    let mut decoder = (from.decode_events)(&upstream.quirks());
    let mut meter = (from.meter)(&upstream.quirks());
    let (mut events, mut metered) = (Vec::new(), None);
    for (name, data) in framed(from.framing, &stream_bytes(from.framing, lines), 61) {
        decoder.event(name.as_deref(), &data, &mut events).expect("a good event");
        let seen = meter.event(name.as_deref(), &data).expect("a good event");
        metered = seen.error.or(metered);
    }
    decoder.end(&mut events);
    let reported = events.iter().find_map(|event| match event {
        Event::Error(reported) => Some(reported.clone()),
        _ => None,
    });
    assert_eq!(metered, reported, "{}: the meter and the reader", upstream.name);
    let Some(reported) = reported else {
        let stop = events.iter().find(
            |event| matches!(event, Event::Stop { stop, .. } if stop.reason == StopReason::Error),
        );
        return format!("{:?}\n", stop.expect(upstream.name));
    };
    let (class, wait) = classify_reported(provider(upstream), upstream.dialect, 200, &reported);
    format!("{class:?}, wait {wait:?}\n{reported:?}\n")
}

#[test]
fn every_failure_of_an_upstream_means_what_the_golden_file_says() {
    for (case, reported) in cases("reported.txt") {
        let sections = reported.iter().map(|(heading, text)| {
            let (name, kind) = heading.split_once(' ').expect("an upstream and a kind");
            let upstream = Upstream::named(name);
            let meant = match kind.parse() {
                Ok(status) => of_body(upstream, status, text),
                Err(_) => of_stream(upstream, text),
            };
            (heading.clone(), meant)
        });
        check(&case, "meant.txt", sections.collect());
    }
}

#[test]
fn our_errors_read_in_every_dialect_as_the_golden_file_says() {
    let problem = Problem {
        status: 429,
        kind: "rate_limit_error",
        code: "budget_exceeded",
        message: "The budget is \"used up\".",
        param: None,
        request_id: Some("req-1"),
    };
    let interrupted = Problem {
        status: 502,
        kind: "server_error",
        code: "stream_interrupted",
        message: "The stream broke.",
        param: None,
        request_id: None,
    };
    let mut sections = Vec::new();
    for door in DOORS {
        let body = (dialect(door).encode_error)(&problem);
        sections.push((format!("{door} body"), shown(&body)));
        let stream = (dialect(door).encode_stream_error)(&interrupted);
        let stream = String::from_utf8(stream).expect("UTF-8");
        sections.push((format!("{door} stream"), stream));
    }
    check("errors", "worded.txt", sections);
}
