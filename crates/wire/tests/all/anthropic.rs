//! The Messages dialect: what goes out, what comes in, and that nothing is lost on the way.

use crate::samples::{
    ANTHROPIC, aggregated, decode, dialect, encode, events, frames, lines_as_stream, message,
    metered, target, text, written,
};
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::error::Problem;
use wire::hub::{
    Event, Extra, Format, Media, Part, Reasoning, Request, Role, Signature, Stop, StopReason, Tool,
    ToolCall, ToolChoice, Usage,
};
use wire::replay::answer_of;

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
        signature: None,
        extra: Extra::new(),
    })
}

fn result(id: &str, answer: &str) -> Part {
    Part::ToolResult {
        call_id: id.to_owned(),
        name: None,
        content: vec![text(answer)],
        is_error: false,
        extra: Extra::new(),
    }
}

fn weather() -> Tool {
    Tool::Function {
        name: "weather".to_owned(),
        description: Some("Tells the weather".to_owned()),
        parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        strict: None,
        extra: Extra::new(),
    }
}

/// A conversation as an OpenAI client holds it, with everything that needs arranging.
fn foreign() -> Request {
    let image = Part::Image {
        source: Media::Url("data:image/png;base64,iVBORw0KGgo=".to_owned()),
        extra: Extra::new(),
    };
    let foreign_thought = Part::Reasoning {
        text: "hm".to_owned(),
        signature: Some(Signature { origin: "gemini", value: "sig".to_owned() }),
    };
    Request {
        model: "m".to_owned(),
        origin: "openai_chat",
        messages: vec![
            message(Role::System, vec![text("Be brief.")]),
            message(Role::User, vec![text("What is this?"), image]),
            message(Role::User, vec![text("And the weather?")]),
            message(
                Role::Assistant,
                vec![foreign_thought, call("call.1", "{\"city\":\"Rome\"}"), call("b", "")],
            ),
            message(Role::User, vec![text("quick")]),
            message(Role::User, vec![result("call.1", "sunny")]),
            message(Role::User, vec![result("b", "")]),
            message(Role::System, vec![text("Now in French.")]),
        ],
        tools: vec![weather()],
        tool_choice: Some(ToolChoice::Required),
        parallel_tool_calls: Some(false),
        temperature: Some(1.7),
        top_p: Some(0.9),
        stop: vec!["END".to_owned(), "\n".to_owned()],
        seed: Some(7),
        n: Some(2),
        user: Some("u1".to_owned()),
        ..Request::default()
    }
}

#[test]
fn a_foreign_conversation_is_arranged_as_the_provider_demands() {
    let quirks = Quirks::default();
    let (body, dropped) = encode(ANTHROPIC, &foreign(), &target("claude", &quirks));
    insta::assert_snapshot!(format!("{body:#}\ndropped: {dropped}"));
}

#[test]
fn a_request_of_this_dialect_comes_back_as_it_was() {
    let body = json!({
        "model": "claude",
        "max_tokens": 20_000,
        "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain",
                    "data": "D"}, "title": "T", "citations": {"enabled": true}},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
                {"type": "text", "text": "Q", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "redacted_thinking", "data": "r"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, {"b": 2}]}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok",
                    "is_error": true, "cache_control": {"type": "ephemeral"}}
            ]}
        ],
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object"},
                "defer_loading": true},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "temperature": 1.0,
        "top_k": 5,
        "stop_sequences": ["X"],
        "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
        "output_config": {
            "effort": "high",
            "format": {"type": "json_schema", "schema": {"type": "object"}},
            "task_budget": {"total": 9}
        },
        "metadata": {"user_id": "u", "other": 1},
        "service_tier": "standard_only",
        "container": "c",
        "mcp_servers": [{"url": "https://x.test"}]
    });
    let quirks = Quirks::default();
    let (again, dropped) = encode(ANTHROPIC, &decode(ANTHROPIC, &body), &target("claude", &quirks));
    assert_eq!(again, body);
    assert_eq!(dropped, "");
}

#[test]
fn a_schema_goes_out_as_a_forced_tool_and_comes_back_as_text() {
    let quirks = Quirks { schema_as_tool: true, ..Quirks::default() };
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let format =
        Format::JsonSchema { name: None, description: None, schema: schema.clone(), strict: None };
    let request = Request {
        messages: vec![message(Role::User, vec![text("Q")])],
        format: Some(format),
        ..Request::default()
    };
    let (body, _) = encode(ANTHROPIC, &request, &target("claude", &quirks));
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "json_response"}));
    assert_eq!(body["tools"][0]["input_schema"], schema);

    let answer = json!({
        "type": "message", "id": "i", "model": "m", "role": "assistant",
        "content": [{"type": "tool_use", "id": "t", "name": "json_response", "input": {"a": 1}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 2}
    });
    let answer = answer.to_string();
    let answer = (dialect(ANTHROPIC).decode_answer)(answer.as_bytes(), &quirks).unwrap();
    assert_eq!(answer.choices[0].parts, [text("{\"a\":1}")]);
    assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::Stop);

    let stream = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"i\",\"model\":\"m\"}}\n\n\
        data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\
        \"id\":\"t\",\"name\":\"json_response\",\"input\":{}}}\n\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\
        \"partial_json\":\"{\\\"a\\\":1}\"}}\n\n\
        data: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
        data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n\
        data: {\"type\":\"message_stop\"}\n\n";
    let streamed = answer_of(&events(ANTHROPIC, &quirks, &frames(stream.as_bytes(), 100)));
    assert_eq!(streamed.choices[0].parts, [text("{\"a\":1}")]);
    assert_eq!(streamed.choices[0].stop.as_ref().unwrap().reason, StopReason::Stop);
}

/// `thinking`, `output_config.effort` and what was dropped, for a wish of an OpenAI client.
fn thought(effort: Option<&str>, budget: Option<i64>, bound: u64, quirks: &Quirks) -> String {
    let request = Request {
        origin: "openai_chat",
        messages: vec![message(Role::User, vec![text("Q")])],
        max_tokens: Some(bound),
        reasoning: Some(Reasoning {
            effort: effort.map(str::to_owned),
            budget_tokens: budget,
            include: None,
        }),
        ..Request::default()
    };
    let (body, dropped) = encode(ANTHROPIC, &request, &target("claude", quirks));
    format!("{} {} [{dropped}]", body["thinking"], body["output_config"]["effort"])
}

#[test]
fn effort_becomes_a_budget_or_adaptive_thinking_as_the_model_wants() {
    let older = Quirks::default();
    let newer = Quirks { effort_reasoning: true, ..Quirks::default() };
    let lines = [
        thought(Some("low"), None, 50_000, &older),
        thought(Some("high"), None, 5_000, &older),
        thought(Some("high"), None, 500, &older),
        thought(Some("none"), None, 5_000, &older),
        thought(None, Some(-1), 50_000, &older),
        thought(Some("minimal"), None, 500, &newer),
        thought(Some("xhigh"), None, 500, &newer),
        thought(None, Some(9_000), 500, &newer),
        thought(Some("none"), None, 500, &newer),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_prefill_is_the_last_turn_without_white_space_at_its_end() {
    let quirks = Quirks::default();
    let mut request = foreign();
    request.reasoning = Some(Reasoning { effort: Some("low".to_owned()), ..Reasoning::default() });
    let mut target = target("claude", &quirks);
    target.prefill = Some("Il fait \n ");
    let (body, dropped) = encode(ANTHROPIC, &request, &target);
    let last = body["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last, &json!({"role": "assistant", "content": "Il fait"}));
    assert_eq!(body.get("thinking"), None);
    assert!(dropped.contains("reasoning_effort"), "{dropped}");
}

fn stop(reason: StopReason, native: &str) -> Event {
    Event::Stop { choice: 0, stop: Stop { reason, native: native.to_owned(), sequence: None } }
}

fn piece(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

/// What an OpenAI upstream may say, as events: the order of calls and pieces is its own.
fn foreign_events() -> Vec<Event> {
    let tool = |index, id: &str| Event::ToolStart {
        choice: 0,
        index,
        id: id.to_owned(),
        name: "weather".to_owned(),
        signature: None,
    };
    let arguments = |index, fragment: &str| Event::ToolArguments {
        choice: 0,
        index,
        fragment: fragment.to_owned(),
    };
    let usage = Usage { input: 10, cached_input: 4, output: 5, reasoning: 2, ..Usage::default() };
    vec![
        Event::Start { id: "i".to_owned(), model: "m".to_owned(), created: None, usage: None },
        Event::Reasoning { choice: 0, text: "hm".to_owned() },
        Event::ReasoningSignature {
            choice: 0,
            signature: Signature { origin: "gemini", value: "sig".to_owned() },
        },
        piece("Let "),
        piece("me see."),
        tool(0, "a"),
        arguments(0, "{\"city\":"),
        arguments(0, "\"Rome\"}"),
        tool(1, "b"),
        arguments(1, "{}"),
        stop(StopReason::ToolCalls, "tool_calls"),
        Event::Usage(usage),
        Event::Done,
    ]
}

#[test]
fn a_stream_is_written_in_the_full_order_of_events_with_their_names() {
    insta::assert_snapshot!(written(ANTHROPIC, &foreign_events()));
}

#[test]
fn a_stream_without_a_stop_is_never_closed() {
    let cut = [piece("half"), Event::Done];
    assert!(!written(ANTHROPIC, &cut).contains("message_stop"));
}

#[test]
fn a_foreign_seal_travels_through_a_client_and_returns_to_its_dialect_only() {
    let stream = written(ANTHROPIC, &foreign_events());
    let answer = answer_of(&events(ANTHROPIC, &Quirks::default(), &frames(stream.as_bytes(), 7)));
    let body = (dialect(ANTHROPIC).encode_answer)(&answer);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let next = json!({"messages": [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": body["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}
    ]});
    let request = decode(ANTHROPIC, &next);
    let sealed = Part::Reasoning {
        text: "hm".to_owned(),
        signature: Some(Signature { origin: "gemini", value: "sig".to_owned() }),
    };
    assert_eq!(request.messages[1].parts[0], sealed);
    let quirks = Quirks::default();
    let (out, _) = encode(ANTHROPIC, &request, &target("claude", &quirks));
    assert!(!out.to_string().contains("sig"), "{out}");
}

#[test]
fn counts_of_start_and_delta_add_up_and_hidden_calls_are_counted() {
    let check = |usage: Value, expected: Usage| {
        let answer = json!({"type": "message", "content": [], "usage": usage}).to_string();
        let quirks = Quirks::default();
        let answer = (dialect(ANTHROPIC).decode_answer)(answer.as_bytes(), &quirks).unwrap();
        assert_eq!(answer.usage.unwrap(), expected, "{usage}");
    };
    check(
        json!({"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7},
            "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 15}}),
        Usage {
            input: 3,
            cached_input: 5,
            cache_write: 2,
            cache_write_1h: 7,
            output: 5,
            reasoning: 15,
            ..Usage::default()
        },
    );
    check(
        json!({"input_tokens": 612, "output_tokens": 2819, "iterations": [
            {"type": "compaction", "input_tokens": 60385, "output_tokens": 522},
            {"type": "message", "input_tokens": 612, "output_tokens": 2819}]}),
        Usage { input: 60_997, output: 3_341, ..Usage::default() },
    );
}

#[test]
fn an_error_event_is_reported_with_the_status_of_its_type() {
    let stream =
        b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\
        \"message\":\"Overloaded\"}}\n\n";
    let frames = frames(stream, 1000);
    let reported = metered(ANTHROPIC, &frames).error.unwrap();
    assert_eq!((reported.status, reported.message.as_str()), (Some(529), "Overloaded"));
    assert_eq!(events(ANTHROPIC, &Quirks::default(), &frames), [Event::Error(reported)]);
}

#[test]
fn error_bodies_of_any_kind_give_a_report() {
    let decode = dialect(ANTHROPIC).decode_error;
    let spent = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "spent",
        "details": {"error_code": "enforced_spend_limit_reached"}}});
    let report = decode(429, spent.to_string().as_bytes());
    assert_eq!(report.kind.as_deref(), Some("rate_limit_error"));
    assert_eq!(report.code.as_deref(), Some("enforced_spend_limit_reached"));
    assert_eq!(decode(502, b"<html>Bad gateway</html>").message, "<html>Bad gateway</html>");
    assert_eq!(decode(500, b"").message, "");
}

#[test]
fn our_errors_read_as_errors_of_the_provider() {
    let problem = Problem {
        status: 429,
        kind: "rate_limit_error",
        code: "budget_exceeded",
        message: "The budget is used up.",
        param: None,
        request_id: Some("r1"),
    };
    let body = (dialect(ANTHROPIC).encode_error)(&problem);
    let frame = (dialect(ANTHROPIC).encode_stream_error)(&problem);
    let body = String::from_utf8(body).unwrap();
    assert_eq!(String::from_utf8(frame).unwrap(), format!("event: error\ndata: {body}\n\n"));
    insta::assert_snapshot!(body);
}

#[test]
fn an_aggregate_keeps_fields_and_blocks_it_does_not_know() {
    let stream = r#"{"type":"message_start","message":{"id":"i","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1,"service_tier":"standard"}}}
{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}
{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"sum"}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}
{"type":"ping"}
{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"url":"u"}}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}
{"type":"content_block_stop","index":1}
{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{},"caller":{"type":"direct"}}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":":1}"}}
{"type":"content_block_stop","index":2}
{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_details":{"x":1}},"usage":{"output_tokens":9},"context_management":{"applied_edits":[]}}
{"type":"message_stop"}"#;
    let whole = aggregated(ANTHROPIC, &frames(&lines_as_stream(stream), 64));
    let expected = json!({
        "id": "i", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "compaction", "content": "sum"},
            {"type": "text", "text": "ab", "citations": [{"url": "u"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1},
                "caller": {"type": "direct"}}
        ],
        "stop_reason": "tool_use", "stop_details": {"x": 1},
        "usage": {"input_tokens": 3, "output_tokens": 9, "service_tier": "standard"},
        "context_management": {"applied_edits": []}
    });
    assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), expected);
}

#[test]
fn the_meter_knows_only_the_events_it_reads_counts_from() {
    let lines = r#"
        {"type":"message_start","message":{"usage":{"input_tokens":3},"content":[]}}
        {"type":"fallback_began","usage":{"input_tokens":900,"output_tokens":900}}
        {"delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2},"type":"message_delta"}
        {"type":"message_stop"}
    "#;
    let frames = frames(&lines_as_stream(lines), 1 << 10);
    let seen = metered(ANTHROPIC, &frames);
    assert_eq!(seen.usage, Some(Usage { input: 3, output: 2, ..Usage::default() }));
    assert_eq!((seen.stop, seen.done), (Some(StopReason::ToolCalls), true));
    let read = wire::translate::seen(&events(ANTHROPIC, &Quirks::default(), &frames));
    assert_eq!(read.usage, seen.usage);
}
