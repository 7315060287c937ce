//! Anthropic messages, as the vendor speaks them.
//!
//! Event order of a stream: `message_start`, `ping`, for each block its start, deltas and stop,
//! `message_delta` with the reason and the usage, `message_stop`. Input tokens are told without the
//! cached ones. A reasoning block ends with its signature.

use serde_json::{Value, json};

use crate::answer::{Answer, Call, Choice, Finish, Told, figure};
use crate::ask::{Ask, Complaint, Format, Speaker, Tool, ToolChoice, Turn, list, number, word};
use crate::dialect::{Dialect, PathFacts, quoted};
use crate::reply::{Kind, Step};

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    check_place(body, path)?;
    let model = path.model_in(body);
    if model.is_empty() {
        return Err(Complaint::new(400, "model: Field required"));
    }
    let mut ask = Ask::new(Dialect::Anthropic, model);
    let Some(limit) = number(body, "max_tokens").filter(|limit| *limit > 0) else {
        return Err(Complaint::new(400, "max_tokens: Field required"));
    };
    ask.max_tokens = Some(limit);
    system(body, &mut ask);
    for message in messages(body)? {
        for turn in turns(message)? {
            ask.hear(turn);
        }
    }
    if ask.prefill.as_ref().is_some_and(|text| text.ends_with(char::is_whitespace)) {
        let message = "messages: final assistant content cannot end with trailing whitespace";
        return Err(Complaint::new(400, message));
    }
    ask.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    ask.tools = tools(body);
    let choice = body.get("tool_choice").unwrap_or(&Value::Null);
    ask.tool_choice = tool_choice(choice);
    let single = choice.get("disable_parallel_tool_use").and_then(Value::as_bool);
    ask.parallel = !single.unwrap_or(false);
    let schema = body.pointer("/output_config/format/schema").cloned();
    ask.format = schema.map_or(Format::Text, Format::Json);
    Ok(ask)
}

/// Google's cloud wants the version in the body, and the model nowhere but in the path.
fn check_place(body: &Value, path: &PathFacts) -> Result<(), Complaint> {
    if !path.vertex {
        return Ok(());
    }
    if word(body, "anthropic_version").is_empty() {
        return Err(Complaint::new(400, "anthropic_version: Field required"));
    }
    match body.get("model") {
        Some(_) => Err(Complaint::new(400, "model: Extra inputs are not permitted")),
        None => Ok(()),
    }
}

fn system(body: &Value, ask: &mut Ask) {
    let Some(system) = body.get("system") else { return };
    let (text, images) = content(system);
    ask.hear(Turn { speaker: Speaker::System, text, images, calls: false });
}

fn messages(body: &Value) -> Result<&[Value], Complaint> {
    match body.get("messages") {
        None => Err(Complaint::new(400, "messages: Field required")),
        Some(Value::Array(messages)) if messages.is_empty() => {
            Err(Complaint::new(400, "messages: at least one message is required"))
        }
        Some(Value::Array(messages)) => Ok(messages),
        Some(_) => Err(Complaint::new(400, "messages: Input should be a valid list")),
    }
}

/// A user message may hold tool results and words: the results come first, as turns of their own.
fn turns(message: &Value) -> Result<Vec<Turn>, Complaint> {
    let content_value = message.get("content").unwrap_or(&Value::Null);
    let (text, images) = content(content_value);
    let speaker = match word(message, "role") {
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        "system" => Speaker::System,
        other => {
            let message = format!("messages: Unexpected role \"{other}\".");
            return Err(Complaint::new(400, message));
        }
    };
    let blocks = content_value.as_array().map_or(&[][..], Vec::as_slice);
    let calls = blocks.iter().any(|block| word(block, "type") == "tool_use");
    let mut turns: Vec<Turn> = blocks.iter().filter_map(tool_result).collect();
    if turns.is_empty() || !text.is_empty() {
        turns.push(Turn { speaker, text, images, calls });
    }
    Ok(turns)
}

fn tool_result(block: &Value) -> Option<Turn> {
    if word(block, "type") != "tool_result" {
        return None;
    }
    let (text, images) = content(block.get("content").unwrap_or(&Value::Null));
    Some(Turn { speaker: Speaker::Tool, text, images, calls: false })
}

fn content(content: &Value) -> (String, u32) {
    let Some(blocks) = content.as_array() else {
        return (content.as_str().unwrap_or_default().to_owned(), 0);
    };
    let mut text = String::new();
    let mut images = 0;
    for block in blocks {
        text.push_str(word(block, "text"));
        images += u32::from(word(block, "type") == "image");
    }
    (text, images)
}

fn tools(body: &Value) -> Vec<Tool> {
    let one = |tool: &Value| Tool {
        name: word(tool, "name").to_owned(),
        schema: tool.get("input_schema").cloned().unwrap_or(Value::Null),
    };
    list(body, "tools").iter().map(one).filter(|tool| !tool.name.is_empty()).collect()
}

fn tool_choice(choice: &Value) -> ToolChoice {
    match word(choice, "type") {
        "none" => ToolChoice::Never,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named(word(choice, "name").to_owned()),
        _ => ToolChoice::Auto,
    }
}

fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
        Finish::Filtered => "refusal",
    }
}

fn usage(told: &Told, output: i128) -> Value {
    json!({
        "input_tokens": figure(told.input - told.cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": figure(told.cached),
        "output_tokens": figure(output),
        "service_tier": "standard",
    })
}

fn choice(answer: &Answer) -> Option<&Choice> {
    answer.choices.first()
}

pub(crate) fn whole(ask: &Ask, answer: &Answer, id: &str) -> Value {
    let mut blocks = Vec::new();
    let finish = choice(answer).map_or(Finish::Stop, |choice| choice.finish);
    if let Some(choice) = choice(answer) {
        if !choice.reasoning.is_empty() {
            blocks.push(json!({ "type": "thinking", "thinking": choice.reasoning.concat(),
                "signature": answer.signature() }));
        }
        if !choice.text.is_empty() {
            blocks.push(json!({ "type": "text", "text": choice.text.concat() }));
        }
        blocks.extend(choice.calls.iter().map(|call| tool_block(call, call.object())));
    }
    let mut body = json!({
        "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": ask.model,
        "content": blocks, "stop_reason": finish_word(finish), "stop_sequence": null,
    });
    if let (Some(told), Some(fields)) = (answer.told.last(), body.as_object_mut()) {
        fields.insert("usage".to_owned(), usage(told, told.output));
    }
    body
}

fn tool_block(call: &Call, input: Value) -> Value {
    let id = format!("toolu_{}", call.id);
    json!({ "type": "tool_use", "id": id, "name": call.name, "input": input })
}

/// Writes the blocks of one stream.
struct Blocks {
    steps: Vec<Step>,
    index: usize,
}

impl Blocks {
    fn event(&mut self, kind: Kind, name: &str, data: &str) {
        let tokens = u32::from(kind == Kind::Token);
        self.steps.push(Step::send(kind, tokens, Dialect::Anthropic.event(name, data)));
    }

    fn start(&mut self, kind: Kind, block: &Value) {
        let index = self.index;
        let data = format!(
            "{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{block}}}"
        );
        self.event(kind, "content_block_start", &data);
    }

    fn delta(&mut self, kind: Kind, what: &str, field: &str, text: &str) {
        let (index, text) = (self.index, quoted(text));
        let data = format!(
            "{{\"type\":\"content_block_delta\",\"index\":{index},\
             \"delta\":{{\"type\":\"{what}\",\"{field}\":{text}}}}}"
        );
        self.event(kind, "content_block_delta", &data);
    }

    fn stop(&mut self) {
        let data = format!("{{\"type\":\"content_block_stop\",\"index\":{}}}", self.index);
        self.event(Kind::Noise, "content_block_stop", &data);
        self.index += 1;
    }

    fn choice(&mut self, choice: &Choice, signature: &str) {
        if !choice.reasoning.is_empty() {
            let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
            self.start(Kind::Noise, &block);
            for piece in &choice.reasoning {
                self.delta(Kind::Token, "thinking_delta", "thinking", piece);
            }
            self.delta(Kind::Noise, "signature_delta", "signature", signature);
            self.stop();
        }
        if !choice.text.is_empty() {
            self.start(Kind::Noise, &json!({ "type": "text", "text": "" }));
            for piece in &choice.text {
                self.delta(Kind::Token, "text_delta", "text", piece);
            }
            self.stop();
        }
        for call in &choice.calls {
            self.start(Kind::Token, &tool_block(call, json!({})));
            for fragment in &call.fragments {
                self.delta(Kind::Token, "input_json_delta", "partial_json", fragment);
            }
            self.stop();
        }
    }

    fn message_delta(&mut self, kind: Kind, reason: Option<&str>, told: Option<&Told>) {
        let mut data = json!({ "type": "message_delta",
            "delta": { "stop_reason": reason, "stop_sequence": null } });
        if let (Some(told), Some(fields)) = (told, data.as_object_mut()) {
            fields.insert("usage".to_owned(), usage(told, told.output));
        }
        self.event(kind, "message_delta", &data.to_string());
    }
}

pub(crate) fn stream(ask: &Ask, answer: &Answer, id: &str) -> Vec<Step> {
    let mut message = json!({
        "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": ask.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
    });
    if let (Some(told), Some(fields)) = (answer.told.first(), message.as_object_mut()) {
        fields.insert("usage".to_owned(), usage(told, 1));
    }
    let mut blocks = Blocks { steps: Vec::new(), index: 0 };
    let start = json!({ "type": "message_start", "message": message });
    blocks.event(Kind::Opening, "message_start", &start.to_string());
    blocks.steps.push(Dialect::Anthropic.ping());
    let finish = choice(answer).map_or(Finish::Stop, |choice| choice.finish);
    if let Some(choice) = choice(answer) {
        blocks.choice(choice, &answer.signature());
    }
    if let [earlier @ .., _] = answer.told.as_slice() {
        for told in earlier {
            blocks.message_delta(Kind::Usage, None, Some(told));
        }
    }
    blocks.message_delta(Kind::Closing, Some(finish_word(finish)), answer.told.last());
    blocks.event(Kind::Done, "message_stop", r#"{"type":"message_stop"}"#);
    blocks.steps
}

pub(crate) fn error(complaint: &Complaint, usual: &str, id: &str) -> Value {
    let mut error = json!({ "type": usual, "message": complaint.message });
    if let (Some(fields), false) = (error.as_object_mut(), complaint.details.is_null()) {
        fields.insert("details".to_owned(), (*complaint.details).clone());
    }
    json!({ "type": "error", "error": error, "request_id": format!("req_{id}") })
}

pub(crate) fn model(id: &str) -> Value {
    json!({ "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z" })
}
