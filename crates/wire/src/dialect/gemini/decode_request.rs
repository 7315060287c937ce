//! Reads a client's request. Field names may be written in either case, as Google's servers allow.

use super::calls::Calls;
use super::{ID, parts, schema};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Format, Message, Reasoning, Request, Role, Tool, ToolChoice};
use serde_json::{Value, json};

/// Reads a request body; model and stream come from the URL.
///
/// # Errors
/// When the body is not JSON, or a field is of a wrong type, or no model is named.
pub(super) fn decode(
    body: &[u8],
    path_model: Option<&str>,
    path_stream: bool,
) -> Result<Request, DecodeError> {
    let mut fields = Fields::parse(body)?.either_case();
    let named = fields.text("model")?;
    let Some(model) = path_model.map(str::to_owned).or(named) else {
        return Err(DecodeError::at("model", "is required"));
    };
    let mut calls = Calls::new("");
    let mut request = Request {
        model,
        messages: messages(&mut fields, &mut calls)?,
        service_tier: fields.text("serviceTier")?,
        stream: path_stream,
        include_usage: true,
        origin: ID,
        ..Request::default()
    };
    if let Some(mut system) = fields.object("systemInstruction")? {
        let path = system.path("parts");
        request.system = parts::read_all(system.list("parts")?, &path, &mut calls)?;
    }
    request.tools = tools(&mut fields)?;
    tool_config(&mut fields, &mut request)?;
    if let Some(mut config) = fields.object("generationConfig")? {
        generation(&mut config, &mut request)?;
        fields.keep_rest("generationConfig", config);
    }
    request.extra = fields.rest();
    Ok(request)
}

fn messages(fields: &mut Fields, calls: &mut Calls) -> Result<Vec<Message>, DecodeError> {
    let list = fields.list("contents")?;
    list.into_iter()
        .enumerate()
        .map(|(at, value)| {
            message(Fields::of(value, format!("contents[{at}]"))?.either_case(), calls)
        })
        .collect()
}

fn message(mut fields: Fields, calls: &mut Calls) -> Result<Message, DecodeError> {
    let role = match fields.text("role")?.as_deref() {
        Some("model") => Role::Assistant,
        Some("system") => Role::System,
        Some("user" | "function") | None => Role::User,
        Some(other) => {
            return Err(DecodeError::at(fields.path("role"), format!("unknown role {other:?}")));
        }
    };
    let path = fields.path("parts");
    let parts = parts::read_all(fields.list("parts")?, &path, calls)?;
    Ok(Message { role, parts, extra: fields.rest() })
}

fn tools(fields: &mut Fields) -> Result<Vec<Tool>, DecodeError> {
    let mut tools = Vec::new();
    for (at, value) in fields.list("tools")?.into_iter().enumerate() {
        let mut group = Fields::of(value, format!("tools[{at}]"))?.either_case();
        let path = group.path("functionDeclarations");
        for (at, value) in group.list("functionDeclarations")?.into_iter().enumerate() {
            tools.push(function(Fields::of(value, format!("{path}[{at}]"))?.either_case())?);
        }
        tools.extend(group.rest().into_iter().map(|(kind, value)| Tool::Native {
            origin: ID,
            value: Value::Object([(kind, value)].into_iter().collect()),
        }));
    }
    Ok(tools)
}

fn function(mut fields: Fields) -> Result<Tool, DecodeError> {
    let older = fields.take("parameters").map(schema::from_openapi);
    let newer = fields.take("parametersJsonSchema");
    Ok(Tool::Function {
        name: fields.need_text("name")?,
        description: fields.text("description")?,
        parameters: newer.or(older),
        strict: None,
        extra: fields.rest(),
    })
}

fn tool_config(fields: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    let Some(mut config) = fields.object("toolConfig")? else { return Ok(()) };
    if let Some(mut calling) = config.object("functionCallingConfig")? {
        let mode = calling.text("mode")?;
        let names = calling.texts("allowedFunctionNames")?;
        request.tool_choice = mode.map(|mode| choice(&mode, &names));
        config.keep_rest("functionCallingConfig", calling);
    }
    fields.keep_rest("toolConfig", config);
    Ok(())
}

fn choice(mode: &str, names: &[String]) -> ToolChoice {
    match (mode, names) {
        ("AUTO", []) => ToolChoice::Auto,
        ("NONE", []) => ToolChoice::None,
        ("ANY", []) => ToolChoice::Required,
        ("ANY", [name]) => ToolChoice::Named(name.clone()),
        (mode, []) => ToolChoice::Other { origin: ID, value: json!({"mode": mode}) },
        (mode, names) => {
            let value = json!({"mode": mode, "allowedFunctionNames": names});
            ToolChoice::Other { origin: ID, value }
        }
    }
}

fn generation(config: &mut Fields, request: &mut Request) -> Result<(), DecodeError> {
    request.max_tokens = config.u64("maxOutputTokens")?;
    request.temperature = config.f64("temperature")?;
    request.top_p = config.f64("topP")?;
    request.top_k = config.u64("topK")?;
    request.stop = config.texts("stopSequences")?;
    request.n = config.u32("candidateCount")?;
    request.seed = config.i64("seed")?;
    request.presence_penalty = config.f64("presencePenalty")?;
    request.frequency_penalty = config.f64("frequencyPenalty")?;
    request.logprobs = config.bool("responseLogprobs")?;
    request.top_logprobs = config.u32("logprobs")?;
    request.format = format(config)?;
    request.reasoning = reasoning(config)?;
    Ok(())
}

fn format(config: &mut Fields) -> Result<Option<Format>, DecodeError> {
    let older = config.take("responseSchema").map(schema::from_openapi);
    let newest = config.take("_responseJsonSchema");
    let schema = config.take("responseJsonSchema").or(newest).or(older);
    let mime = config.text("responseMimeType")?;
    Ok(match (mime.as_deref(), schema) {
        (Some("application/json") | None, Some(schema)) => {
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        (Some("application/json"), None) => Some(Format::JsonObject),
        (Some("text/plain"), _) => Some(Format::Text),
        (Some(other), schema) => {
            config.keep("responseMimeType", json!(other));
            if let Some(schema) = schema {
                config.keep("responseJsonSchema", schema);
            }
            None
        }
        (None, None) => None,
    })
}

fn reasoning(config: &mut Fields) -> Result<Option<Reasoning>, DecodeError> {
    let Some(mut thinking) = config.object("thinkingConfig")? else { return Ok(None) };
    let reasoning = Reasoning {
        effort: thinking.text("thinkingLevel")?.map(|level| level.to_ascii_lowercase()),
        budget_tokens: thinking.i64("thinkingBudget")?,
        include: thinking.bool("includeThoughts")?,
    };
    config.keep_rest("thinkingConfig", thinking);
    Ok(Some(reasoning))
}
