//! What a provider must get back in the next turn: seals on reasoning, ids of calls, marks of cached
//! prefixes. Whatever client carries it, it comes back whole; to anybody else it never goes.

use crate::samples::{ANTHROPIC, GEMINI, aggregated, decode, dialect, encode, frames, target};
use serde_json::{Value, json};
use wire::dialect::{DIALECTS, Quirks, ReasoningContent};
use wire::hub::{Answer, Event, Request};
use wire::replay::{answer_of, events_of};

const OPENAI: &str = "openai_chat";
const RESPONSES: &str = "openai_responses";

/// An answer as an upstream words it, and the state in it.
struct Given {
    upstream: &'static str,
    quirks: Quirks,
    body: Value,
    state: &'static [&'static str],
}

fn given() -> Vec<Given> {
    let mut all = given_by_claude_and_gemini();
    all.extend(given_by_others());
    all
}

fn given_by_claude_and_gemini() -> Vec<Given> {
    let default = Quirks::default;
    vec![
        Given {
            upstream: ANTHROPIC,
            quirks: default(),
            body: json!({"id": "i", "type": "message", "role": "assistant", "model": "m",
                "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "SEAL-1"},
                    {"type": "redacted_thinking", "data": "SEAL-2"},
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]}),
            state: &["SEAL-1", "SEAL-2", "toolu_1"],
        },
        Given {
            upstream: GEMINI,
            quirks: default(),
            body: json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model",
                "parts": [
                    {"text": "hm", "thought": true},
                    {"text": "Let me see.", "thoughtSignature": "SEAL-1"},
                    {"functionCall": {"name": "weather", "args": {}},
                        "thoughtSignature": "SEAL-2"},
                    {"functionCall": {"name": "time", "args": {}}}]}}]}),
            state: &["SEAL-1", "SEAL-2"],
        },
        Given {
            upstream: GEMINI,
            quirks: default(),
            body: json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model",
                "parts": [
                    {"text": "Let me see."},
                    {"text": "", "thoughtSignature": "SEAL-1"}]}}]}),
            state: &["SEAL-1"],
        },
    ]
}

fn given_by_others() -> Vec<Given> {
    let default = Quirks::default;
    vec![
        Given {
            upstream: OPENAI,
            quirks: Quirks { reasoning_content: ReasoningContent::Keep, ..default() },
            body: json!({"id": "gen-1", "model": "m", "choices": [{"index": 0,
                "finish_reason": "tool_calls", "message": {"role": "assistant",
                    "content": "Let me see.", "reasoning": "hm",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "hm", "signature": "SEAL-1",
                            "format": "anthropic-claude-v1", "index": 0},
                        {"type": "reasoning.encrypted", "data": "SEAL-2", "id": "rs_1",
                            "format": "openai-responses-v1", "index": 1}],
                    "tool_calls": [{"id": "call_1", "type": "function",
                        "function": {"name": "weather", "arguments": "{}"}}]}}]}),
            state: &["SEAL-1", "SEAL-2", "anthropic-claude-v1", "rs_1", "call_1"],
        },
        Given {
            upstream: RESPONSES,
            quirks: default(),
            body: json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m",
                "output": [
                    {"type": "reasoning", "id": "rs_1", "encrypted_content": "SEAL-1",
                        "summary": [{"type": "summary_text", "text": "hm"}]},
                    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                        "content": [{"type": "output_text", "text": "Let me see.",
                            "annotations": []}]},
                    {"type": "function_call", "id": "fc_1", "call_id": "call_1",
                        "name": "weather", "arguments": "{}", "status": "completed"}]}),
            state: &["SEAL-1", "rs_1", "call_1"],
        },
        Given {
            upstream: "bedrock_converse",
            quirks: default(),
            body: json!({"stopReason": "tool_use", "usage": {"inputTokens": 1, "outputTokens": 1},
                "output": {"message": {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "SEAL-1"}}},
                    {"reasoningContent": {"redactedContent": "U0VBTC0y"}},
                    {"text": "Let me see."},
                    {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {}}}]}}}),
            state: &["SEAL-1", "U0VBTC0y", "tooluse_1"],
        },
    ]
}

/// The dialects whose clients are known here.
const DOORS: &[&str] = &[OPENAI, ANTHROPIC, GEMINI, RESPONSES];

/// The answer as the client of `door` has it, unstreamed or put together from a stream.
fn told(door: &str, answer: &Answer, stream: bool) -> Value {
    let body = if stream {
        let mut writer = (dialect(door).encode_events)(true);
        let mut out = Vec::new();
        events_of(answer).iter().for_each(|event| writer.event(event, &mut out));
        writer.end(&mut out);
        aggregated(door, &frames(&out, 64))
    } else {
        (dialect(door).encode_answer)(answer)
    };
    serde_json::from_slice(&body).unwrap()
}

/// The client sends the answer back as it stands, with results for its calls.
fn next_turn(door: &str, body: &Value) -> Value {
    match door {
        ANTHROPIC => {
            let results = listed(&body["content"]).filter(|block| block["type"] == "tool_use").map(
                |call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "x"}),
            );
            let results: Vec<Value> =
                results.chain([json!({"type": "text", "text": "Go on"})]).collect();
            json!({"model": "m", "max_tokens": 9, "messages": [
                {"role": "user", "content": "Q"},
                {"role": "assistant", "content": body["content"]},
                {"role": "user", "content": results}]})
        }
        GEMINI => {
            let content = &body["candidates"][0]["content"];
            let calls = listed(&content["parts"]).filter_map(|part| part.get("functionCall"));
            let results: Vec<Value> = calls
                .map(|call| {
                    json!({"functionResponse": {"id": call.get("id"), "name": call["name"],
                        "response": {"output": "x"}}})
                })
                .collect();
            let asked = json!({"role": "user", "parts": [{"text": "Q"}]});
            json!({"contents": [asked, content, {"role": "user", "parts": results}]})
        }
        RESPONSES => {
            let calls = listed(&body["output"]).filter(|item| item["type"] == "function_call");
            let results = calls.map(|call| {
                json!({"type": "function_call_output", "call_id": call["call_id"], "output": "x"})
            });
            let asked = json!({"role": "user", "content": "Q"});
            let items = [&asked].into_iter().chain(listed(&body["output"])).cloned();
            json!({"model": "m", "input": items.chain(results).collect::<Vec<Value>>()})
        }
        _ => {
            let message = &body["choices"][0]["message"];
            let calls = listed(&message["tool_calls"]);
            let results = calls
                .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "x"}));
            let asked = [json!({"role": "user", "content": "Q"}), message.clone()];
            let messages: Vec<Value> = asked.into_iter().chain(results).collect();
            json!({"model": "m", "messages": messages})
        }
    }
}

fn listed(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Every answer, through every door, as its client sends it back.
fn second_turns() -> Vec<(String, Given, Request)> {
    let mut turns = Vec::new();
    for door in DOORS {
        for stream in [false, true] {
            for given in given() {
                let body = given.body.to_string();
                let read = dialect(given.upstream).decode_answer;
                let answer = read(body.as_bytes(), &given.quirks).unwrap();
                // The same dialect is relayed as it came and never written anew.
                if given.upstream == *door {
                    continue;
                }
                let request = decode(door, &next_turn(door, &told(door, &answer, stream)));
                let name = format!("{} -> {door}, stream: {stream}", given.upstream);
                turns.push((name, given, request));
            }
        }
    }
    turns
}

#[test]
fn what_an_upstream_gave_comes_back_to_it_through_every_client() {
    for (name, given, request) in second_turns() {
        let (sent, _) = encode(given.upstream, &request, &target("m", &given.quirks));
        let sent = sent.to_string();
        for state in given.state {
            assert!(sent.contains(state), "{name}: no {state} in {sent}");
        }
        assert!(!sent.contains("weighbridge:"), "{name}: {sent}");
        assert!(!sent.contains("call_wbg"), "{name}: {sent}");
    }
}

#[test]
fn a_request_without_its_seals_tells_nobody_anything() {
    for (name, given, mut request) in second_turns() {
        request.drop_seals();
        for stranger in DIALECTS {
            let (sent, _) = encode(stranger.id, &request, &target("m", &given.quirks));
            let sent = sent.to_string();
            assert!(!sent.contains("SEAL"), "{name}, then {}: {sent}", stranger.id);
            assert!(!sent.contains("U0VBTC"), "{name}, then {}: {sent}", stranger.id);
        }
    }
}

#[test]
fn a_request_of_the_providers_own_dialect_loses_its_seals_too() {
    for given in given().into_iter().filter(|given| DOORS.contains(&given.upstream)) {
        let door = given.upstream;
        let mut request = decode(door, &next_turn(door, &given.body));
        let (whole, _) = encode(door, &request, &target("m", &given.quirks));
        assert!(whole.to_string().contains("SEAL-1"), "{door}: {whole}");
        request.drop_seals();
        let (sent, _) = encode(door, &request, &target("m", &given.quirks));
        assert!(!sent.to_string().contains("SEAL"), "{door}: {sent}");
    }
}

#[test]
fn thinking_is_not_asked_for_in_a_loop_whose_seals_are_gone() {
    let body = json!({"model": "m", "max_tokens": 5000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "Q"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "SEAL"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}]});
    let mut request = decode(ANTHROPIC, &body);
    let quirks = Quirks::default();
    assert!(encode(ANTHROPIC, &request, &target("m", &quirks)).0.get("thinking").is_some());
    request.drop_seals();
    let (sent, dropped) = encode(ANTHROPIC, &request, &target("m", &quirks));
    assert_eq!((sent.get("thinking"), dropped.as_str()), (None, "reasoning_effort"));
}

#[test]
fn sealed_items_of_a_stream_are_put_together_before_what_they_led_to() {
    let pieces = [
        json!({"reasoning": "h", "reasoning_details": [
            {"type": "reasoning.text", "text": "h", "index": 0, "format": "x"}]}),
        json!({"reasoning": "m", "reasoning_details": [
            {"type": "reasoning.text", "text": "m", "signature": null, "index": 0}]}),
        json!({"reasoning_details": [
            {"type": "reasoning.text", "signature": "SEAL", "index": 0}]}),
        json!({"content": "Hello"}),
        json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "D", "index": 1}]}),
    ];
    let mut reader = (dialect(OPENAI).decode_events)(&Quirks::default());
    let mut events = Vec::new();
    let mut read = |delta: &Value, finish: Option<&str>| {
        let chunk = json!({"id": "i", "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        reader.event(None, chunk.to_string().as_bytes(), &mut events).unwrap();
    };
    pieces.iter().for_each(|delta| read(delta, None));
    read(&json!({}), Some("stop"));
    let told: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::RedactedReasoning { data, origin, .. } => Some(format!("{origin} {data}")),
            Event::Text { text, .. } | Event::Reasoning { text, .. } => Some(text.clone()),
            Event::Stop { .. } => Some("stop".to_owned()),
            _ => None,
        })
        .collect();
    let item = r#"{"type":"reasoning.text","text":"hm","index":0,"format":"x","signature":"SEAL"}"#;
    let late = r#"{"type":"reasoning.encrypted","data":"D","index":1}"#;
    let kept = |item: &str| format!("openai_chat {item}");
    assert_eq!(told, ["h", "m", &kept(item), "Hello", &kept(late), "stop"]);
    // A client of OpenAI's sees the host's items as they are.
    let body = (dialect(OPENAI).encode_answer)(&answer_of(&events));
    let body: Value = serde_json::from_slice(&body).unwrap();
    let details = &body["choices"][0]["message"]["reasoning_details"];
    assert_eq!(details[0], serde_json::from_str::<Value>(item).unwrap());
}

#[test]
fn readable_reasoning_is_kept_stripped_or_injected_in_any_form() {
    let call = json!([{"id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]);
    let chat = |field: &str, calls: &Value| {
        let mut turn = json!({"role": "assistant", "content": "x", "tool_calls": calls});
        if !field.is_empty() {
            turn[field] = json!("hm");
        }
        (OPENAI, json!({"model": "m", "messages": [{"role": "user", "content": "Q"}, turn]}))
    };
    let thinking = json!({"model": "m", "messages": [{"role": "user", "content": "Q"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}}]}]});
    for ((door, body), kept, injected) in [
        (chat("reasoning_content", &call), json!("hm"), json!("hm")),
        (chat("reasoning", &call), json!("hm"), json!("hm")),
        ((ANTHROPIC, thinking), json!("hm"), json!("hm")),
        (chat("", &call), Value::Null, json!("")),
        (chat("reasoning_content", &json!([])), json!("hm"), Value::Null),
    ] {
        for (policy, expected) in [
            (ReasoningContent::Strip, &Value::Null),
            (ReasoningContent::Keep, &kept),
            (ReasoningContent::Inject, &injected),
        ] {
            let quirks = Quirks { reasoning_content: policy, ..Quirks::default() };
            let (sent, _) = encode(OPENAI, &decode(door, &body), &target("m", &quirks));
            let turn = &sent["messages"][1];
            assert_eq!(&turn["reasoning_content"], expected, "{policy:?} {turn}");
        }
    }
}

#[test]
fn calls_without_ids_get_ones_that_their_results_name_in_the_next_turn() {
    let chat = json!({"id": "i", "model": "m", "choices": [{"index": 0,
        "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
            "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]});
    let gemini = json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model",
        "parts": [{"functionCall": {"name": "f", "args": {}}},
            {"functionCall": {"name": "f", "args": {}}}]}}]});
    for (upstream, body) in [(OPENAI, chat), (GEMINI, gemini)] {
        let body = body.to_string();
        let read = || {
            let read = dialect(upstream).decode_answer;
            read(body.as_bytes(), &Quirks::default()).unwrap()
        };
        assert_eq!(read(), read(), "{upstream}");
        for door in DOORS {
            let request = decode(door, &next_turn(door, &told(door, &read(), true)));
            // Written for a provider that shows all ids.
            let (sent, _) = encode(OPENAI, &request, &target("m", &Quirks::default()));
            let turns = &sent["messages"];
            let ids: Vec<&Value> =
                listed(&turns[1]["tool_calls"]).map(|call| &call["id"]).collect();
            let results: Vec<&Value> = listed(turns)
                .filter(|turn| turn["role"] == "tool")
                .map(|turn| &turn["tool_call_id"])
                .collect();
            assert_eq!(ids, results, "{upstream} -> {door}: {sent}");
            assert_eq!(ids.len(), 2, "{upstream} -> {door}: {sent}");
            assert_ne!(ids[0], ids[1], "{upstream} -> {door}: {sent}");
        }
    }
}

const MARK: &str = r#"{"type":"ephemeral"}"#;

fn mark() -> Value {
    serde_json::from_str(MARK).unwrap()
}

/// A request of a chat client that marks prefixes at every place that hosts know.
fn marked_chat() -> Value {
    json!({"model": "m", "messages": [
        {"role": "system", "content": "Be brief.", "cache_control": mark()},
        {"role": "user", "content": [{"type": "text", "text": "Q", "cache_control": mark()}]},
        {"role": "assistant", "content": "A", "cache_control": mark()},
        {"role": "user", "content": "Q2", "cache_control": mark()}],
        "tools": [
            {"type": "function", "cache_control": mark(), "function": {"name": "f"}},
            {"type": "function", "function": {"name": "g", "cache_control": mark()}}]})
}

#[test]
fn marks_of_cached_prefixes_reach_the_provider_from_chat_clients() {
    let request = decode(OPENAI, &marked_chat());
    let (sent, _) = encode(ANTHROPIC, &request, &target("m", &Quirks::default()));
    assert_eq!(sent["system"][0]["cache_control"], mark(), "{sent}");
    for turn in listed(&sent["messages"]) {
        assert_eq!(turn["content"][0]["cache_control"], mark(), "{turn}");
    }
    assert_eq!(listed(&sent["messages"]).count(), 3);
    for tool in listed(&sent["tools"]) {
        assert_eq!(tool["cache_control"], mark(), "{tool}");
    }
}

#[test]
fn marks_of_cached_prefixes_go_to_hosts_that_take_them_only() {
    let body = json!({"model": "m", "max_tokens": 9,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": mark()}],
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "Q", "cache_control": mark()}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark()}]});
    let request = decode(ANTHROPIC, &body);
    let taking = Quirks { cache_control: true, ..Quirks::default() };
    let (sent, _) = encode(OPENAI, &request, &target("m", &taking));
    assert_eq!(sent["messages"][0]["content"][0]["cache_control"], mark(), "{sent}");
    assert_eq!(sent["messages"][1]["content"][0]["cache_control"], mark(), "{sent}");
    assert_eq!(sent["tools"][0]["cache_control"], mark(), "{sent}");
    for stranger in
        DIALECTS.iter().filter(|dialect| [OPENAI, GEMINI, RESPONSES].contains(&dialect.id))
    {
        let (sent, _) = encode(stranger.id, &request, &target("m", &Quirks::default()));
        assert!(!sent.to_string().contains("cache_control"), "{}: {sent}", stranger.id);
    }
}

#[test]
fn pieces_of_a_prompt_that_cannot_be_said_are_named() {
    let search = json!({"type": "search_result", "source": "s", "title": "t",
        "content": [{"type": "text", "text": "x"}]});
    let ask = |role: &str, block: &Value| {
        json!({"model": "m", "max_tokens": 9, "messages": [
            {"role": "user", "content": "hi"}, {"role": role, "content": [block.clone()]}]})
    };
    let used = json!({"type": "server_tool_use", "id": "s_1", "name": "web_search", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "t_1", "content": [search]});
    for (body, name) in [
        (ask("user", &search), "messages"),
        (ask("user", &result), "messages"),
        (ask("assistant", &used), "content"),
    ] {
        let request = decode(ANTHROPIC, &body);
        for dialect in [OPENAI, GEMINI, RESPONSES, "bedrock_converse", "cohere_v2"] {
            let quirks = Quirks::default();
            let (_, dropped) = encode(dialect, &request, &target("m", &quirks));
            assert!(dropped.contains(name), "{dialect}: {dropped}");
        }
        let (_, dropped) = encode(ANTHROPIC, &request, &target("m", &Quirks::default()));
        assert_eq!(dropped, "");
    }
}
