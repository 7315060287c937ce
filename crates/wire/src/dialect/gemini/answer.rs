//! Unstreamed answers, read and written.

use super::aggregate::Collector;
use super::calls::Calls;
use super::parts;
use super::usage::{self, Counts};
use super::writing::Writing;
use super::{ID, logprobs, words};
use crate::dialect::{Aggregate, Quirks};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Answer, Choice, Part, Usage};
use crate::seal::Reader;
use serde_json::{Map, Value, json};

/// Reads an answer. A prompt that was blocked is one empty alternative, stopped by the filter; an
/// answer that only counts its tokens has no alternatives.
///
/// # Errors
/// When the body is not an answer of this dialect: no candidate, no block reason, no count.
pub(super) fn decode(body: &[u8], _quirks: &Quirks) -> Result<Answer, DecodeError> {
    // A stream that was not asked for as events comes as one array of its chunks.
    if body.trim_ascii_start().first() == Some(&b'[') {
        let mut chunks = Collector::default();
        chunks.event(None, body)?;
        return read(Fields::parse(&Box::new(chunks).finish())?);
    }
    read(Fields::parse(body)?)
}

fn read(mut fields: Fields) -> Result<Answer, DecodeError> {
    let id = fields.text("responseId")?.unwrap_or_default();
    let mut choices = candidates(&mut fields, &id)?;
    let usage = read_usage(&mut fields)?;
    if choices.is_empty() {
        choices.extend(blocked(&mut fields));
    }
    if choices.is_empty() && usage.is_none() {
        return Err(DecodeError::at("candidates", "is empty, and no prompt was blocked"));
    }
    Ok(Answer {
        id,
        model: fields.text("modelVersion")?.unwrap_or_default(),
        created: None,
        choices,
        usage,
        origin: ID,
        extra: fields.rest(),
    })
}

fn candidates(fields: &mut Fields, id: &str) -> Result<Vec<Choice>, DecodeError> {
    let mut calls = Calls::new(id);
    let mut choices = Vec::new();
    for (at, value) in fields.list("candidates")?.into_iter().enumerate() {
        let fields = Fields::of(value, format!("candidates[{at}]"))?;
        choices.push(candidate(fields, at, &mut calls)?);
    }
    Ok(choices)
}

fn candidate(mut fields: Fields, at: usize, calls: &mut Calls) -> Result<Choice, DecodeError> {
    let index = fields.u32("index")?.unwrap_or_else(|| u32::try_from(at).unwrap_or(u32::MAX));
    let mut parts = Vec::new();
    if let Some(mut content) = fields.object("content")? {
        let path = content.path("parts");
        parts = parts::read_all(content.list("parts")?, &path, calls)?;
    }
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let stop = fields.text("finishReason")?.and_then(|word| words::stop(word, called));
    let extra = fields.rest();
    let logprobs = extra.get("logprobsResult").and_then(logprobs::read);
    Ok(Choice { index, parts, stop, logprobs, extra })
}

fn blocked(fields: &mut Fields) -> Option<Choice> {
    let feedback = fields.take("promptFeedback")?;
    let reason = feedback.get("blockReason").and_then(Value::as_str).map(str::to_owned);
    fields.keep("promptFeedback", feedback);
    Some(Choice { stop: Some(words::blocked(reason?)), ..Choice::default() })
}

fn read_usage(fields: &mut Fields) -> Result<Option<Usage>, DecodeError> {
    let counts: Option<Counts> = fields.counts("usageMetadata", usage::COUNTED)?;
    Ok(counts.and_then(|counts| counts.usage()))
}

/// Writes an answer for a client.
pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    let mut body = Map::new();
    let candidates: Vec<Value> =
        answer.choices.iter().map(|choice| written(choice, answer.origin)).collect();
    put(&mut body, "candidates", Some(candidates));
    put(&mut body, "usageMetadata", answer.usage.as_ref().map(usage::write));
    put(&mut body, "modelVersion", Some(answer.model.as_str()));
    put(&mut body, "responseId", Some(answer.id.as_str()));
    if answer.origin == ID {
        merge(&mut body, &answer.extra);
    }
    Value::Object(body).to_string().into_bytes()
}

fn written(choice: &Choice, origin: &str) -> Value {
    let parts = Writing::new(Reader::Client, origin).parts(&choice.parts);
    let mut map = Map::new();
    put(&mut map, "content", Some(json!({"parts": parts, "role": "model"})));
    put(&mut map, "finishReason", choice.stop.as_ref().map(words::word));
    put(&mut map, "index", Some(choice.index));
    if origin == ID {
        merge(&mut map, &choice.extra);
    }
    Value::Object(map)
}
