//! The `openai_completions` dialect: prompts and their continuations, there and back.

use crate::samples::{
    aggregated, decode, dialect, encode, events, frames, lines_as_stream, message, metered, target,
    text, written,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::hub::{Answer, Event, Media, Part, Request, Role, StopReason, Usage};

const ID: &str = "openai_completions";
const CHAT: &str = "openai_chat";

fn answer(body: &Value) -> Answer {
    (dialect(ID).decode_answer)(body.to_string().as_bytes(), &Quirks::default()).unwrap()
}

fn answered(id: &str, answer: &Answer) -> Value {
    serde_json::from_slice(&(dialect(id).encode_answer)(answer)).unwrap()
}

fn refused(body: &Value) -> String {
    let read = (dialect(ID).decode_request)(body.to_string().as_bytes(), None, false);
    read.unwrap_err().to_string()
}

#[test]
fn a_prompt_is_one_turn_of_the_user() {
    let request =
        decode(ID, &json!({"model": "x", "prompt": "Say", "max_tokens": 9, "logprobs": 2}));
    assert_eq!(request.messages, [message(Role::User, vec![text("Say")])]);
    let (body, dropped) = encode(CHAT, &request, &target("up", &Quirks::default()));
    let expected = json!({"model": "up", "messages": [{"role": "user", "content": "Say"}],
        "max_tokens": 9, "logprobs": true, "top_logprobs": 2});
    assert_eq!((body, dropped.as_str()), (expected, ""));
    assert_eq!(decode(ID, &json!({"prompt": ["Say"]})).messages, request.messages);
}

#[test]
fn sixteen_tokens_are_the_bound_of_clients_that_name_none() {
    assert_eq!(decode(ID, &json!({"prompt": "a"})).max_tokens, Some(16));
    let chat = decode(CHAT, &json!({"messages": [{"role": "user", "content": "a"}]}));
    let (body, _) = encode(ID, &chat, &target("up", &Quirks::default()));
    assert_eq!(body["max_tokens"], 4096);
}

#[test]
fn prompts_that_only_completions_know_are_refused_by_name() {
    for prompt in [json!(["a", "b"]), json!([1, 2]), json!([[1], [2]])] {
        let told = refused(&json!({"prompt": prompt}));
        assert!(told.starts_with("prompt: ") && told.contains("completions"), "{told}");
    }
    for body in [json!({}), json!({"prompt": 7}), json!({"prompt": []}), json!({"prompt": [{}]})] {
        assert!(refused(&body).starts_with("prompt: "), "{body}");
    }
    assert!(refused(&json!({"prompt": "a", "logprobs": true})).starts_with("logprobs: "));
}

#[test]
fn a_request_survives_the_hub_in_its_own_dialect() {
    let body = json!({"model": "up", "prompt": "a", "max_tokens": 9, "temperature": 0.5, "seed": 7,
        "n": 2, "logprobs": 7, "stop": ["x"], "user": "u", "suffix": "s", "echo": true,
        "best_of": 3, "logit_bias": {"1": 2}});
    let (again, dropped) = encode(ID, &decode(ID, &body), &target("up", &Quirks::default()));
    assert_eq!((again, dropped.as_str()), (body.clone(), ""));
    let (_, dropped) = encode(CHAT, &decode(ID, &body), &target("up", &Quirks::default()));
    assert_eq!(dropped, "logit_bias suffix echo best_of");
}

#[test]
fn a_conversation_becomes_a_prompt_as_far_as_it_is_text() {
    let quirks = Quirks::default();
    let mut request = Request { system: vec![text("Be brief.")], ..Request::default() };
    request.messages = vec![message(Role::User, vec![text("Hi")])];
    assert_eq!(encode(ID, &request, &target("up", &quirks)).0["prompt"], "Be brief.\n\nHi");
    request.messages.push(message(Role::Assistant, vec![text("Yes?")]));
    let picture = Part::Image {
        source: Media::Url("https://x/y.png".to_owned()),
        extra: json!({}).as_object().unwrap().clone(),
    };
    request.messages.push(message(Role::User, vec![text("Go"), picture]));
    let (body, dropped) = encode(ID, &request, &target("up", &quirks));
    let play = "Be brief.\n\nUser: Hi\n\nAssistant: Yes?\n\nUser: Go\n\nAssistant:";
    assert_eq!((&body["prompt"], dropped.as_str()), (&json!(play), "messages"));
    let mut continued = target("up", &quirks);
    continued.prefill = Some("I go");
    let (body, _) = encode(ID, &request, &continued);
    assert_eq!(body["prompt"], format!("{play} I go"));
}

#[test]
fn streams_are_asked_for_with_usage() {
    let quirks = Quirks::default();
    let request = decode(ID, &json!({"prompt": "a", "stream": true, "stream_options": {"x": 1}}));
    let streamed = wire::dialect::Target { stream: true, ..target("up", &quirks) };
    let (body, _) = encode(ID, &request, &streamed);
    assert_eq!(body["stream_options"], json!({"include_usage": true, "x": 1}));
    let (body, _) = encode(ID, &request, &target("up", &quirks));
    assert_eq!(body.get("stream_options"), None);
}

fn full() -> Value {
    json!({
        "id": "cmpl-1", "object": "text_completion", "created": 5, "model": "m",
        "choices": [{"text": " the end", "index": 0, "finish_reason": "length", "logprobs": {
            "tokens": [" the", " end"], "token_logprobs": [-0.5, null],
            "top_logprobs": [{" the": -0.5, " a": -1.5}, {}], "text_offset": [0, 4]}}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0}},
        "system_fingerprint": "fp",
    })
}

#[test]
fn an_answer_survives_the_hub_in_its_own_dialect() {
    let answer = answer(&full());
    assert_eq!(answered(ID, &answer), full());
    assert_eq!(answer.usage, Some(Usage { input: 4, output: 2, ..Usage::default() }));
    assert_eq!(answer.choices[0].stop.as_ref().unwrap().reason, StopReason::Length);
}

#[test]
fn an_answer_is_worded_for_chat_clients_and_from_chat_providers() {
    let chat = answered(CHAT, &answer(&full()));
    assert_eq!(chat["choices"][0]["message"]["content"], " the end");
    let second = json!({"token": " end", "logprob": null, "bytes": [32, 101, 110, 100],
        "top_logprobs": []});
    assert_eq!(chat["choices"][0]["logprobs"]["content"][1], second);
    let back = (dialect(CHAT).decode_answer)(chat.to_string().as_bytes(), &Quirks::default());
    let mut back = answered(ID, &back.unwrap());
    back["system_fingerprint"] = "fp".into();
    assert_eq!(back, full());
    let tool = json!({"choices": [{"message": {"content": "x"}, "finish_reason": "tool_calls"}]});
    let tool = (dialect(CHAT).decode_answer)(tool.to_string().as_bytes(), &Quirks::default());
    assert_eq!(answered(ID, &tool.unwrap())["choices"][0]["finish_reason"], "stop");
}

#[test]
fn malformed_answers_are_located() {
    let path = |body: Value| {
        let read = (dialect(ID).decode_answer)(body.to_string().as_bytes(), &Quirks::default());
        read.unwrap_err().path
    };
    assert_eq!(path(json!({})), "choices");
    assert_eq!(path(json!({"choices": [{"text": "a"}, {}]})), "choices[1].text");
    assert_eq!(path(json!({"error": {"message": "no"}})), "error");
}

const STREAM: &str = r#"
{"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":" the","index":0,"logprobs":{"tokens":[" the"],"token_logprobs":[-0.5],"top_logprobs":[{}],"text_offset":[0]},"finish_reason":null}],"usage":null}
{"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":" end","index":0,"logprobs":{"tokens":[" end"],"token_logprobs":[-0.25],"top_logprobs":[{}],"text_offset":[4]},"finish_reason":null}],"usage":null}
{"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":null}
{"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}
[DONE]
"#;

#[test]
fn a_stream_survives_the_hub_in_its_own_dialect() {
    let stream = lines_as_stream(STREAM);
    let events = events(ID, &Quirks::default(), &frames(&stream, 100));
    assert_eq!(written(ID, &events).as_bytes(), stream);
    assert!(matches!(events.first(), Some(Event::Start { created: Some(5), .. })));
    let silent = {
        let mut encoder = (dialect(ID).encode_events)(false);
        let mut out = Vec::new();
        events.iter().for_each(|event| encoder.event(event, &mut out));
        String::from_utf8(out).unwrap()
    };
    assert!(!silent.contains("usage") && silent.ends_with("data: [DONE]\n\n"), "{silent}");
}

#[test]
fn a_stream_is_metered_and_put_together() {
    let frames = frames(&lines_as_stream(STREAM), 7);
    let seen = metered(ID, &frames);
    assert!(seen.content && seen.done);
    assert_eq!((seen.content_bytes, seen.stop), (8, Some(StopReason::Stop)));
    assert_eq!(seen.usage, Some(Usage { input: 4, output: 2, ..Usage::default() }));
    let whole: Value = serde_json::from_slice(&aggregated(ID, &frames)).unwrap();
    let choice = &whole["choices"][0];
    assert_eq!((&choice["text"], &choice["finish_reason"]), (&json!(" the end"), &json!("stop")));
    assert_eq!(choice["logprobs"]["tokens"], json!([" the", " end"]));
    assert_eq!((&whole["object"], &whole["id"]), (&json!("text_completion"), &json!("cmpl-1")));
    assert_eq!(answer(&whole).usage, seen.usage);
}

#[test]
fn several_alternatives_are_told_apart_and_end_once() {
    let stream = lines_as_stream(
        r#"{"id":"i","choices":[{"text":"a","index":1},{"text":"b","index":0}]}
{"id":"i","choices":[{"text":"c","index":1,"finish_reason":"stop"},{"text":"","index":0,"finish_reason":"length"}]}
{"id":"i","choices":[{"text":"","index":1,"finish_reason":"stop"}]}"#,
    );
    let frames = frames(&stream, 1000);
    let ends = events(ID, &Quirks::default(), &frames);
    let ends = ends.iter().filter(|event| matches!(event, Event::Stop { .. })).count();
    assert_eq!(ends, 2);
    let whole: Value = serde_json::from_slice(&aggregated(ID, &frames)).unwrap();
    let texts: Vec<_> = whole["choices"].as_array().unwrap().iter().map(|c| &c["text"]).collect();
    assert_eq!(texts, ["b", "ac"]);
}

#[test]
fn an_error_inside_a_stream_is_told_and_closes_it() {
    let stream = lines_as_stream(r#"{"error":{"message":"over","code":503}}"#);
    let events = events(ID, &Quirks::default(), &frames(&stream, 100));
    let Some(Event::Error(reported)) = events.first() else { panic!("{events:?}") };
    assert_eq!((reported.status, reported.message.as_str()), (Some(503), "over"));
    let told = written(ID, &[&events[..], &[Event::Done]].concat());
    assert!(told.contains("over") && !told.contains("[DONE]"), "{told}");
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(data in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        "\\{\"choices\":\\[\\{\"(text|logprobs|finish_reason|index)\":(\"a\"|1|null|\\{\"tokens\":\\[1,\"b\"\\]\\})\\}\\]\\}"
            .prop_map(String::into_bytes),
        "\\{\"prompt\":(\"a\"|\\[\"a\"\\]|\\[1\\]|7),\"logprobs\":[0-9],\"stop\":(\"a\"|7)\\}".prop_map(String::into_bytes),
    ]) {
        let row = dialect(ID);
        let quirks = Quirks::default();
        let _ = (row.peek)(&data);
        if let Ok(request) = (row.decode_request)(&data, None, false) {
            let again = (row.encode_request)(&request, &target("m", &quirks));
            let again = (row.decode_request)(&again.body, None, false).unwrap();
            prop_assert_eq!(again.messages, request.messages);
        }
        if let Ok(answer) = (row.decode_answer)(&data, &quirks) {
            let again = (row.decode_answer)(&(row.encode_answer)(&answer), &quirks).unwrap();
            prop_assert_eq!(again.choices, answer.choices);
        }
        let mut out = Vec::new();
        let _ = (row.decode_events)(&quirks).event(None, &data, &mut out);
        let mut aggregate = (row.aggregate)();
        let _ = aggregate.event(None, &data);
        let _ = aggregate.finish();
        let _ = (row.meter)(&quirks).event(None, &data);
        let mut encoder = (row.encode_events)(true);
        let mut bytes = Vec::new();
        out.iter().for_each(|event| encoder.event(event, &mut bytes));
    }
}
