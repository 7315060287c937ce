//! Errors, read and written: a message and the request's id, nothing more.

use super::encode_events::frame;
use crate::error::{Problem, Reported};
use crate::fields::plain_report;
use serde_json::{Value, json};

/// Reads an error body, any bytes at all.
pub(super) fn decode(status: u16, body: &[u8]) -> Reported {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let message = parsed.as_ref().and_then(|parsed| parsed.get("message")?.as_str());
    match message {
        Some(message) => Reported { status: Some(status), ..said(message) },
        None => plain_report(status, body),
    }
}

/// A failure of which only the sentence is known.
pub(super) fn said(message: &str) -> Reported {
    Reported { message: message.to_owned(), ..Reported::default() }
}

/// Writes our error as a body.
pub(super) fn encode(problem: &Problem<'_>) -> Vec<u8> {
    json!({"message": problem.message, "id": problem.request_id, "code": problem.code})
        .to_string()
        .into_bytes()
}

/// Writes our error as the last frame of a stream.
pub(super) fn encode_in_stream(problem: &Problem<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(problem.message, &mut out);
    out
}

/// Writes an error as a frame: the end of a message that failed.
pub(super) fn write_frame(message: &str, out: &mut Vec<u8>) {
    let delta = json!({"finish_reason": "ERROR", "error": message});
    frame("message-end", json!({"type": "message-end", "delta": delta}), out);
}
