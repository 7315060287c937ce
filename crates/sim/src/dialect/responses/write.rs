//! The answer as items, and the items as events.
//!
//! Event order of a stream: created, in_progress; for each item its addition, its parts and deltas,
//! its end; then completed or incomplete, with the whole response. Each event has the next sequence
//! number. Reasoning is told as a summary when one was asked for, and sealed when that was.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::SEAL;
use crate::answer::{Answer, Call, Choice, Finish, Told, figure};
use crate::ask::{Ask, Complaint, list};
use crate::dialect::{CREATED, Dialect, put};
use crate::reply::{Kind, Step};
use crate::text::Piece;

/// Fields of the request that a response repeats, with what is said when they were not given.
fn defaults() -> Value {
    json!({
        "instructions": null, "max_output_tokens": null, "max_tool_calls": null,
        "parallel_tool_calls": true, "previous_response_id": null, "prompt_cache_key": null,
        "reasoning": { "effort": null, "summary": null }, "safety_identifier": null,
        "service_tier": "default", "store": true, "temperature": 1.0,
        "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [],
        "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled", "user": null, "metadata": {},
        "background": false,
    })
}

fn response(ask: &Ask, id: &str, status: &str, output: Vec<Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), format!("resp_{id}").into());
    fields.insert("object".to_owned(), "response".into());
    fields.insert("created_at".to_owned(), CREATED.into());
    fields.insert("status".to_owned(), status.into());
    fields.insert("error".to_owned(), Value::Null);
    fields.insert("incomplete_details".to_owned(), Value::Null);
    fields.insert("model".to_owned(), ask.model.clone().into());
    fields.insert("output".to_owned(), output.into());
    fields.insert("usage".to_owned(), Value::Null);
    if let Value::Object(usual) = defaults() {
        for (key, usual) in usual {
            let given = ask.echo.get(&key).filter(|given| !given.is_null());
            fields.insert(key, given.cloned().unwrap_or(usual));
        }
    }
    Value::Object(fields)
}

fn usage(told: &Told) -> Value {
    json!({
        "input_tokens": figure(told.input),
        "input_tokens_details": {
            "cached_tokens": figure(told.cached), "cache_write_tokens": 0,
        },
        "output_tokens": figure(told.output),
        "output_tokens_details": { "reasoning_tokens": figure(told.reasoning) },
        "total_tokens": figure(told.input + told.output),
    })
}

fn finish(choice: Option<&Choice>) -> (&'static str, Value) {
    match choice.map(|choice| choice.finish) {
        Some(Finish::Length) => ("incomplete", json!({ "reason": "max_output_tokens" })),
        Some(Finish::Filtered) => ("incomplete", json!({ "reason": "content_filter" })),
        _ => ("completed", Value::Null),
    }
}

pub(crate) fn whole(ask: &Ask, answer: &Answer, id: &str) -> Value {
    let items = items(ask, answer, id).into_iter().map(|item| item.whole).collect();
    finished(ask, answer, id, items)
}

fn finished(ask: &Ask, answer: &Answer, id: &str, items: Vec<Value>) -> Value {
    let (status, details) = finish(answer.choices.first());
    let mut body = response(ask, id, status, items);
    put(&mut body, "incomplete_details", details);
    put(&mut body, "usage", answer.told.last().map_or(Value::Null, usage));
    body
}

/// An item of the answer with the pieces it is streamed in.
struct Item<'a> {
    whole: Value,
    pieces: &'a [Piece],
    what: What<'a>,
}

enum What<'a> {
    /// Reasoning whose summary is told.
    Summary,
    /// Reasoning that stays hidden.
    Hidden,
    Message,
    Call(&'a Call),
}

fn items<'a>(ask: &Ask, answer: &'a Answer, id: &str) -> Vec<Item<'a>> {
    let Some(choice) = answer.choices.first() else { return Vec::new() };
    let mut items = Vec::new();
    if !choice.reasoning.is_empty() {
        items.push(reasoning(ask, answer, choice, id));
    }
    if !choice.text.is_empty() || choice.calls.is_empty() {
        let whole = message(id, "completed", vec![part(&choice.text.concat())]);
        items.push(Item { whole, pieces: &choice.text, what: What::Message });
    }
    for (at, call) in choice.calls.iter().enumerate() {
        let whole = called(id, at, "completed", call, &call.arguments());
        items.push(Item { whole, pieces: &call.fragments, what: What::Call(call) });
    }
    items
}

fn reasoning<'a>(ask: &Ask, answer: &Answer, choice: &'a Choice, id: &str) -> Item<'a> {
    let summary = ask.echo.pointer("/reasoning/summary").and_then(Value::as_str);
    let sealed =
        list(&ask.echo, "include").iter().any(|word| word == "reasoning.encrypted_content");
    let told =
        summary.map(|_| json!({ "type": "summary_text", "text": choice.reasoning.concat() }));
    let what = if told.is_some() { What::Summary } else { What::Hidden };
    let mut whole = json!({ "id": format!("rs_{id}"), "type": "reasoning",
        "summary": told.into_iter().collect::<Vec<_>>() });
    if sealed {
        put(&mut whole, "encrypted_content", format!("{SEAL}{}", answer.signature()).into());
    }
    Item { whole, pieces: &choice.reasoning, what }
}

fn message(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({ "id": format!("msg_{id}"), "type": "message", "status": status, "role": "assistant",
        "content": content })
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text })
}

fn called(id: &str, at: usize, status: &str, call: &Call, arguments: &str) -> Value {
    json!({ "id": format!("fc_{id}-{at}"), "type": "function_call", "status": status,
        "call_id": format!("call_{}", call.id), "name": call.name, "arguments": arguments })
}

/// Writes the events of one stream.
struct Events {
    steps: Vec<Step>,
}

impl Events {
    fn event(&mut self, kind: Kind, tokens: u32, name: &str, fields: Value) {
        let event = numbered(name, self.steps.len(), fields);
        self.steps.push(Step::send(kind, tokens, event));
    }

    fn noise(&mut self, name: &str, fields: Value) {
        self.event(Kind::Noise, 0, name, fields);
    }

    fn item(&mut self, index: usize, item: &Item<'_>, id: &str) {
        let item_id = item.whole.get("id").cloned().unwrap_or(Value::Null);
        let added = |item: Value| json!({ "output_index": index, "item": item });
        match item.what {
            What::Summary => {
                self.noise("output_item.added", added(unsaid(&item.whole)));
                self.summary(index, &item_id, item.pieces);
            }
            What::Hidden => {
                let tokens = u32::try_from(item.pieces.len()).unwrap_or(u32::MAX);
                let fields = added(unsaid(&item.whole));
                self.event(Kind::Noise, tokens, "output_item.added", fields);
            }
            What::Message => {
                let empty = message(id, "in_progress", Vec::new());
                self.noise("output_item.added", added(empty));
                self.text(index, &item_id, item.pieces);
            }
            What::Call(call) => {
                let mut empty = item.whole.clone();
                put(&mut empty, "status", "in_progress".into());
                put(&mut empty, "arguments", "".into());
                self.event(Kind::Token, 1, "output_item.added", added(empty));
                self.arguments(index, &item_id, call);
            }
        }
        self.noise("output_item.done", added(item.whole.clone()));
    }

    fn summary(&mut self, index: usize, item_id: &Value, pieces: &[Piece]) {
        let at = |key: &str, value: Value| {
            let mut fields =
                json!({ "item_id": item_id, "output_index": index, "summary_index": 0 });
            put(&mut fields, key, value);
            fields
        };
        let part = |text: &str| json!({ "type": "summary_text", "text": text });
        let whole = pieces.concat();
        self.noise("reasoning_summary_part.added", at("part", part("")));
        for piece in pieces {
            let delta = at("delta", piece.as_ref().into());
            self.event(Kind::Token, 1, "reasoning_summary_text.delta", delta);
        }
        self.noise("reasoning_summary_text.done", at("text", whole.as_str().into()));
        self.noise("reasoning_summary_part.done", at("part", part(&whole)));
    }

    fn text(&mut self, index: usize, item_id: &Value, pieces: &[Piece]) {
        let at = |key: &str, value: Value| {
            let mut fields =
                json!({ "item_id": item_id, "output_index": index, "content_index": 0 });
            put(&mut fields, key, value);
            fields
        };
        let logprobs = |mut fields: Value| {
            put(&mut fields, "logprobs", json!([]));
            fields
        };
        let whole = pieces.concat();
        self.noise("content_part.added", at("part", part("")));
        for piece in pieces {
            let delta = logprobs(at("delta", piece.as_ref().into()));
            self.event(Kind::Token, 1, "output_text.delta", delta);
        }
        self.noise("output_text.done", logprobs(at("text", whole.as_str().into())));
        self.noise("content_part.done", at("part", part(&whole)));
    }

    fn arguments(&mut self, index: usize, item_id: &Value, call: &Call) {
        for piece in &call.fragments {
            let fields = json!({ "item_id": item_id, "output_index": index, "delta": piece });
            self.event(Kind::Token, 1, "function_call_arguments.delta", fields);
        }
        let fields = json!({ "item_id": item_id, "output_index": index, "name": call.name,
            "arguments": call.arguments() });
        self.noise("function_call_arguments.done", fields);
    }
}

/// Reasoning before its summary was told.
fn unsaid(item: &Value) -> Value {
    let mut item = item.clone();
    put(&mut item, "summary", json!([]));
    item
}

/// One event with its type and its number.
fn numbered(name: &str, number: usize, fields: Value) -> Bytes {
    let kind = if name == "error" { name.to_owned() } else { format!("response.{name}") };
    let mut data = json!({ "type": kind, "sequence_number": number });
    if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
        data.extend(fields);
    }
    Dialect::Responses.event(&kind, &data.to_string())
}

pub(crate) fn stream(ask: &Ask, answer: &Answer, id: &str) -> Vec<Step> {
    let mut events = Events { steps: Vec::new() };
    let begun = json!({ "response": response(ask, id, "in_progress", Vec::new()) });
    events.event(Kind::Opening, 0, "created", begun.clone());
    events.event(Kind::Opening, 0, "in_progress", begun);
    let items = items(ask, answer, id);
    for (index, item) in items.iter().enumerate() {
        events.item(index, item, id);
    }
    let (status, _) = finish(answer.choices.first());
    let items = items.into_iter().map(|item| item.whole).collect();
    let whole = json!({ "response": finished(ask, answer, id, items) });
    events.event(Kind::Closing, 0, status, whole);
    events.steps
}

/// An error in the middle: the error itself, then the response that failed.
pub(crate) fn failure(complaint: &Complaint, ask: &Ask, id: &str, place: usize) -> Vec<Bytes> {
    let error = ask.vendor.error(complaint, id);
    let code = complaint.code.unwrap_or("server_error");
    let mut failed = response(ask, id, "failed", Vec::new());
    put(&mut failed, "error", json!({ "code": code, "message": complaint.message }));
    vec![
        numbered("error", place, error),
        numbered("failed", place + 1, json!({ "response": failed })),
    ]
}
