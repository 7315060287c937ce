//! Builds the unstreamed answer out of a stream, unknown fields included.

use crate::dialect::Aggregate;
use crate::error::DecodeError;
use crate::fields::{Fields, merge};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Collects the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Collector {
    id: Option<Value>,
    message: Map<String, Value>,
    content: BTreeMap<u64, Map<String, Value>>,
    calls: BTreeMap<u64, Map<String, Value>>,
    citations: Vec<Value>,
    end: Map<String, Value>,
}

impl Aggregate for Collector {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        let mut fields = Fields::parse(data)?;
        let kind = fields.need_text("type")?;
        let index = fields.u64("index")?.unwrap_or(0);
        self.id = self.id.take().or_else(|| fields.take("id"));
        let Some(mut delta) = fields.object("delta")? else { return Ok(()) };
        if kind == "message-end" {
            self.end.extend(delta.rest());
            return Ok(());
        }
        let Some(mut message) = delta.object("message")? else { return Ok(()) };
        if let Some(Value::Object(part)) = message.take("content") {
            grow(self.content.entry(index).or_default(), part);
        }
        if let Some(Value::Object(call)) = message.take("tool_calls") {
            grow(self.calls.entry(index).or_default(), call);
        }
        match message.take("citations") {
            Some(Value::Array(several)) => self.citations.extend(several),
            Some(one) => self.citations.push(one),
            None => {}
        }
        grow(&mut self.message, message.rest());
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Vec<u8> {
        let mut message = Map::from_iter([("role".to_owned(), json!("assistant"))]);
        // The start tells an empty plan where there is none.
        self.message.retain(|_, value| value != "");
        merge(&mut message, &self.message);
        for (name, list) in [
            ("content", self.content.into_values().map(Value::Object).collect()),
            ("tool_calls", self.calls.into_values().map(Value::Object).collect()),
            ("citations", self.citations),
        ] {
            let list: Vec<Value> = list;
            if !list.is_empty() {
                message.insert(name.to_owned(), list.into());
            }
        }
        let mut body = Map::new();
        body.extend(self.id.map(|id| ("id".to_owned(), id)));
        body.insert("message".to_owned(), message.into());
        body.extend(self.end);
        Value::Object(body).to_string().into_bytes()
    }
}

/// Names that stand whole in the first piece and may be repeated in others.
static WHOLE: &[&str] = &["type", "role", "id", "name"];

/// Adds a piece: texts grow, objects are joined, lists are continued. As deep as the parser lets
/// JSON be.
fn grow(old: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (key, value) in piece {
        let whole = WHOLE.contains(&key.as_str());
        match (old.get_mut(&key), value) {
            (Some(Value::String(old)), Value::String(more)) if !whole => old.push_str(&more),
            (Some(Value::Object(old)), Value::Object(more)) => grow(old, more),
            (Some(Value::Array(old)), Value::Array(more)) => old.extend(more),
            (_, value) => {
                old.insert(key, value);
            }
        }
    }
}
