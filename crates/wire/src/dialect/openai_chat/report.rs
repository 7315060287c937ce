//! Errors in OpenAI's shape and in the many shapes of its imitators.
//!
//! Read: `{"error":{..}}`, `{"error":"text","code":..}`, the flat `{"object":"error",..}`,
//! FastAPI's `{"detail":..}`, a bare `{"message":..}`, a list `{"errors":[..]}`, an array around
//! any of these, and text that is no JSON. Written: OpenAI's own shape. What an error means is decided in `classify`.

use crate::error::{Problem, Reported};
use crate::fields::plain_report;
use crate::wait;
use serde_json::{Map, Value, json};

/// Reads an error body, whatever it is.
pub(crate) fn decode_error(status: u16, body: &[u8]) -> Reported {
    match serde_json::from_slice::<Value>(body) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => read(&value, Some(status)),
        _ => plain_report(status, body),
    }
}

/// The error that a chunk or an answer with status 200 carries, if it does.
pub(crate) fn inside(map: &Map<String, Value>) -> Option<Reported> {
    let error = map.get("error").is_some_and(truthy);
    let flat = map.get("object").and_then(Value::as_str) == Some("error");
    (error || flat).then(|| read_object(map, None))
}

/// OpenAI's SDKs raise on any value that counts as true.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn read(value: &Value, status: Option<u16>) -> Reported {
    match value {
        Value::Object(map) => read_object(map, status),
        Value::Array(list) => match list.first() {
            Some(Value::Object(map)) => read_object(map, status),
            _ => Reported { status, ..Reported::default() },
        },
        _ => Reported { status, ..Reported::default() },
    }
}

fn read_object(map: &Map<String, Value>, status: Option<u16>) -> Reported {
    let inner = innermost(map);
    let kind = ["type", "status", "error_type"].iter().find_map(|key| word(inner, key));
    let kind = kind.or_else(|| word(nested(inner, "metadata"), "error_type"));
    let code = word(inner, "code").or_else(|| word(inner, "error_code"));
    let code = code.or_else(|| word(nested(inner, "innererror"), "code"));
    let message = message(map, inner);
    let retry_after_ms = retry_after(inner).or_else(|| wait::in_message(&message));
    Reported {
        status: status.filter(|status| *status >= 300).or_else(|| inner_status(inner)).or(status),
        kind,
        code,
        retry_after_ms,
        param: word(inner, "param"),
        message,
    }
}

/// The object that holds the complaint: the error, the first of several, or the whole.
fn innermost(map: &Map<String, Value>) -> &Map<String, Value> {
    let first = || map.get("errors")?.as_array()?.first()?.as_object();
    map.get("error").and_then(Value::as_object).or_else(first).unwrap_or(map)
}

/// OpenRouter and Google put an HTTP status into the error itself, Azure as a text.
fn inner_status(inner: &Map<String, Value>) -> Option<u16> {
    ["code", "status_code", "status"].iter().find_map(|key| {
        let value = inner.get(*key)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        u16::try_from(number).ok().filter(|status| (400..600).contains(status))
    })
}

fn nested<'a>(map: &'a Map<String, Value>, key: &str) -> &'a Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    map.get(key).and_then(Value::as_object).unwrap_or(&EMPTY)
}

/// A string or a number as text.
fn word(map: &Map<String, Value>, key: &str) -> Option<String> {
    match map.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn message(map: &Map<String, Value>, inner: &Map<String, Value>) -> String {
    let own = word(inner, "message").or_else(|| word(map, "error"));
    let own = own.or_else(|| details(inner.get("detail")?));
    // Mistral puts FastAPI's complaint into the message.
    let own = own.or_else(|| details(inner.get("message")?.get("detail")?)).unwrap_or_default();
    match word(nested(inner, "metadata"), "raw") {
        // OpenRouter says only that its provider failed, and quotes it.
        Some(raw) => format!("{own}: {}", raw.chars().take(QUOTED_CHARS).collect::<String>()),
        None => own,
    }
}

/// How much of a quoted report is passed on.
const QUOTED_CHARS: usize = 300;

/// FastAPI's complaint: a sentence, or a list of places and sentences.
fn details(detail: &Value) -> Option<String> {
    match detail {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let lines: Vec<String> = list.iter().take(8).filter_map(detail_line).collect();
            (!lines.is_empty()).then(|| lines.join("; "))
        }
        Value::Object(map) => ["message", "msg", "error"].iter().find_map(|key| word(map, key)),
        _ => None,
    }
}

fn detail_line(detail: &Value) -> Option<String> {
    let sentence = detail.get("msg")?.as_str()?;
    let place: Vec<String> = detail
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
        .collect();
    Some(format!("{}: {sentence}", place.join(".")))
}

fn retry_after(inner: &Map<String, Value>) -> Option<u64> {
    let named = nested(inner, "availability").get("retry_after");
    // Hugging Face tells how long a model still loads.
    let named = named.or_else(|| inner.get("estimated_time")).and_then(Value::as_f64);
    if let Some(seconds) = named {
        return wait::milliseconds(seconds * 1_000.0);
    }
    let details = inner.get("details").and_then(Value::as_array).into_iter().flatten();
    details.filter_map(|detail| detail.get("retryDelay")?.as_str()).find_map(wait::duration)
}

/// Writes our error as OpenAI would. The request id stands beside the error, where SDKs ignore it.
pub(crate) fn encode_error(problem: &Problem<'_>) -> Vec<u8> {
    error_value(problem).to_string().into_bytes()
}

/// Writes our error as the last frame of a stream; no `[DONE]` follows it.
pub(super) fn encode_stream_error(problem: &Problem<'_>) -> Vec<u8> {
    format!("data: {}\n\n", error_value(problem)).into_bytes()
}

/// Writes an upstream's error as a frame.
pub(in crate::dialect) fn write_frame(reported: &Reported, out: &mut Vec<u8>) {
    out.extend(encode_stream_error(&Problem {
        status: reported.status.unwrap_or(502),
        kind: reported.kind.as_deref().unwrap_or("upstream_error"),
        code: reported.code.as_deref().unwrap_or("stream_interrupted"),
        message: &reported.message,
        param: reported.param.as_deref(),
        request_id: None,
    }));
}

fn error_value(problem: &Problem<'_>) -> Value {
    let mut body = json!({
        "error": {
            "message": problem.message,
            "type": problem.kind,
            "param": problem.param,
            "code": problem.code,
        }
    });
    if let (Some(id), Some(map)) = (problem.request_id, body.as_object_mut()) {
        map.insert("request_id".to_owned(), id.into());
    }
    body
}
