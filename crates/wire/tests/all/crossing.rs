//! Every client dialect with every upstream dialect: what was said arrives, and the seals of the
//! upstream come back to it in the next turn.

use crate::samples::{decode, encode, frames, message, said, target, text};
use serde_json::{Value, json};
use wire::dialect::{DIALECTS, Dialect, Quirks};
use wire::hub::{
    Answer, Choice, Extra, Part, Request, Role, Signature, Stop, StopReason, Tool, ToolCall, Usage,
};
use wire::replay::{answer_of, events_of};
use wire::translate::{Known, StreamTranslator, answer as translated};

/// The dialects that clients hold conversations in, as server-sent events.
fn crossed() -> impl Iterator<Item = &'static Dialect> {
    let spoken = ["openai_chat", "openai_responses", "anthropic_messages", "gemini"];
    DIALECTS.iter().filter(move |dialect| spoken.contains(&dialect.id))
}

/// An answer with sealed thinking and a call, as the upstream `origin` gives it.
fn answer(origin: &'static str) -> Answer {
    let seal = |value: &str| Some(Signature { origin, value: value.to_owned() });
    // Gemini seals the call, Anthropic and Responses the thinking; OpenAI's chat seals nothing.
    let (on_thought, on_call) = match origin {
        "anthropic_messages" | "openai_responses" => (seal("SEAL"), None),
        "gemini" => (None, seal("SEAL")),
        _ => (None, None),
    };
    let call = ToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: "{\"city\":\"Rome\"}".to_owned(),
        signature: on_call,
        extra: Extra::new(),
    };
    let thought = Part::Reasoning { text: "hm".to_owned(), signature: on_thought };
    let stop =
        Stop { reason: StopReason::ToolCalls, native: "tool_calls".to_owned(), sequence: None };
    let choice = Choice {
        parts: vec![thought, text("Let me see."), Part::ToolCall(call)],
        stop: Some(stop),
        ..Choice::default()
    };
    Answer {
        id: "i".to_owned(),
        model: "m".to_owned(),
        choices: vec![choice],
        usage: Some(Usage { input: 3, cached_input: 2, output: 7, ..Usage::default() }),
        ..Answer::default()
    }
}

fn upstream_stream(upstream: &Dialect) -> Vec<u8> {
    let mut encoder = (upstream.encode_events)(true);
    let mut out = Vec::new();
    for event in events_of(&answer(upstream.id)) {
        encoder.event(&event, &mut out);
    }
    out
}

/// What a client of `door` reads when `upstream` streams.
fn client_stream(upstream: &Dialect, door: &Dialect) -> Vec<u8> {
    let mut translator = StreamTranslator::new(upstream, &Quirks::default(), door, true);
    let mut out = Vec::new();
    for (name, data) in frames(&upstream_stream(upstream), 50) {
        translator.frame(name.as_deref(), &data, &mut out).unwrap();
    }
    translator.end(&mut out);
    translator.close(&mut out);
    out
}

#[test]
fn every_pair_of_dialects_carries_text_calls_stop_and_usage() {
    for upstream in crossed() {
        for door in crossed() {
            let pair = format!("{} -> {}", upstream.id, door.id);
            let stream = frames(&client_stream(upstream, door), 33);
            let read = answer_of(&crate::samples::events(door.id, &Quirks::default(), &stream));
            let expected = answer(upstream.id);
            let (was, is) = (&expected.choices[0], &read.choices[0]);
            assert_eq!(said(&is.parts), said(&was.parts), "{pair}");
            assert_eq!(is.stop.as_ref().unwrap().reason, StopReason::ToolCalls, "{pair}");
            assert_eq!(read.usage, expected.usage, "{pair}");
        }
    }
}

#[test]
fn the_seals_of_every_upstream_come_back_to_it_through_every_client() {
    for upstream in crossed() {
        for door in crossed() {
            let pair = format!("{} -> {}", upstream.id, door.id);
            let whole = (upstream.encode_answer)(&answer(upstream.id));
            let body =
                translated(upstream, &Quirks::default(), &whole, door, &Known::at(1_700_000_000))
                    .unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let next = decode(door.id, &next_turn(door.id, &body));
            let quirks = Quirks::default();
            let (out, _) = encode(upstream.id, &next, &target("m", &quirks));
            let sealed = upstream.id != "openai_chat";
            assert_eq!(out.to_string().contains("SEAL"), sealed, "{pair}: {out}");
            // Google's OpenAI layer takes Gemini's seals, so that they stay in that dialect.
            let strangers = crossed().filter(|other| other.id != "openai_chat");
            for other in strangers.filter(|other| other.id != upstream.id) {
                let (out, _) = encode(other.id, &next, &target("m", &quirks));
                assert!(!out.to_string().contains("SEAL"), "{pair}, then {}: {out}", other.id);
            }
        }
    }
}

/// The client sends the answer back, as it stands, with the tool's result.
fn next_turn(door: &str, body: &Value) -> Value {
    match door {
        "anthropic_messages" => json!({"max_tokens": 9, "messages": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": body["content"]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1"}]}]}),
        "openai_responses" => {
            let mut input = vec![json!({"role": "user", "content": "Q"})];
            input.extend(body["output"].as_array().unwrap().iter().cloned());
            input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "x"}));
            json!({"input": input})
        }
        "gemini" => json!({"contents": [
            {"role": "user", "parts": [{"text": "Q"}]},
            body["candidates"][0]["content"],
            {"role": "user", "parts": [{"functionResponse": {"id": "call_1", "name": "weather",
                "response": {"output": "x"}}}]}]}),
        _ => json!({"model": "m", "messages": [
            {"role": "user", "content": "Q"},
            body["choices"][0]["message"],
            {"role": "tool", "tool_call_id": "call_1", "content": "x"}]}),
    }
}

#[test]
fn every_pair_of_dialects_carries_a_request() {
    let call = ToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: "{\"city\":\"Rome\"}".to_owned(),
        signature: None,
        extra: Extra::new(),
    };
    let result = Part::ToolResult {
        call_id: "call_1".to_owned(),
        name: None,
        content: vec![text("sunny")],
        is_error: false,
        extra: Extra::new(),
    };
    let request = Request {
        model: "m".to_owned(),
        system: vec![text("Be brief.")],
        messages: vec![
            message(Role::User, vec![text("Q")]),
            message(Role::Assistant, vec![text("So"), Part::ToolCall(call)]),
            message(Role::User, vec![result]),
        ],
        tools: vec![Tool::Function {
            name: "weather".to_owned(),
            description: Some("d".to_owned()),
            parameters: Some(json!({"type": "object"})),
            strict: None,
            extra: Extra::new(),
        }],
        max_tokens: Some(50),
        temperature: Some(0.5),
        stop: vec!["X".to_owned()],
        ..Request::default()
    };
    let quirks = Quirks::default();
    for door in crossed() {
        for upstream in crossed() {
            let pair = format!("{} -> {}", door.id, upstream.id);
            let (asked, _) = encode(door.id, &request, &target("m", &quirks));
            let (sent, _) = encode(upstream.id, &decode(door.id, &asked), &target("m", &quirks));
            let read = decode(upstream.id, &sent);
            let (direct, _) = encode(upstream.id, &request, &target("m", &quirks));
            let direct = decode(upstream.id, &direct);
            assert_eq!(plain(&read), plain(&direct), "{pair}");
            assert_eq!(loose(read.tools), loose(direct.tools), "{pair}");
            assert_eq!((read.max_tokens, read.temperature), (Some(50), Some(0.5)), "{pair}");
            // The Responses API knows no stop sequences.
            let knows_stops = ![door.id, upstream.id].contains(&"openai_responses");
            let stops = if knows_stops { vec!["X".to_owned()] } else { Vec::new() };
            assert_eq!(read.stop, stops, "{pair}");
        }
    }
}

/// Tools that are not strict, whether that was said or not.
fn loose(mut tools: Vec<Tool>) -> Vec<Tool> {
    for tool in &mut tools {
        if let Tool::Function { strict: said @ Some(false), .. } = tool {
            *said = None;
        }
    }
    tools
}

/// Role, text and calls of one turn.
type Turn = (Role, String, Vec<(String, Value)>);

fn plain(request: &Request) -> Vec<Turn> {
    request
        .messages
        .iter()
        .map(|message| {
            let (text, calls) = said(&message.parts);
            (message.role, text, calls)
        })
        .collect()
}
