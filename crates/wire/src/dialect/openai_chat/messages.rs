//! Reads the conversation. Instructions before the first turn become the request's system text;
//! results of tools become parts of the user's turn; the legacy function messages are given ids.

use super::{ID, content, details, take_thought_signature};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Message, Part, Role, ToolCall};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The system text and the turns.
pub(super) fn decode(list: Vec<Value>) -> Result<(Vec<Part>, Vec<Message>), DecodeError> {
    let mut reader = Reader::default();
    for (at, message) in list.into_iter().enumerate() {
        reader.message(at, Fields::of(message, format!("messages[{at}]"))?)?;
    }
    Ok((reader.system, reader.messages))
}

#[derive(Default)]
struct Reader {
    system: Vec<Part>,
    messages: Vec<Message>,
    /// The last call of each function: legacy results name the function only.
    calls: HashMap<String, String>,
}

impl Reader {
    fn message(&mut self, at: usize, mut fields: Fields) -> Result<(), DecodeError> {
        match fields.need_text("role")?.as_str() {
            "system" | "developer" => self.system(fields),
            "user" => {
                let parts = content_of(&mut fields)?;
                self.push(Role::User, parts, fields.rest());
                Ok(())
            }
            "assistant" => self.assistant(at, fields),
            "tool" => {
                let call_id = fields.need_text("tool_call_id")?;
                let name = fields.text("name")?;
                self.tool_result(call_id, name, fields)
            }
            "function" => {
                let name = fields.need_text("name")?;
                let known = self.calls.get(&name).cloned();
                let call_id = known.unwrap_or_else(|| format!("call_{at}_{name}"));
                self.tool_result(call_id, Some(name), fields)
            }
            other => {
                Err(DecodeError::at(fields.path("role"), format!("`{other}` is no known role")))
            }
        }
    }

    /// Instructions with extras of their own keep their message; the others are merged.
    fn system(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        let parts = content_of(&mut fields)?;
        let extra = fields.rest();
        if self.messages.is_empty() && extra.is_empty() {
            self.system.extend(parts);
        } else {
            self.push(Role::System, parts, extra);
        }
        Ok(())
    }

    fn assistant(&mut self, at: usize, mut fields: Fields) -> Result<(), DecodeError> {
        let parts = assistant_parts(&mut fields, &format!("call_{at}"))?;
        for part in &parts {
            if let Part::ToolCall(call) = part {
                self.calls.insert(call.name.clone(), call.id.clone());
            }
        }
        self.push(Role::Assistant, parts, fields.rest());
        Ok(())
    }

    fn tool_result(
        &mut self,
        call_id: String,
        name: Option<String>,
        mut fields: Fields,
    ) -> Result<(), DecodeError> {
        let content = content_of(&mut fields)?;
        let extra = fields.rest();
        let result = Part::ToolResult { call_id, name, content, is_error: false, extra };
        self.push(Role::User, vec![result], Extra::new());
        Ok(())
    }

    fn push(&mut self, role: Role, parts: Vec<Part>, extra: Extra) {
        self.messages.push(Message { role, parts, extra });
    }
}

fn content_of(fields: &mut Fields) -> Result<Vec<Part>, DecodeError> {
    let path = fields.path("content");
    content::decode(fields.take("content"), &path)
}

/// What the model said, in the hub's order: reasoning, content, refusal, tool calls. Ids that are
/// missing begin with `made_up`.
pub(super) fn assistant_parts(
    fields: &mut Fields,
    made_up: &str,
) -> Result<Vec<Part>, DecodeError> {
    let mut parts = reasoning(fields)?;
    parts.extend(content_of(fields)?);
    let refusal = fields.text("refusal")?.filter(|text| !text.is_empty());
    parts.extend(refusal.map(Part::Refusal));
    let path = fields.path("tool_calls");
    for (at, call) in fields.list("tool_calls")?.into_iter().enumerate() {
        parts.push(tool_call(call, format!("{path}[{at}]"), format!("{made_up}_{at}"))?);
    }
    if let Some(mut function) = fields.object("function_call")? {
        parts.push(Part::ToolCall(ToolCall {
            id: format!("{made_up}_0"),
            name: function.need_text("name")?,
            arguments: arguments(&mut function)?,
            signature: None,
            extra: Extra::new(),
        }));
    }
    Ok(parts)
}

/// Reasoning from `reasoning_details` and from the fields that hosts use for its text.
fn reasoning(fields: &mut Fields) -> Result<Vec<Part>, DecodeError> {
    let mut parts = details::parts(&fields.list(details::FIELD)?);
    let content = fields.text("reasoning_content")?.filter(|text| !text.is_empty());
    let text = match fields.take("reasoning") {
        Some(Value::String(text)) => content.or(Some(text).filter(|text| !text.is_empty())),
        Some(other) => {
            fields.keep("reasoning", other);
            content
        }
        None => content,
    };
    let sealed = |part: &Part| matches!(part, Part::Reasoning { text, .. } if !text.is_empty());
    if let Some(text) = text.filter(|_| !parts.iter().any(sealed)) {
        parts.insert(0, Part::Reasoning { text, signature: None });
    }
    Ok(parts)
}

fn tool_call(call: Value, path: String, made_up: String) -> Result<Part, DecodeError> {
    let kind = call.get("type").and_then(Value::as_str).unwrap_or("function");
    if kind != "function" {
        return Ok(Part::Other { origin: ID, value: call });
    }
    let signature = call.as_object().and_then(take_thought_signature);
    let mut fields = Fields::of(call, path)?;
    fields.take("type");
    fields.take("index");
    let id = fields.text("id")?.filter(|id| !id.is_empty()).unwrap_or(made_up);
    let Some(mut function) = fields.object("function")? else {
        return Err(DecodeError::at(fields.path("function"), "is required"));
    };
    let name = function.need_text("name")?;
    let arguments = arguments(&mut function)?;
    fields.keep_rest("function", function);
    let mut extra = fields.rest();
    if signature.is_some() {
        forget_thought_signature(&mut extra);
    }
    Ok(Part::ToolCall(ToolCall { id, name, arguments, signature, extra }))
}

/// The arguments' text; some hosts send the object itself.
fn arguments(function: &mut Fields) -> Result<String, DecodeError> {
    match function.take("arguments") {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(value @ Value::Object(_)) => Ok(value.to_string()),
        Some(_) => Err(DecodeError::at(function.path("arguments"), "must be a string")),
    }
}

/// Takes the signature out of the extras, and the objects around it if nothing else is in them.
fn forget_thought_signature(extra: &mut Map<String, Value>) {
    let [outer, inner, name] = super::THOUGHT_SIGNATURE;
    let Some(Value::Object(content)) = extra.get_mut(outer) else { return };
    if let Some(Value::Object(google)) = content.get_mut(inner) {
        google.shift_remove(name);
        if google.is_empty() {
            content.shift_remove(inner);
        }
    }
    if content.is_empty() {
        extra.shift_remove(outer);
    }
}
