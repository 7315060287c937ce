//! Reads a client's request.

use super::{ID, reading};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Format, Message, Part, Reasoning, Request, Role, Tool, ToolChoice};
use serde_json::{Value, json};

/// Reads a request body. The URL says nothing in this dialect.
///
/// # Errors
/// When the body is not JSON, or a field that is needed is missing or of a wrong type.
pub(super) fn decode(
    body: &[u8],
    path_model: Option<&str>,
    path_stream: bool,
) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let model = fields.text("model")?.or_else(|| path_model.map(str::to_owned));
    let mut request = Request {
        model: model.ok_or_else(|| DecodeError::at("model", "is required"))?,
        tool_choice: choice(&mut fields)?,
        max_tokens: fields.u64("max_tokens")?,
        temperature: fields.f64("temperature")?,
        top_p: fields.f64("p")?,
        top_k: fields.u64("k")?,
        stop: fields.texts("stop_sequences")?,
        seed: fields.i64("seed")?,
        presence_penalty: fields.f64("presence_penalty")?,
        frequency_penalty: fields.f64("frequency_penalty")?,
        logprobs: fields.bool("logprobs")?,
        format: format(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        stream: fields.bool("stream")?.unwrap_or(path_stream),
        include_usage: true,
        origin: ID,
        ..Request::default()
    };
    for (at, value) in fields.list("messages")?.into_iter().enumerate() {
        message(Fields::of(value, format!("messages[{at}]"))?, &mut request)?;
    }
    for (at, value) in fields.list("tools")?.into_iter().enumerate() {
        request.tools.push(tool(value, format!("tools[{at}]"))?);
    }
    request.extra = fields.rest();
    Ok(request)
}

/// Instructions before the first turn are the request's, unless they have extras of their own.
fn message(mut fields: Fields, request: &mut Request) -> Result<(), DecodeError> {
    let (role, parts) = match fields.need_text("role")?.as_str() {
        "system" => (Role::System, reading::content(&mut fields)?),
        "user" => (Role::User, reading::content(&mut fields)?),
        "assistant" => (Role::Assistant, reading::assistant(&mut fields)?),
        "tool" => (Role::User, vec![tool_result(&mut fields)?]),
        other => {
            return Err(DecodeError::at(fields.path("role"), format!("`{other}` is no role here")));
        }
    };
    let extra = fields.rest();
    if role == Role::System && request.messages.is_empty() && extra.is_empty() {
        request.system.extend(parts);
    } else {
        request.messages.push(Message { role, parts, extra });
    }
    Ok(())
}

fn tool_result(fields: &mut Fields) -> Result<Part, DecodeError> {
    Ok(Part::ToolResult {
        call_id: fields.need_text("tool_call_id")?,
        name: None,
        content: reading::content(fields)?,
        is_error: false,
        extra: Extra::new(),
    })
}

fn tool(value: Value, path: String) -> Result<Tool, DecodeError> {
    if value.get("function").is_none() {
        return Ok(Tool::Native { origin: ID, value });
    }
    let mut fields = Fields::of(value, path)?;
    fields.take("type");
    let Some(mut function) = fields.object("function")? else {
        return Err(DecodeError::at(fields.path("function"), "is required"));
    };
    let name = function.need_text("name")?;
    let description = function.text("description")?;
    let parameters = function.take("parameters");
    fields.keep_rest("function", function);
    Ok(Tool::Function { name, description, parameters, strict: None, extra: fields.rest() })
}

fn choice(fields: &mut Fields) -> Result<Option<ToolChoice>, DecodeError> {
    Ok(fields.text("tool_choice")?.map(|word| match word.as_str() {
        "REQUIRED" => ToolChoice::Required,
        "NONE" => ToolChoice::None,
        other => ToolChoice::Other { origin: ID, value: json!(other) },
    }))
}

fn format(fields: &mut Fields) -> Result<Option<Format>, DecodeError> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(None) };
    let kind = format.text("type")?;
    let schema = format.take("json_schema");
    let schema = schema.or_else(|| format.take("schema"));
    Ok(match (kind.as_deref(), schema) {
        (Some("text"), _) => Some(Format::Text),
        (Some("json_object"), None) => Some(Format::JsonObject),
        (Some("json_object"), Some(schema)) => {
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        _ => return Err(DecodeError::at(format.here(), "must be text or json_object")),
    })
}

fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, DecodeError> {
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(None) };
    let budget = thinking.i64("token_budget")?;
    let budget = match thinking.need_text("type")?.as_str() {
        "disabled" => 0,
        _ => budget.unwrap_or(-1),
    };
    fields.keep_rest("thinking", thinking);
    Ok(Some(Reasoning { budget_tokens: Some(budget), ..Reasoning::default() }))
}
