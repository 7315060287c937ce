//! The hub's turns, written as items for the provider.
//!
//! Content of one turn that stands together makes one message item. Reasoning goes back only with a
//! seal of this dialect; what no item can hold is named in `lost`.

use super::content::{self, ITEM};
use super::{ID, thought, tools};
use crate::fields::merge;
use crate::hub::{Extra, Message, Part, Role, Signature, ToolCall};
use serde_json::{Map, Value, json};

/// Writes turns as items.
pub(super) struct Writing {
    /// Whether the extras come from this dialect.
    own: bool,
    /// The items so far.
    pub(super) items: Vec<Value>,
    /// Wishes that had no place here.
    pub(super) lost: Vec<&'static str>,
}

/// A message item that still takes content.
struct Open {
    fields: Extra,
    content: Vec<Value>,
}

impl Writing {
    pub(super) fn new(own: bool) -> Self {
        Self { own, items: Vec::new(), lost: Vec::new() }
    }

    /// Appends the items of one turn.
    pub(super) fn turn(&mut self, message: &Message) {
        let (role, said) = match message.role {
            Role::System => ("system", "input_text"),
            Role::User => ("user", "input_text"),
            Role::Assistant => ("assistant", "output_text"),
        };
        let mut extra = Some(&message.extra).filter(|_| self.own);
        let mut open: Option<Open> = None;
        for part in &message.parts {
            let Some(value) = content_value(part, said, self.own) else {
                self.close(role, open.take());
                self.item(part);
                continue;
            };
            let begins = own_item(part).filter(|_| self.own);
            if begins.is_some() {
                self.close(role, open.take());
            }
            let open = open.get_or_insert_with(|| Open {
                fields: begins.or(extra.take()).cloned().unwrap_or_default(),
                content: Vec::new(),
            });
            open.content.push(value);
        }
        self.close(role, open);
    }

    fn close(&mut self, role: &str, open: Option<Open>) {
        let Some(open) = open else { return };
        let mut item = Map::new();
        item.insert("type".to_owned(), "message".into());
        item.insert("role".to_owned(), role.into());
        item.insert("content".to_owned(), open.content.into());
        // The role among the extras is the finer one (`developer`).
        item.extend(open.fields);
        self.items.push(item.into());
    }

    fn item(&mut self, part: &Part) {
        let item = match part {
            Part::ToolCall(call) => Some(self.call(call)),
            Part::ToolResult { call_id, content, extra, .. } => {
                Some(self.output(call_id, content, extra))
            }
            Part::Reasoning { text, signature } => self.reasoning(text, signature.as_ref()),
            Part::Other { origin: ID, value } => Some(value.clone()),
            Part::Image { .. } => self.lose("image_url"),
            Part::File { .. } => self.lose("file"),
            Part::Audio { .. } => self.lose("input_audio"),
            _ => None,
        };
        self.items.extend(item);
    }

    fn lose(&mut self, name: &'static str) -> Option<Value> {
        self.lost.push(name);
        None
    }

    /// For clients of other dialects nothing is stored, so that an id alone would name nothing.
    fn reasoning(&self, text: &str, signature: Option<&Signature>) -> Option<Value> {
        let known = match signature {
            Some(seal) if self.own => seal.origin == ID,
            Some(seal) => thought::stands_alone(seal),
            None => self.own && !text.is_empty(),
        };
        known.then(|| thought::write(text, signature).into())
    }

    fn call(&self, call: &ToolCall) -> Value {
        let custom = self.own && call.extra.get("type").is_some_and(|t| t == "custom_tool_call");
        let space = call.extra.get("namespace").and_then(Value::as_str).filter(|_| self.own);
        let name = space.map_or(call.name.as_str(), |space| tools::split(space, &call.name));
        let mut item = Map::new();
        let kind = if custom { "custom_tool_call" } else { "function_call" };
        item.insert("type".to_owned(), kind.into());
        item.insert("call_id".to_owned(), call.id.as_str().into());
        item.insert("name".to_owned(), name.into());
        if custom {
            item.insert(tools::INPUT.to_owned(), tools::input_of(&call.arguments).into());
        } else {
            let none = call.arguments.is_empty() && !self.own;
            let arguments = if none { "{}" } else { call.arguments.as_str() };
            item.insert("arguments".to_owned(), arguments.into());
        }
        self.finished(item, &call.extra)
    }

    fn output(&mut self, call_id: &str, content: &[Part], extra: &Extra) -> Value {
        let output: Value = match content {
            [] => "".into(),
            [Part::Text { text, extra }] if extra.is_empty() || !self.own => text.as_str().into(),
            _ => content
                .iter()
                .filter_map(|part| content::write(part, "input_text", self.own))
                .collect(),
        };
        let item = json!({
            "type": "function_call_output",
            "call_id": call_id,
            "output": output,
        });
        match item {
            Value::Object(item) => self.finished(item, extra),
            other => other,
        }
    }

    fn finished(&self, mut item: Map<String, Value>, extra: &Extra) -> Value {
        if self.own {
            if let Some(kind) = extra.get("type") {
                item.insert("type".to_owned(), kind.clone());
            }
            merge(&mut item, extra);
        }
        item.into()
    }
}

/// The part as content; `None` for what makes an item of its own.
fn content_value(part: &Part, said: &str, own: bool) -> Option<Value> {
    match part {
        Part::Other { value, .. } if !content::is_content(value) => None,
        part => content::write(part, said, own),
    }
}

/// What the message item that begins with this part knows beside its content.
fn own_item(part: &Part) -> Option<&Extra> {
    match part {
        Part::Text { extra, .. } => extra.get(ITEM)?.as_object(),
        _ => None,
    }
}
