//! F20, F46, F47 and F51: what takes several requests, or several upstreams, to see.

use std::time::Duration;

use futures_util::future::join_all;
use route::State;
use serde_json::json;
use sim::{Delay, MemoryPeer, Profile, Rule};
use tokio::time::sleep;

use super::row::peer;
use crate::harness::{Setup, Stage, ask};

/// Answers take a fifth of a second, so that concurrent requests are really concurrent.
fn slow() -> Setup {
    let ttft = Delay::Fixed(Duration::from_millis(200));
    Setup { pace: Profile { ttft, gap: Delay::Zero }, ..Setup::default() }.usual_breaker()
}

/// A stage whose breaker of A has just opened.
async fn tripped(failures: u64) -> Stage {
    let stage = slow().start().await;
    stage.script(vec![Rule::always("f18-502").at("a").times(failures)]);
    for _ in 0..3 {
        stage.ask(&ask("pair")).await.assert_from_b("5xx", "2");
    }
    assert_eq!((stage.state("a"), stage.counts()), (State::Open, (3, 3)));
    stage
}

#[tokio::test(start_paused = true)]
async fn f20_after_three_failures_a_gets_nothing_for_thirty_seconds() {
    let stage = tripped(3).await;
    let connections = stage.hosts.connects("a.sim");
    // The third failure is two fifths of a second ago: a slow answer of each.
    for wait in [0, 10_000, 19_000] {
        sleep(Duration::from_millis(wait)).await;
        let reply = stage.ask(&ask("pair").streamed(true)).await;
        reply.assert_from_b("breaker_open", "1");
        assert_eq!(stage.asked("a").len(), 3, "not a byte goes to A");
    }
    assert_eq!(stage.hosts.connects("a.sim"), connections);
    stage.quiet().await;
}

async fn crowd(stage: &Stage) -> usize {
    let before = stage.asked("a").len();
    let question = ask("pair").streamed(true);
    for reply in join_all((0..100).map(|_| stage.ask(&question))).await {
        reply.assert_complete();
    }
    stage.asked("a").len() - before
}

#[tokio::test(start_paused = true)]
async fn f20_after_thirty_seconds_exactly_one_of_a_hundred_probes_and_heals() {
    let stage = tripped(3).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.state("a"), State::HalfOpen);
    assert_eq!(crowd(&stage).await, 1);
    assert_eq!(stage.state("a"), State::Closed);
    assert_eq!(crowd(&stage).await, 100, "A is back");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f20_a_failed_probe_opens_for_another_thirty_seconds() {
    let stage = tripped(4).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(crowd(&stage).await, 1);
    assert_eq!(stage.state("a"), State::Open);
    sleep(Duration::from_secs(29)).await;
    assert_eq!(crowd(&stage).await, 0);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(crowd(&stage).await, 1);
    assert_eq!(stage.state("a"), State::Closed);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f20_a_success_between_failures_keeps_the_breaker_closed() {
    let stage = Setup::default().usual_breaker().start().await;
    stage.script(vec![
        Rule { every: 3, ..Rule::always("none") }.at("a"),
        Rule::always("f18-502").at("a"),
    ]);
    for _ in 0..30 {
        stage.ask(&ask("pair")).await.assert_complete();
    }
    assert_eq!((stage.state("a"), stage.asked("a").len()), (State::Closed, 30));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f20_with_every_breaker_open_the_client_is_told_when_to_come_back() {
    let stage = Setup::default().usual_breaker().start().await;
    for provider in ["a", "b"] {
        for _ in 0..3 {
            stage.strike(provider);
        }
    }
    sleep(Duration::from_secs(10)).await;
    let reply = stage.ask(&ask("pair")).await;
    let told = (503, "upstream_error".to_owned(), "all_upstreams_unavailable".to_owned());
    assert_eq!(reply.error(), told);
    assert_eq!(reply.header("retry-after"), "20");
    assert_eq!(stage.counts(), (0, 0));
    assert!(stage.metrics().contains("weighbridge_fallback_cascades_total 1"));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f46_a_connection_that_closes_as_it_is_used_is_replaced_unseen() {
    for fault in ["f46", "f46-reset"] {
        for stream in [false, true] {
            let stage = Stage::new().await;
            stage.script(vec![Rule::always(fault).at("a").times(1)]);
            stage.ask(&ask("pair")).await.assert_complete();
            stage.strike("a");
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            reply.assert_complete();
            assert_eq!(reply.header("x-weighbridge-model"), "a/m");
            assert_eq!(reply.header("x-weighbridge-attempts"), "1");
            assert_eq!(stage.counts(), (2, 0));
            assert_eq!(stage.last_request()["notes"], json!(["pool_race"]));
            assert_eq!(stage.hosts.connects("a.sim"), 2, "on a new connection");
            stage.quiet().await;
            let booked: i64 = stage.books.entries().iter().map(|e| e.cost.as_nanousd()).sum();
            assert_eq!(booked, stage.sim.bill().total_nanousd, "USE, once");
            assert_eq!(stage.strikes("a"), 0);
        }
    }
}

/// A speaks HTTP/2 without TLS.
async fn http2(rule: Rule) -> Stage {
    let stage = Setup { keys_a: "http2: true".to_owned(), ..Setup::default() }.start().await;
    stage.ask(&ask("pair")).await.assert_complete();
    assert_eq!(stage.asked("a")[0].protocol, "h2");
    stage.script(vec![rule.at("a")]);
    stage.strike("a");
    stage
}

#[tokio::test(start_paused = true)]
async fn f47_a_request_that_http2_did_not_process_is_sent_again_unseen() {
    for fault in ["f47", "f47-goaway", "f47-refused"] {
        for stream in [false, true] {
            println!("{fault} stream={stream}");
            let stage = http2(Rule::always(fault).times(1)).await;
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            reply.assert_complete();
            assert_eq!(reply.header("x-weighbridge-model"), "a/m");
            assert_eq!(reply.header("x-weighbridge-attempts"), "1");
            assert_eq!(stage.counts(), (3, 0));
            stage.quiet().await;
            assert_eq!(stage.strikes("a"), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f47_an_upstream_that_processes_nothing_is_left_uncounted() {
    for fault in ["f47-goaway", "f47-refused"] {
        for stream in [false, true] {
            println!("{fault} stream={stream}");
            let stage = http2(Rule::always(fault)).await;
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            assert_eq!(reply.header("x-weighbridge-model"), "b/m");
            assert_eq!(reply.header("x-weighbridge-fallback-reason"), "h2");
            reply.assert_complete();
            stage.quiet().await;
            let kinds: Vec<_> = stage.books.entries().iter().map(|e| e.kind.name()).collect();
            let (last, failed) = kinds[1..].split_last().unwrap();
            assert!(*last == "final" && failed.iter().all(|kind| *kind == "released"), "{kinds:?}");
            assert_eq!(stage.strikes("a"), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f47_a_stream_that_http2_resets_falls_back_and_is_counted() {
    for stream in [false, true] {
        let stage = http2(Rule::always("f47-internal")).await;
        let reply = stage.ask(&ask("pair").streamed(stream)).await;
        reply.assert_from_b("h2", "2");
        assert_eq!(stage.attempts()[0].2, "uncertain");
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 2);
        let reply = stage.ask(&ask("solo").streamed(stream)).await;
        assert_eq!(reply.status, 503, "the breaker is open by now");
    }
}

#[tokio::test(start_paused = true)]
async fn f51_when_both_are_dead_the_last_failure_speaks_for_all() {
    for stream in [false, true] {
        let place_b = Some(peer(MemoryPeer::Refused));
        let stage = Setup { place_b, ..Setup::default() }.start().await;
        stage.fault("f51");
        let reply = stage.ask(&ask("pair").streamed(stream)).await;
        let told = (502, "upstream_error".to_owned(), "upstream_connect_failed".to_owned());
        assert_eq!(reply.error(), told);
        let message = reply.error_message();
        assert!(message.contains("a/m (reset)") && message.contains("b/m (connect_refused)"));
        assert!(!message.contains("key-of") && !message.contains(".sim"), "{message}");
        assert_eq!(reply.header("x-should-retry"), "false");
        assert_eq!(stage.last_request()["cascade"], true);
        assert!(stage.metrics().contains("weighbridge_fallback_cascades_total 1"));
        stage.quiet().await;
        // The last one left is tried twice.
        assert_eq!((stage.strikes("a"), stage.strikes("b")), (1, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn f51_when_the_last_is_overloaded_the_client_may_come_back() {
    let stage = Stage::new().await;
    stage.script(vec![Rule::always("f18-502").at("a"), Rule::always("f19").at("b")]);
    let reply = stage.ask(&ask("pair")).await;
    assert_eq!((reply.status, reply.error().2.as_str()), (503, "upstream_overloaded"));
    assert_eq!(reply.header("retry-after"), "1");
    let message = reply.error_message();
    assert!(message.contains("a/m (5xx)") && message.contains("b/m (overloaded)"), "{message}");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f51_one_request_makes_at_most_three_attempts() {
    let stage = Stage::new().await;
    stage.script(vec![Rule::always("f18")]);
    let reply = stage.ask(&ask("pair")).await;
    assert_eq!(reply.header("x-weighbridge-attempts"), "3");
    assert_eq!(stage.counts(), (2, 1));
    stage.quiet().await;
}
