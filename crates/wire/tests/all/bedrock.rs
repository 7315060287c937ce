//! The Converse dialect: what goes out, what comes in, and that nothing is lost on the way.

use crate::samples::{Wire, aggregated, dialect, encode, events, message, metered, target, text};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::error::Problem;
use wire::frames::{Framer, Framing};
use wire::hub::{
    Answer, Event, Extra, Format, Media, Message, Part, Reasoning, Request, Role, Signature, Stop,
    StopReason, Tool, ToolCall, ToolChoice, Usage,
};
use wire::replay::{answer_of, events_of};

const BEDROCK: &str = "bedrock_converse";

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
        extra: Extra::new(),
    })
}

fn result(id: &str, answer: &str, is_error: bool) -> Part {
    let content = vec![text(answer)];
    Part::ToolResult { call_id: id.to_owned(), name: None, content, is_error, extra: Extra::new() }
}

fn weather() -> Tool {
    Tool::Function {
        name: "weather".to_owned(),
        description: Some("Tells the weather".to_owned()),
        parameters: Some(json!({"type": "object"})),
        strict: None,
        extra: Extra::from_iter([("cache_control".to_owned(), json!({"type": "ephemeral"}))]),
    }
}

fn image(url: &str) -> Part {
    Part::Image { source: Media::Url(url.to_owned()), extra: Extra::new() }
}

fn thought(origin: &'static str) -> Part {
    let signature = Some(Signature { origin, value: "seal".to_owned() });
    Part::Reasoning { text: "hm".to_owned(), signature }
}

/// A conversation as a client of another dialect holds it, with everything that needs arranging.
fn foreign() -> Request {
    let file = Part::File {
        source: Media::Base64 { mime: "application/pdf".to_owned(), data: "JVBE".to_owned() },
        name: Some("a_b.pdf".to_owned()),
        extra: Extra::new(),
    };
    Request {
        model: "m".to_owned(),
        system: vec![text("Be brief.")],
        messages: vec![
            message(Role::User, vec![image("data:image/jpg;base64,AAAA"), file]),
            message(Role::Assistant, vec![thought("gemini"), thought(BEDROCK), text(" ")]),
            message(Role::Assistant, vec![call("a/1", ""), call("b", r#"{"city":"Rome"}"#)]),
            message(Role::User, vec![text("and?"), result("a/1", "rain", false)]),
            message(Role::User, vec![result("b", "no such city", true)]),
            message(Role::User, vec![image("https://example.com/a.png")]),
        ],
        tools: vec![weather()],
        tool_choice: Some(ToolChoice::Required),
        parallel_tool_calls: Some(false),
        max_tokens: Some(50),
        temperature: Some(1.5),
        top_k: Some(5),
        stop: vec!["END".to_owned(), " ".to_owned()],
        seed: Some(1),
        user: Some("u-1".to_owned()),
        service_tier: Some("flex".to_owned()),
        ..Request::default()
    }
}

#[test]
fn a_foreign_conversation_is_arranged_as_converse_wants_it() {
    let (body, dropped) = encode(BEDROCK, &foreign(), &target("m", &Quirks::default()));
    let expected = json!({
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [
                {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}},
                {"document": {"format": "pdf", "source": {"bytes": "JVBE"}, "name": "a-b-pdf"}},
                {"text": "."},
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "seal"}}},
                {"toolUse": {"toolUseId": "a_1", "name": "weather", "input": {}}},
                {"toolUse": {"toolUseId": "b", "name": "weather", "input": {"city": "Rome"}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "a_1", "content": [{"text": "rain"}]}},
                {"toolResult": {
                    "toolUseId": "b", "content": [{"text": "no such city"}], "status": "error",
                }},
                {"text": "and?"},
            ]},
        ],
        "toolConfig": {
            "tools": [
                {"toolSpec": {
                    "name": "weather", "description": "Tells the weather",
                    "inputSchema": {"json": {"type": "object"}},
                }},
                {"cachePoint": {"type": "default"}},
            ],
            "toolChoice": {"any": {}},
        },
        "inferenceConfig": {"maxTokens": 50, "temperature": 1.0, "stopSequences": ["END"]},
        "additionalModelRequestFields": {
            "top_k": 5, "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        },
        "requestMetadata": {"user": "u-1"},
        "serviceTier": {"type": "flex"},
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, "seed image_url stop");
}

#[test]
fn a_history_with_calls_is_never_sent_without_tools() {
    let mut request = foreign();
    request.tools.clear();
    request.tool_choice = None;
    let (body, _) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    let schema = json!({"json": {"type": "object", "properties": {}}});
    let spec = json!({"toolSpec": {"name": "weather", "inputSchema": schema}});
    assert_eq!(body["toolConfig"], json!({"tools": [spec]}));
    request.messages.truncate(1);
    let (body, _) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    assert_eq!(body.get("toolConfig"), None);
}

#[test]
fn tools_that_may_not_be_called_are_kept_back() {
    let mut request = foreign();
    request.tool_choice = Some(ToolChoice::None);
    let (body, dropped) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    assert!(body["toolConfig"].is_object() && dropped.contains("tool_choice"), "{dropped}");
    request.messages.truncate(1);
    let (body, dropped) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    assert!(body.get("toolConfig").is_none() && !dropped.contains("tool_choice"), "{dropped}");
}

#[test]
fn a_schema_goes_out_as_text_or_as_a_forced_tool() {
    let mut request = Request {
        messages: vec![message(Role::User, vec![text("a")])],
        format: Some(Format::JsonSchema {
            name: Some("n".to_owned()),
            description: None,
            schema: json!({"type": "object"}),
            strict: Some(true),
        }),
        ..Request::default()
    };
    let (body, dropped) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    let definition = json!({"schema": r#"{"type":"object"}"#, "name": "n"});
    let structure = json!({"jsonSchema": definition});
    let format = json!({"type": "json_schema", "structure": structure});
    assert_eq!((&body["outputConfig"]["textFormat"], dropped.as_str()), (&format, ""));

    let quirks = Quirks { schema_as_tool: true, ..Quirks::default() };
    let (body, _) = encode(BEDROCK, &request, &target("m", &quirks));
    let choice = &body["toolConfig"]["toolChoice"];
    assert_eq!(choice, &json!({"tool": {"name": "json_response"}}));
    assert_eq!(body.get("outputConfig"), None);

    request.format = Some(Format::JsonObject);
    let (_, dropped) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    assert_eq!(dropped, "response_format");
}

#[test]
fn reasoning_goes_out_in_claudes_words_unless_the_model_takes_none() {
    let request = Request {
        messages: vec![message(Role::User, vec![text("a")])],
        reasoning: Some(Reasoning { effort: Some("low".to_owned()), ..Reasoning::default() }),
        max_tokens: Some(5000),
        ..Request::default()
    };
    let (body, _) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    assert_eq!(body["additionalModelRequestFields"], thinking);
    let quirks = Quirks { effort_reasoning: true, ..Quirks::default() };
    let (body, _) = encode(BEDROCK, &request, &target("m", &quirks));
    assert_eq!(body["outputConfig"], json!({"effort": "low"}));
    let quirks = Quirks { no_reasoning: true, ..Quirks::default() };
    let (body, dropped) = encode(BEDROCK, &request, &target("m", &quirks));
    assert_eq!(body.get("additionalModelRequestFields"), None);
    assert_eq!(dropped, "reasoning_effort");
}

#[test]
fn a_request_of_the_dialect_comes_back_as_it_was() {
    let body = json!({
        "messages": [
            {"role": "user", "content": [
                {"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}},
                {"guardContent": {"text": {"text": "b"}}},
                {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}},
                {"document": {"format": "txt", "name": "d", "source": {"text": "words"}}},
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"redactedContent": "AAEC"}},
                {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": [1]}}},
                {"toolUse": {"toolUseId": "s", "name": "g", "input": {}, "type": "server_tool_use"}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {
                    "toolUseId": "t", "content": [{"json": {"x": 1}}], "status": "success",
                }},
            ]},
        ],
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "additionalModelRequestFields": {
            "thinking": {"budget_tokens": 2000, "type": "enabled"}, "anthropic_beta": ["x"],
        },
        "requestMetadata": {"team": "t"},
    });
    let read = crate::samples::decode(BEDROCK, &body);
    let (again, dropped) = encode(BEDROCK, &read, &target("m", &Quirks::default()));
    assert_eq!((again, dropped.as_str()), (body, ""));
}

fn frames(stream: &[u8], size: usize) -> Vec<Wire> {
    let mut framer = Framer::new(Framing::EventStream, 1 << 20);
    let mut out = Vec::new();
    for chunk in stream.chunks(size.max(1)) {
        framer.push(bytes::Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next().expect("sound frames") {
            out.push((frame.event, frame.data));
        }
    }
    out
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut encoder = (dialect(BEDROCK).encode_events)(true);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// Events as `{"name": data}`, one a line.
fn stream(lines: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).expect("a JSON line");
        for (name, data) in event.as_object().expect("an object") {
            let failure = name.ends_with("Exception");
            wire::eventstream::encode(name, failure, data.to_string().as_bytes(), &mut out);
        }
    }
    out
}

static STREAM: &str = r#"
{"messageStart":{"role":"assistant","p":"abc"}}
{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}}
{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"seal"}}}}
{"contentBlockStop":{"contentBlockIndex":0}}
{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"text":"Let me "}}}
{"contentBlockDelta":{"contentBlockIndex":1,"delta":{"text":"see."}}}
{"contentBlockStop":{"contentBlockIndex":1}}
{"contentBlockStart":{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}}
{"contentBlockDelta":{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":"}}}}
{"contentBlockDelta":{"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}}
{"contentBlockStop":{"contentBlockIndex":2}}
{"contentBlockStart":{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}}
{"contentBlockStop":{"contentBlockIndex":3}}
{"messageStop":{"stopReason":"tool_use"}}
{"metadata":{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":42,"cacheReadInputTokens":10,"cacheWriteInputTokens":20,"cacheDetails":[{"ttl":"1h","inputTokens":15}]},"metrics":{"latencyMs":9},"serviceTier":{"type":"flex"}}}
"#;

#[test]
fn a_stream_is_read_block_by_block_and_ends_with_its_usage() {
    let bytes = stream(STREAM);
    let told = events(BEDROCK, &Quirks::default(), &frames(&bytes, bytes.len()));
    let answer = answer_of(&told);
    let signature = Some(Signature { origin: BEDROCK, value: "seal".to_owned() });
    let [thought, said, Part::ToolCall(first), Part::ToolCall(second)] =
        answer.choices[0].parts.as_slice()
    else {
        panic!("{answer:?}");
    };
    assert_eq!(thought, &Part::Reasoning { text: "hm".to_owned(), signature });
    assert_eq!(said, &text("Let me see."));
    assert_eq!((first.id.as_str(), first.arguments.as_str()), ("t1", r#"{"a":1}"#));
    assert_eq!((second.id.as_str(), second.arguments.as_str()), ("t2", "{}"));
    assert_eq!(answer.choices[0].stop.as_ref().map(|s| s.reason), Some(StopReason::ToolCalls));
    let usage = Usage {
        input: 5,
        cached_input: 10,
        cache_write: 5,
        cache_write_1h: 15,
        output: 7,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(usage));
    assert_eq!(told.last(), Some(&Event::Done));
    assert_eq!(told.iter().filter(|event| **event == Event::Done).count(), 1);
}

#[test]
fn an_aggregate_is_the_answer_that_would_have_come_whole() {
    let bytes = stream(STREAM);
    let body = aggregated(BEDROCK, &frames(&bytes, 11));
    let body: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "seal"}}},
            {"text": "Let me see."},
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
            {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}}},
        ]}},
        "stopReason": "tool_use",
        "usage": {
            "inputTokens": 5, "outputTokens": 7, "totalTokens": 42, "cacheReadInputTokens": 10,
            "cacheWriteInputTokens": 20, "cacheDetails": [{"ttl": "1h", "inputTokens": 15}],
        },
        "metrics": {"latencyMs": 9},
        "serviceTier": {"type": "flex"},
    });
    assert_eq!(body, expected);
}

#[test]
fn cited_text_is_text_and_keeps_its_citations() {
    let lines = r#"
{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"So."}}}
{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"citation":{"title":"t"}}}}
{"messageStop":{"stopReason":"end_turn"}}
"#;
    let bytes = stream(lines);
    let body = aggregated(BEDROCK, &frames(&bytes, 99));
    let answer = (dialect(BEDROCK).decode_answer)(&body, &Quirks::default()).unwrap();
    assert!(matches!(&answer.choices[0].parts[0], Part::Text { text, .. } if text == "So."));
    let again: Value = serde_json::from_slice(&(dialect(BEDROCK).encode_answer)(&answer)).unwrap();
    let cited = json!({"content": [{"text": "So."}], "citations": [{"title": "t"}]});
    assert_eq!(again["output"]["message"]["content"], json!([{"citationsContent": cited}]));
}

#[test]
fn an_exception_in_a_stream_is_reported_with_its_status() {
    for (line, status) in [
        (r#"{"throttlingException":{"message":"slow"}}"#, 429),
        (r#"{"modelStreamErrorException":{"message":"bad","originalStatusCode":503}}"#, 503),
        (r#"{"brandNewException":{}}"#, 500),
    ] {
        let bytes = stream(line);
        let seen = metered(BEDROCK, &frames(&bytes, 5)).error.expect("an error");
        assert_eq!(seen.status, Some(status), "{line}");
        let told = events(BEDROCK, &Quirks::default(), &frames(&bytes, 5));
        assert_eq!(told, [Event::Error(seen)]);
    }
}

#[test]
fn errors_have_a_message_and_come_back_from_a_stream() {
    let body = br#"{"message":"Too many tokens"}"#;
    let reported = (dialect(BEDROCK).decode_error)(429, body);
    assert_eq!((reported.status, reported.message.as_str()), (Some(429), "Too many tokens"));
    let problem = Problem {
        status: 503,
        kind: "server_error",
        code: "c",
        message: "busy",
        param: None,
        request_id: None,
    };
    let last = (dialect(BEDROCK).encode_stream_error)(&problem);
    let seen = metered(BEDROCK, &frames(&last, 3)).error.expect("an error");
    assert_eq!((seen.status, seen.message.as_str()), (Some(503), "busy"));
    let whole: Value = serde_json::from_slice(&(dialect(BEDROCK).encode_error)(&problem)).unwrap();
    assert_eq!(whole["message"], "busy");
}

#[test]
fn nothing_in_a_models_name_ends_the_path() {
    let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/eu.x-v1:0";
    assert_eq!(
        (dialect(BEDROCK).path)(arn, true),
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Feu.x-v1%3A0/converse-stream"
    );
    assert_eq!((dialect(BEDROCK).path)("a?b#c", false), "/model/a%3Fb%23c/converse");
}

#[test]
fn an_answer_cut_off_is_never_closed() {
    let piece = Event::Text { choice: 0, text: "a".to_owned(), logprobs: None };
    let out = written(&[piece, Event::Done]);
    let names: Vec<_> = frames(&out, 9).into_iter().filter_map(|(name, _)| name).collect();
    assert_eq!(names, ["messageStart", "contentBlockDelta"]);
}

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Z \"\\\\\u{e9}\u{1f600}]{0,9}[a-z]"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn marked() -> impl Strategy<Value = Extra> {
    option::of(option::of(select(vec!["5m", "1h"]))).prop_map(|mark| {
        let mark = mark.map(|ttl| match ttl {
            Some(ttl) => json!({"type": "ephemeral", "ttl": ttl}),
            None => json!({"type": "ephemeral"}),
        });
        mark.map(|mark| ("cache_control".to_owned(), mark)).into_iter().collect()
    })
}

fn said() -> impl Strategy<Value = Part> {
    (words(), marked()).prop_map(|(text, extra)| Part::Text { text, extra })
}

fn inline(mimes: &'static [&'static str]) -> impl Strategy<Value = Media> {
    (select(mimes), name()).prop_map(|(mime, data)| Media::Base64 { mime: mime.to_owned(), data })
}

fn user_part() -> impl Strategy<Value = Part> {
    let image = (inline(&["image/png", "image/webp"]), marked())
        .prop_map(|(source, extra)| Part::Image { source, extra });
    let file = (inline(&["application/pdf", "text/plain"]), name(), marked())
        .prop_map(|(source, name, extra)| Part::File { source, name: Some(name), extra });
    let sound =
        inline(&["audio/mpeg"]).prop_map(|source| Part::Audio { source, extra: Extra::new() });
    prop_oneof![said(), image, file, sound]
}

fn tool_result() -> impl Strategy<Value = Part> {
    (name(), vec(words(), 0..3), any::<bool>(), marked()).prop_map(
        |(call_id, texts, is_error, extra)| {
            let content = texts.iter().map(|words| text(words)).collect();
            Part::ToolResult { call_id, name: None, content, is_error, extra }
        },
    )
}

fn model_part() -> impl Strategy<Value = Part> {
    let thought = (words(), words()).prop_map(|(text, value)| Part::Reasoning {
        text,
        signature: Some(Signature { origin: BEDROCK, value }),
    });
    let redacted = name().prop_map(|data| Part::RedactedReasoning { data, origin: BEDROCK });
    let call = (name(), name(), any::<i32>(), marked()).prop_map(|(id, name, number, extra)| {
        let arguments = json!({"n": number}).to_string();
        Part::ToolCall(ToolCall { id, name, arguments, signature: None, extra })
    });
    prop_oneof![said(), thought, redacted, call]
}

fn conversation() -> impl Strategy<Value = Vec<Message>> {
    let user = prop_oneof![vec(user_part(), 1..4), vec(tool_result(), 1..3)];
    let turns = vec((user, vec(model_part(), 1..4)), 0..3);
    (turns, vec(user_part(), 1..3)).prop_map(|(turns, last)| {
        let both = turns
            .into_iter()
            .flat_map(|(user, model)| [message(Role::User, user), message(Role::Assistant, model)]);
        both.chain([message(Role::User, last)]).collect()
    })
}

fn function() -> impl Strategy<Value = Tool> {
    (name(), option::of(words()), option::of(any::<bool>()), marked()).prop_map(
        |(name, description, strict, extra)| Tool::Function {
            name,
            description,
            parameters: Some(json!({"type": "object"})),
            strict,
            extra,
        },
    )
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Required),
        name().prop_map(ToolChoice::Named),
    ]
}

fn format() -> impl Strategy<Value = Format> {
    (option::of(name()), option::of(words())).prop_map(|(name, description)| Format::JsonSchema {
        name,
        description,
        schema: json!({"type": "object"}),
        strict: None,
    })
}

prop_compose! {
    fn request()(
        messages in conversation(), system in option::of(said()), tools in vec(function(), 1..3),
        tool_choice in option::of(choice()), parallel in option::of(any::<bool>()),
        (temperature, top_p) in (option::of(select(vec![0.0, 0.25, 1.0])), option::of(Just(0.5))),
        top_k in option::of(1u64..99), stop in vec(name(), 0..3), format in option::of(format()),
        (budget, effort) in (option::of(1024i64..99_999), option::of(select(vec!["low", "max"]))),
        (user, tier) in (option::of(name()), option::of(select(vec!["default", "flex"]))),
        extra in option::of(words()),
    ) -> Request {
        let reasoning = Reasoning {
            effort: effort.map(str::to_owned), budget_tokens: budget, include: None,
        };
        Request {
            model: "m".to_owned(),
            messages, tools, tool_choice, temperature, top_p, top_k, stop, format, user,
            system: system.into_iter().collect(),
            parallel_tool_calls: parallel,
            max_tokens: Some(100_000),
            reasoning: (reasoning != Reasoning::default()).then_some(reasoning),
            service_tier: tier.map(str::to_owned),
            include_usage: true,
            origin: BEDROCK,
            extra: extra.map(|kept| ("promptVariables".to_owned(), json!({"k": kept})))
                .into_iter().collect(),
            ..Request::default()
        }
    }
}

/// Good inputs, to be damaged.
static SEEDS: &[&str] = &[
    r#"{"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default"}},{"image":{"format":"png","source":{"bytes":"AA"}}},{"toolResult":{"toolUseId":"t","content":[{"json":{}}]}}]},{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"t","signature":"weighbridge:gemini:x"}}},{"toolUse":{"toolUseId":"t","name":"f","input":{}}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}],"toolChoice":{"any":{}}},"additionalModelRequestFields":{"top_k":1,"thinking":{"type":"enabled"}}}"#,
    r#"{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"citationsContent":{"content":[{"text":"b"}]}}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"cacheDetails":[{"ttl":"1h","inputTokens":2}]}}"#,
    r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{"},"text":"a","reasoningContent":{"redactedContent":"AA"}},"start":{"toolUse":{"toolUseId":"t","name":"f"}},"stopReason":"end_turn","usage":{},"message":"m"}"#,
];

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..4);
    (select(SEEDS), edits).prop_map(|(seed, edits)| {
        let mut bytes = seed.as_bytes().to_vec();
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
        let (body, dropped) = encode(BEDROCK, &request, &target("m", &Quirks::default()));
        prop_assert_eq!(crate::samples::decode(BEDROCK, &body), request);
        prop_assert_eq!(dropped, "");
    }

    #[test]
    fn an_answer_streamed_is_the_answer(parts in vec(model_part(), 0..5), size in 1usize..99) {
        let parts: Vec<Part> = parts.into_iter().filter(|part| match part {
            Part::Text { extra, .. } => extra.is_empty(),
            Part::ToolCall(call) => call.extra.is_empty(),
            _ => true,
        }).collect();
        let stop = Stop { reason: StopReason::Stop, native: "end_turn".into(), sequence: None };
        let usage = Usage { input: 3, output: 4, cached_input: 1, ..Usage::default() };
        let choice = wire::hub::Choice { parts, stop: Some(stop), ..Default::default() };
        let answer = Answer { choices: vec![choice], usage: Some(usage), ..Answer::default() };
        let told = events_of(&answer);
        let again = frames(&written(&told), size);
        let read = answer_of(&events(BEDROCK, &Quirks::default(), &again));
        prop_assert_eq!(&read, &answer_of(&told));
        let whole = aggregated(BEDROCK, &again);
        let whole = (dialect(BEDROCK).decode_answer)(&whole, &Quirks::default()).unwrap();
        let bare = |parts: &[Part]| crate::samples::said(parts);
        prop_assert_eq!(bare(&whole.choices[0].parts), bare(&read.choices[0].parts));
        prop_assert_eq!((whole.usage, &whole.choices[0].stop), (read.usage, &read.choices[0].stop));
        prop_assert_eq!(metered(BEDROCK, &again).usage, read.usage);
    }

    #[test]
    fn no_damage_makes_a_reader_panic(bytes in damaged()) {
        let dialect = dialect(BEDROCK);
        let quirks = Quirks { schema_as_tool: true, ..Quirks::default() };
        if let Ok(request) = (dialect.decode_request)(&bytes, Some("m"), true) {
            encode(BEDROCK, &request, &target("m", &quirks));
        }
        if let Ok(answer) = (dialect.decode_answer)(&bytes, &quirks) {
            (dialect.encode_answer)(&answer);
        }
        (dialect.decode_error)(500, &bytes);
        let mut decoder = (dialect.decode_events)(&quirks);
        let mut meter = (dialect.meter)(&quirks);
        let mut aggregate = (dialect.aggregate)();
        let mut told = Vec::new();
        for name in ["contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "x"] {
            let name = Some(name.as_bytes());
            let sound = decoder.event(name, &bytes, &mut told).is_ok();
            let metered = meter.event(name, &bytes).is_ok();
            prop_assert!(metered || !sound);
            let _ = aggregate.event(name, &bytes);
        }
        serde_json::from_slice::<Value>(&aggregate.finish()).unwrap();
        written(&told);
    }
}

#[test]
fn recorded_answers_are_read_alike_whole_streamed_and_aggregated() {
    for (file, content) in crate::samples::recorded("amazon-bedrock") {
        if let Ok(whole) = serde_json::from_str::<Value>(&content) {
            if whole.get("output").is_none() {
                continue;
            }
            let read =
                (dialect(BEDROCK).decode_answer)(content.as_bytes(), &Quirks::default()).unwrap();
            let again = (dialect(BEDROCK).encode_answer)(&read);
            let again: Value = serde_json::from_slice(&again).unwrap();
            let content = |answer: &Value| answer["output"]["message"]["content"].clone();
            assert_eq!(content(&again), content(&whole), "{file}");
            assert_eq!(again["stopReason"], whole["stopReason"], "{file}");
            assert_eq!(again["usage"]["totalTokens"], whole["usage"]["totalTokens"], "{file}");
        } else if file.ends_with(".chunks.txt") {
            let bytes = stream(&content);
            let told = events(BEDROCK, &Quirks::default(), &frames(&bytes, bytes.len()));
            assert_eq!(told.last(), Some(&Event::Done), "{file}");
            for size in [1, 7, 64] {
                let split = events(BEDROCK, &Quirks::default(), &frames(&bytes, size));
                assert_eq!(split, told, "{file}: chunks of {size}");
            }
            let streamed = answer_of(&told);
            let body = aggregated(BEDROCK, &frames(&bytes, 64));
            let whole = (dialect(BEDROCK).decode_answer)(&body, &Quirks::default()).unwrap();
            let said = |answer: &Answer| crate::samples::said(&answer.choices[0].parts);
            assert_eq!(said(&whole), said(&streamed), "{file}");
            assert_eq!(whole.usage, streamed.usage, "{file}");
        }
    }
}
