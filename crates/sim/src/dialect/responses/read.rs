//! Hearing the items of a request.

use serde_json::{Value, json};

use super::SEAL;
use crate::ask::{Ask, Complaint, Format, Speaker, Tool, ToolChoice, Turn, list, number, word};
use crate::dialect::{Dialect, PathFacts, openai};

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    let mut ask = Ask::new(Dialect::Responses, openai::model_named(body, path)?);
    if let Some(text) = body.get("instructions").and_then(Value::as_str) {
        ask.hear(Turn::said(Speaker::System, text));
    }
    for item in items(body)? {
        if let Some(turn) = turn(&item)? {
            ask.hear(turn);
        }
    }
    // The vendor answers a conversation that ends with the assistant's words with a new message.
    ask.prefill = ask.prefill.filter(|_| ask.model.contains("prefill"));
    ask.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    ask.max_tokens = number(body, "max_output_tokens").filter(|limit| *limit > 0);
    ask.tools = list(body, "tools").iter().filter_map(tool).collect();
    ask.tool_choice = tool_choice(body);
    ask.parallel = body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true);
    ask.format = format(body);
    *ask.echo = body.clone();
    Ok(ask)
}

/// The items of the input, a bare text made one.
pub(crate) fn items(body: &Value) -> Result<Vec<Value>, Complaint> {
    match body.get("input") {
        Some(Value::String(text)) => Ok(vec![json!({ "role": "user", "content": text })]),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(Value::Null) | None => {
            Err(Complaint::new(400, "Missing required parameter: 'input'.")
                .param("input")
                .code("missing_required_parameter"))
        }
        Some(_) => {
            Err(Complaint::new(400, "Invalid type for 'input': expected a string or an array.")
                .param("input")
                .code("invalid_type"))
        }
    }
}

fn turn(item: &Value) -> Result<Option<Turn>, Complaint> {
    let kind = word(item, "type");
    match kind {
        "" | "message" => message(item).map(Some),
        "reasoning" => sealed(item).map(|()| None),
        _ if kind.ends_with("_call_output") => {
            let (text, images) = content(item.get("output").unwrap_or(&Value::Null));
            Ok(Some(Turn { speaker: Speaker::Tool, text, images, calls: false }))
        }
        "function_call" | "custom_tool_call" | "local_shell_call" => {
            Ok(Some(Turn { calls: true, ..Turn::said(Speaker::Assistant, "") }))
        }
        _ => Ok(None),
    }
}

fn message(item: &Value) -> Result<Turn, Complaint> {
    let speaker = match word(item, "role") {
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        "system" | "developer" => Speaker::System,
        role => {
            let message = format!("Invalid value: '{role}'. Supported values are the known roles.");
            return Err(Complaint::new(400, message).param("input").code("invalid_value"));
        }
    };
    let (text, images) = content(item.get("content").unwrap_or(&Value::Null));
    Ok(Turn { speaker, text, images, calls: false })
}

fn content(content: &Value) -> (String, u32) {
    let Some(parts) = content.as_array() else {
        return (content.as_str().unwrap_or_default().to_owned(), 0);
    };
    let images = parts.iter().filter(|part| word(part, "type") == "input_image").count();
    let text = parts.iter().map(|part| word(part, "text")).collect();
    (text, u32::try_from(images).unwrap_or(u32::MAX))
}

/// Only the maker of encrypted reasoning can read it.
fn sealed(item: &Value) -> Result<(), Complaint> {
    match item.get("encrypted_content").and_then(Value::as_str) {
        Some(seal) if !seal.starts_with(SEAL) => {
            let message = "The encrypted content could not be verified. \
                           Reason: Encrypted content could not be decrypted or parsed.";
            Err(Complaint::new(400, message).code("invalid_encrypted_content"))
        }
        _ => Ok(()),
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    if word(tool, "type") != "function" {
        return None;
    }
    let schema = tool.get("parameters").cloned().unwrap_or(Value::Null);
    Some(Tool { name: word(tool, "name").to_owned(), schema })
}

fn tool_choice(body: &Value) -> ToolChoice {
    match body.get("tool_choice") {
        Some(Value::String(word)) if word == "none" => ToolChoice::Never,
        Some(Value::String(word)) if word == "required" => ToolChoice::Required,
        Some(choice) if word(choice, "type") == "function" => {
            ToolChoice::Named(word(choice, "name").to_owned())
        }
        _ => ToolChoice::Auto,
    }
}

fn format(body: &Value) -> Format {
    let format = body.pointer("/text/format").unwrap_or(&Value::Null);
    match word(format, "type") {
        "json_schema" => Format::Json(format.get("schema").cloned().unwrap_or(Value::Null)),
        "json_object" => Format::Json(Value::Null),
        _ => Format::Text,
    }
}
