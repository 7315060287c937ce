//! Error bodies and error events, read and written: `google.rpc.Status`, alone or in a list.

use super::words;
use crate::error::{Problem, Reported};
use crate::fields::plain_report;
use serde_json::{Value, json};

/// Reads an error body, any bytes at all.
pub(super) fn decode(status: u16, body: &[u8]) -> Reported {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let one = parsed.as_ref().map(|parsed| parsed.get(0).unwrap_or(parsed));
    match one.and_then(|one| one.get("error")) {
        Some(error) if !error.is_null() => reported(Some(status), error),
        _ => plain_report(status, body),
    }
}

/// Reads the object `error`. Without a status, the one it names.
pub(super) fn reported(status: Option<u16>, error: &Value) -> Reported {
    let named = error.get("code").and_then(Value::as_u64);
    let text = |key: &str| error.get(key).and_then(Value::as_str);
    let quota = detail(error, "QuotaFailure").and_then(quota_id);
    let reason = detail(error, "ErrorInfo").and_then(|info| info.get("reason")?.as_str());
    let delay = detail(error, "RetryInfo").and_then(|info| info.get("retryDelay")?.as_str());
    Reported {
        status: status.or_else(|| named.and_then(|code| u16::try_from(code).ok())),
        kind: text("status").map(str::to_owned),
        code: quota.or(reason).map(str::to_owned),
        message: text("message").or_else(|| error.as_str()).unwrap_or_default().to_owned(),
        param: None,
        retry_after_ms: delay.and_then(duration_ms),
    }
}

/// The first detail whose type name ends so.
fn detail<'a>(error: &'a Value, kind: &str) -> Option<&'a Value> {
    let details = error.get("details")?.as_array()?;
    details.iter().find(|detail| {
        let name = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
        name.rsplit('.').next() == Some(kind)
    })
}

fn quota_id(failure: &Value) -> Option<&str> {
    failure.get("violations")?.as_array()?.iter().find_map(|one| one.get("quotaId")?.as_str())
}

/// A duration such as `34.4s` in milliseconds, rounded up.
fn duration_ms(text: &str) -> Option<u64> {
    let (whole, fraction) = match text.strip_suffix('s')?.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text.strip_suffix('s')?, ""),
    };
    let nanos = format!("{fraction:0<9}");
    let nanos: u64 = nanos.get(..9)?.parse().ok()?;
    let seconds: u64 = whole.parse().ok()?;
    seconds.checked_mul(1000)?.checked_add(nanos.div_ceil(1_000_000))
}

fn body(problem: &Problem<'_>) -> Value {
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": problem.code,
        "domain": "weighbridge",
    })];
    details.extend(
        problem.request_id.map(
            |id| json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id}),
        ),
    );
    json!({
        "error": {
            "code": problem.status,
            "message": problem.message,
            "status": words::status_name(problem.status),
            "details": details,
        }
    })
}

/// Writes our error as a body.
pub(super) fn encode(problem: &Problem<'_>) -> Vec<u8> {
    body(problem).to_string().into_bytes()
}

/// Writes our error as the last frame of a stream.
pub(super) fn encode_in_stream(problem: &Problem<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_data(&body(problem), &mut out);
    out
}

/// Writes an upstream's error as a frame.
pub(super) fn write_frame(reported: &Reported, out: &mut Vec<u8>) {
    let status = reported.status.unwrap_or(500);
    let name = words::status_name(status);
    let error = json!({"code": status, "message": reported.message, "status": name});
    write_data(&json!({"error": error}), out);
}

/// Appends one complete frame.
pub(super) fn write_data(data: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("data: {data}\n\n").as_bytes());
}
