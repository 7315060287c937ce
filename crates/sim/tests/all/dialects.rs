//! Healthy answers: every dialect, streamed and not, with everything a request can ask for.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Delay, Dialect, ModelSettings, Profile, ProviderSettings, Sim, SimSettings};

use crate::client::{
    End, ask, asked, body, exchange, plain, provider, provider_with, question, request, send, sim,
    stream,
};

/// The dialects of the first hour, for what they alone have.
const OLD: [Dialect; 3] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini];

#[tokio::test(start_paused = true)]
async fn all_dialects_say_the_same_text_streamed_and_not() {
    let provider = provider();
    let mut texts = Vec::new();
    for dialect in Dialect::ALL {
        for streamed in [false, true] {
            let seen = send(&provider, &asked(dialect, "m", streamed)).await;
            assert_eq!((seen.status, seen.end), (200, End::Complete), "{dialect:?} {streamed}");
            assert_eq!(seen.is_sse(), streamed && dialect != Dialect::Bedrock);
            texts.push(seen.text());
        }
    }
    assert_eq!(texts[0].split(' ').count(), 56, "60 tokens, four of them full stops: {}", texts[0]);
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_seed_replays_its_bytes_and_another_does_not() {
    let run = async |seed| {
        let sim = Sim::new(SimSettings { seed, ..SimSettings::default() });
        stream(&sim.default_provider(), "m-think").await.raw
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test(start_paused = true)]
async fn providers_agree_unless_their_voices_differ() {
    let sim = sim();
    let named = |name: &str| ProviderSettings::named(name);
    let (a, b) = (sim.provider(named("a")), sim.provider(named("b")));
    let c = sim.provider(ProviderSettings { voice: "other".into(), ..named("c") });
    let text = stream(&a, "m").await.text();
    assert_eq!(stream(&b, "another-model").await.text(), text);
    assert_ne!(stream(&c, "m").await.text(), text);
}

#[tokio::test(start_paused = true)]
async fn an_openai_stream_has_role_content_finish_usage_and_done_in_order() {
    let seen = stream(&provider(), "sim-5").await;
    let events = seen.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events.len(), 1 + 5 + 1 + 1);
    assert_eq!(events[6]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[7]["choices"], json!([]));
    assert_eq!(events[7]["usage"]["completion_tokens"], 5);
    assert!(seen.is_done());
}

#[tokio::test(start_paused = true)]
async fn usage_is_only_streamed_when_asked_for() {
    let mut asking = question(Dialect::OpenAi, "m", true);
    asking.as_object_mut().unwrap().remove("stream_options");
    let seen = send(&provider(), &body(Dialect::OpenAi, "m", true, &asking)).await;
    assert!(!seen.body_text().contains("usage"));
}

#[tokio::test(start_paused = true)]
async fn an_anthropic_stream_keeps_the_event_order() {
    let seen = send(&provider(), &asked(Dialect::Anthropic, "sim-2-think", true)).await;
    let text = seen.body_text();
    let names = text.lines().filter_map(|line| line.strip_prefix("event: "));
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let mut wanted = vec!["message_start", "ping"];
    wanted.extend(block.iter().chain(&block));
    wanted.extend(["message_delta", "message_stop"]);
    assert_eq!(names, wanted);
    assert!(text.contains("signature_delta"));
}

#[tokio::test(start_paused = true)]
async fn max_tokens_ends_with_length() {
    let cases = [
        (Dialect::OpenAi, "max_completion_tokens", "/choices/0/finish_reason", "length"),
        (Dialect::Anthropic, "max_tokens", "/stop_reason", "max_tokens"),
    ];
    for (dialect, field, place, word) in cases {
        let mut asking = question(dialect, "m", false);
        asking[field] = 7.into();
        let seen = send(&provider(), &body(dialect, "m", false, &asking)).await.json();
        assert_eq!(seen.pointer(place), Some(&json!(word)));
    }
    let mut asking = question(Dialect::Gemini, "m", false);
    asking["generationConfig"] = json!({ "maxOutputTokens": 7 });
    let seen = send(&provider(), &body(Dialect::Gemini, "m", false, &asking)).await.json();
    assert_eq!(seen["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(seen["usageMetadata"]["candidatesTokenCount"], 7);
}

fn weather(dialect: Dialect, text: &str, streamed: bool) -> Value {
    let schema = json!({ "type": "object", "properties": {
        "city": { "type": "string" }, "days": { "type": "integer" } } });
    with_tool(ask(dialect, "m", streamed, text), dialect, "weather", &schema)
}

/// A question that offers a tool.
pub(crate) fn with_tool(mut asking: Value, dialect: Dialect, name: &str, schema: &Value) -> Value {
    let function = json!({ "name": name, "parameters": schema });
    match dialect {
        Dialect::OpenAi | Dialect::Cohere => {
            asking["tools"] = json!([{ "type": "function", "function": function }]);
        }
        Dialect::Responses => {
            asking["tools"] = json!([{ "type": "function", "name": name, "parameters": schema }]);
        }
        Dialect::Completions => {}
        Dialect::Anthropic => {
            asking["tools"] = json!([{ "name": name, "input_schema": schema }]);
        }
        Dialect::Gemini => {
            asking["tools"] = json!([{ "functionDeclarations": [function] }]);
        }
        Dialect::Bedrock => {
            let spec = json!({ "name": name, "inputSchema": { "json": schema } });
            asking["toolConfig"] = json!({ "tools": [{ "toolSpec": spec }] });
        }
    }
    asking
}

#[tokio::test(start_paused = true)]
async fn openai_tool_calls_stream_in_fragments_that_join_to_the_whole() {
    let provider = provider();
    let asking = weather(Dialect::OpenAi, "weather in both cities", true);
    let seen = send(&provider, &body(Dialect::OpenAi, "m", true, &asking)).await;
    let mut arguments = [String::new(), String::new()];
    let mut ids = Vec::new();
    for event in seen.events() {
        let call = &event["choices"][0]["delta"]["tool_calls"][0];
        let Some(index) = call["index"].as_u64() else { continue };
        ids.extend(call["id"].as_str().map(str::to_owned));
        arguments[index as usize] += call["function"]["arguments"].as_str().unwrap();
    }
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    let whole = weather(Dialect::OpenAi, "weather in both cities", false);
    let whole = send(&provider, &body(Dialect::OpenAi, "m", false, &whole)).await.json();
    for (index, arguments) in arguments.iter().enumerate() {
        let call = &whole["choices"][0]["message"]["tool_calls"][index]["function"];
        assert_eq!(call["arguments"], **arguments);
        let object: Value = serde_json::from_str(arguments).unwrap();
        assert!(object["city"].is_string() && object["days"].is_i64());
    }
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test(start_paused = true)]
async fn anthropic_and_gemini_call_tools_in_their_own_way() {
    let asking = weather(Dialect::Anthropic, "weather?", false);
    let seen = send(&provider(), &body(Dialect::Anthropic, "m", false, &asking)).await.json();
    assert_eq!(seen["content"][0]["type"], "text");
    assert_eq!(seen["content"][1]["name"], "weather");
    assert!(seen["content"][1]["input"]["days"].is_i64());
    assert_eq!(seen["stop_reason"], "tool_use");
    let asking = weather(Dialect::Gemini, "weather, parallel", true);
    let seen = send(&provider(), &body(Dialect::Gemini, "m", true, &asking)).await;
    let calls = seen.body_text().matches("functionCall").count();
    assert_eq!(calls, 2);
}

#[tokio::test(start_paused = true)]
async fn a_tool_result_is_quoted_in_the_answer() {
    let mut asking = weather(Dialect::OpenAi, "weather?", false);
    let turns = asking["messages"].as_array_mut().unwrap();
    let call = json!({ "id": "call_1", "type": "function",
        "function": { "name": "weather", "arguments": "{}" } });
    turns.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
    turns.push(json!({ "role": "tool", "tool_call_id": "call_1", "content": "17 degrees" }));
    let seen = send(&provider(), &body(Dialect::OpenAi, "m", false, &asking)).await;
    assert!(seen.text().contains("17 degrees"), "{}", seen.text());
}

#[tokio::test(start_paused = true)]
async fn tool_choice_is_obeyed() {
    let mut asking = weather(Dialect::OpenAi, "weather?", false);
    asking["tool_choice"] = "none".into();
    let seen = send(&provider(), &body(Dialect::OpenAi, "m", false, &asking)).await;
    assert!(seen.json()["choices"][0]["message"].get("tool_calls").is_none());
    asking["parallel_tool_calls"] = false.into();
    asking["tool_choice"] = json!({ "type": "function", "function": { "name": "weather" } });
    asking["messages"][0]["content"] = "both".into();
    let seen = send(&provider(), &body(Dialect::OpenAi, "m", false, &asking)).await;
    let calls = seen.json()["choices"][0]["message"]["tool_calls"].as_array().unwrap().len();
    assert_eq!(calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_schema_is_answered_with_an_object_that_fits() {
    let schema = json!({ "type": "object", "properties": { "name": { "type": "string" },
        "tags": { "type": "array", "items": { "type": "string" } } } });
    let mut asking = question(Dialect::OpenAi, "m", true);
    asking["response_format"] = json!({ "type": "json_schema",
        "json_schema": { "name": "x", "schema": schema } });
    let seen = send(&provider(), &body(Dialect::OpenAi, "m", true, &asking)).await;
    let object: Value = serde_json::from_str(&seen.text()).unwrap();
    assert!(object["name"].is_string() && object["tags"].is_array());
}

#[tokio::test(start_paused = true)]
async fn images_are_seen_and_choices_are_several() {
    let mut asking = question(Dialect::OpenAi, "m", false);
    let image =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } });
    asking["messages"][0]["content"] = json!([{ "type": "text", "text": "look" }, image, image]);
    asking["n"] = 2.into();
    let seen = send(&provider(), &body(Dialect::OpenAi, "m", false, &asking)).await;
    assert!(seen.text().starts_with("I see 2 images."));
    let choices = seen.json()["choices"].clone();
    assert_ne!(choices[0]["message"]["content"], choices[1]["message"]["content"]);
    assert_eq!(seen.json()["usage"]["completion_tokens"], 120);
}

#[tokio::test(start_paused = true)]
async fn a_prefill_is_continued_exactly_or_refused() {
    let provider = provider();
    let whole = plain(&provider, "m").await.text();
    let (said, rest) = whole.split_at(100);
    let mut asking = question(Dialect::OpenAi, "m-prefill", true);
    let turn = json!({ "role": "assistant", "content": said });
    asking["messages"].as_array_mut().unwrap().push(turn);
    let seen = send(&provider, &body(Dialect::OpenAi, "m-prefill", true, &asking)).await;
    assert_eq!(seen.text(), rest);
    asking["model"] = "m".into();
    let seen = send(&provider, &body(Dialect::OpenAi, "m", true, &asking)).await;
    assert_eq!(seen.status, 400);
}

#[tokio::test(start_paused = true)]
async fn bad_requests_are_refused_in_the_vendors_words() {
    let bad = [json!({ "model": "m", "max_tokens": 5 }), json!({ "model": "m", "messages": "x" })];
    for dialect in OLD {
        for asking in &bad {
            let seen = send(&provider(), &body(dialect, "m", false, asking)).await;
            assert_eq!(seen.status, 400, "{dialect:?} {asking}");
            assert!(seen.json()["error"]["message"].is_string());
        }
        let seen =
            send(&provider(), &request(&crate::client::path(dialect, "m", false), "", b"{}")).await;
        assert_eq!(seen.status, 401, "{dialect:?}");
    }
    let mut asking = question(Dialect::Anthropic, "m", false);
    asking.as_object_mut().unwrap().remove("max_tokens");
    let seen = send(&provider(), &body(Dialect::Anthropic, "m", false, &asking)).await;
    assert_eq!(seen.json()["error"]["type"], "invalid_request_error");
}

#[tokio::test(start_paused = true)]
async fn delays_are_those_of_the_models_profile() {
    let profile = Profile {
        ttft: Delay::Fixed(Duration::from_millis(300)),
        gap: Delay::Fixed(Duration::from_millis(20)),
    };
    let row =
        ModelSettings { contains: "slow".into(), profile: Some(profile), ..Default::default() };
    let provider = provider_with(|settings| settings.models.push(row));
    let seen = stream(&provider, "slow").await;
    assert_eq!(seen.first_byte, Some(Duration::from_millis(300)));
    assert_eq!(seen.took, Duration::from_millis(300 + 59 * 20));
    assert_eq!(plain(&provider, "slow").await.took, seen.took);
    assert_eq!(stream(&provider, "quick").await.took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_and_chunked_requests_are_read() {
    let (mut client, server) = sim::memory::pipe();
    let provider = provider();
    let sim = provider.sim().clone();
    tokio::spawn(async move { provider.serve_link(server).await });
    let asking = question(Dialect::OpenAi, "m", false).to_string();
    let (left, right) = asking.split_at(10);
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k\r\n\
         transfer-encoding: chunked\r\n\r\na\r\n{left}\r\n{:x}\r\n{right}\r\n0\r\n\r\n",
        right.len()
    );
    for bytes in [asked(Dialect::OpenAi, "m", true), chunked.into_bytes()] {
        assert_eq!(exchange(&mut client, &bytes).await.status, 200);
    }
    let journal = sim.journal();
    assert_eq!(journal.iter().map(|entry| entry.connection).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(sim.open_connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn providers_share_a_port_by_path_and_list_their_models() {
    let sim = sim();
    let row = ModelSettings { contains: "big".into(), ..Default::default() };
    sim.provider(ProviderSettings { models: vec![row], ..ProviderSettings::named("vendor") });
    let get = b"GET /vendor/v1/models HTTP/1.1\r\nauthorization: Bearer k\r\n\r\n";
    let seen = send(&sim.default_provider(), get).await;
    assert_eq!(seen.json()["data"][0]["id"], "big");
}
