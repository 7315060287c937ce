//! F13 to F19 and F48 to F50: answers that refuse.

use std::time::Duration;

use route::State;
use serde_json::json;
use tokio::time::sleep;

use super::row::{DIALECTS, OUTSPOKEN, Row};
use crate::harness::{Setup, Stage, ask};

const LIMITED: Row = Row {
    reason: "rate_limited",
    solo: (429, "rate_limit_error", "rate_limit_exceeded"),
    ..Row::REFUSED
};

/// A is left alone for `seconds` after a rate limit, and asked again afterwards.
async fn cools_down(fault: &str, seconds: u64) {
    let stage = Stage::with_fault(fault).await;
    stage.ask(&ask("pair")).await;
    sleep(Duration::from_millis(seconds * 1_000 - 50)).await;
    let reply = stage.ask(&ask("pair")).await;
    assert_eq!(reply.header("x-weighbridge-fallback-reason"), "cooling_down");
    assert_eq!(stage.counts(), (1, 2), "A is not asked while it cools down");
    sleep(Duration::from_millis(1_100)).await;
    stage.ask(&ask("pair")).await;
    assert_eq!(stage.asked("a").len(), 2, "and is asked again afterwards");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f13_a_rate_limit_with_retry_after_falls_back_at_once_and_cools_down() {
    Row { fault: "f13", retry_after: Some("7"), ..LIMITED }.check().await;
    cools_down("f13", 7).await;
}

#[tokio::test(start_paused = true)]
async fn f14_a_rate_limit_until_a_date_is_read_as_seconds() {
    Row { fault: "f14", retry_after: Some("7"), ..LIMITED }.check().await;
    cools_down("f14", 7).await;
}

#[tokio::test(start_paused = true)]
async fn f15_a_rate_limit_without_a_time_lasts_one_second() {
    Row { fault: "f15", retry_after: Some("1"), ..LIMITED }.check().await;
    cools_down("f15", 1).await;
}

#[tokio::test(start_paused = true)]
async fn f13_alone_and_cooling_down_the_client_is_told_when_to_come_back() {
    let stage = Stage::with_fault("f13").await;
    stage.ask(&ask("solo")).await;
    sleep(Duration::from_secs(3)).await;
    let reply = stage.ask(&ask("solo")).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "4"));
    assert_eq!(stage.asked("a").len(), 1);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f16_a_spent_quota_falls_back_and_switches_the_credential_off() {
    for fault in ["f16", "f16-credit", "f16-spend", "f16-daily", "f16-payment"] {
        Row {
            fault,
            reason: "quota",
            solo: (502, "upstream_error", "upstream_quota_exhausted"),
            ..Row::REFUSED
        }
        .check()
        .await;
    }
    let stage = Stage::with_fault("f16").await;
    stage.ask(&ask("pair")).await;
    sleep(Duration::from_secs(600)).await;
    stage.ask(&ask("pair")).await;
    assert_eq!(stage.counts(), (1, 2), "the credential stays off");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f16_the_next_credential_is_tried_before_b() {
    let keys_a = "api_keys: [spent-key-0001, fresh-key-0002]".to_owned();
    let stage = Setup { keys_a, ..Setup::default() }.start().await;
    let spent = sim::Rule { key: Some("0001".to_owned()), ..sim::Rule::always("f16").at("a") };
    stage.script(vec![spent]);
    for _ in 0..4 {
        let reply = stage.ask(&ask("pair")).await;
        assert_eq!(reply.header("x-weighbridge-model"), "a/m", "{}", reply.raw());
    }
    let keys: Vec<String> = stage.asked("a").into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys.iter().filter(|key| *key == "0001").count(), 1, "{keys:?}");
    assert_eq!(stage.asked("b").len(), 0);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f17_a_refused_credential_falls_back_and_is_not_the_clients_fault() {
    for fault in ["f17", "f17-403"] {
        Row {
            fault,
            reason: "auth",
            solo: (502, "upstream_error", "upstream_auth_failed"),
            ..Row::REFUSED
        }
        .check()
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn f17_a_credential_that_the_refusal_repeats_is_not_logged() {
    // The simulator's sentence holds this word as others hold the key.
    let keys_a = "api_keys: [provided]".to_owned();
    let stage = Setup { keys_a, ..Setup::default() }.start().await;
    stage.fault("f17");
    stage.ask(&ask("solo")).await;
    stage.quiet().await;
    let said = &stage.last_request()["attempts"][0]["detail"];
    assert_eq!(said, "Incorrect API key [credential].");
}

const SERVER: Row =
    Row { reason: "5xx", solo: (502, "upstream_error", "upstream_5xx"), ..Row::UNCERTAIN };

#[tokio::test(start_paused = true)]
async fn f18_a_500_is_retried_once_and_then_falls_back() {
    Row { fault: "f18", tries: 2, within: (50, 550), ..SERVER }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f18_a_502_or_504_falls_back_at_once() {
    for fault in ["f18-502", "f18-504"] {
        Row { fault, ..SERVER }.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn f19_an_overloaded_upstream_falls_back_and_costs_nothing() {
    for fault in ["f19", "f19-503", "f19-529"] {
        Row {
            fault,
            reason: "overloaded",
            solo: (503, "upstream_error", "upstream_overloaded"),
            retry_after: Some("1"),
            ledger: "released",
            ..Row::UNCERTAIN
        }
        .check()
        .await;
    }
}

/// A client error: told to the client with A's own status, B is not asked, nothing is booked.
async fn passed_on(fault: &str, dialects: &[&'static str], told: (u16, &str, &str), reason: &str) {
    for dialect in dialects {
        for stream in [false, true] {
            println!("{fault} {dialect} stream={stream}");
            let stage = Setup::dialect(dialect).start().await;
            stage.fault(fault);
            stage.strike("a");
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            let (status, kind, code) = told;
            assert_eq!(reply.error(), (status, kind.to_owned(), code.to_owned()));
            assert!(!reply.error_message().is_empty());
            assert_eq!(reply.header("x-should-retry"), "false");
            assert_eq!(stage.counts(), (1, 0), "B is not asked");
            assert_eq!(stage.attempts()[0].1, reason);
            stage.quiet().await;
            assert_eq!(stage.attempts()[0].2, "released");
            assert_eq!(stage.strikes("a"), 1, "ignored");
            assert_eq!(stage.state("b"), State::Closed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f48_an_early_413_is_passed_on() {
    passed_on("f48", DIALECTS, (413, "invalid_request_error", "invalid_request"), "client_error")
        .await;
    let long = "weigh ".repeat(200_000);
    let stage = Stage::with_fault("f48").await;
    let messages = json!([{ "role": "user", "content": long }]);
    let big = ask("pair").with("messages", messages).with("user", json!("f48"));
    let reply = stage.ask(&big).await;
    assert_eq!(reply.status, 413, "{}", reply.raw());
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f49_a_prompt_that_is_too_long_is_the_clients_to_shorten() {
    let told = (400, "invalid_request_error", "context_length_exceeded");
    passed_on("f49", DIALECTS, told, "context_length").await;
}

#[tokio::test(start_paused = true)]
async fn f49_a_context_fallback_takes_a_prompt_that_is_too_long() {
    for stream in [false, true] {
        let stage = Stage::with_fault("f49").await;
        let reply = stage.ask(&ask("wide").streamed(stream)).await;
        reply.assert_from_b("context_length", "2");
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f50_a_content_filter_is_told_to_the_client() {
    let told = (400, "invalid_request_error", "content_policy_violation");
    passed_on("f50", &["openai_chat", "anthropic_messages"], told, "content_policy").await;
    passed_on("f50-azure", &["openai_chat"], told, "content_policy").await;
}

/// Gemini blocks a prompt with status 200 and counts it.
#[tokio::test(start_paused = true)]
async fn f50_a_prompt_that_gemini_blocks_is_told_to_the_client() {
    for stream in [false, true] {
        let stage = Setup::dialect("gemini").start().await;
        stage.fault("f50");
        let reply = stage.ask(&ask("pair").streamed(stream)).await;
        let told = (400, "invalid_request_error".to_owned(), "content_policy_violation".to_owned());
        assert_eq!(reply.error(), told);
        assert_eq!(stage.counts(), (1, 0));
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 0);
        assert_eq!(stage.books.entries()[0].cost.as_nanousd(), stage.sim.bill().total_nanousd);
    }
}

#[tokio::test(start_paused = true)]
async fn f50_a_content_fallback_takes_what_was_refused() {
    let stage = Stage::with_fault("f50").await;
    let reply = stage.ask(&ask("wide")).await;
    reply.assert_from_b("content_policy", "2");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f50_an_answer_that_ends_for_the_filter_says_so() {
    for dialect in OUTSPOKEN {
        for stream in [false, true] {
            let stage = Setup::dialect(dialect).start().await;
            stage.fault("f50-finish");
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            assert_eq!(reply.status, 200, "{}", reply.raw());
            assert_eq!(reply.finish_reason(), "content_filter");
            assert_eq!(stage.counts(), (1, 0));
            stage.quiet().await;
            assert_eq!(stage.books.entries()[0].kind.name(), "final");
        }
    }
}
