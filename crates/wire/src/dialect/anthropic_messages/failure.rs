//! Error bodies and error events, read and written.

use super::encode_events::frame;
use super::words;
use crate::error::{Problem, Reported};
use crate::fields::plain_report;
use serde_json::{Value, json};

/// Reads an error body, any bytes at all.
pub(super) fn decode(status: u16, body: &[u8]) -> Reported {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let error = parsed.as_ref().and_then(|parsed| parsed.get("error"));
    match error {
        Some(error) if !error.is_null() => reported(Some(status), Some(error)),
        _ => plain_report(status, body),
    }
}

/// Reads the object `error`. Without a status, the one that belongs to its type.
pub(super) fn reported(status: Option<u16>, error: Option<&Value>) -> Reported {
    let text = |key: &str| error.and_then(|error| error.get(key)).and_then(Value::as_str);
    let kind = text("type").map(str::to_owned);
    let detail = error.and_then(|error| error.pointer("/details/error_code"));
    let code = detail.and_then(Value::as_str).or_else(|| text("code")).map(str::to_owned);
    let bare = error.and_then(Value::as_str);
    Reported {
        status: status.or_else(|| kind.as_deref().and_then(words::error_status)),
        kind,
        code,
        message: text("message").or(bare).unwrap_or_default().to_owned(),
        ..Reported::default()
    }
}

fn body(problem: &Problem<'_>) -> Value {
    json!({
        "type": "error",
        "error": {
            "type": words::error_type(problem.status),
            "message": problem.message,
            "code": problem.code,
            "param": problem.param,
        },
        "request_id": problem.request_id,
    })
}

/// Writes our error as a body.
pub(super) fn encode(problem: &Problem<'_>) -> Vec<u8> {
    body(problem).to_string().into_bytes()
}

/// Writes our error as the last frame of a stream.
pub(super) fn encode_in_stream(problem: &Problem<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame("error", body(problem), &mut out);
    out
}

/// Writes an upstream's error as a frame.
pub(super) fn write_frame(reported: &Reported, out: &mut Vec<u8>) {
    let kind = words::error_type(reported.status.unwrap_or(500));
    let error = json!({"type": kind, "message": reported.message});
    frame("error", json!({"type": "error", "error": error}), out);
}
