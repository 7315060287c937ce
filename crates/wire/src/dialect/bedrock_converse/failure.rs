//! Errors, read and written: a body with a message, its name in a header or, in a stream, in the
//! frame's own.

use super::words;
use crate::error::{Problem, Reported};
use crate::eventstream;
use crate::fields::plain_report;
use serde_json::{Value, json};

/// Reads an error body, any bytes at all. The name of the error stands in a header, or here where a
/// part in between speaks the older form.
pub(super) fn decode(status: u16, body: &[u8]) -> Reported {
    let Ok(parsed) = serde_json::from_slice::<Value>(body) else {
        return plain_report(status, body);
    };
    let text = |key: &str| parsed.get(key).and_then(Value::as_str);
    let Some(message) = text("message").or_else(|| text("Message")) else {
        return plain_report(status, body);
    };
    let named = text("__type").and_then(|name| name.rsplit('#').next());
    Reported {
        status: Some(status),
        kind: named.map(str::to_owned),
        message: message.to_owned(),
        ..Reported::default()
    }
}

/// What an exception inside a stream reports. A model's own failure tells its status.
pub(super) fn in_stream(name: &str, message: Option<String>, original: Option<u64>) -> Reported {
    let told = original.and_then(|status| u16::try_from(status).ok());
    Reported {
        status: told.or_else(|| words::status(name)).or(Some(500)),
        kind: Some(name.to_owned()),
        message: message.unwrap_or_default(),
        ..Reported::default()
    }
}

/// Writes our error as a body.
pub(super) fn encode(problem: &Problem<'_>) -> Vec<u8> {
    json!({
        "message": problem.message,
        "code": problem.code,
        "requestId": problem.request_id,
    })
    .to_string()
    .into_bytes()
}

/// Writes our error as the last frame of a stream.
pub(super) fn encode_in_stream(problem: &Problem<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(problem.status, problem.message, &mut out);
    out
}

/// Writes an error as a frame.
pub(super) fn write_frame(status: u16, message: &str, out: &mut Vec<u8>) {
    let body = json!({"message": message}).to_string();
    eventstream::encode(words::exception(status), true, body.as_bytes(), out);
}
