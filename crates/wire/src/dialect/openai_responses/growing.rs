//! Output items while they are streamed to a client: a message, a piece of reasoning, a call.
//!
//! Each begins with `output_item.added` and ends with `output_item.done`, and within them every
//! part with its own pair; the item that was told last is the item of the finished answer.

use super::encode_events::frame;
use super::tools::{self, Kind};
use serde_json::{Map, Value, json};

/// Where events go, and their running number.
pub(super) struct Lines<'a> {
    pub(super) sequence: &'a mut u64,
    pub(super) out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    /// Writes one event with the next number.
    pub(super) fn tell(&mut self, kind: &str, data: Value) {
        frame(kind, *self.sequence, data, self.out);
        *self.sequence = self.sequence.saturating_add(1);
    }

    fn added(&mut self, place: &Place, item: Value) {
        let data = json!({ "output_index": place.at, "item": item });
        self.tell("response.output_item.added", data);
    }

    fn done(&mut self, place: &Place, item: &Value) {
        let data = json!({ "output_index": place.at, "item": item });
        self.tell("response.output_item.done", data);
    }
}

/// Where an item stands in the output, and its id.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) id: String,
}

impl Place {
    /// Fields that name the item, followed by `more`.
    fn of(&self, more: Value) -> Value {
        let mut map = Map::new();
        map.insert("item_id".to_owned(), self.id.as_str().into());
        map.insert("output_index".to_owned(), self.at.into());
        if let Value::Object(more) = more {
            map.extend(more);
        }
        map.into()
    }
}

/// What a part of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Text,
    Refusal,
}

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    place: Place,
    content: Vec<Value>,
    open: Option<Said>,
    text: String,
    logprobs: Vec<Value>,
}

impl Message {
    pub(super) fn begin(place: Place, lines: &mut Lines<'_>) -> Self {
        lines.added(&place, message(&place.id, "in_progress", &[]));
        Self { place, content: Vec::new(), open: None, text: String::new(), logprobs: Vec::new() }
    }

    /// A piece of text or refusal, with log probabilities in the form of Chat Completions.
    pub(super) fn say(
        &mut self,
        said: Said,
        piece: &str,
        logprobs: Option<&Value>,
        lines: &mut Lines<'_>,
    ) {
        if self.open != Some(said) {
            self.close_part(lines);
            self.open = Some(said);
            let part = part(said, "", &[]);
            let data = json!({ "content_index": self.content.len(), "part": part });
            lines.tell("response.content_part.added", self.place.of(data));
        }
        self.text.push_str(piece);
        let data = json!({ "content_index": self.content.len(), "delta": piece });
        let mut data = self.place.of(data);
        let kind = match said {
            Said::Refusal => "response.refusal.delta",
            Said::Text => {
                let list = logprobs.and_then(|all| all.get("content")?.as_array());
                let list = list.cloned().unwrap_or_default();
                self.logprobs.extend(list.iter().cloned());
                if let Some(map) = data.as_object_mut() {
                    map.insert("logprobs".to_owned(), list.into());
                }
                "response.output_text.delta"
            }
        };
        lines.tell(kind, data);
    }

    fn close_part(&mut self, lines: &mut Lines<'_>) {
        let Some(said) = self.open.take() else { return };
        let at = self.content.len();
        let text = std::mem::take(&mut self.text);
        let logprobs = std::mem::take(&mut self.logprobs);
        let part = part(said, &text, &logprobs);
        let (kind, data) = match said {
            Said::Text => (
                "response.output_text.done",
                json!({ "content_index": at, "text": text, "logprobs": logprobs }),
            ),
            Said::Refusal => {
                ("response.refusal.done", json!({ "content_index": at, "refusal": text }))
            }
        };
        lines.tell(kind, self.place.of(data));
        let data = json!({ "content_index": at, "part": part });
        lines.tell("response.content_part.done", self.place.of(data));
        self.content.push(part);
    }

    pub(super) fn end(mut self, lines: &mut Lines<'_>) -> (usize, Value) {
        self.close_part(lines);
        let item = message(&self.place.id, "completed", &self.content);
        lines.done(&self.place, &item);
        (self.place.at, item)
    }
}

fn message(id: &str, status: &str, content: &[Value]) -> Value {
    json!({
        "id": id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    })
}

fn part(said: Said, text: &str, logprobs: &[Value]) -> Value {
    match said {
        Said::Text => json!({
            "type": "output_text",
            "text": text,
            "annotations": [],
            "logprobs": logprobs,
        }),
        Said::Refusal => json!({ "type": "refusal", "refusal": text }),
    }
}

/// A piece of reasoning.
#[derive(Debug)]
pub(super) struct Thought {
    place: Place,
    text: String,
    seal: Option<String>,
}

impl Thought {
    pub(super) fn begin(place: Place, lines: &mut Lines<'_>) -> Self {
        let thought = Self { place, text: String::new(), seal: None };
        lines.added(&thought.place, thought.item("in_progress"));
        thought
    }

    pub(super) fn think(&mut self, piece: &str, lines: &mut Lines<'_>) {
        if self.text.is_empty() {
            let part = json!({ "type": "summary_text", "text": "" });
            let data = json!({ "summary_index": 0, "part": part });
            lines.tell("response.reasoning_summary_part.added", self.place.of(data));
        }
        self.text.push_str(piece);
        let data = json!({ "summary_index": 0, "delta": piece });
        lines.tell("response.reasoning_summary_text.delta", self.place.of(data));
    }

    pub(super) fn seal(&mut self, seal: String) {
        self.seal = Some(seal);
    }

    pub(super) fn end(self, lines: &mut Lines<'_>) -> (usize, Value) {
        if !self.text.is_empty() {
            let data = json!({ "summary_index": 0, "text": self.text });
            lines.tell("response.reasoning_summary_text.done", self.place.of(data));
            let part = json!({ "type": "summary_text", "text": self.text });
            let data = json!({ "summary_index": 0, "part": part });
            lines.tell("response.reasoning_summary_part.done", self.place.of(data));
        }
        let item = self.item("completed");
        lines.done(&self.place, &item);
        (self.place.at, item)
    }

    fn item(&self, status: &str) -> Value {
        let summary = match self.text.as_str() {
            "" => json!([]),
            text => json!([{ "type": "summary_text", "text": text }]),
        };
        let mut item = json!({
            "id": self.place.id,
            "type": "reasoning",
            "status": status,
            "summary": summary,
        });
        if let (Some(seal), Some(map)) = (&self.seal, item.as_object_mut()) {
            map.insert("encrypted_content".to_owned(), seal.as_str().into());
        }
        item
    }
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    place: Place,
    /// The call's number in the hub.
    pub(super) number: u32,
    call_id: String,
    name: String,
    kind: Kind,
    arguments: String,
}

impl Call {
    /// The prefix of the ids of such calls.
    pub(super) fn prefix(kind: &Kind) -> &'static str {
        if kind.custom { "ctc" } else { "fc" }
    }

    pub(super) fn begin(
        place: Place,
        number: u32,
        (call_id, name): (&str, &str),
        kind: Kind,
        lines: &mut Lines<'_>,
    ) -> Self {
        let space = kind.namespace.as_deref();
        let name = space.map_or(name, |space| tools::split(space, name)).to_owned();
        let call_id = call_id.to_owned();
        let call = Self { place, number, call_id, name, kind, arguments: String::new() };
        lines.added(&call.place, call.item("in_progress"));
        call
    }

    /// A piece of the arguments. A freeform call is told at its end, when its text is known.
    pub(super) fn argue(&mut self, piece: &str, lines: &mut Lines<'_>) {
        self.arguments.push_str(piece);
        if !self.kind.custom && !piece.is_empty() {
            let data = self.place.of(json!({ "delta": piece }));
            lines.tell("response.function_call_arguments.delta", data);
        }
    }

    pub(super) fn end(self, lines: &mut Lines<'_>) -> (usize, Value) {
        if self.kind.custom {
            let input = tools::input_of(&self.arguments);
            let delta = self.place.of(json!({ "delta": input }));
            lines.tell("response.custom_tool_call_input.delta", delta);
            let whole = self.place.of(json!({ "input": input }));
            lines.tell("response.custom_tool_call_input.done", whole);
        } else {
            let data = json!({ "name": self.name, "arguments": self.arguments });
            lines.tell("response.function_call_arguments.done", self.place.of(data));
        }
        let item = self.item("completed");
        lines.done(&self.place, &item);
        (self.place.at, item)
    }

    fn item(&self, status: &str) -> Value {
        let (kind, field, value) = if self.kind.custom {
            let input = match self.arguments.as_str() {
                "" => String::new(),
                arguments => tools::input_of(arguments),
            };
            ("custom_tool_call", tools::INPUT, input)
        } else {
            ("function_call", "arguments", self.arguments.clone())
        };
        let mut item = json!({
            "id": self.place.id,
            "type": kind,
            "status": status,
            "call_id": self.call_id,
            "name": self.name,
            field: value,
        });
        if let (Some(space), Some(map)) = (&self.kind.namespace, item.as_object_mut()) {
            map.insert("namespace".to_owned(), space.as_str().into());
        }
        item
    }
}
