//! What is read of providers beyond a key: faces, blanks, credentials of clouds, quirks, overlays.

use std::io;
use std::path::Path;

use catalog::AuthKind;

use super::tests::{REST, env, lines, loads, provider_says, read, says};
use super::*;

#[test]
fn a_row_speaks_further_dialects_at_its_host() {
    let config = loads("providers: { deepseek: { api_key: x } }");
    let faces = &config.providers[0].faces;
    let face = |dialect: &str| faces.iter().find(|face| face.dialect == dialect).unwrap();
    assert_eq!(faces[0].dialect, "openai_chat");
    let claude = face("anthropic_messages");
    assert_eq!(claude.base_url.to_string(), "https://api.deepseek.com/anthropic/v1");
    assert_eq!((claude.auth, faces[0].auth), (AuthKind::XApiKey, AuthKind::Bearer));
    assert_eq!(face("openai_embeddings").base_url, faces[0].base_url);
}

#[test]
fn a_provider_that_was_moved_takes_its_faces_along() {
    let text = "providers: { a: { base: deepseek, base_url: 'http://a.sim/v1', api_key: x } }";
    let config = loads(text);
    for face in &config.providers[0].faces {
        assert_eq!(face.base_url.host, "a.sim", "{}", face.dialect);
    }
}

#[test]
fn what_is_spoken_can_be_written() {
    let config = loads(
        "providers:
  house:
    dialect: openai_chat
    base_url: http://h/v1
    api_key: x
    path: /chat/{model}?v={api_version}
    api_version: '7'
    headers: { X-App: a }
    speaks:
      - openai_responses
      - { dialect: anthropic_messages, base_url: /claude, auth: x_api_key, quirks: { no_sampling: true } }
",
    );
    let [chat, responses, claude] = &config.providers[0].faces[..] else { panic!("three") };
    assert_eq!(chat.path.as_deref(), Some("/chat/{model}?v=7"));
    assert_eq!(chat.headers, [("x-app".to_owned(), "a".to_owned())]);
    assert_eq!((responses.path.as_deref(), &responses.base_url), (None, &chat.base_url));
    assert_eq!(
        (claude.base_url.to_string().as_str(), claude.auth),
        ("http://h/claude", AuthKind::XApiKey)
    );
    assert!(claude.quirks.no_sampling && !chat.quirks.no_sampling);
}

#[test]
fn blanks_in_an_address_are_filled_or_named() {
    let config = loads("providers: { azure: { api_key: x, resource: acme } }");
    assert_eq!(
        config.providers[0].faces[0].base_url.to_string(),
        "https://acme.openai.azure.com/openai/v1"
    );
    provider_says(
        "azure: { api_key: x }",
        "2:10: providers.azure.resource: the provider's address needs it (write `resource: \"${AZURE_RESOURCE_NAME}\"`)",
    );
    provider_says(
        "azure: { api_key: x, resource: 'evil.example/' }",
        "2:34: providers.azure.resource: `evil.example/` cannot stand in an address (letters, digits, `-`, `_`, `.` and `:`)\n2:34: providers.azure.resource: the provider's address needs it (write `resource: \"${AZURE_RESOURCE_NAME}\"`)",
    );
    let global = loads("providers: { vertex: { api_key: token, project: p } }");
    assert_eq!(
        global.providers[0].faces[0].base_url.to_string(),
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google"
    );
    let older = loads("providers: { azure-deployments: { api_key: x, resource: acme } }");
    assert_eq!(
        older.providers[0].faces[0].path.as_deref(),
        Some("/deployments/{model}/chat/completions?api-version=2024-10-21")
    );
}

#[test]
fn clouds_are_entered_with_their_own_credentials() {
    let aws = "aws: { access_key_id: AKIA, secret_access_key: s3cret }";
    let config = loads(&format!("providers: {{ bedrock: {{ region: eu-west-1, {aws} }} }}"));
    let bedrock = &config.providers[0];
    assert_eq!((bedrock.region.as_str(), bedrock.faces[0].auth), ("eu-west-1", AuthKind::AwsSigv4));
    assert!(
        matches!(&bedrock.credentials[0], Proof::Aws { access_key_id, .. } if access_key_id == "AKIA")
    );
    let config = loads("providers: { vertex: { project: p, credentials_file: key.txt } }");
    assert!(matches!(config.providers[0].credentials[0], Proof::Gcp { .. }));
    let from_environment = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_REGION" => Some("x".to_owned()),
        _ => None,
    };
    let config = super::from_environment(&from_environment, &read).unwrap();
    assert_eq!(config.providers[0].faces[0].base_url.host, "bedrock-runtime.x.amazonaws.com");
    provider_says(
        "bedrock: { region: r }",
        "2:12: providers.bedrock: no credential (write `aws: { access_key_id: ..., secret_access_key: ... }`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    );
}

#[test]
fn quirks_are_read_by_name_and_the_user_has_the_last_word() {
    provider_says(
        "openai: { api_key: x, quirks: { no_samplng: true, random_seed: maybe } }",
        "2:47: providers.openai.quirks.no_samplng: unknown quirk `no_samplng` (did you mean `no_sampling`?)\n2:66: providers.openai.quirks.random_seed: invalid type: string \"maybe\", expected a boolean",
    );
    let quirks = "quirks: { max_completion_tokens: false, random_seed: true }";
    let config = loads(&format!("providers: {{ openai: {{ api_key: x, {quirks} }} }}"));
    let o3 = config.catalog.model("openai", "o3").unwrap();
    let quirks = config.providers[0].faces[0].quirks_of(Some(o3));
    assert!(quirks.no_sampling && quirks.random_seed && !quirks.max_completion_tokens);
}

#[test]
fn an_overlay_is_laid_over_the_catalog() {
    let overlay = "[[provider]]\nid = \"acme\"\ndialect = \"openai_chat\"\nauth = \"bearer\"\n\
                   base_url = \"https://api.acme.example/v1\"\nkey_env = [\"ACME_KEY\"]\n";
    let read = move |path: &Path| match path.to_str() {
        Some("etc/mine.toml") => Ok(overlay.to_owned()),
        Some("etc/bad.toml") => Ok("\n[[provider]]\nid = \"b\"\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let text = "catalog: mine.toml\nproviders: { acme: { api_key: x } }";
    let config = parse(text, "etc/w.yaml", &env, &read).unwrap();
    assert_eq!(config.providers[0].faces[0].base_url.host, "api.acme.example");
    assert_eq!(config.catalog_file.as_deref(), Some(Path::new("etc/mine.toml")));
    let text = "catalog: bad.toml\nproviders: { ollama: {} }";
    let problems = parse(text, "etc/w.yaml", &env, &read).unwrap_err();
    assert_eq!(lines(&problems), "etc/bad.toml:2:1: b: missing field `dialect`\n");
    let named = |name: &str| match name {
        "WEIGHBRIDGE_CATALOG" => Some("etc/mine.toml".to_owned()),
        "ACME_KEY" => Some("k".to_owned()),
        _ => None,
    };
    let config = super::from_environment(&named, &read).unwrap();
    assert_eq!(config.providers[0].id, "acme");
    says("catalog: gone.toml", "2:10: catalog: cannot read `gone.toml`: entity not found");
}

#[test]
fn strictness_and_the_passage_are_read() {
    let text = format!(
        "{REST}strict: true\npassthrough: openai\nmodels: {{ a: {{ deployments: [openai/gpt-4o], strict: false }} }}"
    );
    let config = loads(&text);
    assert_eq!(
        (config.strict, config.groups[0].strict, config.passthrough),
        (true, false, Some(0))
    );
    says(
        "passthrough: opnai",
        "2:14: passthrough: provider `opnai` is not configured (did you mean `openai`?)",
    );
}
