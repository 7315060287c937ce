//! Unstreamed answers, both ways.

use super::encode::{gathered, reasoning_text, refusal, tool_call};
use super::stream::made_up_id;
use super::{ID, content, details, finish, messages, report, usage};
use crate::dialect::Quirks;
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Answer, Choice, Part};
use serde_json::{Map, Value};

/// The key in a choice's extras under which the extras of its message are kept.
const MESSAGE: &str = "message";

/// Reads an answer.
pub(super) fn decode_answer(body: &[u8], quirks: &Quirks) -> Result<Answer, DecodeError> {
    let map = super::parse_chunk(body)?;
    if let Some(reported) = report::inside(&map) {
        return Err(DecodeError::at("error", reported.message));
    }
    let mut fields = Fields::of(map.into(), "")?;
    let id = fields.text("id")?.unwrap_or_default();
    let choices = match fields.take("choices") {
        Some(Value::Array(list)) => list,
        _ => return Err(DecodeError::at("choices", "must be a list")),
    };
    let choices = choices
        .into_iter()
        .enumerate()
        .map(|(at, value)| choice(Fields::of(value, format!("choices[{at}]"))?, &id));
    let choices = choices.collect::<Result<_, _>>()?;
    fields.take("object");
    Ok(Answer {
        origin: ID,
        model: fields.text("model")?.unwrap_or_default(),
        created: fields.take("created").and_then(|created| created.as_i64()),
        choices,
        usage: fields.take("usage").and_then(|value| usage::of_value(&value, quirks)),
        id,
        extra: fields.rest(),
    })
}

fn choice(mut fields: Fields, answer_id: &str) -> Result<Choice, DecodeError> {
    let index = fields.u32("index")?.unwrap_or(0);
    let Some(mut message) = fields.object("message")? else {
        return Err(DecodeError::at(fields.path("message"), "is required"));
    };
    message.take("role");
    let made_up = made_up_id(answer_id, index, 0);
    let prefix = made_up.strip_suffix("_0").unwrap_or(&made_up);
    let parts = messages::assistant_parts(&mut message, prefix)?;
    let has_calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let stop = fields.text("finish_reason")?.map(|word| finish::stop(&word, has_calls));
    let logprobs = fields.take("logprobs");
    fields.keep_rest(MESSAGE, message);
    Ok(Choice { index, parts, stop, logprobs, extra: fields.rest() })
}

/// Writes an answer.
pub(super) fn encode_answer(answer: &Answer) -> Vec<u8> {
    let own = answer.origin == ID;
    let choices: Vec<Value> = answer.choices.iter().map(|c| choice_value(c, own)).collect();
    let mut map = Map::new();
    put(&mut map, "id", Some(answer.id.as_str()));
    put(&mut map, "object", Some("chat.completion"));
    put(&mut map, "created", Some(answer.created.unwrap_or(0)));
    put(&mut map, "model", Some(answer.model.as_str()));
    put(&mut map, "choices", Some(choices));
    put(&mut map, "usage", answer.usage.as_ref().map(usage::to_value));
    if own {
        merge(&mut map, &answer.extra);
    }
    Value::Object(map).to_string().into_bytes()
}

fn choice_value(choice: &Choice, own: bool) -> Value {
    let reason = choice.stop.as_ref().map(|stop| finish::word(stop.reason));
    let mut map = Map::new();
    map.insert("index".to_owned(), choice.index.into());
    map.insert(MESSAGE.to_owned(), message(&choice.parts, own).into());
    map.insert("logprobs".to_owned(), choice.logprobs.clone().unwrap_or_default());
    map.insert("finish_reason".to_owned(), reason.into());
    if own {
        merge(&mut map, &choice.extra);
    }
    map.into()
}

fn message(parts: &[Part], own: bool) -> Map<String, Value> {
    let calls: Vec<Value> = parts.iter().filter_map(call).collect();
    let images: Vec<Value> = parts.iter().filter_map(|part| image(part, own)).collect();
    let details: Vec<Value> = parts.iter().filter_map(detail).collect();
    let mut map = Map::new();
    map.insert("role".to_owned(), "assistant".into());
    map.insert("content".to_owned(), text(parts).into());
    map.insert("refusal".to_owned(), refusal(parts).into());
    put(&mut map, "reasoning_content", reasoning_text(parts));
    put(&mut map, details::FIELD, Some(details).filter(|details| !details.is_empty()));
    put(&mut map, "tool_calls", Some(calls).filter(|calls| !calls.is_empty()));
    put(&mut map, "images", Some(images).filter(|images| !images.is_empty()));
    map
}

fn text(parts: &[Part]) -> Option<String> {
    gathered(parts, |part| match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    })
}

/// A call for a client: the thought signature goes along, whoever made it, to come back.
fn call(part: &Part) -> Option<Value> {
    match part {
        Part::ToolCall(call) => {
            let mut map = tool_call(call, &call.id, false);
            map.extend(super::thought_signature(call.signature.as_ref()).unwrap_or_default());
            Some(map.into())
        }
        Part::Other { origin: ID, value } => Some(value.clone()),
        _ => None,
    }
}

/// Pictures in an answer, in the field that OpenRouter uses; OpenAI's chat has none.
fn image(part: &Part, own: bool) -> Option<Value> {
    let Part::Image { source, extra } = part else { return None };
    Some(content::image_value(source, extra, own).into())
}

/// The sealed pieces of reasoning.
fn detail(part: &Part) -> Option<Value> {
    match part {
        Part::Reasoning { text, signature: Some(signature) } => {
            Some(details::thinking(text, signature))
        }
        Part::RedactedReasoning { data, origin } => Some(details::redacted(data, origin)),
        _ => None,
    }
}
