//! Reads a client's request. What the hub has no field for stays in `extra`.

use super::ID;
use crate::dialect::openai_chat::request::{include_usage, sampling, stop};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Message, Part, Request, Role};
use serde_json::Value;

/// What the API answers at most where the request does not say. Clients rely on it, so that it holds
/// where other dialects would answer without a bound. Source: OpenAI's API reference.
const DEFAULT_MAX_TOKENS: u64 = 16;

/// Reads a request body.
pub(super) fn decode_request(
    body: &[u8],
    path_model: Option<&str>,
    path_stream: bool,
) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let named = fields.text("model")?;
    let alternatives = fields.u32("logprobs")?;
    let mut request = Request {
        origin: ID,
        model: path_model.map(str::to_owned).or(named).unwrap_or_default(),
        messages: vec![turn(prompt(&mut fields)?)],
        max_tokens: Some(fields.u64("max_tokens")?.unwrap_or(DEFAULT_MAX_TOKENS)),
        stop: stop(&mut fields)?,
        n: fields.u32("n")?,
        stream: fields.bool("stream")?.unwrap_or(false) || path_stream,
        include_usage: include_usage(&mut fields)?,
        user: fields.text("user")?,
        ..Request::default()
    };
    sampling(&mut fields, &mut request)?;
    request.logprobs = alternatives.map(|_| true);
    request.top_logprobs = alternatives;
    request.extra = fields.rest();
    Ok(request)
}

fn turn(text: String) -> Message {
    let parts = vec![Part::Text { text, extra: Extra::new() }];
    Message { role: Role::User, parts, extra: Extra::new() }
}

fn prompt(fields: &mut Fields) -> Result<String, DecodeError> {
    let only_there = |what: &str| {
        let message = format!("{what} can only go to a provider that takes completions itself");
        Err(DecodeError::at("prompt", message))
    };
    match fields.take("prompt") {
        None => Err(DecodeError::at("prompt", "is required")),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(mut list)) => match (list.pop(), list.is_empty()) {
            (Some(Value::String(only)), true) => Ok(only),
            (Some(Value::String(_)), false) => only_there("a list of several prompts"),
            (Some(Value::Number(_) | Value::Array(_)), _) => only_there("a prompt of token ids"),
            _ => Err(DecodeError::at("prompt", "must hold strings or token ids")),
        },
        Some(_) => Err(DecodeError::at("prompt", "must be a string or a list")),
    }
}
