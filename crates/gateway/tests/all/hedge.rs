//! Hedging and early headers: what a slow first content leads to.
//!
//! A hedge keeps whoever speaks first; the other is cancelled at once and booked as `hedge`, and
//! there are never more hedges than the budget allows. Early headers commit the status and nothing
//! else: fallback goes on behind them.

use std::time::Duration;

use serde_json::json;
use sim::{Ending, MemoryPeer, Rule};
use tokio::time::Instant;

use crate::harness::{Place, Setup, Stage, ask};

fn hedging(max_extra: &str) -> Setup {
    let hedge = format!("hedge: {{ enabled: true, after: 500ms, max_extra: {max_extra} }}");
    Setup { group: format!("failover: {{ {hedge} }}"), ..Setup::default() }
}

fn words(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let owned = |one: &(&str, &str, &str)| (one.0.to_owned(), one.1.to_owned(), one.2.to_owned());
    list.iter().map(owned).collect()
}

fn millis(micros: u64) -> u64 {
    micros / 1_000
}

#[tokio::test(start_paused = true)]
async fn the_slower_deployment_is_cancelled_and_booked_as_a_hedge() {
    for stream in [true, false] {
        let stage = hedging("100%").start().await;
        stage.fault("f12:3000ms");
        let reply = stage.ask(&ask("pair").streamed(stream)).await;
        reply.assert_complete();
        assert_eq!(reply.header("x-weighbridge-model"), "b/m");
        assert_eq!(reply.header("x-weighbridge-attempts"), "2");
        assert_eq!(millis_of(reply.first_byte), 500);
        assert_eq!(
            stage.attempts(),
            words(&[("a/m", "hedge_lost", "hedge"), ("b/m", "ok", "final")])
        );
        stage.quiet().await;
        let loser = stage.asked("a").pop().unwrap();
        let winner = stage.asked("b").pop().unwrap();
        assert_eq!(loser.ending, Ending::ClientGone);
        let lag = loser.disconnected_us.unwrap() - winner.first_byte_us.unwrap();
        assert!(millis(lag) <= 50, "cancelled after {lag} us");
        assert_eq!(stage.strikes("a"), 0, "to be slow is no fault");
    }
}

fn millis_of(span: Duration) -> u128 {
    span.as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_loses_leaves_the_answer_of_the_first() {
    for stream in [true, false] {
        let stage = hedging("100%").start().await;
        stage.script(vec![Rule::always("f12:800ms").at("a"), Rule::always("f12:3000ms").at("b")]);
        let plain = ask("pair").streamed(stream);
        let reply = stage.ask(&plain.with("max_tokens", json!(20))).await;
        assert_eq!(reply.status, 200, "{}", reply.raw());
        assert_eq!(reply.header("x-weighbridge-model"), "a/m");
        assert_eq!(reply.header("x-weighbridge-fallback-from"), "", "nothing was fallen back from");
        assert_eq!(
            stage.attempts(),
            words(&[("a/m", "ok", "final"), ("b/m", "hedge_lost", "hedge")])
        );
        let line = stage.last_request();
        assert!(line["notes"].is_null(), "the usage of the winner was found: {line}");
        assert_eq!(line["attempts"][0]["output_tokens"], 20);
        assert_eq!(line["attempts"][1]["output_tokens"], 0);
        assert_eq!(stage.lines("fallback").len(), 0);
        stage.quiet().await;
        assert_eq!(stage.asked("b").pop().unwrap().ending, Ending::ClientGone);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_never_sent_costs_nothing() {
    let place_b = Some(Place::Peer(MemoryPeer::BlackHole));
    let stage = Setup { place_b, ..hedging("100%") }.start().await;
    stage.fault("f12:800ms");
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    reply.assert_complete();
    assert_eq!(stage.attempts(), words(&[("a/m", "ok", "final"), ("b/m", "hedge_lost", "hedge")]));
    assert_eq!(stage.last_request()["attempts"][1]["cost_nanousd"], 0);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_on_when_the_first_fails_and_the_first_when_the_hedge_fails() {
    let stage = hedging("100%").start().await;
    stage.script(vec![
        Rule::always("f11:1").at("a").times(0),
        Rule::always("f08").at("a").times(1),
        Rule::always("f12:4700ms").at("b").times(1),
    ]);
    // A stays silent for 5 s, B speaks 5.2 s after the question.
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    reply.assert_complete();
    assert_eq!(
        stage.attempts(),
        words(&[("a/m", "first_token_timeout", "uncertain"), ("b/m", "ok", "final")])
    );
    stage.script(vec![Rule::always("f12:1000ms").at("a"), Rule::always("f18-502").at("b")]);
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    reply.assert_complete();
    assert_eq!(stage.attempts(), words(&[("a/m", "ok", "final"), ("b/m", "5xx", "uncertain")]));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_quick_answer_is_never_hedged() {
    let stage = hedging("100%").start().await;
    for _ in 0..20 {
        stage.ask(&ask("pair")).await.assert_complete();
    }
    assert_eq!(stage.counts(), (20, 0));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn hedges_stay_within_their_share_of_the_requests() {
    let stage = hedging("5%").start().await;
    stage.fault("f12:3000ms");
    for _ in 0..100 {
        stage.ask(&ask("pair")).await.assert_complete();
    }
    let (first, hedges) = stage.counts();
    assert_eq!(first, 100);
    assert!((1..=6).contains(&hedges), "{hedges} hedges");
    let lost = stage
        .lines("request")
        .iter()
        .filter(|line| line["attempts"][0]["ledger"] == "hedge")
        .count();
    assert_eq!(lost, hedges);
    stage.quiet().await;
}

fn early() -> Setup {
    let top = "timeouts: { early_headers_after: 3s, keep_alive_every: 1s }".to_owned();
    Setup { top, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn headers_leave_early_and_fallback_goes_on_behind_them() {
    let stage = early().start().await;
    stage.fault("f10");
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    assert_eq!(millis_of(reply.head_after), 3_000);
    reply.assert_complete();
    assert!(reply.raw().starts_with(": keep-alive\n\n: keep-alive\n\n"), "{}", reply.raw());
    assert!(reply.raw().contains("model=b/m attempts=2"), "{}", reply.raw());
    assert_eq!(millis_of(reply.elapsed), 5_000);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn after_early_headers_a_failure_is_told_in_the_stream() {
    let stage = early().start().await;
    stage.script(vec![Rule::always("f08")]);
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    assert_eq!((reply.status, millis_of(reply.head_after)), (200, 3_000));
    assert_eq!(reply.in_band_error(), "first_token_timeout", "{}", reply.raw());
    assert_eq!(reply.dones(), 0);
    assert_eq!(reply.text(), "");
    let line = stage.last_request();
    assert_eq!(
        (&line["code"], &line["outcome"]),
        (&"first_token_timeout".into(), &"first_token_timeout".into())
    );
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_unstreamed_request_has_no_early_headers() {
    let stage = early().start().await;
    stage.fault("f08");
    let reply = stage.ask(&ask("pair")).await;
    assert_eq!(millis_of(reply.head_after), 5_000);
    reply.assert_from_b("first_token_timeout", "2");
    stage.quiet().await;
}

/// The upstream was left within a quarter of a second, and the books agree.
async fn assert_cancelled(stage: &Stage, left: Instant, ledger: &str) {
    stage.quiet().await;
    let entry = stage.asked("a").pop().unwrap();
    assert_eq!(entry.ending, Ending::ClientGone);
    let at = stage.sim.birth() + Duration::from_micros(entry.disconnected_us.unwrap());
    let lag = at.saturating_duration_since(left);
    assert!(lag <= Duration::from_millis(250), "{lag:?}");
    assert_eq!(stage.attempts(), words(&[("a/m", "client_gone", ledger)]));
    let line = stage.last_request();
    assert_eq!((&line["outcome"], &line["status"]), (&"client_gone".into(), &499.into()));
    assert_eq!(stage.strikes("a"), 0, "a client that leaves is no fault of the provider");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_first_token_cancels_the_upstream() {
    for fault in ["f08", "f10", "f11:100", "f09"] {
        for stream in [true, false] {
            println!("{fault} {stream}");
            let stage = Stage::with_fault(fault).await;
            let asked = ask("pair").streamed(stream);
            let wait = tokio::time::timeout(Duration::from_secs(1), stage.begin(&asked)).await;
            assert!(wait.is_err(), "nothing has come yet");
            assert_cancelled(&stage, Instant::now(), "uncertain").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_a_retry_keeps_nothing_of_its_budget() {
    let stage = Stage::with_fault("f18").await;
    let wait = Duration::from_millis(40);
    let left = tokio::time::timeout(wait, stage.begin(&ask("pair"))).await;
    assert!(left.is_err(), "a retry comes after 50 ms at the soonest");
    stage.quiet().await;
    assert_eq!(stage.attempts(), words(&[("a/m", "5xx", "uncertain")]));
    assert_eq!(stage.last_request()["status"], 499);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_after_early_headers_cancels_the_upstream() {
    let stage = early().start().await;
    stage.fault("f10");
    let mut live = stage.begin(&ask("pair").streamed(true)).await;
    live.next().await.unwrap().unwrap();
    drop(live);
    let left = Instant::now();
    assert_cancelled(&stage, left, "uncertain").await;
}

fn paced() -> Setup {
    let gap = sim::Delay::Fixed(Duration::from_millis(100));
    Setup { pace: sim::Profile { gap, ..sim::Profile::default() }, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_stream_cancels_the_upstream() {
    let stage = paced().start().await;
    let mut live = stage.begin(&ask("pair").streamed(true)).await;
    for _ in 0..10 {
        live.next().await.unwrap().unwrap();
    }
    drop(live);
    let left = Instant::now();
    assert_cancelled(&stage, left, "interrupted").await;
    let line = stage.last_request();
    let tokens = line["attempts"][0]["output_tokens"].as_u64().unwrap();
    assert!((5..40).contains(&tokens), "what was delivered is booked: {line}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_its_unstreamed_request_cancels_the_upstream() {
    let stage = paced().start().await;
    let asked = ask("pair");
    let wait = tokio::time::timeout(Duration::from_secs(2), stage.begin(&asked)).await;
    assert!(wait.is_err(), "the answer takes six seconds");
    assert_cancelled(&stage, Instant::now(), "uncertain").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_holds_the_upstream_back_and_is_cut() {
    let models =
        "m-tokens-100000: { input: $1, output: $2, context: 100000, max_output: 4096 }".to_owned();
    let stage = Setup { models, ..Setup::default() }.start().await;
    let started = Instant::now();
    let live = stage.begin(&ask("a/m-tokens-100000").streamed(true)).await;
    while stage.asked("a").iter().any(|entry| entry.ending == Ending::Running) {
        assert!(started.elapsed() < Duration::from_secs(60), "it was never cut");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let held = started.elapsed();
    assert!((29..32).contains(&held.as_secs()), "cut after {held:?}");
    let entry = stage.asked("a").pop().unwrap();
    assert_eq!(entry.ending, Ending::ClientGone);
    // Two pipes of 64 KiB and what lies between them; the answer has some 20 MB.
    assert!(entry.bytes_sent < 512 << 10, "{} bytes were pulled", entry.bytes_sent);
    drop(live);
    stage.quiet().await;
    assert_eq!(stage.last_request()["outcome"], "client_gone");
}

#[tokio::test(start_paused = true)]
async fn time_spent_waiting_for_the_client_is_no_silence_of_the_upstream() {
    let models = "m-tokens-3000: { input: $1, output: $2, context: 100000, max_output: 4096 }";
    let stage = Setup { models: models.to_owned(), ..Setup::default() }.start().await;
    let live = stage.begin(&ask("a/m-tokens-3000").streamed(true)).await;
    // Longer than `read`, shorter than `stalled_client`.
    tokio::time::sleep(Duration::from_secs(25)).await;
    let reply = live.whole().await;
    reply.assert_complete();
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_holds_while_an_answer_is_continued() {
    let row = "input: $1, output: $2, context: 100000, max_output: 4096";
    let models =
        format!("m-tokens-3000-prefill: {{ {row}, prefill: true }}, m-tokens-3000: {{ {row} }}");
    for second in ["b/m-tokens-3000-prefill", "b/m-tokens-3000"] {
        let groups = format!(
            "  long: {{ deployments: [a/m-tokens-3000, {second}], failover: {{ mid_stream: continue }} }}\n"
        );
        let stage = Setup { models: models.clone(), groups, ..Setup::default() }.start().await;
        stage.fault("f21:300");
        let live = stage.begin(&ask("long").streamed(true)).await;
        tokio::time::sleep(Duration::from_secs(25)).await;
        let reply = live.whole().await;
        reply.assert_complete();
        assert_eq!(reply.chunks().len(), 3_002, "role, tokens, finish");
        stage.quiet().await;
        assert_eq!(stage.strikes("b"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_a_hedge_cancels_both() {
    let stage = hedging("100%").start().await;
    stage.script(vec![Rule::always("f08")]);
    let asked = ask("pair").streamed(true);
    let wait = tokio::time::timeout(Duration::from_secs(2), stage.begin(&asked)).await;
    assert!(wait.is_err());
    stage.quiet().await;
    assert_eq!(stage.counts(), (1, 1));
    let gone = |lane| (lane, "client_gone", "uncertain");
    assert_eq!(stage.attempts(), words(&[gone("a/m"), gone("b/m")]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_everything() {
    let models =
        "m-tokens-3000: { input: $1, output: $2, context: 100000, max_output: 4096 }".to_owned();
    let stage = Setup { models, ..Setup::default() }.start().await;
    let mut live = stage.begin(&ask("a/m-tokens-3000").streamed(true)).await;
    let mut read = Vec::new();
    while let Some(next) = live.next().await {
        read.extend_from_slice(&next.unwrap());
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let text = String::from_utf8(read).unwrap();
    assert!(text.trim_end().ends_with("data: [DONE]"));
    assert_eq!(
        text.matches("\"content\":\"").count(),
        3_001,
        "an empty one with the role, and the tokens"
    );
    drop(live);
    stage.quiet().await;
    assert_eq!(stage.last_request()["outcome"], "ok");
}
