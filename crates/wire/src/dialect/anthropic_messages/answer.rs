//! Unstreamed answers, read and written.

use super::blocks;
use super::usage::{self, Counts};
use super::writing::Writing;
use super::{ID, words};
use crate::dialect::Quirks;
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Answer, Choice, Usage};
use crate::json_tool;
use crate::seal::Reader;
use serde_json::{Map, Value};

/// Reads an answer.
///
/// # Errors
/// When the body is not a message of this dialect.
pub(super) fn decode(body: &[u8], quirks: &Quirks) -> Result<Answer, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let kind = fields.text("type")?;
    if kind.as_deref().is_some_and(|kind| kind != "message") {
        return Err(DecodeError::at("type", "is not a message"));
    }
    fields.take("role");
    let Some(Value::Array(content)) = fields.take("content") else {
        return Err(DecodeError::at("content", "must be a list of blocks"));
    };
    let mut parts = blocks::read_blocks(content, "content")?;
    let json_only = quirks.schema_as_tool && json_tool::as_text(&mut parts);
    let sequence = fields.text("stop_sequence")?;
    let stop = fields.text("stop_reason")?.map(|word| words::STOPS.stop(word, sequence, json_only));
    let usage = read_usage(&mut fields)?;
    let choice = Choice { parts, stop, ..Choice::default() };
    Ok(Answer {
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        created: None,
        choices: vec![choice],
        usage,
        origin: ID,
        extra: fields.rest(),
    })
}

fn read_usage(fields: &mut Fields) -> Result<Option<Usage>, DecodeError> {
    let counts: Option<Counts> = fields.counts("usage", usage::COUNTED)?;
    Ok(counts.map(|counts| counts.usage()))
}

/// Writes an answer for a client. Of several alternatives the first is written.
pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    let mut writing = Writing::new(Reader::Client, answer.origin);
    let choice = answer.choices.first();
    let content = choice.map(|choice| writing.blocks(&choice.parts)).unwrap_or_default();
    let stop = choice.and_then(|choice| choice.stop.as_ref());
    let mut body = head(&answer.id, &answer.model, content);
    let word = stop.and_then(|stop| words::STOPS.word(stop));
    body.insert("stop_reason".to_owned(), word.into());
    let sequence = stop.and_then(|stop| stop.sequence.clone());
    body.insert("stop_sequence".to_owned(), sequence.into());
    let usage = usage::write(&answer.usage.unwrap_or_default());
    body.insert("usage".to_owned(), Value::Object(usage));
    if answer.origin == ID {
        merge(&mut body, &answer.extra);
    }
    Value::Object(body).to_string().into_bytes()
}

/// The fields that begin a message, in an answer and in `message_start`.
pub(super) fn head(id: &str, model: &str, content: Vec<Value>) -> Map<String, Value> {
    let mut body = Map::new();
    put(&mut body, "id", Some(id));
    put(&mut body, "type", Some("message"));
    put(&mut body, "role", Some("assistant"));
    put(&mut body, "model", Some(model));
    put(&mut body, "content", Some(content));
    body
}
