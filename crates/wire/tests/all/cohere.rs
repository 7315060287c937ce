//! Cohere's chat dialect: what goes out, what comes in, and that nothing is lost on the way.

use crate::samples::{
    aggregated, decode, dialect, encode, events, frames, lines_as_stream, message, metered,
    recorded, said, target, text, written,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::hub::{
    Event, Extra, Format, Media, Message, Part, Reasoning, Request, Role, StopReason, Tool,
    ToolCall, ToolChoice, Usage,
};
use wire::replay::answer_of;

const COHERE: &str = "cohere_v2";

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
        extra: Extra::new(),
    })
}

fn result(id: &str, content: Vec<Part>) -> Part {
    let (call_id, extra) = (id.to_owned(), Extra::new());
    Part::ToolResult { call_id, name: None, content, is_error: false, extra }
}

fn tool(name: &str) -> Tool {
    Tool::Function {
        name: name.to_owned(),
        description: None,
        parameters: Some(json!({"type": "object"})),
        strict: Some(true),
        extra: Extra::new(),
    }
}

fn foreign() -> Request {
    let file = |mime: &str, data: &str| Part::File {
        source: Media::Base64 { mime: mime.to_owned(), data: data.to_owned() },
        name: Some("a.txt".to_owned()),
        extra: Extra::new(),
    };
    let image =
        Part::Image { source: Media::Url("https://e.com/a.png".to_owned()), extra: Extra::new() };
    let thought = Part::Reasoning { text: "hm".to_owned(), signature: None };
    Request {
        model: "m".to_owned(),
        system: vec![text("Be brief.")],
        messages: vec![
            message(
                Role::User,
                vec![text("see"), image, file("text/plain", "YWJj"), file("application/pdf", "AA")],
            ),
            message(Role::Assistant, vec![thought, text("I look."), call("t", r#"{"a":1}"#)]),
            message(Role::User, vec![text("and?"), result("t", vec![])]),
        ],
        tools: vec![tool("weather"), tool("news")],
        tool_choice: Some(ToolChoice::Named("news".to_owned())),
        parallel_tool_calls: Some(false),
        max_tokens: Some(50),
        temperature: Some(1.5),
        top_p: Some(1.0),
        top_k: Some(5),
        presence_penalty: Some(-1.0),
        seed: Some(-1),
        logprobs: Some(true),
        stop: vec!["END".to_owned()],
        format: Some(Format::JsonSchema {
            name: Some("n".to_owned()),
            description: None,
            schema: json!({"type": "object"}),
            strict: None,
        }),
        reasoning: Some(Reasoning { effort: Some("high".to_owned()), ..Reasoning::default() }),
        ..Request::default()
    }
}

#[test]
fn a_foreign_conversation_goes_out_in_coheres_words() {
    let (body, dropped) = encode(COHERE, &foreign(), &target("m", &Quirks::default()));
    let expected = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}},
            ]},
            {"role": "assistant", "tool_plan": "I look.", "tool_calls": [
                {"id": "t", "type": "function", "function": {
                    "name": "weather", "arguments": "{\"a\":1}",
                }},
            ]},
            {"role": "tool", "tool_call_id": "t", "content": ""},
            {"role": "user", "content": "and?"},
        ],
        "documents": [{"data": {"title": "a.txt", "text": "abc"}}],
        "strict_tools": true,
        "tools": [{"type": "function", "function": {
            "name": "news", "parameters": {"type": "object"},
        }}],
        "tool_choice": "REQUIRED",
        "max_tokens": 50,
        "temperature": 1.0,
        "p": 0.99,
        "presence_penalty": 0.0,
        "k": 5,
        "stop_sequences": ["END"],
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
        "thinking": {"type": "enabled", "token_budget": 40},
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, "parallel_tool_calls file presence_penalty seed logprobs");
}

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}],
             "tool_plan": "plan", "tool_calls": [
                {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "t", "content": [
                {"type": "document", "document": {"data": {"x": "y"}, "id": "1"}},
            ]},
            {"role": "assistant", "content": "b", "citations": [{"start": 0, "end": 1}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "documents": ["words", {"id": "d", "data": {"k": "v"}}],
        "citation_options": {"mode": "FAST"},
        "safety_mode": "NONE",
        "thinking": {"type": "enabled"},
        "logprobs": true,
        "priority": 3,
    });
    let (again, dropped) = encode(COHERE, &decode(COHERE, &body), &target("m", &Quirks::default()));
    assert_eq!((again, dropped.as_str()), (body, ""));
}

static STREAM: &str = r#"
{"id":"i","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}
{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}
{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}
{"type":"content-end","index":0}
{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I "}}}
{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"look."}}}
{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t","type":"function","function":{"name":"f","arguments":""}}}}}
{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":"}}}}}
{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}
{"type":"tool-call-end","index":0}
{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"text":"x"}}}}
{"type":"citation-end","index":0}
{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":8,"output_tokens":5},"tokens":{"input_tokens":100,"output_tokens":9},"cached_tokens":90}}}
"#;

#[test]
fn a_stream_is_read_and_billed_by_what_is_billed() {
    let stream = lines_as_stream(STREAM);
    let whole = frames(&stream, stream.len());
    let told = events(COHERE, &Quirks::default(), &whole);
    let answer = answer_of(&told);
    assert_eq!(
        answer.choices[0].parts[..2],
        [Part::Reasoning { text: "hm".to_owned(), signature: None }, text("I look.")]
    );
    assert_eq!(said(&answer.choices[0].parts).1, [("f".to_owned(), json!({"a": 1}))]);
    assert_eq!(answer.usage, Some(Usage { input: 8, output: 5, ..Usage::default() }));
    assert_eq!((answer.id.as_str(), told.last()), ("i", Some(&Event::Done)));
    let seen = metered(COHERE, &whole);
    assert_eq!((seen.stop, seen.done), (Some(StopReason::ToolCalls), true));
    assert_eq!((seen.usage, seen.content_bytes), (answer.usage, 17));
}

#[test]
fn an_aggregate_is_the_answer_that_would_have_come_whole() {
    let stream = lines_as_stream(STREAM);
    let body: Value = serde_json::from_slice(&aggregated(COHERE, &frames(&stream, 7))).unwrap();
    let expected = json!({
        "id": "i",
        "message": {
            "role": "assistant", "tool_plan": "I look.",
            "content": [{"type": "thinking", "thinking": "hm"}],
            "tool_calls": [
                {"id": "t", "type": "function",
                 "function": {"name": "f", "arguments": "{\"a\":1}"}},
            ],
            "citations": [{"start": 0, "text": "x"}],
        },
        "finish_reason": "TOOL_CALL",
        "usage": {
            "billed_units": {"input_tokens": 8, "output_tokens": 5},
            "tokens": {"input_tokens": 100, "output_tokens": 9}, "cached_tokens": 90,
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn a_failed_end_is_a_failure_of_the_answer() {
    for word in ["ERROR", "TIMEOUT"] {
        let line = format!(r#"{{"type":"message-end","delta":{{"finish_reason":"{word}"}}}}"#);
        let seen = metered(COHERE, &frames(&lines_as_stream(&line), 9));
        assert_eq!(seen.stop, Some(StopReason::Error), "{word}");
    }
    let flat = lines_as_stream(r#"{"message":"internal error","id":"x"}"#);
    let seen = metered(COHERE, &frames(&flat, 9));
    assert_eq!(seen.error.map(|error| error.message).as_deref(), Some("internal error"));
}

#[test]
fn usage_without_a_bill_is_what_was_read() {
    let body = json!({
        "message": {"content": "a"}, "finish_reason": "COMPLETE",
        "usage": {"tokens": {"input_tokens": 100.0, "output_tokens": 9}, "cached_tokens": 90},
    });
    let answer =
        (dialect(COHERE).decode_answer)(body.to_string().as_bytes(), &Quirks::default()).unwrap();
    let expected = Usage { input: 10, cached_input: 90, output: 9, ..Usage::default() };
    assert_eq!(answer.usage, Some(expected));
}

#[test]
fn errors_have_a_message_only() {
    let reported = (dialect(COHERE).decode_error)(429, br#"{"message":"slow down","id":"1"}"#);
    assert_eq!((reported.status, reported.message.as_str()), (Some(429), "slow down"));
    assert_eq!((dialect(COHERE).decode_error)(502, b"<html>").message, "<html>");
}

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Z \"\\\\\u{e9}]{0,9}[a-z]"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn spoken() -> impl Strategy<Value = Part> {
    words().prop_map(|words| text(&words))
}

fn model_parts() -> impl Strategy<Value = Vec<Part>> {
    let thought = words().prop_map(|text| Part::Reasoning { text, signature: None });
    let plan = words().prop_map(|text| {
        let extra = Extra::from_iter([("tool_plan".to_owned(), json!(true))]);
        Part::Text { text, extra }
    });
    let calls = (option::of(plan), vec(name().prop_map(|id| call(&id, "{}")), 1..3))
        .prop_map(|(plan, calls)| plan.into_iter().chain(calls).collect::<Vec<_>>());
    let rest = prop_oneof![vec(spoken(), 1..3), calls];
    (option::of(thought), rest)
        .prop_map(|(thought, rest)| thought.into_iter().chain(rest).collect())
}

fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let image = words().prop_map(|data| Part::Image {
        source: Media::Base64 { mime: "image/png".to_owned(), data },
        extra: Extra::new(),
    });
    let user = prop_oneof![
        vec(prop_oneof![spoken(), image], 1..3),
        (name(), vec(spoken(), 0..3)).prop_map(|(id, parts)| vec![result(&id, parts)]),
    ];
    vec((user, model_parts()), 1..3).prop_map(|turns| {
        turns
            .into_iter()
            .flat_map(|(user, model)| [message(Role::User, user), message(Role::Assistant, model)])
            .collect()
    })
}

prop_compose! {
    fn request()(
        messages in conversation(), system in option::of(spoken()), names in vec(name(), 1..3),
        tool_choice in option::of(select(vec![ToolChoice::Required, ToolChoice::None])),
        (temperature, top_p) in (option::of(select(vec![0.0, 0.5])), option::of(Just(0.75))),
        penalty in option::of(select(vec![0.0, 0.5])), seed in option::of(0i64..99),
        top_k in option::of(0u64..99), stop in vec(name(), 0..3),
        budget in option::of(-1i64..99_999), logprobs in option::of(any::<bool>()),
        format in option::of(select(vec![Format::Text, Format::JsonObject])),
        extra in option::of(words()),
    ) -> Request {
        let tools = names.into_iter().map(|name| Tool::Function {
            name, description: None, parameters: Some(json!({})), strict: None,
            extra: Extra::new(),
        }).collect();
        let reasoning = budget.map(|budget| Reasoning {
            budget_tokens: Some(budget), ..Reasoning::default()
        });
        Request {
            model: "m".to_owned(),
            messages, tools, tool_choice, temperature, top_p, top_k, stop, seed, format, logprobs,
            system: system.into_iter().collect(),
            presence_penalty: penalty,
            frequency_penalty: penalty,
            reasoning,
            include_usage: true,
            origin: COHERE,
            extra: extra.map(|kept| ("documents".to_owned(), json!([kept]))).into_iter().collect(),
            ..Request::default()
        }
    }
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let mut seeds: Vec<String> =
        STREAM.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let (body, _) = encode(COHERE, &foreign(), &target("m", &Quirks::default()));
    let stream = lines_as_stream(STREAM);
    let answer = aggregated(COHERE, &frames(&stream, 99));
    seeds.extend([body.to_string(), String::from_utf8(answer).unwrap()]);
    let edits = vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..4);
    (select(seeds), edits).prop_map(|(seed, edits)| {
        let mut bytes = seed.into_bytes();
        for (at, byte, insert) in edits {
            let at = at.index(bytes.len());
            match insert {
                true => bytes.insert(at, b"{}[]\",:0n"[usize::from(byte) % 9]),
                false => bytes[at] = byte,
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn a_request_survives_the_dialect(request in request()) {
        let (body, dropped) = encode(COHERE, &request, &target("m", &Quirks::default()));
        prop_assert_eq!(decode(COHERE, &body), request);
        prop_assert_eq!(dropped, "");
    }

    #[test]
    fn an_answer_streamed_is_the_answer(parts in model_parts(), size in 1usize..99) {
        let stop = wire::hub::Stop {
            reason: StopReason::Stop, native: "COMPLETE".to_owned(), sequence: None,
        };
        let choice = wire::hub::Choice { parts, stop: Some(stop), ..Default::default() };
        let usage = Some(Usage { input: 3, output: 4, ..Usage::default() });
        let answer = wire::hub::Answer { choices: vec![choice], usage, ..Default::default() };
        let told = wire::replay::events_of(&answer);
        let again = frames(written(COHERE, &told).as_bytes(), size);
        let read = answer_of(&events(COHERE, &Quirks::default(), &again));
        prop_assert_eq!(&read, &answer_of(&told));
        let whole = aggregated(COHERE, &again);
        let whole = (dialect(COHERE).decode_answer)(&whole, &Quirks::default()).unwrap();
        prop_assert_eq!(said(&whole.choices[0].parts), said(&read.choices[0].parts));
        prop_assert_eq!((whole.usage, &whole.choices[0].stop), (read.usage, &read.choices[0].stop));
        let rewritten = (dialect(COHERE).encode_answer)(&whole);
        let reread = (dialect(COHERE).decode_answer)(&rewritten, &Quirks::default()).unwrap();
        prop_assert_eq!(reread, whole);
    }

    #[test]
    fn no_damage_makes_a_reader_panic(bytes in damaged()) {
        let dialect = dialect(COHERE);
        let quirks = Quirks::default();
        if let Ok(request) = (dialect.decode_request)(&bytes, Some("m"), true) {
            encode(COHERE, &request, &target("m", &quirks));
        }
        if let Ok(answer) = (dialect.decode_answer)(&bytes, &quirks) {
            (dialect.encode_answer)(&answer);
        }
        (dialect.decode_error)(500, &bytes);
        let mut decoder = (dialect.decode_events)(&quirks);
        let mut aggregate = (dialect.aggregate)();
        let mut told = Vec::new();
        let sound = decoder.event(None, &bytes, &mut told).is_ok();
        let metered = (dialect.meter)(&quirks).event(None, &bytes).is_ok();
        prop_assert!(metered || !sound);
        let _ = aggregate.event(None, &bytes);
        serde_json::from_slice::<Value>(&aggregate.finish()).unwrap();
        written(COHERE, &told);
    }
}

#[test]
fn recorded_answers_are_read_alike_whole_streamed_and_aggregated() {
    for (file, content) in recorded("cohere") {
        let quirks = Quirks::default();
        if let Ok(whole) = serde_json::from_str::<Value>(&content) {
            let read = (dialect(COHERE).decode_answer)(content.as_bytes(), &quirks).unwrap();
            let again = (dialect(COHERE).encode_answer)(&read);
            assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), whole, "{file}");
        } else {
            let stream = lines_as_stream(&content);
            let told = events(COHERE, &quirks, &frames(&stream, stream.len()));
            assert_eq!(told.last(), Some(&Event::Done), "{file}");
            let streamed = answer_of(&told);
            let body = aggregated(COHERE, &frames(&stream, 64));
            let whole = (dialect(COHERE).decode_answer)(&body, &quirks).unwrap();
            assert_eq!(said(&whole.choices[0].parts), said(&streamed.choices[0].parts), "{file}");
            assert_eq!(whole.usage, streamed.usage, "{file}");
            assert_eq!(metered(COHERE, &frames(&stream, 3)).usage, streamed.usage, "{file}");
        }
    }
}
