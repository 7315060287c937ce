//! The failures of the field in `tests/errors`, one a line, and what they must mean.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use serde::Deserialize;
use wire::classify::{Sighting, Verdict, classify, classify_reported, rule_ids};
use wire::error::{Class, Reported};

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600_000;

type Headers = [(&'static str, &'static str)];

fn judge(provider: &str, dialect: &str, status: u16, headers: &Headers, body: &[u8]) -> Verdict {
    let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    classify(&Sighting { provider, dialect, status, header: &header, body, now_unix_ms: NOW })
}

fn openai(status: u16, body: &str) -> Verdict {
    judge("openai", "openai_chat", status, &[], body.as_bytes())
}

/// One row of the table: a failure and, by its file, what it must mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    #[serde(default = "usual_dialect")]
    dialect: String,
    status: u16,
    #[serde(default)]
    headers: HashMap<String, String>,
    body: String,
    /// How long to wait, where the answer says so.
    wait_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Rows {
    case: Vec<Row>,
}

fn usual_dialect() -> String {
    "openai_chat".to_owned()
}

/// The files of `tests/errors`, by the class that their rows must get.
#[rustfmt::skip]
const FILES: &[(Class, &str)] = &[
    (Class::Quota, include_str!("../errors/quota.toml")),
    (Class::ContentPolicy, include_str!("../errors/content_policy.toml")),
    (Class::ContextLength, include_str!("../errors/context_length.toml")),
    (Class::ModelNotFound, include_str!("../errors/model_not_found.toml")),
    (Class::Auth, include_str!("../errors/auth.toml")),
    (Class::RateLimited, include_str!("../errors/rate_limited.toml")),
    (Class::Overloaded, include_str!("../errors/overloaded.toml")),
    (Class::Server, include_str!("../errors/server.toml")),
    (Class::BadGateway, include_str!("../errors/bad_gateway.toml")),
    (Class::InvalidRequest, include_str!("../errors/invalid_request.toml")),
];

fn rows() -> Vec<(Class, Row)> {
    let read = |text| toml::from_str::<Rows>(text).expect("a table of failures").case;
    FILES.iter().flat_map(|(class, text)| read(text).into_iter().map(|row| (*class, row))).collect()
}

fn verdict(row: &Row) -> Verdict {
    let header = |name: &str| row.headers.get(name).map(String::as_str);
    classify(&Sighting {
        provider: &row.provider,
        dialect: &row.dialect,
        status: row.status,
        header: &header,
        body: row.body.as_bytes(),
        now_unix_ms: NOW,
    })
}

#[test]
fn every_failure_of_the_table_means_what_it_must() {
    let mut wrong = Vec::new();
    for (class, row) in rows() {
        let verdict = verdict(&row);
        let wait = verdict.retry_after_ms.or(verdict.quota_reset_ms);
        if (verdict.class, wait) != (class, row.wait_ms) {
            wrong.push(format!("{:?} {wait:?} by {:?}: {row:?}", verdict.class, verdict.rule));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_large_and_uses_every_rule() {
    let rows = rows();
    assert!(rows.len() > 250);
    let used: HashSet<&str> = rows.iter().filter_map(|(_, row)| verdict(row).rule).collect();
    let rules: Vec<&str> = rule_ids().collect();
    assert_eq!(rules.iter().filter(|rule| !used.contains(*rule)).collect::<Vec<_>>(), [&""; 0]);
    assert_eq!(rules.iter().collect::<HashSet<_>>().len(), rules.len());
}

#[test]
fn unknown_statuses_are_judged_by_their_hundred() {
    for (status, class) in [
        (418, Class::InvalidRequest),
        (302, Class::BadGateway),
        (599, Class::Server),
        (200, Class::Server),
    ] {
        assert_eq!((openai(status, "").class, openai(status, "").rule), (class, None));
    }
}

#[test]
fn waits_are_read_from_headers_before_bodies() {
    let wait = |headers: &Headers, body: &str| {
        judge("openai", "openai_chat", 429, headers, body.as_bytes()).retry_after_ms
    };
    assert_eq!(wait(&[("retry-after", "7")], ""), Some(7_000));
    assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT")], ""), Some(9_000));
    assert_eq!(wait(&[("retry-after", "Thu, 01 Jan 1998 00:00:09 GMT")], ""), Some(0));
    assert_eq!(wait(&[("retry-after", "7"), ("retry-after-ms", "1500.2")], ""), Some(1_501));
    let body = r#"{"error":{"message":"Please try again in 5.289s."}}"#;
    assert_eq!(wait(&[], body), Some(5_289));
    assert_eq!(wait(&[("retry-after", "2")], body), Some(2_000));
    assert_eq!(wait(&[("retry-after", "nonsense")], body), Some(5_289));
    assert_eq!(wait(&[], ""), None);
}

#[test]
fn reset_headers_count_where_something_is_used_up() {
    let wait = |headers: &Headers| judge("x", "openai_chat", 429, headers, b"").retry_after_ms;
    let pair =
        |left, reset| [("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", reset)];
    assert_eq!(wait(&pair("0", "6m0s")), Some(360_000));
    assert_eq!(wait(&pair("5", "6m0s")), None);
    let anthropic = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:30Z"),
    ];
    assert_eq!(wait(&anthropic), Some(30_000));
    let epoch = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225610000")];
    assert_eq!(wait(&epoch), Some(10_000));
}

#[test]
fn a_quota_has_a_reset_and_no_retry() {
    let body = br#"{"error":{"code":"insufficient_quota","message":"try again in 3s"}}"#;
    let verdict = judge("openai", "openai_chat", 429, &[("retry-after", "3600")], body);
    assert_eq!((verdict.retry_after_ms, verdict.quota_reset_ms), (None, Some(3_600_000)));
    let silent = judge("openai", "openai_chat", 429, &[], body);
    assert_eq!(silent.quota_reset_ms, None);
}

#[test]
fn google_names_the_wait_in_the_body() {
    let body = br#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}"#;
    assert_eq!(judge("gemini", "gemini", 429, &[], body).retry_after_ms, Some(34_400));
    assert_eq!(judge("gemini", "openai_chat", 429, &[], body).retry_after_ms, Some(34_400));
}

#[test]
fn bedrocks_exception_comes_in_a_header() {
    let headers = [("x-amzn-errortype", "ThrottlingException:http://x")];
    let verdict = judge("bedrock", "openai_chat", 400, &headers, br#"{"message":"Wait"}"#);
    assert_eq!((verdict.class, verdict.rule), (Class::RateLimited, Some("rate_word")));
}

#[test]
fn errors_inside_streams_are_judged_by_their_own_words() {
    let report = |kind: Option<&str>, status, message: &str| Reported {
        status,
        kind: kind.map(str::to_owned),
        message: message.to_owned(),
        retry_after_ms: Some(1_000),
        ..Reported::default()
    };
    for (reported, class, wait) in [
        (report(Some("overloaded_error"), None, ""), Class::Overloaded, Some(1_000)),
        (report(Some("rate_limit_error"), None, ""), Class::RateLimited, Some(1_000)),
        (report(Some("authentication_error"), None, ""), Class::Auth, None),
        (report(None, Some(503), "x"), Class::Overloaded, Some(1_000)),
        (report(None, None, "prompt is too long"), Class::ContextLength, None),
        (report(None, None, "x"), Class::Server, Some(1_000)),
    ] {
        assert_eq!(classify_reported("p", "openai_chat", 200, &reported), (class, wait));
    }
}

proptest! {
    #[test]
    fn any_answer_gets_a_verdict(
        status in 100..600u16,
        body in proptest::collection::vec(any::<u8>(), 0..80),
        retry in "[ -~]{0,12}",
        reset in "[0-9TZ:.+-]{0,24}",
        dialect in prop_oneof!["openai_chat", "anthropic_messages", "gemini", "other"],
    ) {
        let headers = [("retry-after", retry.as_str()), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)];
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let verdict = classify(&Sighting { provider: "p", dialect: &dialect, status, header: &header, body: &body, now_unix_ms: NOW });
        // A month is the longest wait believed where a duration is named.
        prop_assert!(verdict.retry_after_ms.is_none_or(|wait| wait < 1 << 53));
    }
}
