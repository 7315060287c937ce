//! What a provider sealed goes back to it, and to nobody else.

use serde_json::{Value, json};
use sim::{Rule, fnv1a};
use wire::dialect::anthropic_messages::DIALECT;
use wire::dialect::{Quirks, Target};

use super::tongue::QUESTION;
use crate::harness::{Setup, post};

/// A conversation whose last answer was thought about.
fn thoughtful() -> Value {
    json!({ "model": "pair", "max_tokens": 400, "stream": true,
        "thinking": { "type": "enabled", "budget_tokens": 1024 },
        "messages": [
            { "role": "user", "content": QUESTION },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Heavy.", "signature": "c2VhbGVkLWJ5LWE=" },
                { "type": "text", "text": "Ten tonnes." }] },
            { "role": "user", "content": "And empty?" }] })
}

/// The request as its dialect writes it without seals. The simulator keeps only its hash.
fn unsealed(body: &Value) -> String {
    let mut request = (DIALECT.decode_request)(body.to_string().as_bytes(), None, false).unwrap();
    request.drop_seals();
    let quirks = Quirks::default();
    let target = Target {
        model: "m",
        stream: true,
        default_max_tokens: 4096,
        quirks: &quirks,
        prefill: None,
    };
    String::from_utf8((DIALECT.encode_request)(&request, &target).body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_seal_goes_to_the_provider_that_made_it_and_not_to_its_stand_in() {
    let dialect_b = "anthropic_messages";
    let stage = Setup { dialect_b, ..Setup::dialect("anthropic_messages") }.start().await;
    stage.script(vec![Rule::always("f19").at("a")]);
    let body = thoughtful();
    let reply = stage.ask(&post("/v1/messages", body.clone())).await;
    assert_eq!(reply.header("x-weighbridge-model"), "b/m", "{}", reply.raw());
    let sent = |provider: &str| stage.asked(provider).pop().unwrap().body_hash;
    let whole = body.to_string().replace("\"pair\"", "\"m\"");
    assert_eq!(sent("a"), fnv1a(whole.as_bytes()), "A gets its own seal back");
    let bare = unsealed(&body);
    assert!(!bare.contains("signature") && bare.contains("Ten tonnes."), "{bare}");
    assert_eq!(sent("b"), fnv1a(bare.as_bytes()), "B never sees it");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_seal_stays_away_from_a_stand_in_that_is_asked_first() {
    let dialect_b = "anthropic_messages";
    let setup = Setup { dialect_b, ..Setup::dialect("anthropic_messages") };
    let stage = setup.usual_breaker().start().await;
    for _ in 0..3 {
        stage.strike("a");
    }
    let body = thoughtful();
    let reply = stage.ask(&post("/v1/messages", body.clone())).await;
    assert_eq!(reply.header("x-weighbridge-fallback-reason"), "breaker_open", "{}", reply.raw());
    assert_eq!(stage.asked("b").pop().unwrap().body_hash, fnv1a(unsealed(&body).as_bytes()));
    assert!(stage.asked("a").is_empty());
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn without_seals_a_fallback_of_the_same_dialect_gets_the_clients_bytes() {
    let dialect_b = "anthropic_messages";
    let stage = Setup { dialect_b, ..Setup::dialect("anthropic_messages") }.start().await;
    stage.script(vec![Rule::always("f19").at("a")]);
    let mut body = thoughtful();
    body["messages"][1]["content"] = json!("Ten tonnes.");
    assert_eq!(stage.ask(&post("/v1/messages", body.clone())).await.status, 200);
    let whole = body.to_string().replace("\"pair\"", "\"m\"");
    for provider in ["a", "b"] {
        let got = stage.asked(provider).pop().unwrap().body_hash;
        assert_eq!(got, fnv1a(whole.as_bytes()), "{provider}");
    }
    stage.quiet().await;
}
