//! The Responses dialect by example, each way.

use crate::samples::{decode, dialect, encode, events, frames, target, written};
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::error::Problem;
use wire::hub::{Event, Part, Request, Signature, Stop, StopReason, Tool, ToolCall, Usage};
use wire::replay::answer_of;
use wire::translate::{Known, StreamTranslator, answer as translated};

const ID: &str = "openai_responses";
const CHAT: &str = "openai_chat";

fn coding_request() -> Value {
    json!({
        "model": "m", "instructions": "Be brief.", "stream": true, "store": false,
        "include": ["reasoning.encrypted_content"],
        "input": [
            {"type": "message", "role": "developer",
                "content": [{"type": "input_text", "text": "Rules."}]},
            {"role": "user", "content": "Fix it"},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "SEAL",
                "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "id": "msg_1",
                "content": [{"type": "output_text", "text": "On it."}]},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "*** a"},
            {"type": "function_call", "call_id": "call_2", "name": "run", "namespace": "shell",
                "arguments": "{\"c\":1}"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
            {"type": "function_call_output", "call_id": "call_2", "output": "ok"}],
        "tools": [
            {"type": "custom", "name": "apply_patch", "description": "Edits files.",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "namespace", "name": "shell", "tools": [
                {"type": "function", "name": "run", "parameters": {"type": "object"}}]},
            {"type": "web_search"}],
        "tool_choice": "auto", "parallel_tool_calls": false,
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"verbosity": "low"}, "prompt_cache_key": "k",
    })
}

#[test]
fn a_coding_agents_request_reaches_chat_completions() {
    let request = decode(ID, &coding_request());
    let quirks = Quirks::default();
    let (body, dropped) = encode(CHAT, &request, &target("up", &quirks));
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    assert_eq!(dropped, "verbosity tools");
}

#[test]
fn a_chat_request_reaches_the_responses_api() {
    let chat = json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Q"},
                {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}]},
            {"role": "assistant", "content": "So", "reasoning_content": "lost", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c", "content": "r"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "max_tokens": 5, "stop": "X", "seed": 1, "logprobs": true, "top_logprobs": 2,
        "reasoning_effort": "low", "verbosity": "high", "metadata": {"a": "b"},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    });
    let request = decode(CHAT, &chat);
    let quirks = Quirks::default();
    let (body, dropped) = encode(ID, &request, &target("up", &quirks));
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    assert_eq!(dropped, "seed stop");
}

#[test]
fn what_only_the_provider_can_do_is_named_for_other_dialects() {
    let request = decode(
        ID,
        &json!({"input": "Q", "previous_response_id": "resp_1",
        "background": true, "truncation": "auto", "prompt": {"id": "p"}}),
    );
    let quirks = Quirks::default();
    let (_, dropped) = encode(CHAT, &request, &target("up", &quirks));
    assert_eq!(dropped, "previous_response_id background prompt truncation");
    let plain = decode(ID, &json!({"input": "Q", "background": false, "truncation": "disabled"}));
    assert_eq!(encode(CHAT, &plain, &target("up", &quirks)).1, "");
}

fn stop(reason: StopReason) -> Event {
    Event::Stop { choice: 0, stop: Stop { reason, native: "n".to_owned(), sequence: None } }
}

fn rich_events() -> Vec<Event> {
    let signature = Signature { origin: "anthropic_messages", value: "S".to_owned() };
    let (choice, index) = (0, 0);
    vec![
        Event::Start {
            id: "msg_x".to_owned(),
            model: "m".to_owned(),
            created: Some(7),
            usage: None,
        },
        Event::Reasoning { choice, text: "h".to_owned() },
        Event::Reasoning { choice, text: "m".to_owned() },
        Event::ReasoningSignature { choice, signature },
        Event::Text { choice, text: "a".to_owned(), logprobs: None },
        Event::ToolStart {
            choice,
            index,
            id: "call_1".to_owned(),
            name: "f".to_owned(),
            signature: None,
        },
        Event::ToolArguments { choice, index, fragment: "{}".to_owned() },
        stop(StopReason::ToolCalls),
        Event::Usage(Usage {
            input: 3,
            cached_input: 2,
            output: 4,
            reasoning: 1,
            ..Usage::default()
        }),
        Event::Done,
    ]
}

#[test]
fn a_stream_is_written_in_the_full_order_of_events() {
    insta::assert_snapshot!(written(ID, &rich_events()));
}

#[test]
fn an_answer_that_did_not_stop_is_never_closed() {
    let mut events = rich_events();
    events.retain(|event| !matches!(event, Event::Stop { .. }));
    let stream = written(ID, &events);
    assert!(!stream.contains("response.completed"));
    assert!(!stream.contains("[DONE]"));
}

#[test]
fn a_full_answer_is_incomplete_and_a_failed_one_has_failed() {
    let end = |reason| {
        let stream = written(ID, &[stop(reason), Event::Done]);
        let last = frames(stream.as_bytes(), 99).pop().unwrap();
        let data: Value = serde_json::from_slice(&last.1).unwrap();
        (data["type"].clone(), data["response"]["incomplete_details"]["reason"].clone())
    };
    assert_eq!(end(StopReason::Stop), ("response.completed".into(), Value::Null));
    assert_eq!(end(StopReason::Length), ("response.incomplete".into(), "max_output_tokens".into()));
    let filtered = ("response.incomplete".into(), "content_filter".into());
    assert_eq!(end(StopReason::ContentFilter), filtered);
    assert_eq!(end(StopReason::Error).0, "response.failed");
}

#[test]
fn our_errors_end_a_stream_as_failed() {
    let problem = Problem {
        status: 502,
        kind: "api_error",
        code: "stream_interrupted",
        message: "The upstream broke off.",
        param: None,
        request_id: Some("req_1"),
    };
    let bytes = (dialect(ID).encode_stream_error)(&problem);
    let (name, data) = frames(&bytes, 9).pop().unwrap();
    assert_eq!(name.as_deref(), Some(&b"response.failed"[..]));
    let data: Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(data["response"]["status"], "failed");
    assert_eq!(data["response"]["error"]["code"], "stream_interrupted");
    assert!(data["sequence_number"].as_u64().unwrap() > 1_000_000);
}

/// A chat answer that calls the freeform tool and the function in a namespace.
fn chat_answer() -> Vec<u8> {
    json!({"id": "chatcmpl-1", "model": "m", "created": 7, "choices": [{"index": 0,
        "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
        "tool_calls": [
            {"id": "c1", "type": "function",
                "function": {"name": "apply_patch", "arguments": "{\"input\":\"*** \\\"b\\\"\"}"}},
            {"id": "c2", "type": "function",
                "function": {"name": "shell__run", "arguments": "{\"c\":2}"}}]}}]})
    .to_string()
    .into_bytes()
}

#[test]
fn freeform_tools_and_namespaces_are_called_back_as_they_were_offered() {
    let request = decode(ID, &coding_request());
    let (chat, door, quirks) = (dialect(CHAT), dialect(ID), Quirks::default());
    let known = Known { asked: Some(&request), ..Known::default() };
    let body = translated(chat, &quirks, &chat_answer(), door, &known).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["output"][0]["type"], "custom_tool_call");
    assert_eq!(body["output"][0]["input"], "*** \"b\"");
    assert_eq!(body["output"][1]["type"], "function_call");
    assert_eq!(body["output"][1]["name"], "run");
    assert_eq!(body["output"][1]["namespace"], "shell");
    assert_eq!(body["instructions"], "Be brief.");
    assert_eq!(body["tools"][0]["type"], "custom");
    assert_eq!(body["text"], json!({"format": {"type": "text"}, "verbosity": "low"}));

    let answer = (chat.decode_answer)(&chat_answer(), &quirks).unwrap();
    let upstream = written(CHAT, &wire::replay::events_of(&answer));
    let mut translator = StreamTranslator::new(chat, &quirks, door, true)
        .known(&Known { asked: Some(&request), ..Known::default() });
    let mut out = Vec::new();
    for (name, data) in frames(upstream.as_bytes(), 30) {
        translator.frame(name.as_deref(), &data, &mut out).unwrap();
    }
    let last: Value = serde_json::from_slice(&frames(&out, 30).pop().unwrap().1).unwrap();
    assert_eq!(last["response"]["output"], body["output"]);
}

#[test]
fn a_streamed_freeform_call_becomes_one_argument() {
    let lines = [
        json!({"type": "response.output_item.added", "output_index": 0, "item":
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": ""}}),
        json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "a\"\n"}),
        json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "\\b"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item":
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "a\"\n\\b"}}),
        json!({"type": "response.completed", "response": {"status": "completed", "output": []}}),
    ];
    let stream: String = lines.iter().map(|line| format!("data: {line}\n\n")).collect();
    let answer = answer_of(&events(ID, &Quirks::default(), &frames(stream.as_bytes(), 10)));
    let Part::ToolCall(ToolCall { arguments, .. }) = &answer.choices[0].parts[0] else {
        panic!("a call");
    };
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments, json!({"input": "a\"\n\\b"}));
    assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::ToolCalls);
}

#[test]
fn an_answer_that_was_not_streamed_is_read_from_its_end() {
    let end = json!({"type": "response.completed", "response": {"id": "r", "status": "completed",
        "output": [{"type": "message", "role": "assistant",
            "content": [{"type": "output_text", "text": "hi"}]}],
        "usage": {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 2},
            "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 3}}}});
    let stream = format!("data: {end}\n\n");
    let answer = answer_of(&events(ID, &Quirks::default(), &frames(stream.as_bytes(), 10)));
    assert_eq!(answer.choices[0].parts, [crate::samples::text("hi")]);
    let usage = Usage { input: 3, cached_input: 2, output: 1, reasoning: 3, ..Usage::default() };
    assert_eq!(answer.usage, Some(usage));
}

#[test]
fn an_id_without_its_encrypted_content_is_not_sent_where_nothing_is_stored() {
    let thought = |value: &str| Part::Reasoning {
        text: "hm".to_owned(),
        signature: Some(Signature { origin: ID, value: value.to_owned() }),
    };
    let parts = vec![
        thought("{\"id\":\"rs_1\"}"),
        thought("{\"id\":\"rs_2\",\"encrypted_content\":\"E\"}"),
    ];
    let message = crate::samples::message(wire::hub::Role::Assistant, parts);
    let request = Request { messages: vec![message], origin: CHAT, ..Request::default() };
    let (body, _) = encode(ID, &request, &target("m", &Quirks::default()));
    assert_eq!(body["store"], false);
    assert_eq!(
        body["input"],
        json!([{"type": "reasoning", "id": "rs_2", "encrypted_content": "E",
            "summary": [{"type": "summary_text", "text": "hm"}]}])
    );
}

#[test]
fn a_grammar_is_told_to_models_whose_api_cannot_enforce_it() {
    let request = decode(ID, &coding_request());
    let Tool::Function { description, .. } = &request.tools[0] else { panic!("a function") };
    let told = description.as_deref().unwrap();
    assert!(
        told.starts_with("Edits files.") && told.ends_with("lark grammar:\nstart: x"),
        "{told}"
    );
}

#[test]
fn requests_that_are_none_are_refused_with_their_place() {
    let refused = |body: Value| {
        (dialect(ID).decode_request)(body.to_string().as_bytes(), Some("m"), false)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(json!({"input": 1})), "input: must be a string or a list of items");
    assert_eq!(
        refused(json!({"input": [{"role": "x", "content": "a"}]})),
        "input[0].role: `x` is no known role"
    );
    assert_eq!(
        refused(json!({"input": [{"type": "function_call", "name": "f"}]})),
        "input[0].call_id: is required"
    );
}

#[test]
fn an_item_that_only_this_dialect_knows_is_content_of_a_relayed_stream() {
    let mut meter = (dialect(ID).meter)(&Quirks::default());
    let mut content = |kind: &str| {
        let item = json!({"type": kind, "id": "x_1", "status": "in_progress"});
        let event = json!({"type": "response.output_item.added", "output_index": 0, "item": item});
        meter.event(None, event.to_string().as_bytes()).unwrap().content
    };
    assert!(content("apply_patch_call") && content("tool_search_call") && content("function_call"));
    assert!(!content("message") && !content("reasoning"));
}

#[test]
fn a_cut_stream_is_no_answer_that_waits_for_its_tools() {
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
        "arguments": "{}"});
    let event = json!({"type": "response.output_item.done", "output_index": 0, "item": call});
    let mut aggregate = (dialect(ID).aggregate)();
    aggregate.event(None, event.to_string().as_bytes()).unwrap();
    let answer = (dialect(ID).decode_answer)(&aggregate.finish(), &Quirks::default()).unwrap();
    assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::Length);
}

#[test]
fn a_file_without_a_name_gets_one_where_the_provider_wants_it() {
    let file = json!({"type": "document", "source":
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}});
    let body = json!({"model": "m", "max_tokens": 9,
        "messages": [{"role": "user", "content": [file]}]});
    let asked = decode("anthropic_messages", &body);
    let quirks = Quirks::default();
    let name = |id, place: &str| {
        let (body, _) = encode(id, &asked, &target("m", &quirks));
        body.pointer(place).cloned()
    };
    assert_eq!(name(CHAT, "/messages/0/content/0/file/filename"), Some("document".into()));
    assert_eq!(name(ID, "/input/0/content/0/filename"), Some("document".into()));
}
