//! Items of a conversation, read into the hub's turns.
//!
//! Consecutive items of the model make one turn, because other dialects want all calls of a turn in
//! one message. Items of a type unknown here are kept whole.

use super::content::{self, ITEM};
use super::{ID, thought, tools};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Message, Part, Role, ToolCall};
use serde_json::Value;

/// Reads the items that stand at `path`.
pub(super) fn read(items: Vec<Value>, path: &str) -> Result<Vec<Message>, DecodeError> {
    let mut reader = Reader::default();
    for (at, item) in items.into_iter().enumerate() {
        reader.item(item, format!("{path}[{at}]"))?;
    }
    Ok(reader.messages)
}

#[derive(Default)]
struct Reader {
    messages: Vec<Message>,
}

type Read = fn(&mut Reader, Fields) -> Result<(), DecodeError>;

static READERS: &[(&str, Read)] = &[
    ("message", Reader::message),
    ("function_call", Reader::call),
    ("custom_tool_call", Reader::call),
    ("function_call_output", Reader::output),
    ("custom_tool_call_output", Reader::output),
    ("reasoning", Reader::reasoning),
];

impl Reader {
    fn item(&mut self, item: Value, path: String) -> Result<(), DecodeError> {
        let kind = match item.get("type").and_then(Value::as_str) {
            None if item.get("role").is_some() => "message",
            None => return Err(DecodeError::at(path, "must be an object with a type or a role")),
            Some(kind) => kind,
        };
        match READERS.iter().find(|(known, _)| *known == kind) {
            Some((_, read)) => read(self, Fields::of(item, path)?),
            None => {
                self.other(item);
                Ok(())
            }
        }
    }

    fn message(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        fields.take("type");
        let role = fields.need_text("role")?;
        let path = fields.path("content");
        let parts = content::read(fields.take("content"), &path)?;
        match role.as_str() {
            "assistant" => self.said(parts, fields.rest()),
            "user" => self.push(Role::User, parts, fields.rest()),
            "system" => self.push(Role::System, parts, fields.rest()),
            "developer" => {
                fields.keep("role", role.into());
                self.push(Role::System, parts, fields.rest());
            }
            _ => {
                let told = format!("`{role}` is no known role");
                return Err(DecodeError::at(fields.path("role"), told));
            }
        }
        Ok(())
    }

    /// What the item knows stands beside its first text, which also marks where it begins.
    fn said(&mut self, mut parts: Vec<Part>, extra: Extra) {
        let joins = self.turn().parts.last().is_some_and(is_content);
        if let Some(Part::Text { extra: beside, .. }) = parts.first_mut()
            && (joins || !extra.is_empty())
        {
            beside.insert(ITEM.to_owned(), extra.into());
        }
        self.turn().parts.extend(parts);
    }

    fn call(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        let id = fields.text("call_id")?;
        let own_id = if id.is_none() { fields.text("id")? } else { None };
        let Some(id) = id.or(own_id).filter(|id| !id.is_empty()) else {
            return Err(DecodeError::at(fields.path("call_id"), "is required"));
        };
        let mut name = fields.need_text("name")?;
        let arguments = match fields.text(tools::INPUT)? {
            Some(input) => tools::arguments_of(&input),
            None => fields.text("arguments")?.unwrap_or_default(),
        };
        let mut extra = fields.rest();
        if let Some(space) = extra.get("namespace").and_then(Value::as_str) {
            name = tools::joined(space, &name);
        }
        if extra.get("type").is_some_and(|kind| kind == "function_call") {
            extra.shift_remove("type");
        }
        let parts = &mut self.turn().parts;
        let seal = parts.pop_if(|last| thought::is_foreign_seal(last));
        let signature = match seal {
            Some(Part::Reasoning { signature, .. }) => signature,
            _ => None,
        };
        parts.push(Part::ToolCall(ToolCall { id, name, arguments, signature, extra }));
        Ok(())
    }

    fn output(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        let call_id = fields.need_text("call_id")?;
        let path = fields.path("output");
        let content = content::read(fields.take("output"), &path)?;
        let mut extra = fields.rest();
        if extra.get("type").is_some_and(|kind| kind == "function_call_output") {
            extra.shift_remove("type");
        }
        let result = Part::ToolResult { call_id, name: None, content, is_error: false, extra };
        self.push(Role::User, vec![result], Extra::new());
        Ok(())
    }

    fn reasoning(&mut self, mut fields: Fields) -> Result<(), DecodeError> {
        fields.take("type");
        let part = thought::read(fields)?;
        self.turn().parts.push(part);
        Ok(())
    }

    fn other(&mut self, item: Value) {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
        let by_client = kind.ends_with("_output") || kind == "mcp_approval_response";
        let part = Part::Other { origin: ID, value: item };
        if by_client {
            self.push(Role::User, vec![part], Extra::new());
        } else {
            self.turn().parts.push(part);
        }
    }

    fn push(&mut self, role: Role, parts: Vec<Part>, extra: Extra) {
        self.messages.push(Message { role, parts, extra });
    }

    /// The model's turn that is being read.
    fn turn(&mut self) -> &mut Message {
        let new = self.messages.last().is_none_or(|last| last.role != Role::Assistant);
        if new {
            self.push(Role::Assistant, Vec::new(), Extra::new());
        }
        let last = self.messages.len().saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "a turn was pushed if there was none")]
        &mut self.messages[last]
    }
}

fn is_content(part: &Part) -> bool {
    match part {
        Part::Text { .. } | Part::Refusal(_) => true,
        Part::Other { value, .. } => content::is_content(value),
        _ => false,
    }
}
