//! Cohere's chat (version 2), as the vendor speaks it.
//!
//! Requests are close to OpenAI's; answers have typed contents, a plan before tool calls, and usage
//! twice: billed and counted, which are the same here. Events are named, and the last one carries
//! reason and usage.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Answer, Call, Choice, Finish, Told, figure};
use crate::ask::{Ask, Complaint, Format, ToolChoice, list, number, word};
use crate::dialect::{Dialect, PathFacts, openai, put};
use crate::reply::{Kind, Step};

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    let complain = |message: &str| Complaint::new(400, message.to_owned());
    let model = path.model_in(body);
    if model.is_empty() {
        return Err(complain("invalid request: model is required."));
    }
    let mut ask = Ask::new(Dialect::Cohere, model);
    if list(body, "messages").is_empty() {
        return Err(complain("invalid request: messages must be a list of at least one message."));
    }
    for message in list(body, "messages") {
        let mut turn = openai::turn(message).map_err(|_| {
            complain("invalid request: message role must be user, assistant, system or tool.")
        })?;
        turn.text.push_str(&documents(message));
        ask.hear(turn);
    }
    ask.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    ask.max_tokens = number(body, "max_tokens").filter(|limit| *limit > 0);
    ask.tools = openai::tools(body).map_err(|_| complain("invalid request: tools need names."))?;
    ask.tool_choice = match word(body, "tool_choice") {
        "REQUIRED" => ToolChoice::Required,
        "NONE" => ToolChoice::Never,
        "" => ToolChoice::Auto,
        _ => return Err(complain("invalid request: tool_choice must be REQUIRED or NONE.")),
    };
    ask.format = format(body);
    Ok(ask)
}

/// Tool results may be documents, whose data is a text or an object.
fn documents(message: &Value) -> String {
    let parts = list(message, "content").iter();
    let data = parts.filter_map(|part| part.pointer("/document/data"));
    data.map(|data| data.as_str().map_or_else(|| data.to_string(), str::to_owned)).collect()
}

fn format(body: &Value) -> Format {
    let format = body.get("response_format").unwrap_or(&Value::Null);
    if word(format, "type") != "json_object" {
        return Format::Text;
    }
    let schema = format.get("json_schema").or_else(|| format.get("schema"));
    Format::Json(schema.cloned().unwrap_or(Value::Null))
}

fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "COMPLETE",
        Finish::Length => "MAX_TOKENS",
        Finish::Tools => "TOOL_CALL",
        Finish::Filtered => "ERROR",
    }
}

fn usage(told: &Told) -> Value {
    let tokens =
        json!({ "input_tokens": figure(told.input), "output_tokens": figure(told.output) });
    json!({ "billed_units": tokens, "tokens": tokens, "cached_tokens": figure(told.cached) })
}

fn call_id(call: &Call) -> String {
    format!("{}_{}", call.name, call.id)
}

fn called(call: &Call, arguments: &str) -> Value {
    json!({ "id": call_id(call), "type": "function",
        "function": { "name": call.name, "arguments": arguments } })
}

fn message(choice: &Choice) -> Value {
    let mut message = json!({ "role": "assistant" });
    let mut content = Vec::new();
    if !choice.reasoning.is_empty() {
        content.push(json!({ "type": "thinking", "thinking": choice.reasoning.concat() }));
    }
    let text = choice.text.concat();
    if choice.calls.is_empty() {
        content.push(json!({ "type": "text", "text": text }));
    } else {
        let calls = choice.calls.iter().map(|call| called(call, &call.arguments())).collect();
        put(&mut message, "tool_plan", text.into());
        put(&mut message, "tool_calls", calls);
    }
    if !content.is_empty() {
        put(&mut message, "content", content.into());
    }
    message
}

pub(crate) fn whole(_: &Ask, answer: &Answer, id: &str) -> Value {
    let choice = answer.choices.first();
    let finish = choice.map_or(Finish::Stop, |choice| choice.finish);
    let mut body = json!({ "id": id, "message": choice.map(message),
        "finish_reason": finish_word(finish) });
    if let Some(told) = answer.told.last() {
        put(&mut body, "usage", usage(told));
    }
    body
}

/// Writes the events of one stream.
struct Events {
    steps: Vec<Step>,
    index: usize,
}

impl Events {
    fn event(&mut self, kind: Kind, data: &Value) {
        let event = Dialect::Cohere.event(word(data, "type"), &data.to_string());
        self.steps.push(Step::send(kind, u32::from(kind == Kind::Token), event));
    }

    /// An event of the present block about a part of the message.
    fn about(&mut self, kind: Kind, name: &str, message: Value) {
        let data = json!({ "type": name, "index": self.index, "delta": { "message": message } });
        self.event(kind, &data);
    }

    fn end(&mut self, name: &str) {
        self.event(Kind::Noise, &json!({ "type": name, "index": self.index }));
        self.index += 1;
    }

    fn content(&mut self, kind: &str, pieces: &[crate::text::Piece]) {
        let said = |text: &str| {
            let mut content = json!({});
            put(&mut content, kind, text.into());
            content
        };
        let mut start = said("");
        put(&mut start, "type", kind.into());
        self.about(Kind::Noise, "content-start", json!({ "content": start }));
        for piece in pieces {
            self.about(Kind::Token, "content-delta", json!({ "content": said(piece) }));
        }
        self.end("content-end");
    }

    fn calls(&mut self, choice: &Choice) {
        for piece in &choice.text {
            let plan = json!({ "type": "tool-plan-delta",
                "delta": { "message": { "tool_plan": piece } } });
            self.event(Kind::Token, &plan);
        }
        self.index = 0;
        for call in &choice.calls {
            let start = json!({ "tool_calls": called(call, "") });
            self.about(Kind::Token, "tool-call-start", start);
            for fragment in &call.fragments {
                let more = json!({ "tool_calls": { "function": { "arguments": fragment } } });
                self.about(Kind::Token, "tool-call-delta", more);
            }
            self.end("tool-call-end");
        }
    }
}

pub(crate) fn stream(_: &Ask, answer: &Answer, id: &str) -> Vec<Step> {
    let mut events = Events { steps: Vec::new(), index: 0 };
    let empty = json!({ "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [],
        "citations": [] });
    let start = json!({ "id": id, "type": "message-start", "delta": { "message": empty } });
    events.event(Kind::Opening, &start);
    let choice = answer.choices.first();
    if let Some(choice) = choice {
        if !choice.reasoning.is_empty() {
            events.content("thinking", &choice.reasoning);
        }
        if choice.calls.is_empty() {
            events.content("text", &choice.text);
        } else {
            events.calls(choice);
        }
    }
    let finish = choice.map_or(Finish::Stop, |choice| choice.finish);
    let mut end = json!({ "finish_reason": finish_word(finish) });
    if let Some(told) = answer.told.last() {
        put(&mut end, "usage", usage(told));
    }
    events.event(Kind::Closing, &json!({ "type": "message-end", "delta": end }));
    events.steps
}

/// The event of an error in a stream.
pub(crate) fn failure(complaint: &Complaint) -> Bytes {
    let end = json!({ "type": "message-end",
        "delta": { "finish_reason": "ERROR", "error": complaint.message } });
    Dialect::Cohere.event("message-end", &end.to_string())
}
