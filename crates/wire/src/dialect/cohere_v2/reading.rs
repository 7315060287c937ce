//! Messages and their content, read. A part of a kind unknown here is kept whole.

use super::ID;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Part, ToolCall};
use crate::media;
use serde_json::{Value, json};

/// The field for what the model says before its calls; the same key marks such a text in the hub.
pub(super) const PLAN: &str = "tool_plan";

/// Takes the content of a message: a text or a list of parts. The empty text is no part.
pub(super) fn content(fields: &mut Fields) -> Result<Vec<Part>, DecodeError> {
    let path = fields.path("content");
    match fields.take("content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text { text, extra: Extra::new() }]),
        Some(Value::Array(list)) => {
            let read = |(at, part)| read_part(part, format!("{path}[{at}]"));
            list.into_iter().enumerate().map(read).collect()
        }
        Some(_) => Err(DecodeError::at(path, "must be a string or a list of parts")),
    }
}

fn read_part(part: Value, path: String) -> Result<Part, DecodeError> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !matches!(kind.as_str(), "text" | "thinking" | "image_url") {
        return match part {
            Value::Object(_) => Ok(Part::Other { origin: ID, value: part }),
            _ => Err(DecodeError::at(path, "must be an object")),
        };
    }
    let mut fields = Fields::of(part, path)?;
    fields.take("type");
    match kind.as_str() {
        "text" => Ok(Part::Text { text: fields.need_text("text")?, extra: fields.rest() }),
        "thinking" => {
            let text = fields.text("thinking")?.unwrap_or_default();
            Ok(Part::Reasoning { text, signature: None })
        }
        _ => image(fields),
    }
}

fn image(mut fields: Fields) -> Result<Part, DecodeError> {
    let Some(mut inner) = fields.object("image_url")? else {
        return Err(DecodeError::at(fields.path("image_url"), "is required"));
    };
    let source = media::of_url(inner.need_text("url")?);
    fields.keep_rest("image_url", inner);
    Ok(Part::Image { source, extra: fields.rest() })
}

/// Takes what the model said: thoughts, its plan, content and calls.
pub(super) fn assistant(fields: &mut Fields) -> Result<Vec<Part>, DecodeError> {
    let mut parts = content(fields)?;
    if let Some(text) = fields.text(PLAN)?.filter(|text| !text.is_empty()) {
        let thoughts =
            parts.iter().take_while(|part| matches!(part, Part::Reasoning { .. })).count();
        let extra = Extra::from_iter([(PLAN.to_owned(), json!(true))]);
        parts.insert(thoughts, Part::Text { text, extra });
    }
    let path = fields.path("tool_calls");
    for (at, value) in fields.list("tool_calls")?.into_iter().enumerate() {
        parts.push(call(Fields::of(value, format!("{path}[{at}]"))?)?);
    }
    Ok(parts)
}

fn call(mut fields: Fields) -> Result<Part, DecodeError> {
    fields.take("type");
    let Some(mut function) = fields.object("function")? else {
        return Err(DecodeError::at(fields.path("function"), "is required"));
    };
    let name = function.need_text("name")?;
    let arguments = function.text("arguments")?.unwrap_or_default();
    fields.keep_rest("function", function);
    let id = fields.need_text("id")?;
    Ok(Part::ToolCall(ToolCall { id, name, arguments, signature: None, extra: fields.rest() }))
}
