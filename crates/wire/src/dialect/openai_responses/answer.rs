//! Unstreamed answers, read and written.

use super::encode_events::Writer;
use super::response::Head;
use super::writing::Writing;
use super::{ID, failure, items, usage, words};
use crate::dialect::Quirks;
use crate::error::DecodeError;
use crate::fields::{Fields, merge};
use crate::hub::{Answer, Choice, Media, Message, Part, Request, Role};
use serde_json::{Map, Value, json};

/// Token counts that are read; all others of a usage object are kept as they stand.
static COUNTED: &[&str] = &[
    "input_tokens",
    "input_tokens_details",
    "output_tokens",
    "output_tokens_details",
    "total_tokens",
];

/// Reads an answer.
///
/// # Errors
/// When the body is not a response, or one that failed.
pub(super) fn decode(body: &[u8], _quirks: &Quirks) -> Result<Answer, DecodeError> {
    let mut fields = Fields::parse(body)?;
    fields.take("object");
    let status = fields.text("status")?.unwrap_or_else(|| "completed".to_owned());
    let error = fields.take("error");
    if error.is_some() || status == "failed" {
        let map = Map::from_iter([("error".to_owned(), error.unwrap_or_default())]);
        return Err(DecodeError::at("error", failure::reported(&map).message));
    }
    let Some(Value::Array(output)) = fields.take("output") else {
        return Err(DecodeError::at("output", "must be a list of items"));
    };
    let turns = items::read(output, "output")?;
    let parts: Vec<Part> = turns.into_iter().flat_map(|turn| turn.parts).collect();
    let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let reason = match fields.object("incomplete_details")? {
        Some(mut details) => details.text("reason")?,
        None => None,
    };
    let logprobs = logprobs(&parts);
    let stop = words::stop(&status, reason.as_deref(), has_calls);
    let choice = Choice { parts, stop, logprobs, ..Choice::default() };
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        created: fields.take("created_at").as_ref().and_then(seconds),
        choices: vec![choice],
        usage: read_usage(&mut fields)?,
        origin: ID,
        extra: fields.rest(),
    })
}

/// Some hosts give fractions of a second.
pub(super) fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Log probabilities of all texts in the form of Chat Completions.
fn logprobs(parts: &[Part]) -> Option<Value> {
    let of = |part: &Part| match part {
        Part::Text { extra, .. } => extra.get("logprobs")?.as_array().cloned(),
        _ => None,
    };
    let all: Vec<Value> = parts.iter().filter_map(of).flatten().collect();
    (!all.is_empty()).then(|| json!({ "content": all }))
}

fn read_usage(fields: &mut Fields) -> Result<Option<crate::hub::Usage>, DecodeError> {
    let Some(value) = fields.take("usage") else { return Ok(None) };
    let counted = usage::read(&value);
    let mut rest = Fields::of(value, "usage")?;
    for name in COUNTED {
        rest.take(name);
    }
    fields.keep_rest("usage", rest);
    Ok(counted)
}

/// Writes an answer for a client. Of several alternatives the first is written.
pub(crate) fn encode(answer: &Answer, asked: Option<&Request>) -> Vec<u8> {
    let map = if answer.origin == ID { own(answer) } else { foreign(answer, asked) };
    Value::Object(map).to_string().into_bytes()
}

/// An answer of this dialect gets its items back as they stood.
fn own(answer: &Answer) -> Map<String, Value> {
    let choice = answer.choices.first().cloned().unwrap_or_default();
    let mut writing = Writing::new(true);
    writing.turn(&Message { role: Role::Assistant, parts: choice.parts, extra: Map::new() });
    let (status, reason) = choice.stop.as_ref().map_or(("in_progress", None), words::status);
    let head = Head::new(&answer.id, &answer.model, answer.created);
    let mut map = head.response(status, writing.items);
    map.insert("id".to_owned(), answer.id.as_str().into());
    if reason.is_some() {
        let native = choice.stop.map(|stop| stop.native);
        map.insert("incomplete_details".to_owned(), json!({ "reason": native }));
    }
    let mut counts = answer.usage.as_ref().map(usage::write).unwrap_or_default();
    let mut extra = answer.extra.clone();
    let more = extra.shift_remove("usage");
    if let (Value::Object(counts), Some(Value::Object(more))) = (&mut counts, &more) {
        merge(counts, more);
    }
    map.insert("usage".to_owned(), counts);
    map.extend(extra);
    map
}

/// An answer of another dialect is written as its stream would be, and pictures behind it.
fn foreign(answer: &Answer, asked: Option<&Request>) -> Map<String, Value> {
    let mut map = Writer::whole(answer, asked);
    let pictures = answer.choices.first().into_iter().flat_map(|choice| &choice.parts);
    let pictures: Vec<&String> = pictures.filter_map(picture).collect();
    let head = Head::new(&answer.id, &answer.model, answer.created);
    if let Some(Value::Array(output)) = map.get_mut("output") {
        for data in pictures {
            output.push(json!({
                "id": head.item_id("ig", output.len()),
                "type": "image_generation_call",
                "status": "completed",
                "result": data,
            }));
        }
    }
    map
}

fn picture(part: &Part) -> Option<&String> {
    match part {
        Part::Image { source: Media::Base64 { data, .. }, .. } => Some(data),
        _ => None,
    }
}
