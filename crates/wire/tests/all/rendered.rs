//! Our errors as the SDKs read them: by status, and by the words each dialect has for it.

use crate::samples::{ANTHROPIC, GEMINI, frames};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wire::dialect::{DIALECTS, Dialect};
use wire::error::Problem;

/// What a client is told for a class of failures.
#[derive(Debug, Deserialize)]
struct Told {
    code: String,
    status: u16,
    kind: String,
}

fn told() -> BTreeMap<String, Told> {
    toml::from_str(include_str!("../errors/codes.toml")).expect("a table of codes")
}

/// Status, Anthropic's error type, Google's status word. The SDKs of OpenAI and Anthropic choose
/// the exception by the status alone, Google's by its hundred; programs look at the words.
#[rustfmt::skip]
const WORDS: &[(u16, &str, &str)] = &[
    (400, "invalid_request_error", "INVALID_ARGUMENT"),
    (401, "authentication_error", "UNAUTHENTICATED"),
    (402, "billing_error", "INVALID_ARGUMENT"),
    (403, "permission_error", "PERMISSION_DENIED"),
    (404, "not_found_error", "NOT_FOUND"),
    (408, "invalid_request_error", "DEADLINE_EXCEEDED"),
    (409, "invalid_request_error", "ABORTED"),
    (413, "request_too_large", "INVALID_ARGUMENT"),
    (422, "invalid_request_error", "INVALID_ARGUMENT"),
    (429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
    (500, "api_error", "INTERNAL"),
    (502, "api_error", "UNAVAILABLE"),
    (503, "overloaded_error", "UNAVAILABLE"),
    (504, "timeout_error", "DEADLINE_EXCEEDED"),
];

fn check(dialect: &Dialect, problem: &Problem<'_>, body: &Value) {
    let (_, anthropic, google) =
        WORDS.iter().find(|(status, ..)| *status == problem.status).expect("a known status");
    let error = &body["error"];
    assert_eq!(error["message"], problem.message, "{}: {body}", dialect.id);
    match dialect.id {
        ANTHROPIC => {
            assert_eq!((&body["type"], &error["type"]), (&"error".into(), &(*anthropic).into()));
            assert_eq!((&error["code"], &body["request_id"]), (&problem.code.into(), &"r".into()));
        }
        GEMINI => {
            assert_eq!(
                (&error["code"], &error["status"]),
                (&problem.status.into(), &(*google).into())
            );
            assert_eq!(error["details"][0]["reason"], problem.code);
        }
        _ => {
            assert_eq!(
                (&error["type"], &error["code"]),
                (&problem.kind.into(), &problem.code.into())
            );
            assert_eq!(error["param"], problem.param.map_or(Value::Null, Value::from));
        }
    }
}

/// Clients of these speak to the gateway, and their errors have their own shape.
const DOORS: &[&str] =
    &["openai_chat", "openai_responses", "openai_completions", ANTHROPIC, GEMINI];

fn doors() -> impl Iterator<Item = &'static Dialect> {
    DIALECTS.iter().filter(|dialect| DOORS.contains(&dialect.id))
}

fn problems<'a>(told: &'a BTreeMap<String, Told>) -> Vec<Problem<'a>> {
    let of_class = told.values().map(|told| (told.status, &*told.kind, &*told.code));
    let own = WORDS.iter().map(|(status, ..)| (*status, "server_error", "internal_error"));
    let problem = |(status, kind, code)| Problem {
        status,
        kind,
        code,
        message: "Words \"in\" quotes\n",
        param: (status == 400).then_some("model"),
        request_id: Some("r"),
    };
    of_class.chain(own).map(problem).collect()
}

#[test]
fn every_class_of_failures_is_worded_as_the_sdk_of_every_door_expects() {
    let told = told();
    assert_eq!(told.len(), 10);
    for dialect in doors() {
        for problem in problems(&told) {
            let body = (dialect.encode_error)(&problem);
            check(dialect, &problem, &serde_json::from_slice(&body).expect("JSON"));
        }
    }
}

#[test]
fn an_error_ends_a_stream_in_one_event_that_its_own_reader_takes_for_one() {
    let told = told();
    for dialect in doors() {
        for problem in problems(&told) {
            let stream = frames(&(dialect.encode_stream_error)(&problem), 16);
            let [(name, data)] = stream.as_slice() else { panic!("{}: {stream:?}", dialect.id) };
            // Anthropic's SDKs look at the event's name only.
            let named = if dialect.id == ANTHROPIC { Some(&b"error"[..]) } else { name.as_deref() };
            assert_eq!(name.as_deref(), named);
            let mut meter = (dialect.meter)(&wire::dialect::Quirks::default());
            let seen = meter.event(name.as_deref(), data).expect("a good event");
            let message = seen.error.map(|reported| reported.message);
            assert_eq!(message.as_deref(), Some(problem.message), "{}", dialect.id);
        }
    }
}
