//! Unstreamed answers, read and written. They name neither themselves nor their model.

use super::usage::{self, Counts};
use super::words::STOPS;
use super::writing::Writing;
use super::{ID, blocks};
use crate::dialect::Quirks;
use crate::error::DecodeError;
use crate::fields::{Fields, merge};
use crate::hub::{Answer, Choice, Usage};
use crate::json_tool;
use crate::seal::Reader;
use serde_json::{Map, Value, json};

/// The field for what only some models tell.
pub(super) const MORE: &str = "additionalModelResponseFields";

/// Reads an answer.
///
/// # Errors
/// When the body is not an answer of this dialect.
pub(super) fn decode(body: &[u8], quirks: &Quirks) -> Result<Answer, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let output = fields.object("output")?;
    let message = output.map(|mut output| output.object("message")).transpose()?.flatten();
    let Some(mut message) = message else {
        return Err(DecodeError::at("output.message", "is required"));
    };
    let path = message.path("content");
    let mut parts = blocks::read_all(message.list("content")?, &path)?;
    let json_only = quirks.schema_as_tool && json_tool::as_text(&mut parts);
    let more = fields.take(MORE);
    let sequence = more.as_ref().and_then(matched);
    if let Some(more) = more {
        fields.keep(MORE, more);
    }
    let word = fields.text("stopReason")?;
    let stop = word.map(|word| STOPS.stop(word, sequence, json_only));
    let usage = read_usage(&mut fields)?;
    Ok(Answer {
        choices: vec![Choice { parts, stop, ..Choice::default() }],
        usage,
        origin: ID,
        extra: fields.rest(),
        ..Answer::default()
    })
}

/// The stop sequence that matched, where the client asked the model to tell it.
pub(super) fn matched(more: &Value) -> Option<String> {
    let told = more.get("stop_sequence").or_else(|| more.pointer("/delta/stop_sequence"));
    told.and_then(Value::as_str).map(str::to_owned)
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
    let own = answer.origin == ID;
    let more = answer.extra.get("usage").filter(|_| own);
    let mut body = Map::new();
    let message = json!({"role": "assistant", "content": content});
    body.insert("output".to_owned(), json!({"message": message}));
    body.insert("stopReason".to_owned(), stop.and_then(|stop| STOPS.word(stop)).into());
    let usage = usage::write(&answer.usage.unwrap_or_default(), more);
    body.insert("usage".to_owned(), usage.into());
    if own {
        merge(&mut body, &answer.extra);
    }
    // Clients demand it, and it is not known here.
    body.entry("metrics").or_insert_with(|| json!({"latencyMs": 0}));
    Value::Object(body).to_string().into_bytes()
}
