//! Reads a client's request. What the hub has no field for stays in `extra`.

use super::{ID, messages};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Format, Reasoning, Request, Tool, ToolChoice};
use serde_json::Value;

/// Reads a request body.
pub(super) fn decode_request(
    body: &[u8],
    path_model: Option<&str>,
    path_stream: bool,
) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let model = match path_model {
        Some(model) => model.to_owned(),
        None => fields.text("model")?.unwrap_or_default(),
    };
    let (system, messages) = messages::decode(fields.list("messages")?)?;
    let bound = fields.u64("max_tokens")?;
    let bound = fields.u64("max_completion_tokens")?.or(bound);
    let mut request = Request {
        origin: ID,
        model,
        system,
        messages,
        tools: tools(&mut fields)?,
        tool_choice: tool_choice(&mut fields)?,
        parallel_tool_calls: fields.bool("parallel_tool_calls")?,
        max_tokens: bound,
        stop: stop(&mut fields)?,
        n: fields.u32("n")?,
        format: format(&mut fields)?,
        stream: fields.bool("stream")?.unwrap_or(false) || path_stream,
        include_usage: include_usage(&mut fields)?,
        user: fields.text("user")?,
        service_tier: fields.text("service_tier")?,
        ..Request::default()
    };
    sampling(&mut fields, &mut request)?;
    request.reasoning = fields
        .text("reasoning_effort")?
        .map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() });
    request.extra = fields.rest();
    Ok(request)
}

/// Reads how to sample.
pub(in crate::dialect) fn sampling(
    fields: &mut Fields,
    request: &mut Request,
) -> Result<(), DecodeError> {
    request.temperature = fields.f64("temperature")?;
    request.top_p = fields.f64("top_p")?;
    request.top_k = fields.u64("top_k")?;
    request.seed = fields.i64("seed")?;
    request.presence_penalty = fields.f64("presence_penalty")?;
    request.frequency_penalty = fields.f64("frequency_penalty")?;
    request.logprobs = fields.bool("logprobs")?;
    request.top_logprobs = fields.u32("top_logprobs")?;
    Ok(())
}

/// Reads the texts that end the answer.
pub(in crate::dialect) fn stop(fields: &mut Fields) -> Result<Vec<String>, DecodeError> {
    match fields.take("stop") {
        Some(Value::String(text)) => Ok(vec![text]),
        Some(list @ Value::Array(_)) => {
            fields.keep("stop", list);
            fields.texts("stop")
        }
        None => Ok(Vec::new()),
        Some(_) => Err(DecodeError::at("stop", "must be a string or a list of strings")),
    }
}

/// Reads whether usage is wanted at the end of a stream.
pub(in crate::dialect) fn include_usage(fields: &mut Fields) -> Result<bool, DecodeError> {
    let Some(mut options) = fields.object("stream_options")? else { return Ok(false) };
    let include = options.bool("include_usage")?.unwrap_or(false);
    fields.keep_rest("stream_options", options);
    Ok(include)
}

fn tools(fields: &mut Fields) -> Result<Vec<Tool>, DecodeError> {
    let mut tools = Vec::new();
    for (at, tool) in fields.list("tools")?.into_iter().enumerate() {
        tools.push(tool_of(tool, format!("tools[{at}]"))?);
    }
    for (at, function) in fields.list("functions")?.into_iter().enumerate() {
        let function = Fields::of(function, format!("functions[{at}]"))?;
        tools.push(function_of(function, None)?);
    }
    Ok(tools)
}

fn tool_of(tool: Value, path: String) -> Result<Tool, DecodeError> {
    if tool.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "function") {
        return Ok(Tool::Native { origin: ID, value: tool });
    }
    let mut fields = Fields::of(tool, path)?;
    fields.take("type");
    match fields.object("function")? {
        Some(function) => function_of(function, Some(fields)),
        None => Err(DecodeError::at(fields.path("function"), "is required")),
    }
}

fn function_of(mut function: Fields, around: Option<Fields>) -> Result<Tool, DecodeError> {
    let name = function.need_text("name")?;
    let description = function.text("description")?;
    let parameters = function.take("parameters");
    let strict = function.bool("strict")?;
    let extra = match around {
        Some(mut around) => {
            around.keep_rest("function", function);
            around.rest()
        }
        None => function.rest(),
    };
    Ok(Tool::Function { name, description, parameters, strict, extra })
}

fn tool_choice(fields: &mut Fields) -> Result<Option<ToolChoice>, DecodeError> {
    let legacy = fields.take("function_call");
    let choice = match fields.take("tool_choice").or(legacy) {
        None => return Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            _ => ToolChoice::Other { origin: ID, value: word.into() },
        },
        Some(value @ Value::Object(_)) => match named_function(&value) {
            Some(name) => ToolChoice::Named(name),
            None => ToolChoice::Other { origin: ID, value },
        },
        Some(_) => return Err(DecodeError::at("tool_choice", "must be a string or an object")),
    };
    Ok(Some(choice))
}

/// The function's name in `{"type":"function","function":{"name":..}}` or the legacy `{"name":..}`.
fn named_function(choice: &Value) -> Option<String> {
    let function = choice.get("function").unwrap_or(choice);
    function.get("name")?.as_str().map(str::to_owned)
}

fn format(fields: &mut Fields) -> Result<Option<Format>, DecodeError> {
    let kind = |value: &Value| value.get("type").and_then(Value::as_str).map(str::to_owned);
    let Some(value) = fields.take("response_format") else { return Ok(None) };
    match kind(&value).as_deref() {
        Some("text") => Ok(Some(Format::Text)),
        Some("json_object") => Ok(Some(Format::JsonObject)),
        Some("json_schema") => {
            let mut outer = Fields::of(value, "response_format")?;
            let Some(mut inner) = outer.object("json_schema")? else {
                return Err(DecodeError::at(outer.path("json_schema"), "is required"));
            };
            Ok(Some(Format::JsonSchema {
                name: inner.text("name")?,
                description: inner.text("description")?,
                strict: inner.bool("strict")?,
                schema: inner.take("schema").unwrap_or(Value::Object(serde_json::Map::new())),
            }))
        }
        _ => {
            fields.keep("response_format", value);
            Ok(None)
        }
    }
}
