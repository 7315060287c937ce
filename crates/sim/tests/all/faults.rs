//! Faults of the connection, of the head and of whole bodies; and every row in every dialect.

use std::time::Duration;

use serde_json::json;
use sim::{Dialect, Ending, FAULTS, FaultCall};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{
    End, asked, exchange, key_header, plain, provider, question, request, send, sim, stream,
};

/// Rows that would send many megabytes are played small here.
fn small(id: &str) -> &'static str {
    match id {
        "f39" | "f41" => ":1",
        _ => "",
    }
}

#[tokio::test(start_paused = true)]
async fn every_row_ends_is_journaled_and_is_billed_in_every_dialect() {
    for fault in FAULTS.iter().filter(|fault| !fault.is_listener()) {
        for variant in [""].iter().chain(fault.variants) {
            for (dialect, streamed) in Dialect::ALL.iter().flat_map(|d| [(*d, true), (*d, false)]) {
                let dash = if variant.is_empty() { "" } else { "-" };
                let call = format!("{}{dash}{variant}{}", fault.id, small(fault.id));
                let provider = provider();
                let model = format!("m-fault-{call}");
                send(&provider, &asked(dialect, &model, streamed)).await;
                let journal = provider.sim().journal();
                assert_eq!(journal.len(), 1, "{call}");
                let sequence = matches!(fault.id, "f20" | "f52");
                assert!(sequence || journal[0].fault == call, "{call}: {}", journal[0].fault);
                assert_ne!(journal[0].ending, Ending::Running, "{call}");
                assert_eq!(provider.sim().bill().requests, 1, "{call}");
                assert_eq!(provider.sim().open_connections(), 0, "{call}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn listener_faults_are_refused_as_requests() {
    for fault in FAULTS.iter().filter(|fault| fault.is_listener()) {
        let seen = plain(&provider(), &format!("m-fault-{}", fault.id)).await;
        assert_eq!(seen.status, 400, "{}", fault.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_comes_before_the_model_and_the_model_before_the_script() {
    let provider = provider();
    let rules = vec![sim::Rule::always("f19")];
    provider.sim().script(sim::Script { rules }).unwrap();
    assert_eq!(plain(&provider, "m").await.status, 503);
    assert_eq!(plain(&provider, "m-FAULT-F17").await.status, 401);
    let body = question(Dialect::OpenAi, "m-fault-f17", false).to_string();
    let headers = format!("{}x-sim-fault: f18\r\n", key_header(Dialect::OpenAi));
    let seen = send(&provider, &request("/v1/chat/completions", &headers, body.as_bytes())).await;
    assert_eq!(seen.status, 500);
}

#[tokio::test(start_paused = true)]
async fn f07_and_f51_reset_and_f08_hangs() {
    assert_eq!(stream(&provider(), "m-fault-f07").await.end, End::Reset);
    assert_eq!(stream(&provider(), "m-fault-f51").await.end, End::Reset);
    let seen = stream(&provider(), "m-fault-f08").await;
    assert_eq!((seen.end, seen.raw.len()), (End::Left, 0));
}

#[tokio::test(start_paused = true)]
async fn f09_sends_a_byte_a_second_and_f10_only_a_head() {
    let seen = stream(&provider(), "m-fault-f09").await;
    assert_eq!(seen.end, End::Left);
    assert!((30..=31).contains(&seen.raw.len()), "{}", seen.raw.len());
    let seen = stream(&provider(), "m-fault-f10").await;
    assert_eq!((seen.end, seen.status, seen.body.len()), (End::Left, 200, 0));
    assert!(seen.is_sse());
}

#[tokio::test(start_paused = true)]
async fn f13_to_f15_limit_rates_with_and_without_a_time() {
    for dialect in Dialect::ALL {
        let status = |fault: &str| asked(dialect, &format!("m-fault-{fault}"), true);
        let seen = send(&provider(), &status("f13")).await;
        assert_eq!((seen.status, seen.header("retry-after")), (429, Some("7")));
        assert_eq!(seen.body_text().contains(r#""retryDelay":"7s""#), dialect == Dialect::Gemini);
        let seen = send(&provider(), &status("f14")).await;
        assert!(seen.header("retry-after").unwrap().ends_with(" GMT"));
        let seen = send(&provider(), &status("f15")).await;
        assert_eq!((seen.status, seen.header("retry-after")), (429, None));
    }
}

#[tokio::test(start_paused = true)]
async fn f14_dates_follow_the_paused_clock() {
    let wall = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let settings = sim::SimSettings { wall: Some(wall), ..Default::default() };
    let sim = sim::Sim::new(settings);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let seen = plain(&sim.default_provider(), "m-fault-f14").await;
    assert_eq!(seen.header("retry-after"), Some("Sun, 09 Sep 2001 01:47:47 GMT"));
}

#[tokio::test(start_paused = true)]
async fn vendors_refuse_in_their_own_words() {
    use Dialect::{Anthropic, Gemini, OpenAi};
    let cases = [
        (OpenAi, "f16", 429, "/error/code", "insufficient_quota"),
        (OpenAi, "f16-credit", 429, "/error/code", "credit_balance_exhausted"),
        (OpenAi, "f16-payment", 402, "/error/code", "insufficient_balance"),
        (Anthropic, "f16", 429, "/error/details/error_code", "enforced_spend_limit_reached"),
        (
            Gemini,
            "f16",
            429,
            "/error/details/0/violations/0/quotaId",
            "GenerateRequestsPerDayPerProjectPerModel",
        ),
        (OpenAi, "f17", 401, "/error/code", "invalid_api_key"),
        (Anthropic, "f17-403", 403, "/error/type", "permission_error"),
        (Gemini, "f17-403", 403, "/error/status", "PERMISSION_DENIED"),
        (OpenAi, "f18", 500, "/error/type", "server_error"),
        (Anthropic, "f18", 500, "/error/type", "api_error"),
        (Gemini, "f18-504", 504, "/error/status", "DEADLINE_EXCEEDED"),
        (OpenAi, "f19", 503, "/error/code", "server_is_overloaded"),
        (Anthropic, "f19", 529, "/error/type", "overloaded_error"),
        (Gemini, "f19", 503, "/error/status", "UNAVAILABLE"),
        (OpenAi, "f48", 413, "/error/code", "request_too_large"),
        (OpenAi, "f49", 400, "/error/code", "context_length_exceeded"),
        (OpenAi, "f50", 400, "/error/code", "content_policy_violation"),
        (OpenAi, "f50-azure", 400, "/error/code", "content_filter"),
        (OpenAi, "f50-azure", 400, "/error/innererror/code", "ResponsibleAIPolicyViolation"),
        (OpenAi, "f50-finish", 200, "/choices/0/finish_reason", "content_filter"),
        (Anthropic, "f50", 400, "/error/type", "invalid_request_error"),
        (Anthropic, "f50-finish", 200, "/stop_reason", "refusal"),
        (Gemini, "f50", 200, "/promptFeedback/blockReason", "SAFETY"),
    ];
    for (dialect, fault, status, place, word) in cases {
        let seen = send(&provider(), &asked(dialect, &format!("m-fault-{fault}"), false)).await;
        assert_eq!(seen.status, status, "{dialect:?} {fault}");
        assert_eq!(seen.json().pointer(place), Some(&json!(word)), "{}", seen.body_text());
    }
    let seen = plain(&provider(), "m-fault-f18-502").await;
    assert_eq!((seen.status, seen.header("content-type")), (502, Some("text/html")));
    let long = send(&provider(), &asked(Anthropic, "m-fault-f49", false)).await;
    assert!(long.body_text().contains("prompt is too long"));
}

#[tokio::test(start_paused = true)]
async fn f20_fails_three_times_and_f52_half_of_the_time() {
    let provider = provider();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(plain(&provider, "m-fault-f20").await.status);
    }
    assert_eq!(statuses, [502, 502, 502, 200, 200]);
    let mut failed = 0;
    for _ in 0..200 {
        failed += u32::from(plain(&provider, "m-fault-f52").await.status == 500);
    }
    assert!((75..125).contains(&failed), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn f33_to_f38_answer_200_with_something_wrong() {
    let seen = plain(&provider(), "m-fault-f33").await;
    assert!(seen.status == 200 && seen.json()["error"]["message"].is_string());
    let seen = plain(&provider(), "m-fault-f34").await;
    assert!(seen.end == End::Complete && seen.json().is_null());
    let seen = plain(&provider(), "m-fault-f35").await;
    assert_eq!((seen.end, seen.header("content-length")), (End::Eof, Some("4096")));
    let seen = plain(&provider(), "m-fault-f36").await;
    assert_eq!(seen.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(!stream(&provider(), "m-fault-f37").await.is_sse());
    assert!(plain(&provider(), "m-fault-f37").await.is_sse());
    for answer in
        [plain(&provider(), "m-fault-f38").await, stream(&provider(), "m-fault-f38").await]
    {
        assert_eq!((answer.status, answer.body.len(), answer.end), (200, 0, End::Complete));
    }
    let seen = plain(&provider(), "m-fault-f38-choices").await;
    assert_eq!(seen.json()["choices"], json!([]));
    assert_eq!(stream(&provider(), "m-fault-f38-content").await.text(), "");
}

#[tokio::test(start_paused = true)]
async fn f39_and_f45_are_as_large_as_they_say() {
    let seen = plain(&provider(), "m-fault-f39:3").await;
    assert_eq!(seen.end, End::Complete);
    assert_eq!(seen.body.len(), (3 << 20) + r#"{"error":null,"choices":[]}"#.len());
    let seen = plain(&provider(), "m-fault-f45").await;
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert!(seen.end == End::Complete && seen.body.len() < 2 << 20);
}

#[tokio::test(start_paused = true)]
async fn f42_sends_heads_no_client_should_take() {
    let big = plain(&provider(), "m-fault-f42").await;
    assert!(big.header("x-big").unwrap().len() == 1 << 20);
    let many = plain(&provider(), "m-fault-f42-many").await;
    assert!(many.head.matches("x-flood-").count() == 1_000);
    assert!(plain(&provider(), "m-fault-f42-bytes").await.head.contains('\0'));
    let inject = plain(&provider(), "m-fault-f42-inject").await;
    assert!(inject.head.contains("\rset-cookie: injected=1"));
}

#[tokio::test(start_paused = true)]
async fn f43_redirects_to_a_metadata_address_and_f44_floods() {
    for (fault, status) in [("f43", 302), ("f43-301", 301), ("f43-307", 307)] {
        let seen = plain(&provider(), &format!("m-fault-{fault}")).await;
        assert_eq!(seen.status, status);
        assert!(seen.header("location").unwrap().starts_with("http://169.254.169.254/"));
    }
    let seen = plain(&provider(), "m-fault-f44").await;
    assert_eq!((seen.informational, seen.status), (100, 200));
}

#[tokio::test(start_paused = true)]
async fn f46_answers_and_ends_at_the_next_requests_first_byte() {
    for (fault, end) in [("f46", End::Eof), ("f46-reset", End::Reset)] {
        let sim = sim();
        let provider = sim.default_provider();
        let (mut client, server) = sim::memory::pipe();
        tokio::spawn(async move { provider.serve_link(server).await });
        let model = format!("m-fault-{fault}");
        let asking = asked(Dialect::OpenAi, &model, true);
        assert_eq!(exchange(&mut client, &asking).await.end, End::Complete);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(sim.open_connections(), 1);
        client.write_all(&asking[..1]).await.unwrap();
        let ended = client.read(&mut [0; 8]).await;
        assert_eq!(ended.is_err(), end == End::Reset, "{ended:?}");
        assert_eq!(sim.journal().len(), 1);
        tokio::task::yield_now().await;
        assert_eq!(sim.open_connections(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn f48_refuses_before_the_body_is_there() {
    let (mut client, server) = sim::memory::pipe();
    let provider = provider();
    let sim = provider.sim().clone();
    tokio::spawn(async move { provider.serve_link(server).await });
    let mut asking = question(Dialect::OpenAi, "m-fault-f48", false);
    asking["messages"][0]["content"] = "long ".repeat(100_000).into();
    let bytes =
        request("/v1/chat/completions", key_header(Dialect::OpenAi), asking.to_string().as_bytes());
    let seen = exchange(&mut client, &bytes[..2_000]).await;
    assert_eq!((seen.status, seen.end), (413, End::Complete));
    assert_eq!(seen.header("connection"), Some("close"));
    client.write_all(&bytes[2_000..]).await.expect("the rest is still read");
    assert_eq!(sim.journal()[0].fault, "f48");
}

#[test]
fn a_parameter_is_part_of_the_call() {
    let call = FaultCall::in_model("sim-a-fault-f21:10").unwrap();
    assert_eq!((call.fault.id, call.parameter.as_str()), ("f21", "10"));
}
