//! F21 to F29, F37, F40, F41: streams that break, and streams that are only odd.
//!
//! After the first content nothing is switched silently: the client keeps what it got, is told in
//! band that it is not everything, and never sees an end mark.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::row::{DIALECTS, LABELLED, OUTSPOKEN, Row, TEXTUAL};
use crate::harness::{Place, Reply, Setup, Stage, ask};

/// The text both providers say to the usual question.
async fn whole_text(stage: &Stage) -> String {
    stage.ask(&ask("b/m")).await.text()
}

/// A cut answer: a beginning of the whole text, an error in band, no end mark, no help from B.
fn assert_cut(reply: &Reply, whole: &str, code: &str) {
    assert_eq!(reply.status, 200, "{}", reply.raw());
    let text = reply.text();
    assert!(!text.is_empty() && text.len() < whole.len() && whole.starts_with(&text), "{text}");
    assert_eq!(reply.in_band_error(), code, "{}", reply.raw());
    assert_eq!((reply.dones(), reply.finish_reason().as_str()), (0, ""));
    assert!(!reply.broken, "the stream itself ends in order");
}

/// What remains of a stream from A that broke after content.
async fn assert_booked_as_interrupted(stage: &Stage, reason: &str, counted: bool) {
    let booked = ("a/m".to_owned(), reason.to_owned(), "interrupted".to_owned());
    assert_eq!(stage.attempts(), [booked], "{}", stage.last_request());
    assert_eq!(stage.last_request()["outcome"], reason);
    stage.quiet().await;
    let entry = stage.books.entries().pop().unwrap();
    assert!(entry.usage.input > 0 && entry.usage.output > 0, "{entry:?}");
    let charged =
        stage.sim.bill().rows.iter().rfind(|row| row.provider == "a").unwrap().cost_nanousd;
    let booked = entry.cost.as_nanousd();
    assert!(booked * 10 >= charged * 9, "LOC is near the truth: {booked} for {charged}");
    assert_eq!(stage.strikes("a"), if counted { 2 } else { 1 });
}

/// The dialects in which a fault is played, and what becomes of it.
struct Break {
    fault: &'static str,
    dialects: &'static [&'static str],
    reason: &'static str,
    code: &'static str,
    /// When the client is told.
    at: Duration,
}

const CUT: Break = Break {
    fault: "f21",
    dialects: DIALECTS,
    reason: "interrupted",
    code: "stream_interrupted",
    at: Duration::ZERO,
};

async fn breaks_after_content(story: Break) {
    let Break { fault, dialects, reason, code, at } = story;
    for dialect in dialects {
        for group in ["pair", "solo"] {
            println!("{fault} {dialect} {group}");
            let stage = Setup::dialect(dialect).start().await;
            let whole = whole_text(&stage).await;
            stage.fault(fault);
            stage.strike("a");
            let reply = stage.ask(&ask(group).streamed(true)).await;
            assert_cut(&reply, &whole, code);
            let late = reply.elapsed.saturating_sub(at);
            assert!(
                reply.elapsed >= at && late <= Duration::from_millis(100),
                "{:?}",
                reply.elapsed
            );
            assert_eq!(stage.counts(), (1, 1), "B is not asked but for the whole text");
            assert_booked_as_interrupted(&stage, reason, true).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f21_a_stream_cut_after_content_ends_in_an_honest_error() {
    breaks_after_content(CUT).await;
}

#[tokio::test(start_paused = true)]
async fn f22_a_stream_reset_after_content_ends_in_an_honest_error() {
    breaks_after_content(Break { fault: "f22", ..CUT }).await;
}

#[tokio::test(start_paused = true)]
async fn f23_a_stalled_stream_ends_in_an_honest_error_after_ten_seconds() {
    let at = Duration::from_secs(10);
    breaks_after_content(Break { fault: "f23", reason: "read_idle", at, ..CUT }).await;
}

/// A client that asked for the answer whole has seen nothing of it yet, so B can still give it.
#[tokio::test(start_paused = true)]
async fn f21_to_f23_before_the_client_saw_anything_fall_back() {
    let whole = Row { streams: &[false], unstreamed: false, ..Row::UNCERTAIN };
    let code = |code| (502, "upstream_error", code);
    let cut = Row { reason: "interrupted", solo: code("stream_interrupted"), ..whole.clone() };
    Row { fault: "f21", ..cut.clone() }.check().await;
    Row { fault: "f22", ..cut }.check().await;
    let stalled = Row { reason: "read_idle", solo: code("stream_interrupted"), ..whole };
    Row { fault: "f23", within: (10_000, 10_100), ..stalled }.check().await;
}

/// The nearest things that can happen to an answer that was never to be a stream.
#[tokio::test(start_paused = true)]
async fn f21_to_f25_of_an_unstreamed_call_are_faults_of_its_body() {
    for (fault, reason, code) in [
        ("f21", "truncated", "upstream_invalid_response"),
        ("f22", "truncated", "upstream_invalid_response"),
        ("f24", "truncated", "upstream_invalid_response"),
        ("f25-first", "error_in_200", "upstream_error"),
    ] {
        let dialects = if fault == "f25-first" { LABELLED } else { DIALECTS };
        let row = Row { fault, dialects, streams: &[], reason, ..Row::UNCERTAIN };
        Row { solo: (502, "upstream_error", code), ..row }.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn f24_a_stream_cut_before_content_falls_back_with_one_role_chunk() {
    Row {
        fault: "f24",
        unstreamed: false,
        reason: "reset",
        solo: (502, "upstream_error", "upstream_reset"),
        ..Row::UNCERTAIN
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f25_an_error_as_first_event_falls_back() {
    Row {
        fault: "f25-first",
        dialects: OUTSPOKEN,
        unstreamed: false,
        reason: "in_band_error",
        solo: (502, "upstream_error", "upstream_5xx"),
        ..Row::UNCERTAIN
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f25_an_overloaded_upstream_may_say_so_in_the_stream() {
    Row {
        fault: "f25-first:529",
        unstreamed: false,
        dialects: &["anthropic_messages"],
        reason: "in_band_error",
        solo: (503, "upstream_error", "upstream_overloaded"),
        retry_after: Some("1"),
        ..Row::UNCERTAIN
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f25_an_error_after_content_is_told_in_band() {
    let told = Break { reason: "in_band_error", code: "upstream_5xx", ..CUT };
    breaks_after_content(Break { fault: "f25-after", dialects: OUTSPOKEN, ..told }).await;
}

/// An odd but complete stream: the whole text from A, ended in order, booked by A's usage.
async fn is_borne(fault: &str, dialects: &[&'static str]) {
    for dialect in dialects {
        for stream in [true, false] {
            println!("{fault} {dialect} stream={stream}");
            let stage = Setup::dialect(dialect).start().await;
            let whole = whole_text(&stage).await;
            let bill = stage.sim.bill().total_nanousd;
            stage.fault(fault);
            stage.strike("a");
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            reply.assert_complete();
            assert_eq!(reply.header("x-weighbridge-model"), "a/m");
            assert_eq!(reply.text(), whole);
            assert_eq!(stage.counts(), (1, 1), "B is asked only for the whole text");
            stage.quiet().await;
            let entry = stage.books.entries().pop().unwrap();
            assert_eq!(entry.kind.name(), "final");
            assert_eq!(entry.cost.as_nanousd(), stage.sim.bill().total_nanousd - bill, "USE");
            assert_eq!(stage.strikes("a"), 0, "a success resets");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f26_one_malformed_event_is_dropped_and_counted() {
    is_borne("f26", TEXTUAL).await;
    for stream in [true, false] {
        let stage = Stage::with_fault("f26").await;
        stage.ask(&ask("pair").streamed(stream)).await;
        assert_eq!(stage.last_request()["malformed_events"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn f27_a_stream_of_single_bytes_gives_the_same_text() {
    for dialect in DIALECTS {
        let stage = Setup::dialect(dialect).start().await;
        stage.fault("f27");
        let streamed = stage.ask(&ask("pair").streamed(true)).await;
        let whole = stage.ask(&ask("pair")).await;
        streamed.assert_complete();
        whole.assert_complete();
        assert_eq!(streamed.text(), whole.text());
        assert!(!whole.text().is_ascii() && !whole.text().contains('\u{fffd}'));
        assert_eq!(stage.counts(), (2, 0));
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 0);
    }
}

/// What the simulator sent is what the client got, but for the comment with the cost.
#[tokio::test(start_paused = true)]
async fn f27_and_f28_are_relayed_byte_for_byte_in_the_same_dialect() {
    for fault in ["f27", "f28"] {
        let stage = Stage::with_fault(fault).await;
        let usage = json!({ "include_usage": true });
        let reply = stage.ask(&ask("pair").streamed(true).with("stream_options", usage)).await;
        let sent = stage.asked("a").pop().unwrap();
        let raw = &reply.body[..];
        let at = raw.windows(13).position(|w| w == b": weighbridge").unwrap();
        let end = at + raw[at..].windows(2).position(|w| w == b"\n\n").unwrap() + 2;
        let relayed = [&raw[..at], &raw[end..]].concat();
        assert_eq!(relayed.len() as u64, sent.bytes_sent, "{fault}");
        assert_eq!(sim::fnv1a(&relayed), sent.sent_hash, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn f28_every_legal_spelling_of_an_event_is_read() {
    is_borne("f28", DIALECTS).await;
}

#[tokio::test(start_paused = true)]
async fn f29_a_missing_end_mark_is_added() {
    is_borne("f29", DIALECTS).await;
    for (dialect, fault, noted) in [
        ("openai_chat", "f29", true),
        ("anthropic_messages", "f29", true),
        // A Gemini stream has no end mark that could be missing.
        ("gemini", "f29", false),
        ("anthropic_messages", "none", false),
    ] {
        let stage = Setup::dialect(dialect).start().await;
        stage.fault(fault);
        stage.ask(&ask("pair").streamed(true)).await;
        let notes = stage.last_request()["notes"].clone();
        assert_eq!(notes == json!(["missing_done"]), noted, "{dialect} {fault}: {notes}");
    }
}

/// Two alternatives of which only the first has ended.
fn half_of_two(ending: &'static str) -> Setup {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                        connection: close\r\n\r\n";
    let choice = |index: u32, delta: Value, reason: Value| {
        let choice = json!({ "index": index, "delta": delta, "finish_reason": reason });
        format!("data: {}\n\n", json!({ "id": "x", "model": "m", "choices": [choice] }))
    };
    let pieces: Vec<Bytes> = vec![
        HEAD.into(),
        choice(0, json!({ "role": "assistant", "content": "One." }), Value::Null).into(),
        choice(1, json!({ "role": "assistant", "content": "Two" }), Value::Null).into(),
        choice(0, json!({}), json!("stop")).into(),
        ending.into(),
    ];
    Setup { place_a: Some(Place::Raw(pieces.into())), ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn f29_an_alternative_without_a_finish_reason_is_a_cut_answer() {
    let two = ask("pair").streamed(true).with("n", json!(2));
    let stage = half_of_two("").start().await;
    let reply = stage.ask(&two).await;
    assert_eq!((reply.in_band_error().as_str(), reply.dones()), ("stream_interrupted", 0));
    stage.quiet().await;
    let one = ask("pair").streamed(true);
    let stage = half_of_two("").start().await;
    assert_eq!(stage.ask(&one).await.dones(), 1, "of one alternative the end was told");
    let stage = half_of_two("data: [DONE]\n\n").start().await;
    assert_eq!(stage.ask(&two).await.dones(), 1, "the provider says that this is all");
}

#[tokio::test(start_paused = true)]
async fn f37_json_in_place_of_a_stream_is_converted() {
    is_borne("f37", DIALECTS).await;
}

#[tokio::test(start_paused = true)]
async fn f37_a_stream_in_place_of_json_is_converted() {
    for dialect in DIALECTS {
        let group = "upstream_stream: never".to_owned();
        let stage = Setup { group, ..Setup::dialect(dialect) }.start().await;
        stage.fault("f37");
        let reply = stage.ask(&ask("pair")).await;
        reply.assert_complete();
        assert_eq!(stage.counts(), (1, 0), "{}", stage.last_request());
        assert!(!stage.asked("a")[0].stream, "A was asked for JSON");
        assert_eq!(reply.text(), whole_text(&stage).await);
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn f40_an_endless_stream_is_cut_at_the_total_time() {
    for dialect in DIALECTS {
        let top = "timeouts: { total: 300s }".to_owned();
        let stage = Setup { top, ..Setup::dialect(dialect) }.start().await;
        stage.fault("f40");
        stage.strike("a");
        let reply = stage.ask(&ask("pair").streamed(true)).await;
        assert_eq!(reply.elapsed.as_secs(), 300);
        assert_eq!((reply.in_band_error().as_str(), reply.dones()), ("request_timeout", 0));
        assert_eq!(stage.counts(), (1, 0), "no time is left for B");
        assert_booked_as_interrupted(&stage, "total_timeout", false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f40_an_endless_answer_that_is_wanted_whole_ends_in_an_error() {
    let top = "timeouts: { total: 300s }".to_owned();
    let stage = Setup { top, ..Setup::default() }.start().await;
    stage.fault("f40");
    stage.strike("a");
    let reply = stage.ask(&ask("pair")).await;
    assert_eq!(reply.error(), (504, "timeout_error".to_owned(), "request_timeout".to_owned()));
    assert_eq!((reply.elapsed.as_secs(), stage.counts()), (300, (1, 0)));
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 1);
}

#[tokio::test(start_paused = true)]
async fn f40_a_client_may_ask_for_less_time() {
    let stage = Stage::with_fault("f40").await;
    let question = ask("pair").streamed(true).header("x-weighbridge-timeout", "20s");
    let reply = stage.ask(&question).await;
    assert_eq!((reply.elapsed.as_secs(), reply.dones()), (20, 0));
    assert_eq!(reply.in_band_error(), "request_timeout");
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 0);
}

/// The simulator would send 64 MiB; reading stops soon after the bound.
fn assert_cut_at_16_mib(stage: &Stage) {
    let sent = stage.asked("a").iter().map(|entry| entry.bytes_sent).max().unwrap();
    assert!((16 << 20..18 << 20).contains(&sent), "{sent} bytes");
}

#[tokio::test(start_paused = true)]
async fn f41_an_endless_line_before_content_falls_back_at_16_mib() {
    for stream in [true, false] {
        let stage = Stage::with_fault("f41-first").await;
        stage.strike("a");
        stage.ask(&ask("pair").streamed(stream)).await.assert_from_b("event_too_large", "2");
        assert_eq!(stage.attempts()[0].2, "uncertain");
        assert_cut_at_16_mib(&stage);
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn f41_an_endless_line_after_content_interrupts_at_16_mib() {
    let stage = Stage::with_fault("f41-after").await;
    let whole = whole_text(&stage).await;
    stage.strike("a");
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    assert_cut(&reply, &whole, "upstream_response_too_large");
    assert_cut_at_16_mib(&stage);
    assert_booked_as_interrupted(&stage, "event_too_large", true).await;
}
