//! Reads a client's request.

use super::{ID, blocks};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Format, Message, Reasoning, Request, Role, Tool, ToolChoice};
use crate::thinking;
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
        messages: messages(&mut fields)?,
        tools: tools(&mut fields)?,
        reasoning: reasoning(&mut fields)?,
        format: format(&mut fields)?,
        max_tokens: fields.u64("max_tokens")?,
        temperature: fields.f64("temperature")?,
        top_p: fields.f64("top_p")?,
        top_k: fields.u64("top_k")?,
        stop: fields.texts("stop_sequences")?,
        user: user(&mut fields)?,
        service_tier: fields.text("service_tier")?,
        stream: fields.bool("stream")?.unwrap_or(path_stream),
        include_usage: true,
        origin: ID,
        ..Request::default()
    };
    let system = fields.take("system");
    request.system = blocks::read_content(system, "system")?;
    choose(&mut fields, &mut request)?;
    request.extra = fields.rest();
    Ok(request)
}

fn messages(fields: &mut Fields) -> Result<Vec<Message>, DecodeError> {
    let list = fields.list("messages")?;
    list.into_iter()
        .enumerate()
        .map(|(at, value)| message(Fields::of(value, format!("messages[{at}]"))?))
        .collect()
}

fn message(mut fields: Fields) -> Result<Message, DecodeError> {
    let role = match fields.need_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            return Err(DecodeError::at(fields.path("role"), format!("unknown role {other:?}")));
        }
    };
    let content = fields.take("content");
    let parts = blocks::read_content(content, &fields.path("content"))?;
    Ok(Message { role, parts, extra: fields.rest() })
}

fn tools(fields: &mut Fields) -> Result<Vec<Tool>, DecodeError> {
    let list = fields.list("tools")?;
    list.into_iter().enumerate().map(|(at, value)| tool(value, format!("tools[{at}]"))).collect()
}

/// A tool without a type, or of type `custom`, is the client's; others are the provider's.
fn tool(value: Value, path: String) -> Result<Tool, DecodeError> {
    let native = value.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "custom");
    if native {
        return Ok(Tool::Native { origin: ID, value });
    }
    let mut fields = Fields::of(value, path)?;
    fields.take("type");
    Ok(Tool::Function {
        name: fields.need_text("name")?,
        description: fields.text("description")?,
        parameters: fields.take("input_schema"),
        strict: fields.bool("strict")?,
        extra: fields.rest(),
    })
}

fn choose(fields: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut choice) = fields.object("tool_choice")? else { return Ok(()) };
    let serial = choice.bool("disable_parallel_tool_use")?;
    request.parallel_tool_calls = serial.map(|serial| !serial);
    let kind = choice.need_text("type")?;
    request.tool_choice = Some(match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named(choice.need_text("name")?),
        _ => {
            choice.keep("type", json!(kind));
            ToolChoice::Other { origin: ID, value: Value::Object(choice.rest()) }
        }
    });
    Ok(())
}

/// `thinking` and `output_config.effort` together; what else they hold is kept.
fn reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, DecodeError> {
    let mut reasoning = Reasoning::default();
    if let Some(mut thinking) = fields.object("thinking")? {
        reasoning.budget_tokens = thinking::read_budget(&mut thinking)?;
        fields.keep_rest("thinking", thinking);
    }
    if let Some(mut output) = fields.object("output_config")? {
        reasoning.effort = output.text("effort")?;
        fields.keep_rest("output_config", output);
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn format(fields: &mut Fields) -> Result<Option<Format>, DecodeError> {
    let Some(mut output) = fields.object("output_config")? else { return Ok(None) };
    let format = output.object("format")?;
    let read = match format {
        None => None,
        Some(mut format) => match (format.text("type")?.as_deref(), format.take("schema")) {
            (Some("json_schema"), Some(schema)) => {
                Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
            }
            _ => return Err(DecodeError::at(format.here(), "must be a json_schema with a schema")),
        },
    };
    fields.keep_rest("output_config", output);
    Ok(read)
}

fn user(fields: &mut Fields) -> Result<Option<String>, DecodeError> {
    let Some(mut metadata) = fields.object("metadata")? else { return Ok(None) };
    let user = metadata.text("user_id")?;
    fields.keep_rest("metadata", metadata);
    Ok(user)
}
