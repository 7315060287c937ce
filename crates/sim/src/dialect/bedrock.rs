//! Bedrock's Converse, as the vendor speaks it.
//!
//! The model and the streaming are in the path. A stream is binary frames: `messageStart`, the
//! blocks (only tool blocks have a start of their own), `messageStop` with the reason, `metadata`
//! with the usage. Input tokens are told without the cached ones.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Answer, Call, Choice, Finish, Told, figure};
use crate::ask::{Ask, Complaint, Format, Speaker, Tool, ToolChoice, Turn, list, number, word};
use crate::dialect::vendor;
use crate::dialect::{Dialect, PathFacts, frames, put};
use crate::reply::{Kind, Step};

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    let mut ask = Ask::new(Dialect::Bedrock, path.model.clone());
    ask.stream = path.stream;
    for block in list(body, "system") {
        ask.hear(Turn::said(Speaker::System, word(block, "text")));
    }
    for message in messages(body)? {
        for turn in turns(message)? {
            ask.hear(turn);
        }
    }
    let config = body.get("inferenceConfig").unwrap_or(&Value::Null);
    ask.max_tokens = number(config, "maxTokens").filter(|limit| *limit > 0);
    ask.tools = list(body.get("toolConfig").unwrap_or(&Value::Null), "tools")
        .iter()
        .filter_map(tool)
        .collect();
    if ask.tools.is_empty() && (ask.rounds > 0 || ask.tool_result.is_some()) {
        return Err(Complaint::new(
            400,
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ));
    }
    ask.tool_choice = tool_choice(body.pointer("/toolConfig/toolChoice"));
    ask.format = format(body)?;
    Ok(ask)
}

fn messages(body: &Value) -> Result<&[Value], Complaint> {
    let complain = |message: &str| Err(Complaint::new(400, message));
    match body.get("messages") {
        None => complain(
            "1 validation error detected: Value at 'messages' failed to satisfy constraint: \
             Member must not be null",
        ),
        Some(Value::Array(messages)) => match messages.first() {
            Some(first) if word(first, "role") == "user" => alternating(messages),
            _ => complain("A conversation must start with a user message."),
        },
        Some(_) => complain("Expected a list at 'messages'."),
    }
}

/// The vendor refuses two turns of one role in a row.
fn alternating(messages: &[Value]) -> Result<&[Value], Complaint> {
    let pairs = messages.iter().zip(messages.iter().skip(1));
    if pairs.into_iter().any(|(one, next)| word(one, "role") == word(next, "role")) {
        let message = "A conversation must alternate between user and assistant roles.";
        return Err(Complaint::new(400, message));
    }
    Ok(messages)
}

/// Tool results come first, as turns of their own.
fn turns(message: &Value) -> Result<Vec<Turn>, Complaint> {
    let speaker = match word(message, "role") {
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        _ => {
            return Err(Complaint::new(400, "Value at 'messages.role' must be user or assistant."));
        }
    };
    let blocks = list(message, "content");
    if blocks.is_empty() {
        return Err(Complaint::new(400, "The content field in the Message object is empty."));
    }
    if blocks.iter().any(|block| block.get("text").and_then(Value::as_str) == Some("")) {
        return Err(Complaint::new(400, "The text field in the ContentBlock object is blank."));
    }
    let calls = blocks.iter().any(|block| block.get("toolUse").is_some());
    let (text, images) = content(blocks);
    let mut turns: Vec<Turn> = blocks.iter().filter_map(tool_result).collect();
    if turns.is_empty() || !text.is_empty() {
        turns.push(Turn { speaker, text, images, calls });
    }
    Ok(turns)
}

fn tool_result(block: &Value) -> Option<Turn> {
    let parts = list(block.get("toolResult")?, "content");
    let (mut text, images) = content(parts);
    for json in parts.iter().filter_map(|part| part.get("json")) {
        text.push_str(&json.to_string());
    }
    Some(Turn { speaker: Speaker::Tool, text, images, calls: false })
}

fn content(blocks: &[Value]) -> (String, u32) {
    let images = blocks.iter().filter(|block| block.get("image").is_some()).count();
    let text = blocks.iter().map(|block| word(block, "text")).collect();
    (text, u32::try_from(images).unwrap_or(u32::MAX))
}

fn tool(tool: &Value) -> Option<Tool> {
    let spec = tool.get("toolSpec")?;
    let schema = spec.pointer("/inputSchema/json").cloned().unwrap_or(Value::Null);
    Some(Tool { name: word(spec, "name").to_owned(), schema })
}

fn tool_choice(choice: Option<&Value>) -> ToolChoice {
    let Some(choice) = choice else { return ToolChoice::Auto };
    if let Some(tool) = choice.get("tool") {
        return ToolChoice::Named(word(tool, "name").to_owned());
    }
    if choice.get("any").is_some() { ToolChoice::Required } else { ToolChoice::Auto }
}

/// The schema of a structured answer is JSON inside a text here.
fn format(body: &Value) -> Result<Format, Complaint> {
    let place = "/outputConfig/textFormat/structure/jsonSchema/schema";
    match body.pointer(place).and_then(Value::as_str).map(serde_json::from_str) {
        None => Ok(Format::Text),
        Some(Ok(schema)) => Ok(Format::Json(schema)),
        Some(Err(_)) => Err(Complaint::new(400, "The JSON schema of the text format is invalid.")),
    }
}

fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
        Finish::Filtered => "content_filtered",
    }
}

fn usage(told: &Told) -> Value {
    json!({
        "inputTokens": figure(told.input - told.cached),
        "outputTokens": figure(told.output),
        "totalTokens": figure(told.input + told.output),
        "cacheReadInputTokens": figure(told.cached),
        "cacheWriteInputTokens": 0,
    })
}

fn tool_use(call: &Call) -> Value {
    json!({ "toolUseId": format!("tooluse_{}", call.id), "name": call.name })
}

fn blocks(choice: &Choice, signature: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !choice.reasoning.is_empty() {
        let text = json!({ "text": choice.reasoning.concat(), "signature": signature });
        blocks.push(json!({ "reasoningContent": { "reasoningText": text } }));
    }
    if !choice.text.is_empty() {
        blocks.push(json!({ "text": choice.text.concat() }));
    }
    for call in &choice.calls {
        let mut tool = tool_use(call);
        put(&mut tool, "input", call.object());
        blocks.push(json!({ "toolUse": tool }));
    }
    blocks
}

pub(crate) fn whole(_: &Ask, answer: &Answer, _: &str) -> Value {
    let choice = answer.choices.first();
    let signature = answer.signature();
    let content = choice.map(|choice| blocks(choice, &signature)).unwrap_or_default();
    let finish = choice.map_or(Finish::Stop, |choice| choice.finish);
    let mut body = json!({
        "metrics": { "latencyMs": 1 },
        "output": { "message": { "content": content, "role": "assistant" } },
        "stopReason": finish_word(finish),
    });
    if let Some(told) = answer.told.last() {
        put(&mut body, "usage", usage(told));
    }
    body
}

/// Writes the frames of one stream.
struct Frames {
    steps: Vec<Step>,
    index: usize,
}

impl Frames {
    fn frame(&mut self, kind: Kind, name: &str, payload: &Value) {
        let bytes = frames::event(name, &payload.to_string());
        self.steps.push(Step::send(kind, u32::from(kind == Kind::Token), bytes));
    }

    fn delta(&mut self, kind: Kind, delta: Value) {
        let payload = json!({ "contentBlockIndex": self.index, "delta": delta });
        self.frame(kind, "contentBlockDelta", &payload);
    }

    fn stop(&mut self) {
        self.frame(Kind::Noise, "contentBlockStop", &json!({ "contentBlockIndex": self.index }));
        self.index += 1;
    }

    fn choice(&mut self, choice: &Choice, signature: &str) {
        if !choice.reasoning.is_empty() {
            for piece in &choice.reasoning {
                self.delta(Kind::Token, json!({ "reasoningContent": { "text": piece } }));
            }
            self.delta(Kind::Noise, json!({ "reasoningContent": { "signature": signature } }));
            self.stop();
        }
        if !choice.text.is_empty() {
            for piece in &choice.text {
                self.delta(Kind::Token, json!({ "text": piece }));
            }
            self.stop();
        }
        for call in &choice.calls {
            let start = json!({ "contentBlockIndex": self.index,
                "start": { "toolUse": tool_use(call) } });
            self.frame(Kind::Token, "contentBlockStart", &start);
            for fragment in &call.fragments {
                self.delta(Kind::Token, json!({ "toolUse": { "input": fragment } }));
            }
            self.stop();
        }
    }
}

pub(crate) fn stream(_: &Ask, answer: &Answer, _: &str) -> Vec<Step> {
    let mut frames = Frames { steps: Vec::new(), index: 0 };
    frames.frame(Kind::Opening, "messageStart", &json!({ "role": "assistant" }));
    let choice = answer.choices.first();
    if let Some(choice) = choice {
        frames.choice(choice, &answer.signature());
    }
    let finish = choice.map_or(Finish::Stop, |choice| choice.finish);
    let reason = json!({ "stopReason": finish_word(finish) });
    frames.frame(Kind::Closing, "messageStop", &reason);
    for told in &answer.told {
        let metadata = json!({ "metrics": { "latencyMs": 1 }, "usage": usage(told) });
        frames.frame(Kind::Usage, "metadata", &metadata);
    }
    frames.steps
}

/// The frame of an error in a stream: the exception's name begins with a small letter there.
pub(crate) fn exception(complaint: &Complaint) -> Bytes {
    let name = vendor::exception(complaint);
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let name: String = first.into_iter().chain(letters).collect();
    frames::exception(&name, &json!({ "message": complaint.message }).to_string())
}
