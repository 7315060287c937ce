//! Whole files through the front door: what loads, and what each mistake says.

use std::io;
use std::path::Path;
use std::time::Duration;

use catalog::{AuthKind, Catalog};

use super::*;

/// Enough around a section under test for the rest of the file to be right.
pub(super) const REST: &str = "providers: { openai: { api_key: sk-test } }\n";

pub(super) fn env(name: &str) -> Option<String> {
    let set = ["OPENAI_API_KEY", "KEY_A", "KEY_B", "GEMINI_API_KEY", "DEEPSEEK_API_KEY"];
    set.contains(&name).then(|| format!("value-of-{name}"))
}

pub(super) fn read(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("etc/key.txt") => Ok("from-file\n".to_owned()),
        Some("etc/not.pem") => Ok("hello".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

pub(super) fn loads(text: &str) -> Config {
    let config = parse(text, "etc/weighbridge.yaml", &env, &read);
    config.unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

pub(super) fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// The problems of a text, without the file's name.
pub(super) fn said(text: &str) -> String {
    match parse(text, "w", &env, &read) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => lines(&problems).replace("w:", "").trim_end().to_owned(),
    }
}

/// A section on line 2, after a provider on line 1.
pub(super) fn says(section: &str, expected: &str) {
    assert_eq!(said(&format!("{REST}{section}")), expected, "\n{section}");
}

const CONTRACT: &str = r#"
server:   { listen: 127.0.0.1:4000, admin_listen: 127.0.0.1:4001, admin_token: "${WEIGHBRIDGE_ADMIN_TOKEN:-}" }
data_dir: ./weighbridge-data
auth:     { keys: [{ name: ci, key: "wb_0123456789", team: core }, wb_abc] }
timeouts: { connect: 2s, first_token: 5s, read: 10s, total: 600s, early_headers_after: 15s }
failover: { max_attempts: 3, retries: 1, retry_after_patience: 0s, mid_stream: error, hedge: { enabled: false, after: 500ms, max_extra: 5% } }
breaker:  { failures: 3, open_for: 30s }
upstream_stream: auto
providers:
  openai:    { api_key: "${OPENAI_API_KEY}" }
  anthropic: { api_keys: ["${KEY_A}", "${KEY_B}"] }
  gemini:    { api_key: "${GEMINI_API_KEY}" }
  deepseek:  { api_key: file:key.txt }
  openai-eu: { base: openai, base_url: "https://eu.api.openai.com/v1", region: eu, api_key: x }
  house:
    dialect: openai_chat
    base_url: http://127.0.0.1:8000/v1
    models: { mistral-support-7b: { input: $0, output: $0, context: 32768 } }
models:
  fast:
    deployments: [gemini/gemini-2.0-flash, { model: deepseek/deepseek-chat, weight: 2 }]
    strategy: ordered
    fallbacks: [smart]
    context_fallbacks: [long]
    timeouts: { first_token: 3s }
    failover: { hedge: { enabled: true } }
  smart: { deployments: [anthropic/claude-3-5-sonnet-latest, openai/gpt-4o] }
  long: { deployments: [gemini/gemini-2.0-flash, house/mistral-support-7b] }
open_catalog: true
budgets: []
limits:
unknown_price: refuse
cache:
  exact:    { enabled: false, ttl: 60s, factual_ttl: 1h, max_size: 256MiB }
  semantic: { enabled: false, embedder: voyage/voyage-3.5, threshold: 0.95 }
log:      { bodies: none, sample: 100%, retain: 30d }
alerts:   { webhooks: [] }
telemetry: { prometheus: true, otlp: null, dogstatsd: null }
"#;

#[test]
fn the_documented_example_loads_and_its_references_are_resolved() {
    let config = loads(CONTRACT);
    assert_eq!(config.providers.len(), 6);
    let (deepseek, provider) = config.provider("deepseek").unwrap();
    assert_eq!(provider.credentials, [Proof::Key(Secret::new("from-file".into()))]);
    let (_, fast) = config.group("fast").unwrap();
    assert_eq!(
        fast.deployments[1],
        Deployment { provider: deepseek, model: "deepseek-chat".into(), weight: 2 }
    );
    assert_eq!((&fast.fallbacks[..], &fast.context_fallbacks[..]), (&[1][..], &[2][..]));
    let Auth::Keys(keys) = &config.auth else { panic!("keys") };
    assert_eq!((keys[0].name.as_str(), keys[1].name.as_str()), ("ci", "key-2"));
    assert_eq!(keys[0].team.as_deref(), Some("core"));
}

#[test]
fn providers_take_from_the_catalog_what_is_not_written() {
    let config = loads(CONTRACT);
    let (_, anthropic) = config.provider("anthropic").unwrap();
    assert_eq!((anthropic.faces[0].auth, anthropic.credentials.len()), (AuthKind::XApiKey, 2));
    let (_, eu) = config.provider("openai-eu").unwrap();
    assert_eq!(eu.faces[0].base_url.to_string(), "https://eu.api.openai.com/v1");
    assert_eq!((eu.catalog_id.as_deref(), eu.region.as_str()), (Some("openai"), "eu"));
    let (_, house) = config.provider("house").unwrap();
    assert_eq!((house.faces[0].auth, house.catalog_id.as_deref()), (AuthKind::None, None));
    assert_eq!(house.custom_model("mistral-support-7b").unwrap().context, Some(32768));
}

#[test]
fn a_group_inherits_key_by_key() {
    let config = loads(CONTRACT);
    let (_, fast) = config.group("fast").unwrap();
    assert_eq!(fast.timeouts, Timeouts { first_token: Duration::from_secs(3), ..config.timeouts });
    let hedge = Hedge { enabled: true, after: Duration::from_millis(500), max_extra_ppm: 50_000 };
    assert_eq!(fast.failover, Failover { hedge, ..config.failover });
    assert_eq!(fast.breaker, config.breaker);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = loads(REST);
    let seconds = Duration::from_secs;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:4000");
    assert_eq!(config.server.admin_listen.to_string(), "127.0.0.1:4001");
    assert_eq!((config.server.max_body_bytes, config.server.max_head_bytes), (32 << 20, 32 << 10));
    assert_eq!((config.server.drain, config.server.drain_accept), (seconds(600), seconds(5)));
    let clocks = Timeouts {
        connect: seconds(2),
        first_token: seconds(5),
        read: seconds(10),
        total: seconds(600),
        early_headers_after: seconds(15),
        unstreamed_read: seconds(60),
        keep_alive_every: seconds(15),
        stalled_client: seconds(30),
    };
    assert_eq!(config.timeouts, clocks);
    assert_eq!(config.breaker, Breaker { failures: 3, open_for: seconds(30) });
    assert_eq!((config.failover.max_attempts, config.failover.retries), (3, 1));
    assert_eq!((config.auth, config.open_catalog), (Auth::Open, true));
}

#[test]
fn every_default_of_the_table_is_a_value_of_its_kind() {
    for key in keys::KEYS.iter().filter(|key| !key.default.is_empty()) {
        let top = key.path.contains(['*', '[']);
        if !top {
            let mut text =
                key.path.split('.').rev().fold(format!("'{}'", key.default), |inner, name| {
                    format!("{{ {name}: {inner} }}")
                });
            text.push('\n');
            let merged = text.replacen("{ ", "{ providers: { ollama: {} }, ", 1);
            assert_eq!(said(&merged), "no problem", "{}", key.path);
        }
    }
}

#[test]
fn ten_mistakes_are_told_in_one_run() {
    let text = "\
server: { listen: here }
auht: open
timeouts: { connect: 0s }
failover:
  max_attempts: 99
breaker: { open_for: soon }
providers:
  openai: { api_key: '${UNSET}' }
  house: { dialect: openai_chat, base_url: 'http://me:pw@host' }
models:
  fast:
    deployments: [openai/gpt-4oo]
    strategy: orderd
    fallbacks: [smrt]
  smart: { deployments: [openai/gpt-4o] }
";
    let expected = "\
1:19: server.listen: `here` is not an IP address and port (write for example `127.0.0.1:4000` or `[::]:4000`)
2:1: auht: unknown key `auht` (did you mean `auth`?)
3:22: timeouts.connect: zero makes no sense here
5:17: failover.max_attempts: `99` is not within 1 to 20
6:22: breaker.open_for: `soon` is not a duration (write for example `500ms`, `2s`, `5m`, `1h` or `30d`)
8:22: providers.openai.api_key: environment variable `UNSET` is not set (set it, or write `${UNSET:-default}`)
9:44: providers.house.base_url: a base URL holds no user or password; use `api_key`
12:19: models.fast.deployments[0]: the price of `gpt-4oo` is not known (did you mean `openai/gpt-4o`?)
13:15: models.fast.strategy: unknown strategy `orderd` (did you mean `ordered`?)
14:17: models.fast.fallbacks[0]: unknown group `smrt` (did you mean `smart`?)";
    assert_eq!(said(text), expected);
}

#[test]
fn keys_out_of_place_are_named() {
    says("retries: 3", "2:1: retries: unknown key `retries` (it belongs at `failover.retries`)");
    says(
        "open_catalog: true\nopen_catalog: true",
        "3:1: open_catalog: written twice, first on line 2",
    );
    says("server: 5", "2:9: server: a mapping is needed here, not a single value");
    says(
        "breaker: { failures: [3] }",
        "2:22: breaker.failures: a single value is needed here, not a list",
    );
    says(
        "<<: {}",
        "2:1: <<: unknown key `<<` (merge keys are not known here; write the keys out or use an alias)",
    );
    assert_eq!(said("- 1"), "1:1: the configuration is a mapping, not a list");
    assert_eq!(
        said("providers: { openai: { api_key: ${OPENAI_API_KEY} } }"),
        "1:34: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'; \
         inside `{ }` write \"${NAME}\" in quotes"
    );
}

#[test]
fn doors_are_checked() {
    says(
        "auth: keys",
        "2:7: auth: no keys are listed (write `auth: { keys: [{ name: me, key: \"${WEIGHBRIDGE_KEY}\" }] }`)",
    );
    says("auth: opne", "2:7: auth: `opne` is none of `open`, `keys` (did you mean `open`?)");
    says(
        "auth: { keys: [abcd, { key: abcd }] }",
        "2:29: auth.keys[1].key: the same key as `auth.keys[0]`",
    );
    says(
        "auth: { keys: [{ name: a, key: x }, { name: a, key: y }] }",
        "2:45: auth.keys[1].name: the same name as `auth.keys[0]`",
    );
    says(
        "auth: { keys: [{ key: 'a b' }] }",
        "2:23: auth.keys[0].key: a secret has no spaces, line breaks or non-ASCII letters",
    );
    says(
        "auth: { keys: [{ name: a }] }",
        "2:16: auth.keys[0].key: empty (is its environment variable set?)",
    );
    says(
        "server: { listen: 0.0.0.0:4000 }",
        "2:19: server.listen: `auth: open` lets everyone who reaches 0.0.0.0:4000 spend (write `auth: { keys: [{ name: me, key: \"${WEIGHBRIDGE_KEY}\" }] }`, listen on 127.0.0.1, or set `server.allow_open_auth: true`)",
    );
    says("server: { listen: 0.0.0.0:4000, allow_open_auth: true }", "no problem");
    says(
        "server: { listen: 127.0.0.1:4001 }",
        "2:9: server.admin_listen: the same address as `server.listen`, 127.0.0.1:4001",
    );
}

#[test]
fn clocks_and_counts_are_checked() {
    says(
        "timeouts: { total: 3s }",
        "2:20: timeouts.total: `first_token` (5s) is longer than `total` (3s)",
    );
    says(
        "timeouts: { first_token: 20m }",
        "2:26: timeouts.first_token: `first_token` (1200s) is longer than `total` (600s)",
    );
    says("timeouts: { read: -5s }", "2:19: timeouts.read: a duration cannot be negative");
    says(
        "failover: { hedge: { enabled: yes, max_extra: 5 } }",
        "2:31: failover.hedge.enabled: `yes` is neither `true` nor `false` (write `true`)\n2:47: failover.hedge.max_extra: `5` is not a percentage (write `5%`)",
    );
    says(
        "failover: { mid_stream: contine }",
        "2:25: failover.mid_stream: `contine` is none of `error`, `continue` (did you mean `continue`?)",
    );
    says("failover: { retries: 0, retry_after_patience: 0s }", "no problem");
}

#[test]
fn what_this_version_cannot_do_is_refused_and_never_ignored() {
    says(
        "budgets: [{ name: x, limitt: $5 }]",
        "2:1: budgets: not supported by this version (remove it)\n2:22: budgets[0].limitt: unknown key `limitt` (did you mean `limit`?)",
    );
    says(
        "limits:\n  - { concurrent: 5 }",
        "2:1: limits: not supported by this version (remove it)",
    );
    says(
        "cache: { exact: { enabled: true } }",
        "2:10: cache.exact: not supported by this version (remove it)",
    );
    says(
        "alerts: { fallback_cascade: {} }",
        "2:11: alerts.fallback_cascade: not supported by this version (remove it)",
    );
    says("log: { bodies: all }", "2:8: log.bodies: not supported by this version (remove it)");
    says(
        "telemetry: { otlp: 'http://x' }",
        "2:14: telemetry.otlp: not supported by this version (remove it)",
    );
    says(
        "models: { auto: { tiers: { simple: fast }, classify: { by: model } } }",
        "2:19: models.auto.tiers: not supported by this version (remove it)\n2:44: models.auto.classify: not supported by this version (remove it)",
    );
    says("budgets: []\nlimits: ~\nlog: { bodies: none }\ntelemetry: { otlp: null }", "no problem");
}

/// The problems of a file with this provider alone.
pub(super) fn provider_says(provider: &str, expected: &str) {
    assert_eq!(said(&format!("providers:\n  {provider}")), expected, "\n{provider}");
}

#[test]
fn what_a_provider_lacks_is_named() {
    provider_says(
        "openai: {}",
        "2:11: providers.openai: no credential (write `api_key: \"${OPENAI_API_KEY}\"`)",
    );
    provider_says("ollama: {}", "no problem");
    provider_says(
        "opnai: {}",
        "2:10: providers.opnai: the catalog does not know `opnai` (did you mean `openai`?)",
    );
    provider_says(
        "house: {}",
        "2:10: providers.house: the catalog does not know `house` (give its `dialect` and `base_url`)",
    );
    provider_says(
        "house: { base: opnai }",
        "2:18: providers.house.base: the catalog does not know `opnai` (did you mean `openai`?)",
    );
    provider_says(
        "house: { base_url: 'http://h' }",
        "2:10: providers.house.dialect: the catalog does not know this provider's dialect (write for example `dialect: openai_chat`)",
    );
    provider_says(
        "house: { dialect: openai_chat }",
        "2:10: providers.house.base_url: this provider's address is not known to the catalog (write for example `base_url: https://host/v1`)",
    );
}

#[test]
fn the_parts_of_a_provider_are_checked() {
    let known: Vec<String> = dialects().map(|id| format!("`{id}`")).collect();
    provider_says(
        "house: { dialect: opnai_chat, base_url: 'http://169.254.169.254' }",
        &format!(
            "2:21: providers.house.dialect: `opnai_chat` is none of {} (did you mean `openai_chat`?)\n2:43: providers.house.base_url: link-local addresses and metadata services are never connected to",
            known.join(", ")
        ),
    );
    provider_says(
        "openai: { api_key: a, api_keys: [b] }",
        "2:22: providers.openai.api_key: beside `api_keys` (move it into the list)",
    );
    provider_says(
        "openai: { api_key: '${UNSET:-}' }",
        "2:22: providers.openai.api_key: empty (is its environment variable set?)",
    );
    provider_says(
        "openai: { api_key: 'file:gone' }",
        "2:22: providers.openai.api_key: cannot read `gone`: entity not found",
    );
    provider_says(
        "openai: { api_key: x, ca_file: etc/not.pem }",
        "2:34: providers.openai.ca_file: the file does not hold certificates in PEM form",
    );
    provider_says(
        "openai: { api_key: x, timeouts: { total: 5s } }",
        "2:37: providers.openai.timeouts.total: unknown key `total` (it belongs at `timeouts.total`)",
    );
    provider_says(
        "openai: { api_key: x, models: { m: { input: $1 } } }",
        "2:38: providers.openai.models.m.output: a price in US dollars per million tokens is needed (write `output: $0` if it costs nothing)",
    );
    provider_says(
        "'a/b': { base: openai, api_key: x }",
        "2:10: providers.a/b: `a/b` is not a provider's name (up to 64 letters, digits, `-`, `_` or `.`)",
    );
    assert_eq!(
        said(""),
        "1:1: providers: at least one is needed (write for example `openai: { api_key: \"${OPENAI_API_KEY}\" }`)"
    );
}

#[test]
fn groups_are_checked() {
    let says = |group: &str, expected: &str| {
        assert_eq!(said(&format!("{REST}models:\n  a: {group}")), expected, "\n{group}");
    };
    says(
        "{}",
        "3:6: models.a.deployments: at least one deployment is needed (write for example `deployments: [openai/gpt-4o]`)",
    );
    says(
        "{ deployments: [gpt-4o] }",
        "3:22: models.a.deployments[0]: `gpt-4o` is not `provider/model` (did you mean `openai/gpt-4o`?)",
    );
    says(
        "{ deployments: [groq/x] }",
        "3:22: models.a.deployments[0]: provider `groq` is not configured (add `groq: { api_key: \"${GROQ_API_KEY}\" }` to `providers`)",
    );
    says(
        "{ deployments: [openia/gpt-4o] }",
        "3:22: models.a.deployments[0]: provider `openia` is not configured (did you mean `openai`?)",
    );
    says(
        "{ deployments: [openai/my-own] }",
        "3:22: models.a.deployments[0]: the price of `my-own` is not known (add its prices under `providers.openai.models.my-own`, or set `unknown_price`)",
    );
    says(
        "{ deployments: [openai/my-own] }\nunknown_price: { input: $5, output: $15 }",
        "no problem",
    );
    says(
        "{ deployments: [openai/gpt-4o, openai/gpt-4o] }",
        "3:37: models.a.deployments[1]: listed twice (give it more weight instead)",
    );
    says(
        "{ deployments: [{ weight: 2 }] }",
        "3:22: models.a.deployments[0].model: `model: provider/model` is needed",
    );
    says(
        "{ deployments: [{ model: openai/gpt-4o, weight: 0 }], strategy: weighted }",
        "3:21: models.a.deployments: every weight is 0, so nothing could be chosen",
    );
    says(
        "{ deployments: [openai/gpt-4o], fallback: [b] }",
        "3:38: models.a.fallback: unknown key `fallback` (did you mean `fallbacks`?)",
    );
    says(
        "{ deployments: [openai/gpt-4o], fallbacks: [a] }",
        "3:50: models.a.fallbacks[0]: a group cannot fall back to itself",
    );
    says(
        "{ deployments: [openai/gpt-4o], fallbacks: [openai/gpt-4o] }",
        "3:50: models.a.fallbacks[0]: unknown group `openai/gpt-4o` (fallbacks name groups: give this deployment a group under `models`)",
    );
    assert_eq!(
        said(&format!("{REST}open_catalog: false")),
        "2:15: open_catalog: without `models` and with `open_catalog: false` nothing is served"
    );
}

#[test]
fn groups_may_fall_back_in_a_circle() {
    let config = loads(&format!(
        "{REST}models:\n  a: {{ deployments: [openai/gpt-4o], fallbacks: [b] }}\n  b: {{ deployments: [openai/gpt-4o-mini], fallbacks: [a] }}"
    ));
    assert_eq!(
        (&config.groups[0].fallbacks[..], &config.groups[1].fallbacks[..]),
        (&[1][..], &[0][..])
    );
}

#[test]
fn a_providers_own_clocks_win_over_the_groups() {
    let config = loads("providers: { ollama: { timeouts: { first_token: 90s } } }");
    let clocks = config.providers[0].timeouts.over(&config.timeouts);
    assert_eq!(clocks, Timeouts { first_token: Duration::from_secs(90), ..config.timeouts });
}

#[test]
fn quirks_are_laid_over_the_catalogs() {
    let config = loads("providers: { mistral: { api_key: x, quirks: { no_sampling: true } } }");
    let row = Catalog::embedded().provider("mistral").unwrap();
    let expected = wire::dialect::Quirks { no_sampling: true, ..row.quirks.clone() };
    assert_eq!(config.providers[0].faces[0].quirks, expected);
}

#[test]
fn the_environment_alone_configures_the_providers_whose_keys_are_set() {
    let config = from_environment(&env, &read).unwrap();
    let ids: Vec<&str> = config.providers.iter().map(|provider| provider.id.as_str()).collect();
    assert_eq!(ids, ["openai", "gemini", "deepseek"]);
    assert!(config.open_catalog && config.groups.is_empty());
    let missing = from_environment(&|_| None, &read).unwrap_err();
    assert!(missing.to_string().contains("OPENAI_API_KEY"), "{missing}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let problems = load(Path::new("gone.yaml"), &env, &read).unwrap_err();
    assert_eq!(lines(&problems), "gone.yaml:1:1: cannot be read: entity not found\n");
}

#[test]
fn no_secret_is_printed() {
    let debug = format!("{:?}", loads(CONTRACT));
    for secret in ["value-of", "from-file", "wb_"] {
        assert!(!debug.contains(secret), "{secret}");
    }
}

#[test]
fn the_schema_knows_every_key_of_the_example() {
    let schema = schema::json_schema();
    let at = |pointer: &str| schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).clone();
    assert_eq!(at("/properties/timeouts/properties/connect/default"), "2s");
    assert_eq!(at("/properties/open_catalog/default"), true);
    assert_eq!(
        at("/properties/models/additionalProperties/properties/timeouts/$ref"),
        "#/properties/timeouts"
    );
    assert_eq!(at("/properties/server/additionalProperties"), false);
    let strategy = "/properties/models/additionalProperties/properties/strategy/anyOf/0/enum/1";
    assert_eq!(at(strategy), "weighted");
    for key in keys::KEYS {
        assert!(schema::reference().contains(&format!("| `{}` |", key.path)), "{}", key.path);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_configuration_or_problems(text in "\\PC{0,80}") {
        let _ = parse(&text, "w", &env, &read);
    }

    #[test]
    fn the_example_with_any_bytes_cut_or_put_in_never_panics(
        from in 0..CONTRACT.len(),
        length in 0..60usize,
        put in "[\\n :{}\\[\\],&*a0$%'\"-]{0,8}",
    ) {
        let end = (from + length).min(CONTRACT.len());
        let text = format!("{}{put}{}", &CONTRACT[..from], &CONTRACT[end..]);
        let _ = parse(&text, "w", &env, &read);
    }
}
