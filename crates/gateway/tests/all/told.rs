//! What a request's story says beside its answer, and who may ask at all.

use crate::harness::{Setup, Stage, ask};

#[tokio::test(start_paused = true)]
async fn a_deployment_passed_over_is_told_as_a_fallback_in_header_log_and_metric() {
    let stage = Setup::default().usual_breaker().start().await;
    for _ in 0..3 {
        stage.strike("a");
    }
    let reply = stage.ask(&ask("pair")).await;
    reply.assert_from_b("breaker_open", "1");
    let told = stage.lines("fallback").pop();
    let told = told.expect("the fallback has its line");
    assert_eq!((&told["from"], &told["to"]), (&"a/m".into(), &"b/m".into()), "{told}");
    assert_eq!(told["reason"], "breaker_open");
    let series = r#"weighbridge_fallbacks_total{from="a/m",to="b/m",reason="breaker_open"} 1"#;
    assert!(stage.metrics().contains(series), "{}", stage.metrics());
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_plain_request_id_of_the_client_is_kept_and_any_other_is_not() {
    let stage = Stage::new().await;
    let reply = stage.ask(&ask("pair").header("x-request-id", "order-17.b")).await;
    assert_eq!(reply.header("x-request-id"), "order-17.b");
    assert_eq!(stage.last_request()["request_id"], "order-17.b");
    let reply = stage.ask(&ask("pair").header("x-request-id", "two words")).await;
    assert!(reply.header("x-request-id").starts_with("req_"));
}

#[tokio::test(start_paused = true)]
async fn an_open_gateway_takes_nothing_from_pages_of_other_sites() {
    let stage = Stage::new().await;
    let reply = stage.ask(&ask("pair").header("origin", "https://elsewhere.example")).await;
    assert_eq!((reply.status, reply.error().2.as_str()), (403, "permission_denied"));
    assert!(stage.asked("a").is_empty());
    let reply = stage.ask(&ask("pair").header("origin", "http://localhost:3000")).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_gateways_own_time_leaves_out_what_the_provider_took() {
    let stage = Stage::with_fault("f12").await;
    let reply = stage.ask(&ask("solo")).await;
    let timing = reply.header("server-timing");
    let ours = timing.split("weighbridge;dur=").nth(1).and_then(|text| text.parse::<f64>().ok());
    assert!(ours.is_some_and(|millis| millis < 1.0), "{timing}");
    assert_eq!(stage.last_request()["ttft_us"].as_u64().map(|us| us / 100_000), Some(49));
}
