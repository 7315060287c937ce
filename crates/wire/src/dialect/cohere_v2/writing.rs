//! Messages and their content, written.

use super::ID;
use super::reading::PLAN;
use crate::fields::{merge, put};
use crate::hub::{Extra, Media, Part, ToolCall};
use crate::media;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Writes parts for a reader.
pub(super) struct Writing {
    /// Whether the extras come from this dialect.
    pub(super) own: bool,
    /// Whether thoughts go along.
    pub(super) thoughts: bool,
    /// Wishes that had no place here.
    pub(super) lost: Vec<&'static str>,
    /// Documents that go beside the conversation.
    pub(super) documents: Vec<Value>,
}

impl Writing {
    /// Writes what was read from the dialect `origin`.
    pub(super) fn new(origin: &str, thoughts: bool) -> Self {
        Self { own: origin == ID, thoughts, lost: Vec::new(), documents: Vec::new() }
    }

    /// Content: one plain text as a string, anything else as parts; nothing is nothing.
    pub(super) fn content<'a>(&mut self, parts: impl Iterator<Item = &'a Part>) -> Option<Value> {
        let mut written: Vec<Value> = parts.filter_map(|part| self.part(part)).collect();
        let plain = match written.as_mut_slice() {
            [] => return None,
            [Value::Object(part)] if part.len() == 2 => part.get_mut("text").map(Value::take),
            _ => None,
        };
        Some(plain.unwrap_or(Value::Array(written)))
    }

    /// One part of a message's content; `None` when it has no place there.
    fn part(&mut self, part: &Part) -> Option<Value> {
        match part {
            Part::Text { text, extra } => {
                (!text.is_empty()).then(|| self.typed("text", text.as_str().into(), extra))
            }
            Part::Refusal(text) => Some(self.typed("text", text.as_str().into(), &Extra::new())),
            Part::Reasoning { text, .. } => {
                let readable = self.thoughts && !text.is_empty();
                readable.then(|| self.typed("thinking", text.as_str().into(), &Extra::new()))
            }
            Part::Image { source, extra } => self.image(source, extra),
            Part::File { source, name, .. } => {
                match document(source, name.as_deref()) {
                    Some(document) => self.documents.push(document),
                    None => self.lost.push("file"),
                }
                None
            }
            Part::Audio { .. } => {
                self.lost.push("input_audio");
                None
            }
            Part::Other { origin, value } => (*origin == ID).then(|| value.clone()),
            Part::ToolCall(_) | Part::ToolResult { .. } | Part::RedactedReasoning { .. } => None,
        }
    }

    fn image(&mut self, source: &Media, extra: &Extra) -> Option<Value> {
        let url = match source {
            Media::Base64 { mime, data } => format!("data:{mime};base64,{data}"),
            Media::Url(url) => url.clone(),
            Media::FileId(_) => {
                self.lost.push("image_url");
                return None;
            }
        };
        Some(self.typed("image_url", json!({"url": url}), extra))
    }

    /// A part whose content stands under the name of its type.
    fn typed(&self, kind: &str, value: Value, extra: &Extra) -> Value {
        let mut map = Map::from_iter([("type".to_owned(), kind.into()), (kind.to_owned(), value)]);
        if self.own {
            merge(&mut map, extra);
        }
        map.into()
    }

    /// What the model said, as fields of a message. Words beside calls are the plan.
    pub(super) fn assistant(&mut self, parts: &[Part]) -> Map<String, Value> {
        let calls: Vec<Value> = parts.iter().filter_map(|part| self.call(part)).collect();
        let own = self.own;
        let planned = |part: &&Part| match part {
            Part::Text { extra, .. } if own => extra.contains_key(PLAN),
            Part::Text { .. } => !calls.is_empty(),
            _ => false,
        };
        let plan: String = parts.iter().filter(planned).filter_map(text_of).collect();
        let content = self.content(parts.iter().filter(|part| !planned(part)));
        let mut message = Map::from_iter([("role".to_owned(), "assistant".into())]);
        put(&mut message, "content", content);
        put(&mut message, PLAN, (!plan.is_empty()).then_some(plan));
        put(&mut message, "tool_calls", (!calls.is_empty()).then_some(calls));
        message
    }

    fn call(&self, part: &Part) -> Option<Value> {
        let Part::ToolCall(ToolCall { id, name, arguments, extra, .. }) = part else { return None };
        let function = json!({"name": name, "arguments": arguments});
        let mut call = Map::from_iter([
            ("id".to_owned(), id.as_str().into()),
            ("type".to_owned(), "function".into()),
            ("function".to_owned(), function),
        ]);
        if self.own {
            merge(&mut call, extra);
        }
        Some(call.into())
    }
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    }
}

/// A text file as a document beside the conversation.
fn document(source: &Media, name: Option<&str>) -> Option<Value> {
    let Media::Base64 { mime, data } = media::resolved(source) else { return None };
    let text = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    let mut data = Map::new();
    put(&mut data, "title", name);
    put(&mut data, "text", Some(text));
    mime.starts_with("text/").then(|| json!({"data": data}))
}
