//! Reads a client's request. Model and stream come from the URL.

use super::{ID, blocks};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Format, Message, Reasoning, Request, Role, Tool, ToolChoice};
use crate::thinking;
use serde_json::{Value, json};

/// The field for what only some models know.
pub(super) const MORE: &str = "additionalModelRequestFields";
/// The key of the end user's id among the request's metadata.
pub(super) const USER: &str = "user";

/// Reads a request body.
///
/// # Errors
/// When the body is not JSON, or a field is of a wrong type, or no model is named.
pub(super) fn decode(
    body: &[u8],
    path_model: Option<&str>,
    path_stream: bool,
) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let named = fields.text("modelId")?;
    let Some(model) = path_model.map(str::to_owned).or(named) else {
        return Err(DecodeError::at("modelId", "is required"));
    };
    let mut request = Request {
        model,
        system: blocks::read_all(fields.list("system")?, "system")?,
        messages: messages(&mut fields)?,
        stream: path_stream,
        include_usage: true,
        origin: ID,
        ..Request::default()
    };
    tool_config(&mut fields, &mut request)?;
    inference(&mut fields, &mut request)?;
    more(&mut fields, &mut request)?;
    output_config(&mut fields, &mut request)?;
    if let Some(mut tier) = fields.object("serviceTier")? {
        request.service_tier = tier.text("type")?;
        fields.keep_rest("serviceTier", tier);
    }
    if let Some(mut metadata) = fields.object("requestMetadata")? {
        request.user = metadata.text(USER)?;
        fields.keep_rest("requestMetadata", metadata);
    }
    request.extra = fields.rest();
    Ok(request)
}

fn messages(fields: &mut Fields) -> Result<Vec<Message>, DecodeError> {
    let list = fields.list("messages")?;
    let read = |(at, value)| message(Fields::of(value, format!("messages[{at}]"))?);
    list.into_iter().enumerate().map(read).collect()
}

fn message(mut fields: Fields) -> Result<Message, DecodeError> {
    let role = match fields.need_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            return Err(DecodeError::at(fields.path("role"), format!("no such role: {other:?}")));
        }
    };
    let path = fields.path("content");
    let parts = blocks::read_all(fields.list("content")?, &path)?;
    Ok(Message { role, parts, extra: fields.rest() })
}

fn tool_config(fields: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut config) = fields.object("toolConfig")? else { return Ok(()) };
    for (at, value) in config.list("tools")?.into_iter().enumerate() {
        let mark = blocks::cache_mark(&value);
        match (mark, request.tools.last_mut()) {
            (Some(mark), Some(Tool::Function { extra, .. }))
                if !extra.contains_key(blocks::CACHE_MARK) =>
            {
                extra.insert(blocks::CACHE_MARK.to_owned(), mark);
            }
            _ => request.tools.push(tool(value, format!("toolConfig.tools[{at}]"))?),
        }
    }
    if let Some(choice) = config.take("toolChoice") {
        request.tool_choice = Some(chosen(choice));
    }
    fields.keep_rest("toolConfig", config);
    Ok(())
}

fn tool(value: Value, path: String) -> Result<Tool, DecodeError> {
    if value.get("toolSpec").is_none() {
        return Ok(Tool::Native { origin: ID, value });
    }
    let mut fields = Fields::of(value, path)?;
    let Some(mut spec) = fields.object("toolSpec")? else {
        return Err(DecodeError::at(fields.path("toolSpec"), "is required"));
    };
    let parameters = match spec.object("inputSchema")? {
        Some(mut schema) => schema.take("json"),
        None => None,
    };
    Ok(Tool::Function {
        name: spec.need_text("name")?,
        description: spec.text("description")?,
        parameters,
        strict: spec.bool("strict")?,
        extra: spec.rest(),
    })
}

fn chosen(choice: Value) -> ToolChoice {
    let named = choice.pointer("/tool/name").and_then(Value::as_str);
    match named {
        Some(name) => ToolChoice::Named(name.to_owned()),
        None if choice.get("auto").is_some() => ToolChoice::Auto,
        None if choice.get("any").is_some() => ToolChoice::Required,
        None => ToolChoice::Other { origin: ID, value: choice },
    }
}

fn inference(fields: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut config) = fields.object("inferenceConfig")? else { return Ok(()) };
    request.max_tokens = config.u64("maxTokens")?;
    request.temperature = config.f64("temperature")?;
    request.top_p = config.f64("topP")?;
    request.stop = config.texts("stopSequences")?;
    fields.keep_rest("inferenceConfig", config);
    Ok(())
}

/// The model's own fields, as far as they are Claude's words for what the hub knows.
fn more(fields: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut more) = fields.object(MORE)? else { return Ok(()) };
    request.top_k = more.u64("top_k")?;
    if let Some(mut wish) = more.object("thinking")? {
        let budget = thinking::read_budget(&mut wish)?;
        request.reasoning =
            budget.map(|budget| Reasoning { budget_tokens: Some(budget), ..Reasoning::default() });
        more.keep_rest("thinking", wish);
    }
    if let Some(mut choice) = more.object("tool_choice")? {
        let serial = choice.bool("disable_parallel_tool_use")?;
        request.parallel_tool_calls = serial.map(|serial| !serial);
        if serial.is_some() {
            choice.take("type");
            choice.take("name");
        }
        more.keep_rest("tool_choice", choice);
    }
    fields.keep_rest(MORE, more);
    Ok(())
}

fn output_config(fields: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut config) = fields.object("outputConfig")? else { return Ok(()) };
    if let Some(effort) = config.text("effort")? {
        request.reasoning.get_or_insert_default().effort = Some(effort);
    }
    if let Some(format) = config.take("textFormat") {
        match schema(&format) {
            Some(schema) => request.format = Some(schema),
            None => config.keep("textFormat", format),
        }
    }
    fields.keep_rest("outputConfig", config);
    Ok(())
}

/// The schema, which stands as JSON in a string.
fn schema(format: &Value) -> Option<Format> {
    let definition = format.pointer("/structure/jsonSchema")?;
    let text = |key: &str| definition.get(key).and_then(Value::as_str);
    let schema = serde_json::from_str(text("schema")?).ok()?;
    (format.get("type") == Some(&json!("json_schema"))).then(|| Format::JsonSchema {
        name: text("name").map(str::to_owned),
        description: text("description").map(str::to_owned),
        schema,
        strict: None,
    })
}
