//! The `openai_chat` dialect from outside: golden cases.

use serde_json::{Value, json};
use wire::dialect::{Dialect, Quirks, ReasoningContent, Seen, Target, find};
use wire::error::{Problem, Reported};
use wire::hub::{Event, Part, Request, Signature, Stop, StopReason, ToolChoice, Usage};

pub(crate) fn dialect() -> &'static Dialect {
    find("openai_chat").unwrap()
}

fn request(body: &Value) -> Request {
    (dialect().decode_request)(body.to_string().as_bytes(), None, false).unwrap()
}

pub(crate) fn target(quirks: &Quirks) -> Target<'_> {
    Target { model: "up", stream: false, default_max_tokens: 1, quirks, prefill: None }
}

fn sent(request: &Request, quirks: &Quirks) -> Value {
    let encoded = (dialect().encode_request)(request, &target(quirks));
    serde_json::from_slice(&encoded.body).unwrap()
}

fn events(chunks: &[Value]) -> Vec<Event> {
    let mut reader = (dialect().decode_events)(&Quirks::default());
    let mut out = Vec::new();
    for chunk in chunks {
        reader.event(None, chunk.to_string().as_bytes(), &mut out).unwrap();
    }
    out
}

fn delta(delta: Value) -> Value {
    json!({ "id": "c1", "model": "m", "choices": [{ "index": 0, "delta": delta }] })
}

fn seen(chunk: &Value) -> Seen {
    let mut meter = (dialect().meter)(&Quirks::default());
    meter.event(None, chunk.to_string().as_bytes()).unwrap()
}

fn pretty(bytes: &[u8]) -> String {
    serde_json::to_string_pretty(&serde_json::from_slice::<Value>(bytes).unwrap()).unwrap()
}

/// A request with nearly everything in it.
fn rich() -> Value {
    json!({
        "model": "gpt-x",
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?", "cache_control": { "type": "ephemeral" } },
                { "type": "image_url", "image_url": { "url": "https://a/b.png", "detail": "low" } },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                { "type": "input_audio", "input_audio": { "data": "BBBB", "format": "wav" } },
                { "type": "file", "file": { "file_data": "data:application/pdf;base64,CC", "filename": "a.pdf" } },
                { "type": "file", "file": { "file_id": "file-1" } },
            ] },
            { "role": "assistant", "content": null, "reasoning_content": "Look.", "tool_calls": [
                { "id": "call_a", "type": "function", "function": { "name": "look", "arguments": "{\"x\":1}" },
                  "extra_content": { "google": { "thought_signature": "sig" } } },
                { "id": "call_b", "type": "function", "function": { "name": "find", "arguments": "" } },
            ] },
            { "role": "tool", "tool_call_id": "call_a", "content": "a cat" },
            { "role": "tool", "tool_call_id": "call_b", "content": [{ "type": "text", "text": "none" }] },
            { "role": "system", "content": "Now in French." },
            { "role": "user", "name": "ann", "content": "And?" },
        ],
        "tools": [{ "type": "function", "function": { "name": "look", "description": "d",
            "parameters": { "type": "object" }, "strict": true } }],
        "tool_choice": { "type": "function", "function": { "name": "look" } },
        "parallel_tool_calls": false,
        "max_completion_tokens": 100,
        "temperature": 1.5, "top_p": 0.5, "seed": 7, "stop": "END", "n": 2,
        "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": {}, "strict": true } },
        "reasoning_effort": "low",
        "logit_bias": { "1": 2 },
        "metadata": { "feature": "faq" },
    })
}

#[test]
fn a_rich_request_reads_as_the_hub_says() {
    insta::assert_debug_snapshot!(request(&rich()));
}

#[test]
fn a_rich_request_is_written_whole() {
    let quirks = Quirks {
        reasoning_content: ReasoningContent::Keep,
        max_completion_tokens: true,
        ..Quirks::default()
    };
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&sent(&request(&rich()), &quirks)).unwrap()
    );
}

#[test]
fn quirks_shape_what_is_sent() {
    let quirks = Quirks {
        random_seed: true,
        no_sampling: true,
        no_parallel_tool_calls: true,
        short_tool_ids: true,
        reasoning_content: ReasoningContent::Inject,
        prefill_field: Some("prefix".to_owned()),
        no_stream_options: true,
        ..Quirks::default()
    };
    let target = Target { stream: true, prefill: Some("Once"), ..target(&quirks) };
    let encoded = (dialect().encode_request)(&request(&rich()), &target);
    assert_eq!(encoded.dropped, ["temperature", "top_p", "parallel_tool_calls"]);
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&body["random_seed"], &body["max_tokens"]), (&json!(7), &json!(100)));
    assert_eq!((&body["stream"], &body["stream_options"]), (&json!(true), &Value::Null));
    let messages = body["messages"].as_array().unwrap();
    let last = json!({ "role": "assistant", "content": "Once", "prefix": true });
    assert_eq!(messages.last(), Some(&last));
    let id = messages[2]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!((id.len(), messages[3]["tool_call_id"].as_str()), (9, Some(id)));
    assert_eq!(messages[2]["reasoning_content"], "Look.");
    let capped = Quirks { max_temperature_centi: 100, ..Quirks::default() };
    assert_eq!(sent(&request(&rich()), &capped)["temperature"], 1.0);
}

#[test]
fn extras_and_seals_of_other_dialects_are_not_sent() {
    let mut foreign = request(&rich());
    foreign.origin = "anthropic_messages";
    foreign.top_k = Some(5);
    let encoded = (dialect().encode_request)(&foreign, &target(&Quirks::default()));
    let text = String::from_utf8(encoded.body).unwrap();
    for word in ["cache_control", "thought_signature", "logit_bias\":{", "metadata", "top_k", "ann"]
    {
        assert!(!text.contains(word), "{word} in {text}");
    }
    assert!(encoded.dropped.contains(&"top_k"));
}

#[test]
fn legacy_functions_become_tools() {
    let request = request(&json!({
        "model": "m",
        "functions": [{ "name": "f", "parameters": {} }],
        "function_call": { "name": "f" },
        "messages": [
            { "role": "assistant", "content": null, "function_call": { "name": "f", "arguments": "{}" } },
            { "role": "function", "name": "f", "content": "42" },
        ],
    }));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".to_owned())));
    assert_eq!(request.tools.len(), 1);
    let Part::ToolCall(call) = &request.messages[0].parts[0] else { panic!() };
    let Part::ToolResult { call_id, .. } = &request.messages[1].parts[0] else { panic!() };
    assert_eq!(&call.id, call_id);
}

#[test]
fn wrong_requests_name_the_place() {
    for (body, place) in [
        (json!({ "messages": [{ "role": "bard" }] }), "messages[0].role"),
        (json!({ "messages": [{ "role": "user", "content": 5 }] }), "messages[0].content"),
        (
            json!({ "messages": [{ "role": "user", "content": [{ "type": "text" }] }] }),
            "messages[0].content[0].text",
        ),
        (json!({ "messages": [{ "role": "tool", "content": "x" }] }), "messages[0].tool_call_id"),
        (json!({ "temperature": "hot" }), "temperature"),
        (json!({ "tools": [{ "type": "function" }] }), "tools[0].function"),
    ] {
        let error =
            (dialect().decode_request)(body.to_string().as_bytes(), None, false).unwrap_err();
        assert_eq!(error.path, place, "{error}");
    }
}

#[test]
fn a_streamed_tool_call_keeps_its_number_id_and_name() {
    let call = |piece: Value| delta(json!({ "tool_calls": [piece] }));
    let told = events(&[
        call(json!({ "index": 1, "id": "a", "function": { "name": "f", "arguments": "" } })),
        call(json!({ "index": 1, "id": "a", "function": { "name": "", "arguments": "{\"x\"" } })),
        call(json!({ "index": 1, "id": "b", "function": { "name": "g", "arguments": "{}" } })),
        call(json!({ "function": { "name": "h", "arguments": {} } })),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
    ]);
    insta::assert_debug_snapshot!(told);
}

#[test]
fn arguments_before_the_name_are_held() {
    let told = events(&[
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "arguments": "{" } }] }),
        ),
        delta(
            json!({ "tool_calls": [{ "index": 0, "function": { "name": "f", "arguments": "}" } }] }),
        ),
    ]);
    let said: Vec<&Event> = told.iter().skip(1).collect();
    assert!(matches!(said[0], Event::ToolStart { id, name, .. } if id == "a" && name == "f"));
    assert!(matches!(said[1], Event::ToolArguments { fragment, .. } if fragment == "{"));
    assert!(matches!(said[2], Event::ToolArguments { fragment, .. } if fragment == "}"));
}

#[test]
fn azures_opening_chunk_is_no_start_and_no_content() {
    let opening = json!({ "choices": [], "id": "", "model": "", "prompt_filter_results": [] });
    assert_eq!(events(std::slice::from_ref(&opening)), [Event::Ping]);
    assert_eq!(seen(&opening), Seen::default());
}

#[test]
fn errors_inside_a_stream_are_seen_in_any_shape() {
    for (chunk, message, status) in [
        (json!({ "error": { "message": "busy", "code": 502 } }), "busy", Some(502)),
        (json!({ "error": "busy", "code": "x" }), "busy", None),
        (json!({ "object": "error", "message": "busy", "code": 400 }), "busy", Some(400)),
        (
            json!({ "id": "c", "error": { "message": "busy" }, "choices": [
            { "index": 0, "delta": { "content": "" }, "finish_reason": "error" }] }),
            "busy",
            None,
        ),
    ] {
        let error = seen(&chunk).error.unwrap();
        assert_eq!((error.message.as_str(), error.status), (message, status), "{chunk}");
        assert!(events(std::slice::from_ref(&chunk)).contains(&Event::Error(error)), "{chunk}");
    }
    for chunk in [json!({ "error": null }), json!({ "error": {} }), json!({ "error": "" })] {
        assert_eq!(seen(&chunk).error, None);
    }
}

#[test]
fn the_meter_tells_content_from_signs_of_life() {
    for (piece, bytes) in [
        (json!({ "role": "assistant", "content": "" }), 0),
        (json!({ "content": null }), 0),
        (json!({ "content": "a\"é\n" }), 5),
        (json!({ "reasoning_content": "abc", "reasoning": "abc" }), 3),
        (json!({ "reasoning": "ab" }), 2),
        (json!({ "refusal": "no" }), 2),
        (
            json!({ "tool_calls": [{ "index": 0, "function": { "name": "f", "arguments": "{}" } }] }),
            3,
        ),
        (
            json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }] }),
            2,
        ),
    ] {
        let seen = seen(&delta(piece.clone()));
        assert_eq!((seen.content_bytes, seen.content), (bytes, bytes > 0), "{piece}");
    }
}

#[test]
fn the_meter_finds_the_end_usage_and_bad_json() {
    let last = json!({ "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 4,
        "prompt_tokens_details": { "cached_tokens": 5 } } });
    let found = seen(&last);
    let usage = Usage { input: 4, cached_input: 5, output: 4, ..Usage::default() };
    assert_eq!((found.usage, found.usage_only), (Some(usage), true));
    let stop =
        seen(&json!({ "choices": [{ "delta": {}, "finish_reason": "length" }], "usage": null }));
    assert_eq!((stop.stop, stop.usage, stop.usage_only), (Some(StopReason::Length), None, false));
    let mut meter = (dialect().meter)(&Quirks::default());
    assert!(meter.event(None, b"[DONE]").unwrap().done);
    for bad in ["{\"choices\":[{\"delta\":{\"content\":\"x}]", "nonsense", "[1]", "{} {}"] {
        assert!(meter.event(None, bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn reasoning_beside_the_completion_is_told_by_the_total_or_the_quirk() {
    let read = |usage: Value, quirks: &Quirks| {
        let body = json!({ "choices": [], "usage": usage }).to_string();
        let usage = (dialect().decode_answer)(body.as_bytes(), quirks).unwrap().usage.unwrap();
        (usage.input, usage.cached_input, usage.output, usage.reasoning)
    };
    let plain = Quirks::default();
    let outside = Quirks { reasoning_outside_completion: true, ..Quirks::default() };
    let usage = |total: Value| {
        json!({ "prompt_tokens": 12, "completion_tokens": 20, "total_tokens": total,
        "completion_tokens_details": { "reasoning_tokens": 8 } })
    };
    assert_eq!(read(usage(json!(32)), &outside), (12, 0, 12, 8));
    assert_eq!(read(usage(json!(40)), &plain), (12, 0, 20, 8));
    assert_eq!(read(usage(Value::Null), &plain), (12, 0, 12, 8));
    assert_eq!(read(usage(Value::Null), &outside), (12, 0, 20, 8));
    let top = Quirks { top_level_cached_tokens: true, ..Quirks::default() };
    let kimi = json!({ "prompt_tokens": 20, "completion_tokens": 1, "cached_tokens": 10 });
    assert_eq!(read(kimi.clone(), &top), (10, 10, 1, 0));
    assert_eq!(read(kimi, &plain), (20, 0, 1, 0));
    let deepseek =
        json!({ "prompt_tokens": 20, "completion_tokens": 1, "prompt_cache_hit_tokens": 15 });
    assert_eq!(read(deepseek, &plain), (5, 15, 1, 0));
}

#[test]
fn nonsense_in_usage_is_seen_as_nonsense() {
    for usage in [
        json!({ "prompt_tokens": -5 }),
        json!({ "completion_tokens": 1.5 }),
        json!({ "prompt_tokens": "9" }),
    ] {
        let usage = seen(&json!({ "usage": usage })).usage.unwrap();
        assert_eq!(usage.total_input().max(usage.total_output()), u64::MAX);
    }
    assert_eq!(seen(&json!({ "choices": [], "usage": {} })).usage, None);
}

#[test]
fn a_stream_is_written_role_first_and_done_last() {
    let mut writer = (dialect().encode_events)(true);
    let signature = Signature { origin: "anthropic_messages", value: "seal".to_owned() };
    let mut out = Vec::new();
    for event in [
        Event::Start { id: "i".to_owned(), model: "m".to_owned(), created: Some(5), usage: None },
        Event::Ping,
        Event::Reasoning { choice: 0, text: "hm".to_owned() },
        Event::ReasoningSignature { choice: 0, signature },
        Event::Text { choice: 0, text: "Hi".to_owned(), logprobs: None },
        Event::ToolStart {
            choice: 0,
            index: 0,
            id: "c".to_owned(),
            name: "f".to_owned(),
            signature: Some(Signature { origin: "gemini", value: "ts".to_owned() }),
        },
        Event::ToolArguments { choice: 0, index: 0, fragment: "{}".to_owned() },
        Event::Stop {
            choice: 0,
            stop: Stop { reason: StopReason::ToolCalls, native: "x".to_owned(), sequence: None },
        },
        Event::Usage(Usage { input: 1, output: 2, reasoning: 3, ..Usage::default() }),
        Event::Done,
    ] {
        writer.event(&event, &mut out);
    }
    writer.end(&mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn an_aggregate_merges_what_it_knows_and_keeps_what_it_does_not() {
    let mut aggregate = (dialect().aggregate)();
    for chunk in [
        json!({ "id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [1] }),
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "obfuscation": "xx",
            "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" }, "logprobs": null }] }),
        json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": "Hel" },
            "logprobs": { "content": [{ "token": "Hel" }] }, "content_filter_results": {} }] }),
        json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": "lo", "mood": "fine" },
            "logprobs": { "content": [{ "token": "lo" }] }, "content_filter_results": { "hate": { "filtered": false } } }] }),
        json!({ "choices": [{ "index": 1, "delta": { "tool_calls": [{ "index": 0, "id": "a",
            "function": { "name": "f", "arguments": "{" } }] } }] }),
        json!({ "choices": [{ "index": 1, "delta": { "tool_calls": [{ "index": 0, "function": { "arguments": "}" } }] },
            "finish_reason": "tool_calls" }] }),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "service_tier": "flex" }),
        json!({ "choices": [], "usage": { "prompt_tokens": 1, "cost": 0.5 } }),
    ] {
        aggregate.event(None, chunk.to_string().as_bytes()).unwrap();
    }
    aggregate.event(None, b"[DONE]").unwrap();
    insta::assert_snapshot!(pretty(&aggregate.finish()));
}

#[test]
fn thinking_parts_are_joined_by_the_aggregate() {
    let mut aggregate = (dialect().aggregate)();
    let thinking =
        |text: &str| json!({ "type": "thinking", "thinking": [{ "type": "text", "text": text }] });
    for content in [
        json!([thinking("a")]),
        json!([thinking("b")]),
        json!([{ "type": "text", "text": "c" }]),
        json!("d"),
        json!(""),
    ] {
        aggregate.event(None, delta(json!({ "content": content })).to_string().as_bytes()).unwrap();
    }
    let answer: Value = serde_json::from_slice(&aggregate.finish()).unwrap();
    let expected = json!([thinking("ab"), { "type": "text", "text": "cd" }]);
    assert_eq!(answer["choices"][0]["message"]["content"], expected);
}

#[test]
fn our_errors_have_openais_shape() {
    let problem = Problem {
        status: 504,
        kind: "timeout_error",
        code: "first_token_timeout",
        message: "No token in 5 s.",
        param: None,
        request_id: Some("req_1"),
    };
    let body = json!({ "error": { "message": "No token in 5 s.", "type": "timeout_error", "param": null,
        "code": "first_token_timeout" }, "request_id": "req_1" });
    let plain: Value = serde_json::from_slice(&(dialect().encode_error)(&problem)).unwrap();
    assert_eq!(plain, body);
    let stream = (dialect().encode_stream_error)(&problem);
    assert_eq!(String::from_utf8(stream).unwrap(), format!("data: {body}\n\n"));
}

#[test]
fn error_bodies_of_all_shapes_are_read() {
    let read = |body: &str| (dialect().decode_error)(400, body.as_bytes());
    let full = read(r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#);
    let expected = Reported {
        status: Some(400),
        kind: Some("t".to_owned()),
        code: Some("c".to_owned()),
        message: "m".to_owned(),
        param: Some("p".to_owned()),
        retry_after_ms: None,
    };
    assert_eq!(full, expected);
    assert_eq!(read(r#"{"code":"c","error":"m"}"#).message, "m");
    assert_eq!(read(r#"{"message":"m","id":"1"}"#).message, "m");
    assert_eq!(read(r#"{"detail":[{"loc":["body","n"],"msg":"bad"}]}"#).message, "body.n: bad");
    assert_eq!(read(r#"[{"error":{"message":"m","status":"X"}}]"#).kind.as_deref(), Some("X"));
    assert_eq!(read("<html>oops").message, "<html>oops");
    assert_eq!(read("").message, "");
    let wait = read(r#"{"error":{"message":"Please try again in 5.289s."}}"#);
    assert_eq!(wait.retry_after_ms, Some(5_289));
    let info = r#"{"error":{"message":"m","details":[{"retryDelay":"34.4s"}]}}"#;
    assert_eq!(read(info).retry_after_ms, Some(34_400));
}
