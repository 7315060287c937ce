//! Gemini generateContent, as the vendor speaks it.
//!
//! The model and the streaming are in the path. A stream is a list of partial answers, each with
//! the cumulative usage; there is no end mark, the connection's end of message is the end. Function
//! calls come whole, in one part. Thoughts are counted apart from the candidates' tokens.

use serde_json::{Map, Value, json};

use crate::answer::{Answer, Call, Choice, Finish, Told, figure};
use crate::ask::{Ask, Complaint, Format, Speaker, Tool, ToolChoice, Turn, list, number, word};
use crate::dialect::{Dialect, PathFacts};
use crate::reply::{Kind, Step};

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    let mut ask = Ask::new(Dialect::Gemini, path.model.clone());
    ask.stream = path.stream;
    ask.sse = path.sse;
    if let Some(system) = either(body, "systemInstruction", "system_instruction") {
        ask.hear(Turn {
            speaker: Speaker::System,
            text: content(system).0,
            images: 0,
            calls: false,
        });
    }
    for message in contents(body)? {
        for turn in turns(message)? {
            ask.hear(turn);
        }
    }
    let config = either(body, "generationConfig", "generation_config").unwrap_or(&Value::Null);
    ask.max_tokens = number(config, "maxOutputTokens").filter(|limit| *limit > 0);
    ask.choices = number(config, "candidateCount").unwrap_or(1).clamp(1, 8);
    ask.format = format(config);
    ask.tools = tools(body);
    ask.tool_choice = tool_choice(body);
    Ok(ask)
}

/// Google accepts both spellings of a field.
fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

fn contents(body: &Value) -> Result<&[Value], Complaint> {
    match body.get("contents") {
        Some(Value::Array(contents)) if !contents.is_empty() => Ok(contents),
        None | Some(Value::Array(_)) => Err(Complaint::new(
            400,
            "* GenerateContentRequest.contents: contents is not specified\n",
        )),
        Some(_) => Err(Complaint::new(
            400,
            "Invalid value at 'contents' \
             (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)",
        )),
    }
}

fn turns(message: &Value) -> Result<Vec<Turn>, Complaint> {
    let speaker = match word(message, "role") {
        "" | "user" => Speaker::User,
        "model" => Speaker::Assistant,
        "function" => Speaker::Tool,
        _ => return Err(Complaint::new(400, "Please use a valid role: user, model.")),
    };
    let (text, images) = content(message);
    let parts = list(message, "parts");
    let calls = parts.iter().any(|part| part.get("functionCall").is_some());
    let mut turns: Vec<Turn> = parts.iter().filter_map(tool_result).collect();
    if turns.is_empty() || !text.is_empty() {
        turns.push(Turn { speaker, text, images, calls });
    }
    Ok(turns)
}

fn tool_result(part: &Value) -> Option<Turn> {
    let response = either(part, "functionResponse", "function_response")?;
    let text = response.get("response").map(ToString::to_string).unwrap_or_default();
    Some(Turn { speaker: Speaker::Tool, text, images: 0, calls: false })
}

fn content(message: &Value) -> (String, u32) {
    let mut text = String::new();
    let mut images = 0;
    for part in list(message, "parts") {
        text.push_str(word(part, "text"));
        let picture = either(part, "inlineData", "inline_data")
            .or_else(|| either(part, "fileData", "file_data"));
        images += u32::from(picture.is_some());
    }
    (text, images)
}

fn format(config: &Value) -> Format {
    if word(config, "responseMimeType") != "application/json" {
        return Format::Text;
    }
    let schema = either(config, "responseJsonSchema", "responseSchema");
    Format::Json(schema.cloned().unwrap_or(Value::Null))
}

fn tools(body: &Value) -> Vec<Tool> {
    let declared = list(body, "tools").iter().filter_map(|tool| {
        either(tool, "functionDeclarations", "function_declarations").and_then(Value::as_array)
    });
    let one = |tool: &Value| Tool {
        name: word(tool, "name").to_owned(),
        schema: either(tool, "parametersJsonSchema", "parameters_json_schema")
            .or_else(|| tool.get("parameters"))
            .cloned()
            .unwrap_or(Value::Null),
    };
    declared.flatten().map(one).collect()
}

fn tool_choice(body: &Value) -> ToolChoice {
    let Some(config) = body.pointer("/toolConfig/functionCallingConfig") else {
        return ToolChoice::Auto;
    };
    let allowed = list(config, "allowedFunctionNames").first().and_then(Value::as_str);
    match (word(config, "mode"), allowed) {
        ("NONE", _) => ToolChoice::Never,
        ("ANY", Some(name)) => ToolChoice::Named(name.to_owned()),
        ("ANY", None) => ToolChoice::Required,
        _ => ToolChoice::Auto,
    }
}

fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Tools => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    }
}

/// Usage after `said` visible and `thought` reasoning tokens.
fn usage(told: &Told, said: i128, thought: i128) -> Value {
    let mut usage = json!({
        "promptTokenCount": figure(told.input),
        "candidatesTokenCount": figure(said),
        "totalTokenCount": figure(told.input + said + thought),
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": figure(told.input) }],
    });
    if let Some(fields) = usage.as_object_mut() {
        if told.cached > 0 {
            fields.insert("cachedContentTokenCount".to_owned(), figure(told.cached));
        }
        if thought > 0 {
            fields.insert("thoughtsTokenCount".to_owned(), figure(thought));
        }
    }
    usage
}

fn call_part(call: &Call, signature: Option<&str>) -> Value {
    let mut part = json!({ "functionCall": { "name": call.name, "args": call.object() } });
    if let (Some(signature), Some(fields)) = (signature, part.as_object_mut()) {
        fields.insert("thoughtSignature".to_owned(), signature.into());
    }
    part
}

/// The parts of a choice with their tokens: one per piece, or one per kind of content. The last
/// thought carries the signature, or the first call does when there is one, as with the vendor.
fn parts(choice: &Choice, signature: &str, by_piece: bool) -> Vec<(Value, u32, bool)> {
    let thinks = !choice.reasoning.is_empty();
    let mut parts = Vec::new();
    for (text, tokens) in texts(&choice.reasoning, by_piece) {
        parts.push((json!({ "text": text, "thought": true }), tokens, true));
    }
    for (text, tokens) in texts(&choice.text, by_piece) {
        parts.push((json!({ "text": text }), tokens, false));
    }
    for (at, call) in choice.calls.iter().enumerate() {
        let signed = (thinks && at == 0).then_some(signature);
        parts.push((call_part(call, signed), call.tokens(), false));
    }
    if thinks && choice.calls.is_empty() {
        let first = parts.iter_mut().find(|(_, _, thought)| !thought);
        if let Some(fields) = first.and_then(|(part, ..)| part.as_object_mut()) {
            fields.insert("thoughtSignature".to_owned(), signature.into());
        }
    }
    parts
}

fn texts(pieces: &[crate::text::Piece], by_piece: bool) -> Vec<(String, u32)> {
    if by_piece {
        return pieces.iter().map(|piece| (piece.to_string(), 1)).collect();
    }
    let all = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    if pieces.is_empty() { Vec::new() } else { vec![(pieces.concat(), all)] }
}

fn candidate(index: usize, parts: Vec<Value>, finish: Option<Finish>) -> Value {
    let mut candidate = Map::new();
    candidate.insert("content".to_owned(), json!({ "parts": parts, "role": "model" }));
    if let Some(finish) = finish {
        candidate.insert("finishReason".to_owned(), finish_word(finish).into());
    }
    candidate.insert("index".to_owned(), index.into());
    Value::Object(candidate)
}

fn partial(ask: &Ask, id: &str, candidates: Vec<Value>, usage: Option<Value>) -> Value {
    let mut body = json!({ "candidates": candidates });
    if let Some(fields) = body.as_object_mut() {
        fields.extend(usage.map(|usage| ("usageMetadata".to_owned(), usage)));
        fields.insert("modelVersion".to_owned(), ask.model.clone().into());
        fields.insert("responseId".to_owned(), id.into());
    }
    body
}

fn final_usage(answer: &Answer) -> Option<Value> {
    answer.told.last().map(|told| usage(told, told.output - told.reasoning, told.reasoning))
}

pub(crate) fn whole(ask: &Ask, answer: &Answer, id: &str) -> Value {
    let signature = answer.signature();
    let one = |(index, choice): (usize, &Choice)| {
        let parts = parts(choice, &signature, false).into_iter().map(|(part, ..)| part).collect();
        candidate(index, parts, Some(choice.finish))
    };
    let candidates = answer.choices.iter().enumerate().map(one).collect();
    partial(ask, id, candidates, final_usage(answer))
}

/// The partial answers of a stream, as kinds, tokens and JSON.
fn partials(ask: &Ask, answer: &Answer, id: &str) -> Vec<(Kind, u32, Value)> {
    let signature = answer.signature();
    let opening_usage = answer.told.first().map(|told| usage(told, 0, 0));
    let empty = || vec![json!({ "text": "" })];
    let opening = partial(ask, id, vec![candidate(0, empty(), None)], opening_usage);
    let mut list = vec![(Kind::Opening, 0, opening)];
    let (mut said, mut thought) = (0_i128, 0_i128);
    for (index, choice) in answer.choices.iter().enumerate() {
        for (part, tokens, is_thought) in parts(choice, &signature, true) {
            *(if is_thought { &mut thought } else { &mut said }) += i128::from(tokens);
            let so_far = answer.told.first().map(|told| usage(told, said, thought));
            let body = partial(ask, id, vec![candidate(index, vec![part], None)], so_far);
            list.push((Kind::Token, tokens, body));
        }
    }
    if let [earlier @ .., _] = answer.told.as_slice() {
        for told in earlier {
            let lie = usage(told, told.output - told.reasoning, told.reasoning);
            let body = partial(ask, id, vec![candidate(0, empty(), None)], Some(lie));
            list.push((Kind::Usage, 0, body));
        }
    }
    let ends = answer.choices.iter().enumerate();
    let ends = ends.map(|(index, choice)| candidate(index, empty(), Some(choice.finish))).collect();
    list.push((Kind::Closing, 0, partial(ask, id, ends, final_usage(answer))));
    list
}

pub(crate) fn stream(ask: &Ask, answer: &Answer, id: &str) -> Vec<Step> {
    let one = |(kind, tokens, body): (Kind, u32, Value)| {
        Step::send(kind, tokens, Dialect::Gemini.event("", &body.to_string()))
    };
    partials(ask, answer, id).into_iter().map(one).collect()
}

/// The stream as one JSON array, for clients that did not ask for events.
pub(crate) fn array(ask: &Ask, answer: &Answer, id: &str) -> String {
    partials(ask, answer, id).into_iter().map(|(_, _, body)| body).collect::<Value>().to_string()
}

pub(crate) fn error(complaint: &Complaint, usual: &str) -> Value {
    let mut error = json!({
        "code": complaint.status, "message": complaint.message, "status": usual,
    });
    if let (Some(fields), false) = (error.as_object_mut(), complaint.details.is_null()) {
        fields.insert("details".to_owned(), (*complaint.details).clone());
    }
    json!({ "error": error })
}

pub(crate) fn model(id: &str) -> Value {
    json!({ "name": format!("models/{id}"), "displayName": id,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent"] })
}
