//! Unstreamed answers, both ways.

use super::{ID, OBJECT, logprobs};
use crate::dialect::Quirks;
use crate::dialect::openai_chat::{finish, parse_chunk, report, usage};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Answer, Choice, Extra, Part, StopReason};
use serde_json::{Map, Value};

/// Reads an answer.
pub(super) fn decode_answer(body: &[u8], quirks: &Quirks) -> Result<Answer, DecodeError> {
    let map = parse_chunk(body)?;
    if let Some(reported) = report::inside(&map) {
        return Err(DecodeError::at("error", reported.message));
    }
    let mut fields = Fields::of(map.into(), "")?;
    let Some(Value::Array(list)) = fields.take("choices") else {
        return Err(DecodeError::at("choices", "must be a list"));
    };
    let choice = |(at, value)| choice(Fields::of(value, format!("choices[{at}]"))?);
    let choices = list.into_iter().enumerate().map(choice).collect::<Result<_, _>>()?;
    fields.take("object");
    Ok(Answer {
        origin: ID,
        id: fields.text("id")?.unwrap_or_default(),
        model: fields.text("model")?.unwrap_or_default(),
        created: fields.take("created").and_then(|created| created.as_i64()),
        choices,
        usage: fields.take("usage").and_then(|value| usage::of_value(&value, quirks)),
        extra: fields.rest(),
    })
}

fn choice(mut fields: Fields) -> Result<Choice, DecodeError> {
    let text = fields.need_text("text")?;
    Ok(Choice {
        index: fields.u32("index")?.unwrap_or(0),
        parts: vec![Part::Text { text, extra: Extra::new() }],
        stop: fields.text("finish_reason")?.map(|word| finish::stop(&word, false)),
        logprobs: fields.take("logprobs").and_then(|legacy| logprobs::decode(&legacy)),
        extra: fields.rest(),
    })
}

/// Writes an answer.
pub(super) fn encode_answer(answer: &Answer) -> Vec<u8> {
    let own = answer.origin == ID;
    let choices: Vec<Value> = answer.choices.iter().map(|c| choice_value(c, own)).collect();
    let mut map = Map::new();
    put(&mut map, "id", Some(answer.id.as_str()));
    put(&mut map, "object", Some(OBJECT));
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
    let text: String = choice.parts.iter().filter_map(said).collect();
    let told = choice.logprobs.as_ref().and_then(|hub| logprobs::encode(hub, &mut 0));
    let reason = choice.stop.as_ref().map(|stop| word(stop.reason));
    let mut map = Map::new();
    map.insert("text".to_owned(), text.into());
    map.insert("index".to_owned(), choice.index.into());
    map.insert("logprobs".to_owned(), told.unwrap_or_default());
    map.insert("finish_reason".to_owned(), reason.into());
    if own {
        merge(&mut map, &choice.extra);
    }
    map.into()
}

fn said(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } | Part::Refusal(text) => Some(text),
        _ => None,
    }
}

/// The word for an end. Tools are unknown here.
pub(super) fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::ToolCalls => finish::word(StopReason::Stop),
        reason => finish::word(reason),
    }
}
