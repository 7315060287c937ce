//! Reads a client's request. What the hub has no field for stays in `extra`.

use super::{ID, items, tools};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Format, Message, Part, Reasoning, Request, Role};
use serde_json::{Map, Value};

/// The word in `include` that asks for log probabilities.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Reads a request body. Usage is always told in this dialect.
pub(super) fn decode(
    body: &[u8],
    path_model: Option<&str>,
    path_stream: bool,
) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let model = match path_model {
        Some(model) => model.to_owned(),
        None => fields.text("model")?.unwrap_or_default(),
    };
    let instructions = fields.text("instructions")?.filter(|text| !text.is_empty());
    let mut request = Request {
        origin: ID,
        model,
        system: instructions.map(text_part).into_iter().collect(),
        messages: input(&mut fields)?,
        tools: tools::read(fields.list("tools")?)?,
        tool_choice: tools::read_choice(fields.take("tool_choice"))?,
        parallel_tool_calls: fields.bool("parallel_tool_calls")?,
        max_tokens: fields.u64("max_output_tokens")?,
        temperature: fields.f64("temperature")?,
        top_p: fields.f64("top_p")?,
        top_logprobs: fields.u32("top_logprobs")?,
        format: format(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        service_tier: fields.text("service_tier")?,
        stream: fields.bool("stream")?.unwrap_or(false) || path_stream,
        include_usage: true,
        user: user(&mut fields)?,
        ..Request::default()
    };
    request.logprobs = logprobs(&mut fields)?;
    request.extra = fields.rest();
    Ok(request)
}

fn text_part(text: String) -> Part {
    Part::Text { text, extra: Extra::new() }
}

fn input(fields: &mut Fields) -> Result<Vec<Message>, DecodeError> {
    match fields.take("input") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => {
            let parts = vec![text_part(text)];
            Ok(vec![Message { role: Role::User, parts, extra: Extra::new() }])
        }
        Some(Value::Array(list)) => items::read(list, "input"),
        Some(_) => Err(DecodeError::at("input", "must be a string or a list of items")),
    }
}

/// The newer name of the user stays an extra as well, because both may be given.
fn user(fields: &mut Fields) -> Result<Option<String>, DecodeError> {
    let user = fields.text("user")?;
    let newer = fields.text("safety_identifier")?;
    if let Some(newer) = &newer {
        fields.keep("safety_identifier", newer.as_str().into());
    }
    Ok(user.or(newer))
}

fn logprobs(fields: &mut Fields) -> Result<Option<bool>, DecodeError> {
    let include = fields.list("include")?;
    let wanted = include.iter().any(|word| word == LOGPROBS);
    if !include.is_empty() {
        fields.keep("include", include.into());
    }
    Ok(wanted.then_some(true))
}

/// A summary of any kind asks for readable thoughts; kinds other than `auto` are kept.
fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, DecodeError> {
    let Some(mut wish) = fields.object("reasoning")? else { return Ok(None) };
    let effort = wish.text("effort")?;
    let summary = wish.text("summary")?;
    let include = summary.is_some().then_some(true);
    if let Some(summary) = summary.filter(|kind| kind != "auto") {
        wish.keep("summary", summary.into());
    }
    fields.keep_rest("reasoning", wish);
    let reasoning = Reasoning { effort, include, budget_tokens: None };
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn format(fields: &mut Fields) -> Result<Option<Format>, DecodeError> {
    let Some(mut text) = fields.object("text")? else { return Ok(None) };
    let format = match text.object("format")? {
        None => None,
        Some(mut format) => match format.need_text("type")?.as_str() {
            "text" => Some(Format::Text),
            "json_object" => Some(Format::JsonObject),
            "json_schema" => Some(Format::JsonSchema {
                name: format.text("name")?,
                description: format.text("description")?,
                strict: format.bool("strict")?,
                schema: format.take("schema").unwrap_or(Value::Object(Map::new())),
            }),
            kind => {
                format.keep("type", kind.into());
                text.keep_rest("format", format);
                None
            }
        },
    };
    fields.keep_rest("text", text);
    Ok(format)
}
