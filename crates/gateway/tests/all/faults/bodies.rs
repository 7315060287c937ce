//! F33 to F39 and F42 to F45: answers with status 200 that are none, and heads that cannot be read.

use super::row::{LABELLED, Row};
use crate::harness::{Setup, Stage, ask};

const INVALID: Row =
    Row { solo: (502, "upstream_error", "upstream_invalid_response"), ..Row::UNCERTAIN };
const TOO_LARGE: Row =
    Row { solo: (502, "upstream_error", "upstream_response_too_large"), ..Row::UNCERTAIN };

#[tokio::test(start_paused = true)]
async fn f33_an_error_with_status_200_falls_back() {
    let solo = (502, "upstream_error", "upstream_error");
    let told = Row { fault: "f33", reason: "error_in_200", solo, ..Row::UNCERTAIN };
    Row { dialects: LABELLED, ..told }.check().await;
    Row {
        fault: "f33",
        reason: "bad_json",
        dialects: &["bedrock_converse", "cohere_v2"],
        ..INVALID
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f34_malformed_json_falls_back() {
    Row { fault: "f34", reason: "bad_json", ..INVALID }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f35_a_truncated_body_falls_back() {
    Row { fault: "f35", reason: "truncated", ..INVALID }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f36_a_captive_page_falls_back_and_is_not_leaked() {
    Row { fault: "f36", reason: "bad_content_type", ..INVALID }.check().await;
    for group in ["pair", "solo"] {
        let stage = Stage::with_fault("f36").await;
        let reply = stage.ask(&ask(group)).await;
        assert!(!reply.raw().contains("captive-page-marker"));
    }
}

#[tokio::test(start_paused = true)]
async fn f38_an_empty_answer_falls_back() {
    let solo = (502, "upstream_error", "upstream_empty_response");
    for fault in ["f38", "f38-choices", "f38-content"] {
        Row { fault, reason: "empty", solo, ..Row::UNCERTAIN }.check().await;
    }
}

#[tokio::test(start_paused = true)]
async fn f39_an_answer_of_100_mib_falls_back_at_64() {
    Row { fault: "f39", reason: "too_large", dialects: &["openai_chat"], ..TOO_LARGE }
        .check()
        .await;
    let stage = Stage::with_fault("f39").await;
    stage.ask(&ask("pair")).await;
    let sent = stage.asked("a").iter().map(|entry| entry.bytes_sent).max().unwrap();
    assert!(sent <= 65 << 20, "{sent} bytes");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f42_bad_headers_fall_back_and_nothing_is_injected() {
    for fault in ["f42", "f42-big", "f42-many", "f42-bytes", "f42-inject"] {
        Row { fault, reason: "bad_headers", ..INVALID }.check().await;
    }
    for group in ["pair", "solo"] {
        let stage = Stage::with_fault("f42-inject").await;
        let reply = stage.ask(&ask(group)).await;
        assert!(
            !reply.headers.contains_key("set-cookie") && !reply.headers.contains_key("x-trace")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn f43_a_redirect_is_not_followed() {
    for fault in ["f43", "f43-301", "f43-307"] {
        let solo = (502, "upstream_error", "upstream_redirect");
        Row { fault, reason: "redirect", solo, ledger: "released", ..Row::UNCERTAIN }.check().await;
        let stage = Stage::with_fault(fault).await;
        stage.ask(&ask("pair")).await;
        assert_eq!(stage.hosts.connected().len(), 2, "A and B, each once");
        assert_eq!((stage.hosts.connects("a.sim"), stage.hosts.connects("b.sim")), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn f44_a_flood_of_interim_answers_falls_back() {
    Row { fault: "f44", reason: "bad_headers", ledger: "released", ..INVALID }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f44_sixteen_interim_answers_are_borne() {
    let stage = Stage::with_fault("f44:16").await;
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    reply.assert_complete();
    assert_eq!(reply.header("x-weighbridge-model"), "a/m");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f45_a_gzip_bomb_falls_back_before_it_is_unpacked() {
    Row { fault: "f45", reason: "too_large", dialects: &["openai_chat"], ..TOO_LARGE }
        .check()
        .await;
    let group = "upstream_stream: never".to_owned();
    let stage = Setup { group, ..Setup::default() }.start().await;
    stage.fault("f45");
    stage.ask(&ask("pair")).await.assert_from_b("too_large", "2");
    // A sixteenth of the bomb swells to the bound, and the rest is not taken.
    assert_eq!(stage.asked("a")[0].ending, sim::Ending::ClientGone);
    stage.quiet().await;
}
