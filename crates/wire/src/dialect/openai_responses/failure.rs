//! Failures inside a stream. Those outside have the shape of Chat Completions.
//!
//! Read: the `error` event, flat or around an object, and `response.failed`. Written:
//! `response.failed`, which ends the stream as the API itself does.

use super::encode_events::frame;
use super::response::Head;
use crate::dialect::openai_chat;
use crate::error::{Problem, Reported};
use serde_json::{Map, Value, json};

/// The number of an event that ends a stream whose events nobody counted: above all others, and
/// still a 32-bit number.
const LAST_SEQUENCE: u64 = 2_147_483_647;

/// What an `error` event or a failed response reports.
pub(super) fn reported(map: &Map<String, Value>) -> Reported {
    openai_chat::error_inside(map).unwrap_or_else(|| {
        let mut flat = map.clone();
        flat.shift_remove("type");
        let around = Map::from_iter([("error".to_owned(), Value::Object(flat))]);
        openai_chat::error_inside(&around).unwrap_or_default()
    })
}

/// Writes our error as the last frame of a stream.
pub(super) fn encode_in_stream(problem: &Problem<'_>) -> Vec<u8> {
    let head = Head::new(problem.request_id.unwrap_or_default(), "", None);
    let mut out = Vec::new();
    write(&head, Vec::new(), LAST_SEQUENCE, problem, &mut out);
    out
}

/// Writes `response.failed` with what there is of the answer.
pub(super) fn write(
    head: &Head,
    output: Vec<Value>,
    sequence: u64,
    problem: &Problem<'_>,
    out: &mut Vec<u8>,
) {
    let mut response = head.response("failed", output);
    let error = json!({
        "code": problem.code,
        "message": problem.message,
        "param": problem.param,
        "type": problem.kind,
    });
    response.insert("error".to_owned(), error);
    frame("response.failed", sequence, json!({ "response": response }), out);
}
