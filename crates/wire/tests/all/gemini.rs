//! The generateContent dialect: what goes out, what comes in, and that nothing is lost on the way.

use crate::samples::{
    ANTHROPIC, GEMINI, aggregated, decode, dialect, encode, events, frames, lines_as_stream,
    message, metered, said, target, text, written,
};
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::error::Problem;
use wire::hub::{
    Event, Extra, Format, Media, Part, Reasoning, Request, Role, Signature, Stop, StopReason, Tool,
    ToolCall, ToolChoice, Usage,
};
use wire::replay::answer_of;

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: "{\"city\":\"Rome\"}".to_owned(),
        signature: None,
        extra: Extra::new(),
    })
}

fn result(id: &str, answer: &str, is_error: bool) -> Part {
    let content = vec![text(answer)];
    Part::ToolResult { call_id: id.to_owned(), name: None, content, is_error, extra: Extra::new() }
}

/// A conversation as an OpenAI client holds it, with everything that needs arranging.
fn foreign() -> Request {
    let image = |url: &str| Part::Image {
        source: Media::Url(url.to_owned()),
        extra: Extra::from_iter([("detail".to_owned(), json!("low"))]),
    };
    Request {
        model: "m".to_owned(),
        origin: "openai_chat",
        messages: vec![
            message(Role::System, vec![text("Be brief.")]),
            message(Role::User, vec![text("Look"), image("data:image/png;base64,iVBORw0KGgo=")]),
            message(Role::User, vec![image("https://x.test/a.webp?w=1")]),
            message(Role::Assistant, vec![text("So"), call("c1"), call("c2")]),
            message(Role::User, vec![result("c1", "{\"sky\":\"blue\"}", false)]),
            message(Role::User, vec![result("c2", "no such city", true)]),
            message(Role::User, vec![text("and?")]),
        ],
        tools: vec![Tool::Function {
            name: "weather".to_owned(),
            description: None,
            parameters: Some(json!({"type": "object"})),
            strict: Some(true),
            extra: Extra::new(),
        }],
        tool_choice: Some(ToolChoice::Named("weather".to_owned())),
        parallel_tool_calls: Some(false),
        max_tokens: Some(100),
        temperature: Some(1.7),
        n: Some(2),
        seed: Some(7),
        format: Some(Format::JsonSchema {
            name: Some("x".to_owned()),
            description: None,
            schema: json!({"type": "object", "additionalProperties": false}),
            strict: Some(true),
        }),
        reasoning: Some(Reasoning { effort: Some("low".to_owned()), ..Reasoning::default() }),
        extra: Extra::from_iter([("logit_bias".to_owned(), json!({"1": 2}))]),
        ..Request::default()
    }
}

#[test]
fn a_foreign_conversation_is_arranged_as_the_provider_demands() {
    let quirks = Quirks { effort_reasoning: true, ..Quirks::default() };
    let (body, dropped) = encode(GEMINI, &foreign(), &target("gemini-3", &quirks));
    insta::assert_snapshot!(format!("{body:#}\ndropped: {dropped}"));
}

#[test]
fn older_models_get_a_budget_and_no_stand_in_for_signatures() {
    let quirks = Quirks::default();
    let request = Request { max_tokens: Some(2_000), ..foreign() };
    let (body, _) = encode(GEMINI, &request, &target("gemini-2.5", &quirks));
    let thinking = &body["generationConfig"]["thinkingConfig"];
    assert_eq!(thinking, &json!({"thinkingBudget": 1024, "includeThoughts": true}));
    assert!(!body.to_string().contains("thoughtSignature"));
}

#[test]
fn a_request_of_this_dialect_comes_back_as_it_was() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "Q"},
                {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
                {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v"},
                    "videoMetadata": {"fps": 1}}
            ]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"text": "So", "thoughtSignature": "s1"},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"functionCall": {"id": "f1", "name": "f", "args": {"a": 1}},
                    "thoughtSignature": "s2"}
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "f1", "name": "f", "response": {"output": "x"}}}
            ]}
        ],
        "tools": [
            {"functionDeclarations": [{"name": "f", "description": "d",
                "parametersJsonSchema": {"type": "object"}, "behavior": "BLOCKING"}]},
            {"googleSearch": {}}
        ],
        "toolConfig": {
            "functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": ["f"],
                "streamFunctionCallArguments": true},
            "retrievalConfig": {"languageCode": "de"}
        },
        "generationConfig": {
            "maxOutputTokens": 9,
            "temperature": 1.5,
            "topP": 0.5,
            "topK": 3,
            "candidateCount": 2,
            "seed": 4,
            "responseLogprobs": true,
            "logprobs": 2,
            "stopSequences": ["X"],
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": true},
            "responseModalities": ["TEXT"]
        },
        "safetySettings": [{"category": "C", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/1",
        "labels": {"a": "b"}
    });
    let quirks = Quirks::default();
    let (again, dropped) = encode(GEMINI, &decode(GEMINI, &body), &target("g", &quirks));
    assert_eq!(again, body);
    assert_eq!(dropped, "");
}

#[test]
fn snake_case_names_and_openapi_schemas_read_like_the_newer_ones() {
    let older = json!({
        "system_instruction": {"parts": [{"text": "S"}]},
        "contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "AA"}}]}],
        "tools": [{"function_declarations": [{"name": "f", "parameters": {
            "type": "OBJECT", "properties": {"type": {"type": "STRING", "nullable": true},
                "l": {"type": "ARRAY", "minItems": "1", "items": {"type": "STRING",
                    "enum": ["STRING"]}}}}}]}],
        "generation_config": {"max_output_tokens": 5}
    });
    let newer = json!({
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {
            "type": "object", "properties": {"type": {"type": ["string", "null"]},
                "l": {"type": "array", "minItems": 1, "items": {"type": "string",
                    "enum": ["STRING"]}}}}}]}],
        "generationConfig": {"maxOutputTokens": 5}
    });
    assert_eq!(decode(GEMINI, &older), decode(GEMINI, &newer));
}

#[test]
fn calls_without_ids_get_the_same_ids_in_every_reading_and_their_results_find_them() {
    let turn = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let answer = |name: &str| json!({"functionResponse": {"name": name, "response": {"a": 1}}});
    let body = json!({"contents": [
        {"role": "model", "parts": [turn("f"), turn("f"), turn("g")]},
        {"role": "user", "parts": [answer("g"), answer("f"), answer("f")]}
    ]});
    let request = decode(GEMINI, &body);
    assert_eq!(request, decode(GEMINI, &body));
    let ids = |message: usize| -> Vec<String> {
        let parts = request.messages[message].parts.iter();
        parts
            .map(|part| match part {
                Part::ToolCall(call) => call.id.clone(),
                Part::ToolResult { call_id, .. } => call_id.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let (calls, results) = (ids(0), ids(1));
    assert_eq!(results, [calls[2].clone(), calls[0].clone(), calls[1].clone()]);
    assert_ne!(calls[0], calls[1]);
    let quirks = Quirks::default();
    assert_eq!(encode(GEMINI, &request, &target("g", &quirks)).0, body);
}

#[test]
fn streamed_and_unstreamed_calls_of_one_answer_have_the_same_id() {
    let body = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}],"responseId":"r"}"#;
    let streamed =
        answer_of(&events(GEMINI, &Quirks::default(), &frames(&lines_as_stream(body), 9)));
    let whole = (dialect(GEMINI).decode_answer)(body.as_bytes(), &Quirks::default()).unwrap();
    assert_eq!(streamed.choices[0].parts, whole.choices[0].parts);
    let other = body.replace("\"r\"", "\"s\"");
    let other = (dialect(GEMINI).decode_answer)(other.as_bytes(), &Quirks::default()).unwrap();
    assert_ne!(other.choices[0].parts, whole.choices[0].parts);
}

fn stops(body: &Value) -> StopReason {
    let body = body.to_string();
    let quirks = Quirks::default();
    let whole = (dialect(GEMINI).decode_answer)(body.as_bytes(), &quirks).unwrap();
    let frames = frames(&lines_as_stream(&body), 1000);
    let reason = whole.choices[0].stop.as_ref().unwrap().reason;
    let streamed = answer_of(&events(GEMINI, &quirks, &frames));
    assert_eq!(streamed.choices[0].stop.as_ref().unwrap().reason, reason);
    assert_eq!(metered(GEMINI, &frames).stop, Some(reason));
    reason
}

#[test]
fn every_kind_of_end_has_its_reason() {
    let candidate = |parts: Value, word: &str| json!({"candidates": [{"content": {"parts": parts}, "finishReason": word}]});
    let text = || json!([{"text": "x"}]);
    let call = json!([{"functionCall": {"name": "f"}}]);
    assert_eq!(stops(&candidate(text(), "STOP")), StopReason::Stop);
    assert_eq!(stops(&candidate(call, "STOP")), StopReason::ToolCalls);
    assert_eq!(stops(&candidate(text(), "MAX_TOKENS")), StopReason::Length);
    assert_eq!(stops(&candidate(text(), "IMAGE_SAFETY")), StopReason::ContentFilter);
    assert_eq!(stops(&candidate(json!([]), "MALFORMED_FUNCTION_CALL")), StopReason::Error);
    let blocked = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}});
    assert_eq!(stops(&blocked), StopReason::ContentFilter);
}

#[test]
fn an_unspecified_finish_reason_ends_nothing() {
    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#;
    let frames = frames(&lines_as_stream(chunk), 1000);
    let events = events(GEMINI, &Quirks::default(), &frames);
    assert!(!events.iter().any(|event| matches!(event, Event::Stop { .. } | Event::Done)));
    assert_eq!(metered(GEMINI, &frames).stop, None);
}

#[test]
fn an_answer_with_neither_candidate_nor_block_is_malformed() {
    let decode = dialect(GEMINI).decode_answer;
    assert!(decode(b"{\"candidates\":[]}", &Quirks::default()).is_err());
    assert!(decode(b"{\"promptFeedback\":{}}", &Quirks::default()).is_err());
}

#[test]
fn usage_counts_cache_inside_the_prompt_and_thoughts_beside_the_candidates() {
    let body = json!({
        "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 4,
            "toolUsePromptTokenCount": 3, "candidatesTokenCount": 29, "thoughtsTokenCount": 282,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 2}]}
    });
    let body = body.to_string();
    let answer = (dialect(GEMINI).decode_answer)(body.as_bytes(), &Quirks::default()).unwrap();
    let expected = Usage {
        input: 8,
        cached_input: 4,
        output: 29,
        reasoning: 282,
        audio_input: 2,
        ..Usage::default()
    };
    assert_eq!(answer.usage, Some(expected));
    assert_eq!(metered(GEMINI, &frames(&lines_as_stream(&body), 1000)).usage, Some(expected));
}

const PIECES: &str = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true},"thoughtSignature":"s"}]}}],"responseId":"r"}
{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.l[0].a","stringValue":"x","willContinue":true}],"willContinue":true}}]}}]}
{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.l[0].a","stringValue":"y"}],"willContinue":true}}]}}]}
{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.l[1]['b.c']","numberValue":0.5},{"jsonPath":"$.t","boolValue":true},{"jsonPath":"$.n","nullValue":null}]}}]}}]}
{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#;

#[test]
fn arguments_in_pieces_become_whole() {
    let frames = frames(&lines_as_stream(PIECES), 5);
    let answer = answer_of(&events(GEMINI, &Quirks::default(), &frames));
    let arguments = json!({"l": [{"a": "xy"}, {"b.c": 0.5}], "t": true, "n": null});
    assert_eq!(said(&answer.choices[0].parts).1, [("f".to_owned(), arguments.clone())]);
    let whole: Value = serde_json::from_slice(&aggregated(GEMINI, &frames)).unwrap();
    let part = json!({"functionCall": {"name": "f", "args": arguments}, "thoughtSignature": "s"});
    assert_eq!(whole["candidates"][0]["content"]["parts"], json!([part]));
}

#[test]
fn a_small_piece_cannot_make_a_large_value() {
    let decode = |path: &str| {
        let call = json!({"functionCall": {"name": "f", "partialArgs": [
            {"jsonPath": path, "boolValue": true}]}});
        let body = json!({"candidates": [{"content": {"parts": [call]}}]}).to_string();
        let mut decoder = (dialect(GEMINI).decode_events)(&Quirks::default());
        decoder.event(None, body.as_bytes(), &mut Vec::new())
    };
    assert!(decode("$[63]").is_ok());
    assert!(decode("$[4000000000]").is_err());
    assert!(decode(&format!("${}", "[0]".repeat(65))).is_err());
    assert!(decode("$.").is_err());
    assert!(decode("l").is_err());
}

fn stop(reason: StopReason) -> Event {
    let native = "tool_use".to_owned();
    Event::Stop { choice: 0, stop: Stop { reason, native, sequence: None } }
}

/// What an Anthropic upstream may say, as events.
fn foreign_events() -> Vec<Event> {
    let usage = Usage { input: 10, cached_input: 4, output: 5, reasoning: 2, ..Usage::default() };
    let arguments = |fragment: &str| Event::ToolArguments {
        choice: 0,
        index: 0,
        fragment: fragment.to_owned(),
    };
    vec![
        Event::Start { id: "i".to_owned(), model: "m".to_owned(), created: None, usage: None },
        Event::Reasoning { choice: 0, text: "hm".to_owned() },
        Event::ReasoningSignature {
            choice: 0,
            signature: Signature { origin: ANTHROPIC, value: "sig".to_owned() },
        },
        Event::RedactedReasoning { choice: 0, data: "dark".to_owned(), origin: ANTHROPIC },
        Event::Text { choice: 0, text: "So".to_owned(), logprobs: None },
        Event::ToolStart {
            choice: 0,
            index: 0,
            id: "toolu_1".to_owned(),
            name: "weather".to_owned(),
            signature: None,
        },
        arguments("{\"city\":"),
        arguments("\"Rome\"}"),
        Event::Usage(usage),
        stop(StopReason::ToolCalls),
        Event::Done,
    ]
}

#[test]
fn a_stream_is_written_with_whole_calls_and_its_end_in_the_last_frame() {
    insta::assert_snapshot!(written(GEMINI, &foreign_events()));
}

#[test]
fn a_stream_without_a_stop_has_no_last_frame() {
    let cut = [Event::Text { choice: 0, text: "half".to_owned(), logprobs: None }, Event::Done];
    assert!(!written(GEMINI, &cut).contains("finishReason"));
}

#[test]
fn the_thinking_of_another_provider_comes_back_to_it_through_a_client() {
    let stream = written(GEMINI, &foreign_events());
    let parts: Vec<Value> = frames(stream.as_bytes(), 11)
        .iter()
        .flat_map(|(_, data)| {
            let chunk: Value = serde_json::from_slice(data).unwrap();
            chunk["candidates"][0]["content"]["parts"].as_array().unwrap().clone()
        })
        .collect();
    let next = json!({"contents": [{"role": "user", "parts": [{"text": "Q"}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": [{"functionResponse": {"id": "toolu_1", "name": "weather",
            "response": {"output": "sunny"}}}]}]});
    let quirks = Quirks::default();
    let (body, _) = encode(ANTHROPIC, &decode(GEMINI, &next), &target("claude", &quirks));
    let expected = json!([
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "dark"},
        {"type": "text", "text": "So"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
    ]);
    assert_eq!(body["messages"][1]["content"], expected);
}

#[test]
fn a_signature_on_a_call_comes_back_to_gemini_through_an_anthropic_client() {
    let body = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"s"}]},"finishReason":"STOP"}],"responseId":"r"}"#;
    let answer =
        answer_of(&events(GEMINI, &Quirks::default(), &frames(&lines_as_stream(body), 99)));
    let message: Value =
        serde_json::from_slice(&(dialect(ANTHROPIC).encode_answer)(&answer)).unwrap();
    let id = message["content"][1]["id"].clone();
    let next = json!({"messages": [{"role": "user", "content": "Q"},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]}]});
    let quirks = Quirks::default();
    let (body, _) = encode(GEMINI, &decode(ANTHROPIC, &next), &target("g", &quirks));
    let call = json!({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s"});
    assert_eq!(body["contents"][1]["parts"], json!([call]));
    let response = &body["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!(response, &json!({"name": "f", "response": {"output": "x"}}));
}

#[test]
fn errors_come_alone_or_in_a_list_and_tell_how_long_to_wait() {
    let error = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerDay"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}]}});
    let decode = dialect(GEMINI).decode_error;
    let alone = decode(429, error.to_string().as_bytes());
    assert_eq!(alone.retry_after_ms, Some(34_400));
    assert_eq!(alone.code.as_deref(), Some("GenerateRequestsPerDay"));
    assert_eq!(alone.kind.as_deref(), Some("RESOURCE_EXHAUSTED"));
    let list = format!("[{error}]");
    assert_eq!(decode(429, list.as_bytes()), alone);
    let frames = frames(&lines_as_stream(&list), 1000);
    assert_eq!(metered(GEMINI, &frames).error, Some(alone.clone()));
    assert_eq!(events(GEMINI, &Quirks::default(), &frames), [Event::Error(alone)]);
}

#[test]
fn our_errors_read_as_errors_of_the_provider() {
    let problem = Problem {
        status: 503,
        kind: "server_error",
        code: "all_upstreams_unavailable",
        message: "No upstream is open.",
        param: None,
        request_id: Some("r1"),
    };
    let body = String::from_utf8((dialect(GEMINI).encode_error)(&problem)).unwrap();
    let frame = (dialect(GEMINI).encode_stream_error)(&problem);
    assert_eq!(String::from_utf8(frame).unwrap(), format!("data: {body}\n\n"));
    insta::assert_snapshot!(body);
}

#[test]
fn no_model_name_can_leave_the_path() {
    let path = dialect(GEMINI).path;
    assert_eq!(path("gemini-3", true), "/models/gemini-3:streamGenerateContent?alt=sse");
    assert_eq!(path("tunedModels/x", false), "/tunedModels/x:generateContent");
    assert_eq!(path("//h?x#y", false), "/models/h%3Fx%23y:generateContent");
}

#[test]
fn an_aggregate_joins_texts_and_keeps_fields_it_does_not_know() {
    let stream = r#"{"candidates":[{"content":{"parts":[{"text":"h","thought":true}],"role":"model"},"index":0,"new":1}],"responseId":"r"}
{"candidates":[{"content":{"parts":[{"text":"m","thought":true},{"text":"a"}],"role":"model"},"index":0,"groundingMetadata":{"q":[1]}}],"usageMetadata":{"promptTokenCount":1,"trafficType":"T"}}
{"candidates":[{"content":{"parts":[{"text":"b"},{"text":"","thoughtSignature":"s"}],"role":"model"},"index":0,"finishReason":"STOP","groundingMetadata":{"u":2}}],"usageMetadata":{"promptTokenCount":2}}"#;
    let whole = aggregated(GEMINI, &frames(&lines_as_stream(stream), 64));
    let expected = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "hm", "thought": true}, {"text": "ab", "thoughtSignature": "s"}]},
            "index": 0, "new": 1, "finishReason": "STOP", "groundingMetadata": {"q": [1], "u": 2}
        }],
        "responseId": "r",
        "usageMetadata": {"promptTokenCount": 2, "trafficType": "T"}
    });
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), expected);
}

#[test]
fn the_meter_tells_the_calls_of_one_alternative_from_the_stop_of_another() {
    let lines = r#"
        {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]},"index":1}]}
        {"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0,"finishReason":"STOP"}]}
        {"candidates":[{"index":1,"finishReason":"STOP"}]}
    "#;
    let mut meter = (dialect(GEMINI).meter)(&Quirks::default());
    let mut stops = Vec::new();
    for (name, data) in frames(&lines_as_stream(lines), 1 << 10) {
        stops.extend(meter.event(name.as_deref(), &data).unwrap().stop);
    }
    assert_eq!(stops, [StopReason::Stop, StopReason::ToolCalls]);
}
