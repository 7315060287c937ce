//! OpenAI chat completions, as the vendor speaks them.
//!
//! A stream is: a role chunk, content chunks, a finish chunk, a usage chunk when it was asked for,
//! `[DONE]`. Chunks are written as text rather than through a JSON tree because this is the busiest
//! path of the benchmarks.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Answer, Call, Choice, Finish, Told, figure};
use crate::ask::{Ask, Complaint, Format, Speaker, Tool, ToolChoice, Turn, list, number, word};
use crate::dialect::{CREATED, Dialect, PathFacts, Vendor, put, quoted};
use crate::reply::{Kind, Step};

const ROLES: &[(&str, Speaker)] = &[
    ("system", Speaker::System),
    ("developer", Speaker::System),
    ("user", Speaker::User),
    ("assistant", Speaker::Assistant),
    ("tool", Speaker::Tool),
    ("function", Speaker::Tool),
];

/// More choices than the vendor allows (128).
const MOST_CHOICES: u32 = 128;

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    let mut ask = Ask::new(Dialect::OpenAi, model_named(body, path)?);
    for message in messages(body)? {
        ask.hear(turn(message)?);
    }
    ask.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    ask.include_usage =
        body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false);
    ask.choices = number(body, "n").unwrap_or(1).clamp(1, MOST_CHOICES);
    ask.max_tokens = number(body, "max_completion_tokens").or_else(|| number(body, "max_tokens"));
    if ask.max_tokens == Some(0) {
        let message = "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1.";
        return Err(Complaint::new(400, message)
            .param("max_tokens")
            .code("integer_below_min_value"));
    }
    ask.tools = tools(body)?;
    ask.tool_choice = tool_choice(body);
    ask.parallel = body.get("parallel_tool_calls").and_then(Value::as_bool).unwrap_or(true);
    ask.format = format(body);
    Ok(ask)
}

pub(crate) fn model_named(body: &Value, path: &PathFacts) -> Result<String, Complaint> {
    let model = path.model_in(body);
    if model.is_empty() {
        return Err(Complaint::new(400, "you must provide a model parameter"));
    }
    Ok(model)
}

pub(crate) fn messages(body: &Value) -> Result<&[Value], Complaint> {
    let complain =
        |message: &str, code| Err(Complaint::new(400, message).param("messages").code(code));
    match body.get("messages") {
        None => complain("Missing required parameter: 'messages'.", "missing_required_parameter"),
        Some(Value::Array(messages)) if messages.is_empty() => {
            complain("Invalid 'messages': empty array.", "empty_array")
        }
        Some(Value::Array(messages)) => Ok(messages),
        Some(_) => complain("Invalid type for 'messages': expected an array.", "invalid_type"),
    }
}

pub(crate) fn turn(message: &Value) -> Result<Turn, Complaint> {
    let role = word(message, "role");
    let Some((_, speaker)) = ROLES.iter().find(|(name, _)| *name == role) else {
        let message = format!("Invalid value: '{role}'. Supported values are the known roles.");
        return Err(Complaint::new(400, message).param("messages[].role").code("invalid_value"));
    };
    let calls = !list(message, "tool_calls").is_empty();
    let (text, images) = content(message.get("content").unwrap_or(&Value::Null));
    Ok(Turn { speaker: *speaker, text, images, calls })
}

pub(crate) fn content(content: &Value) -> (String, u32) {
    let Some(parts) = content.as_array() else {
        return (content.as_str().unwrap_or_default().to_owned(), 0);
    };
    let mut text = String::new();
    let mut images = 0;
    for part in parts {
        text.push_str(word(part, "text"));
        images += u32::from(word(part, "type") == "image_url");
    }
    (text, images)
}

pub(crate) fn tools(body: &Value) -> Result<Vec<Tool>, Complaint> {
    let one = |tool: &Value| {
        let function = tool.get("function").unwrap_or(&Value::Null);
        let name = word(function, "name").to_owned();
        if name.is_empty() {
            let message = "Missing required parameter: 'tools[0].function.name'.";
            return Err(Complaint::new(400, message)
                .param("tools")
                .code("missing_required_parameter"));
        }
        Ok(Tool { name, schema: function.get("parameters").cloned().unwrap_or(Value::Null) })
    };
    list(body, "tools").iter().map(one).collect()
}

pub(crate) fn tool_choice(body: &Value) -> ToolChoice {
    match body.get("tool_choice") {
        Some(Value::String(word)) if word == "none" => ToolChoice::Never,
        Some(Value::String(word)) if word == "required" => ToolChoice::Required,
        Some(choice @ Value::Object(_)) => {
            let name = choice.pointer("/function/name").and_then(Value::as_str);
            name.map_or(ToolChoice::Auto, |name| ToolChoice::Named(name.to_owned()))
        }
        _ => ToolChoice::Auto,
    }
}

fn format(body: &Value) -> Format {
    let format = body.get("response_format").unwrap_or(&Value::Null);
    match word(format, "type") {
        "json_schema" => {
            Format::Json(format.pointer("/json_schema/schema").cloned().unwrap_or(Value::Null))
        }
        "json_object" => Format::Json(Value::Null),
        _ => Format::Text,
    }
}

pub(crate) fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Tools => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

pub(crate) fn usage(told: &Told) -> Value {
    json!({
        "prompt_tokens": figure(told.input),
        "completion_tokens": figure(told.output),
        "total_tokens": figure(told.input + told.output),
        "prompt_tokens_details": { "cached_tokens": figure(told.cached), "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": figure(told.reasoning), "audio_tokens": 0,
        },
    })
}

pub(crate) fn whole(ask: &Ask, answer: &Answer, id: &str) -> Value {
    let choices = answer.choices.iter().enumerate();
    let choices: Vec<Value> = choices.map(|(index, choice)| whole_choice(index, choice)).collect();
    let mut body = json!({
        "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": CREATED,
        "model": ask.model, "choices": choices, "service_tier": "default",
        "system_fingerprint": "fp_sim",
    });
    if let Some(told) = answer.told.last() {
        put(&mut body, "usage", usage(told));
    }
    if ask.vendor == Vendor::Azure {
        put(&mut body, "prompt_filter_results", prompt_filter());
        for choice in body.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
            put(choice, "content_filter_results", filter_results());
        }
    }
    body
}

/// What Azure's filter found, by kind of harm: nothing.
fn filter_results() -> Value {
    let safe = || json!({ "filtered": false, "severity": "safe" });
    json!({ "hate": safe(), "self_harm": safe(), "sexual": safe(), "violence": safe() })
}

fn prompt_filter() -> Value {
    let mut found = filter_results();
    put(&mut found, "jailbreak", json!({ "filtered": false, "detected": false }));
    json!([{ "prompt_index": 0, "content_filter_results": found }])
}

/// Azure's first chunk, which has no choices.
fn filter_chunk() -> Step {
    let chunk = json!({ "choices": [], "created": 0, "id": "", "model": "", "object": "",
        "prompt_filter_results": prompt_filter() });
    Step::noise(format!("data: {chunk}\n\n"))
}

fn whole_choice(index: usize, choice: &Choice) -> Value {
    let text = choice.text.concat();
    let content =
        if text.is_empty() && !choice.calls.is_empty() { Value::Null } else { text.into() };
    let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
    if let Some(fields) = message.as_object_mut() {
        if !choice.reasoning.is_empty() {
            fields.insert("reasoning_content".to_owned(), choice.reasoning.concat().into());
        }
        if !choice.calls.is_empty() {
            fields.insert("tool_calls".to_owned(), choice.calls.iter().map(whole_call).collect());
        }
    }
    let finish = finish_word(choice.finish);
    json!({ "index": index, "message": message, "logprobs": null, "finish_reason": finish })
}

fn whole_call(call: &Call) -> Value {
    let function = json!({ "name": call.name, "arguments": call.arguments() });
    json!({ "id": format!("call_{}", call.id), "type": "function", "function": function })
}

/// Writes the chunks of one stream.
struct Chunks {
    lead: String,
    tail: &'static str,
    /// What every choice also says.
    extra: &'static str,
}

impl Chunks {
    fn new(ask: &Ask, id: &str) -> Self {
        let model = quoted(&ask.model);
        let lead = format!(
            "data: {{\"id\":\"chatcmpl-{id}\",\"object\":\"chat.completion.chunk\",\
             \"created\":{CREATED},\"model\":{model},\
             \"system_fingerprint\":\"fp_sim\",\"choices\":["
        );
        let tail = if ask.include_usage { "],\"usage\":null}\n\n" } else { "]}\n\n" };
        let azure = ask.vendor == Vendor::Azure;
        let extra = if azure { ",\"content_filter_results\":{}" } else { "" };
        Self { lead, tail, extra }
    }

    fn delta(&self, kind: Kind, index: usize, delta: &str, finish: Option<&str>) -> Step {
        let finish = finish.map_or_else(|| "null".to_owned(), |word| format!("\"{word}\""));
        let mut chunk = String::with_capacity(self.lead.len() + delta.len() + 96);
        chunk.push_str(&self.lead);
        chunk.push_str("{\"index\":");
        chunk.push_str(&index.to_string());
        chunk.push_str(",\"delta\":");
        chunk.push_str(delta);
        chunk.push_str(",\"logprobs\":null,\"finish_reason\":");
        chunk.push_str(&finish);
        chunk.push_str(self.extra);
        chunk.push('}');
        chunk.push_str(self.tail);
        Step::send(kind, u32::from(kind == Kind::Token), chunk)
    }

    fn usage(&self, told: &Told) -> Step {
        let chunk = format!("{}],\"usage\":{}}}\n\n", self.lead, usage(told));
        Step::send(Kind::Usage, 0, chunk)
    }
}

/// The deltas of a choice, one per token.
fn deltas(choice: &Choice) -> Vec<String> {
    let mut deltas = Vec::with_capacity(choice.tokens() as usize);
    for piece in &choice.reasoning {
        deltas.push(format!("{{\"reasoning_content\":{}}}", quoted(piece)));
    }
    for piece in &choice.text {
        deltas.push(format!("{{\"content\":{}}}", quoted(piece)));
    }
    for (index, call) in choice.calls.iter().enumerate() {
        let first = json!({ "index": index, "id": format!("call_{}", call.id), "type": "function",
            "function": { "name": call.name, "arguments": "" } });
        deltas.push(json!({ "tool_calls": [first] }).to_string());
        for fragment in &call.fragments {
            let next = json!({ "index": index, "function": { "arguments": fragment } });
            deltas.push(json!({ "tool_calls": [next] }).to_string());
        }
    }
    deltas
}

pub(crate) fn stream(ask: &Ask, answer: &Answer, id: &str) -> Vec<Step> {
    let chunks = Chunks::new(ask, id);
    let mut steps = Vec::new();
    steps.extend((ask.vendor == Vendor::Azure).then(filter_chunk));
    let role = r#"{"role":"assistant","content":"","refusal":null}"#;
    for index in 0..answer.choices.len() {
        steps.push(chunks.delta(Kind::Opening, index, role, None));
    }
    let all: Vec<Vec<String>> = answer.choices.iter().map(deltas).collect();
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    for at in 0..longest {
        for (index, deltas) in all.iter().enumerate() {
            let delta = deltas.get(at);
            steps.extend(delta.map(|delta| chunks.delta(Kind::Token, index, delta, None)));
        }
    }
    for (index, choice) in answer.choices.iter().enumerate() {
        steps.push(chunks.delta(Kind::Closing, index, "{}", Some(finish_word(choice.finish))));
    }
    if ask.include_usage {
        steps.extend(answer.told.iter().map(|told| chunks.usage(told)));
    }
    steps.push(Step::send(Kind::Done, 0, Bytes::from_static(b"data: [DONE]\n\n")));
    steps
}

pub(crate) fn error(complaint: &Complaint, usual: &str) -> Value {
    let mut error = json!({
        "message": complaint.message, "type": complaint.kind.unwrap_or(usual),
        "param": complaint.param, "code": complaint.code,
    });
    if let (Some(fields), false) = (error.as_object_mut(), complaint.details.is_null()) {
        fields.insert("innererror".to_owned(), (*complaint.details).clone());
    }
    json!({ "error": error })
}

pub(crate) fn model(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": CREATED, "owned_by": "sim" })
}
