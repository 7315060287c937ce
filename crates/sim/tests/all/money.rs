//! The journal, the bill, the script and their pages.

use serde_json::{Value, json};
use sim::{Dialect, Ending, ModelSettings, Price, Rule, Script, Sim, SimSettings, fnv1a};

use crate::client::{asked, plain, provider, provider_with, request, send, stream};

#[tokio::test(start_paused = true)]
async fn the_bill_is_the_reported_usage_times_the_models_price() {
    let row = ModelSettings {
        contains: "dear".into(),
        price: Some(Price::per_million(3, 15)),
        ..Default::default()
    };
    let provider = provider_with(|settings| settings.models.push(row));
    for dialect in Dialect::ALL {
        let seen = send(&provider, &asked(dialect, "dear", false)).await.json();
        let places: &[&str] = match dialect {
            Dialect::OpenAi | Dialect::Completions => {
                &["/usage/prompt_tokens", "/usage/completion_tokens"]
            }
            Dialect::Anthropic | Dialect::Responses => {
                &["/usage/input_tokens", "/usage/output_tokens"]
            }
            Dialect::Gemini => {
                &["/usageMetadata/promptTokenCount", "/usageMetadata/candidatesTokenCount"]
            }
            Dialect::Bedrock => &["/usage/inputTokens", "/usage/outputTokens"],
            Dialect::Cohere => {
                &["/usage/billed_units/input_tokens", "/usage/billed_units/output_tokens"]
            }
        };
        let told = |at: usize| seen.pointer(places[at]).and_then(Value::as_i64).unwrap();
        let row = provider.sim().bill().rows.back().cloned().unwrap();
        assert_eq!(row.cost_nanousd, told(0) * 3_000 + told(1) * 15_000, "{dialect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn cached_input_is_cheaper_and_told() {
    let provider = provider();
    let seen = plain(&provider, "m-cache").await.json();
    let usage = &seen["usage"];
    let input = usage["prompt_tokens"].as_i64().unwrap();
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_i64().unwrap();
    assert_eq!(cached, input / 2);
    let cost = (input - cached) * 1_000 + cached * 100 + 60 * 2_000;
    assert_eq!(provider.sim().bill().total_nanousd, cost);
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_costs_what_was_sent() {
    let provider = provider();
    stream(&provider, "m-fault-f21").await;
    let row = provider.sim().bill().rows.back().cloned().unwrap();
    assert_eq!(row.output_tokens, 40);
    assert!(row.input_tokens > 0);
    stream(&provider, "m-fault-f13").await;
    assert_eq!(provider.sim().bill().rows.back().unwrap().cost_nanousd, 0);
}

#[tokio::test(start_paused = true)]
async fn the_journal_tells_what_was_sent_without_secrets() {
    let provider = provider();
    let seen = stream(&provider, "m").await;
    let entry = provider.sim().journal().pop().unwrap();
    assert_eq!(entry.sent_hash, fnv1a(&seen.body));
    assert_eq!(entry.bytes_sent, seen.body.len() as u64);
    assert_eq!((entry.tokens_sent, entry.ending, entry.status), (60, Ending::Finished, 200));
    assert_eq!(entry.key, "6789");
    assert_eq!(entry.header("authorization"), Some("...6789"));
    let page = send(&provider, b"GET /sim/journal HTTP/1.1\r\n\r\n").await.json();
    assert!(!page.to_string().contains("sk-0123456789"));
    assert_eq!(page["entries"][0]["sent_hash"], format!("{:016x}", entry.sent_hash));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_noticed_and_pays_for_what_it_got() {
    let provider = provider();
    stream(&provider, "m-fault-f40").await;
    let entry = provider.sim().journal().pop().unwrap();
    assert_eq!(entry.ending, Ending::ClientGone);
    assert_eq!(entry.disconnected_us, Some(30_000_000));
    let tokens = provider.sim().bill().rows.back().unwrap().output_tokens;
    assert!((29..=30).contains(&tokens), "{tokens}");
}

#[tokio::test(start_paused = true)]
async fn a_script_over_http_faults_every_other_request_until_reset() {
    let provider = provider();
    let script = json!({ "rules": [{ "every": 2, "model": "m", "fault": "f18-504" }] });
    let post = request("/sim/script", "", script.to_string().as_bytes());
    assert_eq!(send(&provider, &post).await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(plain(&provider, "m").await.status);
    }
    assert_eq!(statuses, [504, 200, 504, 200]);
    assert_eq!(send(&provider, &request("/sim/reset", "", b"")).await.status, 200);
    assert_eq!(plain(&provider, "m").await.status, 200);
    let bill = send(&provider, b"GET /sim/bill HTTP/1.1\r\n\r\n").await.json();
    assert_eq!(bill["requests"], 1);
    let bad = request("/sim/script", "", br#"{"rules":[{"fault":"f77"}]}"#);
    assert_eq!(send(&provider, &bad).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn rules_see_keys_and_providers() {
    let provider = provider();
    let rule = Rule { key: Some("6789".into()), ..Rule::always("f17") };
    let rules = vec![Rule::always("f18").at("elsewhere"), rule.times(1)];
    provider.sim().script(Script { rules }).unwrap();
    assert_eq!(plain(&provider, "m").await.status, 401);
    assert_eq!(plain(&provider, "m").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_only_the_totals_are_kept() {
    let sim = Sim::new(SimSettings { journal: false, ..SimSettings::default() });
    let provider = sim.default_provider();
    plain(&provider, "m").await;
    assert!(sim.journal().is_empty() && sim.bill().rows.is_empty());
    assert_eq!(sim.bill().output_tokens, 60);
}

#[tokio::test(start_paused = true)]
async fn the_journal_forgets_the_oldest() {
    let sim = Sim::new(SimSettings { journal_capacity: 2, ..SimSettings::default() });
    for _ in 0..5 {
        plain(&sim.default_provider(), "m").await;
    }
    let numbers: Vec<u64> = sim.journal().iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [4, 5]);
    assert_eq!(sim.bill().requests, 5);
    assert!(sim.journal().iter().all(|entry| entry.finished()));
}
