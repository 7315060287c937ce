//! The made-up provider of `docs/providers.md`, served as the page says: from its overlay, without a
//! build, with its quirks in what it receives.

use std::io;
use std::path::Path;

use gateway::config;
use serde_json::{Value, json};
use sim::fnv1a;
use wire::dialect::openai_chat::DIALECT;
use wire::dialect::{Quirks, Target};

use crate::harness::{Setup, Stage, ask};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    std::fs::read_to_string(path).unwrap()
}

/// The page's block of this language that has these words in it.
fn block(language: &str, words: &str) -> String {
    let page = page();
    let fence = format!("```{language}\n");
    let mut blocks = page.split(fence.as_str()).skip(1);
    let block = blocks.find_map(|rest| {
        let (block, _) = rest.split_once("```")?;
        block.contains(words).then(|| block.to_owned())
    });
    block.expect(words)
}

async fn acme() -> Stage {
    let overlay = block("toml", "[[provider]]");
    let catalog = overlay.replace("https://api.acme.example", "http://a.sim");
    let providers = "  acme: { api_key: key-of-acme }\n".to_owned();
    let top = "catalog: acme.toml".to_owned();
    Setup { catalog, providers, top, ..Setup::default() }.start().await
}

#[test]
fn the_pages_configuration_loads_with_the_pages_overlay() {
    let overlay = block("toml", "[[provider]]");
    let read = |path: &Path| match path.to_str() {
        Some("acme.toml") => Ok(overlay.clone()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let env = |name: &str| (name == "ACME_API_KEY").then(|| "key".to_owned());
    let config = config::parse(&block("yaml", "acme"), "w.yaml", &env, &read).unwrap();
    let quirks = &config.providers[0].faces[0].quirks;
    assert!(quirks.max_completion_tokens && quirks.random_seed);
    assert!(config.catalog.model("acme", "anvil-large").is_some());
    for other in ["speaks:", "mistral"] {
        let key = |_: &str| Some("key".to_owned());
        config::parse(&block("yaml", other), "w.yaml", &key, &read).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_made_up_provider_receives_its_quirks() {
    let stage = acme().await;
    let asked = ask("acme/anvil-large").with("max_tokens", json!(7)).with("seed", json!(5));
    let reply = stage.ask(&asked).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    stage.quiet().await;
    let got = stage.asked("a").pop().unwrap();
    assert_eq!(got.path, "/v1/chat/completions");
    let expected = told_to_acme(&asked.body);
    assert!(expected.contains(r#""max_completion_tokens":7"#), "{expected}");
    assert!(expected.contains(r#""random_seed":5"#) && !expected.contains("max_tokens"));
    let sent = (got.body_bytes, got.body_hash);
    assert_eq!(sent, (expected.len() as u64, fnv1a(expected.as_bytes())), "{expected}");
    assert!(stage.last_request()["cost_nanousd"].as_i64() > Some(0));
}

/// The request as its dialect writes it under the page's quirks. The simulator keeps only its hash.
fn told_to_acme(body: &Value) -> String {
    let request = (DIALECT.decode_request)(body.to_string().as_bytes(), None, false).unwrap();
    let quirks = Quirks { max_completion_tokens: true, random_seed: true, ..Quirks::default() };
    let target = Target {
        model: "anvil-large",
        stream: true,
        default_max_tokens: 8192,
        quirks: &quirks,
        prefill: None,
    };
    String::from_utf8((DIALECT.encode_request)(&request, &target).body).unwrap()
}

#[test]
fn the_page_lists_every_quirk() {
    for quirk in catalog::QuirkSet::names() {
        assert!(page().contains(&format!("| `{quirk}` |")), "{quirk}");
    }
}
