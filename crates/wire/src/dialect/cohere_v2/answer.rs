//! Unstreamed answers, read and written. They do not name their model.

use super::usage::{self, Counts};
use super::words::STOPS;
use super::writing::Writing;
use super::{ID, reading};
use crate::dialect::Quirks;
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Answer, Choice, Usage};
use serde_json::{Map, Value};

/// Reads an answer.
///
/// # Errors
/// When the body is not an answer of this dialect.
pub(super) fn decode(body: &[u8], _quirks: &Quirks) -> Result<Answer, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let Some(mut message) = fields.object("message")? else {
        return Err(DecodeError::at("message", "must be an object"));
    };
    message.take("role");
    let parts = reading::assistant(&mut message)?;
    let stop = fields.text("finish_reason")?.map(|word| STOPS.stop(word, None, false));
    let choice = Choice { parts, stop, extra: message.rest(), ..Choice::default() };
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        choices: vec![choice],
        usage: read_usage(&mut fields)?,
        origin: ID,
        extra: fields.rest(),
        ..Answer::default()
    })
}

/// What is billed is the hub's; the actual counts are kept beside it.
fn read_usage(fields: &mut Fields) -> Result<Option<Usage>, DecodeError> {
    let Some(value) = fields.take("usage") else { return Ok(None) };
    let counts: Counts = serde_json::from_value(value.clone())
        .map_err(|error| DecodeError::at("usage", error.to_string()))?;
    let mut rest = Fields::of(value, "usage")?;
    if let Some(mut billed) = rest.object(usage::BILLED)? {
        for name in usage::COUNTED {
            billed.take(name);
        }
        rest.keep_rest(usage::BILLED, billed);
    }
    fields.keep_rest("usage", rest);
    Ok(Some(counts.usage()))
}

/// Writes an answer for a client. Of several alternatives the first is written.
pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    let own = answer.origin == ID;
    let mut writing = Writing::new(answer.origin, true);
    let choice = answer.choices.first();
    let mut message = choice.map(|choice| writing.assistant(&choice.parts)).unwrap_or_default();
    if let Some(choice) = choice.filter(|_| own) {
        merge(&mut message, &choice.extra);
    }
    if let Some(Value::String(text)) = message.get_mut("content") {
        let part = serde_json::json!([{"type": "text", "text": std::mem::take(text)}]);
        message.insert("content".to_owned(), part);
    }
    let mut body = Map::new();
    put(&mut body, "id", Some(answer.id.as_str()));
    put(&mut body, "message", Some(message));
    let stop = choice.and_then(|choice| choice.stop.as_ref());
    body.insert("finish_reason".to_owned(), stop.and_then(|stop| STOPS.word(stop)).into());
    let more = answer.extra.get("usage").filter(|_| own);
    let usage = usage::write(&answer.usage.unwrap_or_default(), more);
    body.insert("usage".to_owned(), usage.into());
    if own {
        merge(&mut body, &answer.extra);
    }
    Value::Object(body).to_string().into_bytes()
}
