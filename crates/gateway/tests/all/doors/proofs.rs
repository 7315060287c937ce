//! How upstreams are shown who asks: AWS's signatures, Google's tokens, Azure's keys.

use std::time::Duration;

use serde_json::json;
use sim::Rule;
use tokio::time::sleep;

use super::tongue::{CHAT, Wish};
use crate::harness::{Setup, Stage, ask};

/// A stage with one more provider, `cloud`, at A's address.
async fn cloud(provider: &str) -> Stage {
    let models = "models: { m: { input: $1, output: $2, context: 100000, max_output: 4096 } }";
    let providers = format!("  cloud: {{ {provider}, {models} }}\n");
    Setup { providers, ..Setup::default() }.start().await
}

#[tokio::test(start_paused = true)]
async fn bedrock_is_signed_for_with_an_aws_key_and_asked_with_a_bearer_of_its_own() {
    let dialect = "dialect: bedrock_converse, base_url: \"http://a.sim\", region: eu-west-1";
    let signed = "aws: { access_key_id: AKIAEXAMPLE12345, secret_access_key: s3cretS3cretS3cret }";
    let scope = "AWS4-HMAC-SHA256 20250615/eu-west-1/bedrock/aws4_request";
    for (key, scheme) in [(signed, scope), ("api_key: bedrock-api-key-1", "bearer")] {
        let stage = cloud(&format!("{dialect}, {key}")).await;
        for wish in [Wish::Whole, Wish::Stream] {
            let reply = stage.ask(&CHAT.ask("cloud/m", wish)).await;
            assert_eq!(reply.status, 200, "{}", reply.raw());
            let got = stage.asked("a").pop().unwrap();
            assert_eq!(got.scheme, scheme);
            assert!(got.path.starts_with("/model/m/converse"), "{}", got.path);
        }
        stage.quiet().await;
        assert!(!stage.log().iter().any(|line| line.to_string().contains("s3cretS3")));
    }
}

#[tokio::test(start_paused = true)]
async fn azure_is_asked_by_deployment_version_and_api_key() {
    let path = "path: \"/deployments/{model}/chat/completions?api-version=2024-10-21\"";
    let base = "dialect: openai_chat, base_url: \"http://a.sim/openai\", auth: api_key";
    let stage = cloud(&format!("{base}, {path}, api_key: azure-key-1")).await;
    let reply = stage.ask(&CHAT.ask("cloud/m", Wish::Stream)).await;
    assert_eq!(CHAT.hear(&reply).finish, "stop", "{}", reply.raw());
    assert!(reply.raw().contains("prompt_filter_results"), "its own chunk is relayed");
    let got = stage.asked("a").pop().unwrap();
    assert_eq!(got.path, "/openai/deployments/m/chat/completions?api-version=2024-10-21");
    assert_eq!(got.scheme, "api-key");
    stage.fault("f50");
    let refused = stage.ask(&ask("cloud/m")).await;
    assert_eq!(
        (refused.status, refused.error().2.as_str()),
        (400, "content_policy_violation"),
        "{}",
        refused.raw()
    );
    stage.quiet().await;
}

/// A service account. Its key was made for this test and opens nothing.
fn service_account() -> String {
    let key = include_str!("key.pem");
    json!({ "type": "service_account", "client_email": "scale@project.example",
        "private_key": key, "private_key_id": "k1", "token_uri": "http://b.sim/token" })
    .to_string()
}

/// A stage with Vertex AI as `cloud`, at A's address; its tokens come from B's.
async fn vertex() -> Stage {
    let base = "dialect: gemini, auth: gcp_oauth, \
                base_url: \"http://a.sim/v1/projects/p/locations/l/publishers/google\"";
    let models = "models: { m: { input: $1, output: $2, context: 100000, max_output: 4096 } }";
    let providers = format!("  cloud: {{ {base}, credentials_file: account.json, {models} }}\n");
    Setup { providers, account: service_account(), ..Setup::default() }.start().await
}

/// How often a token was asked for.
fn tokens(stage: &Stage) -> usize {
    let asked = stage.asked("b");
    asked.iter().filter(|entry| entry.path == "/token").count()
}

#[tokio::test(start_paused = true)]
async fn vertex_is_asked_with_a_token_that_is_fetched_once_and_again_when_it_has_run_out() {
    let stage = vertex().await;
    for round in 1..=2 {
        for _ in 0..5 {
            let reply = stage.ask(&CHAT.ask("cloud/m", Wish::Stream)).await;
            assert_eq!(reply.status, 200, "{}", reply.raw());
        }
        assert_eq!(tokens(&stage), round);
        let got = stage.asked("a").pop().unwrap();
        assert_eq!(got.scheme, "bearer");
        assert!(got.path.contains("/publishers/google/models/m:streamGenerateContent"));
        stage.quiet().await;
        sleep(Duration::from_secs(3_600)).await;
    }
    let entries = stage.books.entries().len();
    assert_eq!(entries, 10, "a token is no request of its own in the books");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_not_kept() {
    let stage = vertex().await;
    for (fault, status, fetched) in [("", 200, 1), ("f17", 502, 1), ("", 200, 2)] {
        let rules = if fault.is_empty() { Vec::new() } else { vec![Rule::always(fault).at("a")] };
        stage.script(rules);
        let reply = stage.ask(&CHAT.ask("cloud/m", Wish::Whole)).await;
        assert_eq!((reply.status, tokens(&stage)), (status, fetched), "{}", reply.raw());
        sleep(Duration::from_secs(60)).await;
    }
    stage.quiet().await;
}
