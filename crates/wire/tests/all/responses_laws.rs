//! Laws of the Responses dialect: a request survives it, a stream keeps its order whatever it tells,
//! stream and answer agree, and no input panics.

use crate::samples::{aggregated, dialect, encode, events, frames, target, text, written};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wire::dialect::Quirks;
use wire::hub::{Answer, Choice, Event, Extra, Part, Signature, Stop, StopReason, ToolCall, Usage};
use wire::replay::{answer_of, events_of};

const ID: &str = "openai_responses";

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Z \"\\\\\u{e9}\u{1f600}]{0,9}[a-z]"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,8}"
}

fn item() -> impl Strategy<Value = Value> {
    let seal = (option::of(name()), option::of(words()), option::of(words()));
    prop_oneof![
        (select(vec!["user", "system", "developer"]), vec(words(), 1..3)).prop_map(
            |(role, texts)| {
                let content: Vec<_> =
                    texts.iter().map(|t| json!({"type": "input_text", "text": t})).collect();
                json!({"type": "message", "role": role, "content": content})
            }
        ),
        words().prop_map(|data| json!({"type": "message", "role": "user", "content": [
            {"type": "input_image", "image_url": format!("data:image/png;base64,{data}"),
                "detail": "low"},
            {"type": "input_file", "file_id": data},
            {"type": "input_file", "filename": "a.pdf",
                "file_data": format!("data:application/pdf;base64,{data}")},
            {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        ]})),
        (words(), option::of(name())).prop_map(|(text, id)| {
            let mut item = json!({"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": text, "annotations": []},
                {"type": "refusal", "refusal": text}]});
            if let Some(id) = id {
                item["id"] = id.into();
                item["phase"] = "commentary".into();
            }
            item
        }),
        seal.prop_map(|(id, sealed, text)| {
            let mut item = json!({"type": "reasoning", "summary": []});
            if let Some(text) = text {
                item["summary"] = json!([{"type": "summary_text", "text": text}]);
            }
            item["id"] = id.map_or("rs".into(), Value::from);
            if let Some(sealed) = sealed {
                item["encrypted_content"] = sealed.into();
            }
            item
        }),
        (name(), name(), words()).prop_map(|(id, name, text)| json!({
            "type": "function_call", "call_id": id, "id": "fc", "name": name,
            "arguments": json!({"t": text}).to_string()})),
        (name(), name(), words()).prop_map(|(id, name, text)| json!({
            "type": "custom_tool_call", "call_id": id, "name": name, "input": text})),
        (name(), words()).prop_map(|(id, text)| json!({
            "type": "function_call_output", "call_id": id, "output": text})),
        (name(), words()).prop_map(|(id, text)| json!({
            "type": "custom_tool_call_output", "call_id": id, "output": [
                {"type": "input_text", "text": text}, {"type": "input_image", "file_id": id}]})),
        name().prop_map(|id| json!({"type": "item_reference", "id": id})),
        name().prop_map(|id| json!({"type": "local_shell_call", "call_id": id, "action": {}})),
        name().prop_map(|id| json!({"type": "shell_call_output", "call_id": id, "output": []})),
    ]
}

fn tool() -> impl Strategy<Value = Value> {
    let function = |name: String| {
        json!({
        "type": "function", "name": name, "parameters": {"type": "object"}, "strict": true})
    };
    let custom = |name: String| {
        json!({"type": "custom", "name": name, "description": "d",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}})
    };
    prop_oneof![
        name().prop_map(function),
        name().prop_map(custom),
        (name(), name(), name()).prop_map(move |(space, one, other)| json!({
            "type": "namespace", "name": space, "description": "n",
            "tools": [function(one), custom(other)]})),
        Just(json!({"type": "web_search", "filters": {"allowed_domains": ["a"]}})),
        Just(json!({"type": "local_shell"})),
    ]
}

prop_compose! {
    fn request()(
        input in vec(item(), 0..6), tools in vec(tool(), 0..4),
        instructions in option::of(words()), bound in option::of(1u64..99),
        effort in option::of(select(vec!["low", "xhigh"])),
        summary in option::of(select(vec!["auto", "detailed"])),
        verbosity in option::of(Just("low")), schema in any::<bool>(),
        choice in option::of(select(vec!["auto", "none", "required"])),
        store in option::of(any::<bool>()), previous in option::of(name()),
        stream in any::<bool>(), user in option::of(name()), newer in option::of(name()),
    ) -> Value {
        let mut body = json!({"model": "m", "input": input});
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                body[key] = value;
            }
        };
        set("tools", Some(tools).filter(|tools| !tools.is_empty()).map(Value::from));
        set("instructions", instructions.map(Value::from));
        set("max_output_tokens", bound.map(Value::from));
        let mut reasoning = json!({});
        if let Some(effort) = effort { reasoning["effort"] = effort.into(); }
        if let Some(summary) = summary { reasoning["summary"] = summary.into(); }
        set("reasoning", Some(reasoning).filter(|wish| *wish != json!({})));
        let mut shape = json!({});
        if let Some(verbosity) = verbosity { shape["verbosity"] = verbosity.into(); }
        if schema {
            shape["format"] = json!({"type": "json_schema", "name": "n", "strict": true,
                "schema": {"type": "object"}});
        }
        set("text", Some(shape).filter(|shape| *shape != json!({})));
        set("tool_choice", choice.map(Value::from));
        set("store", store.map(Value::from));
        set("previous_response_id", previous.map(Value::from));
        set("include", store.map(|_| json!(["reasoning.encrypted_content"])));
        set("stream", stream.then_some(true.into()));
        set("user", user.map(Value::from).filter(|user| newer.as_deref() != user.as_str()));
        set("safety_identifier", newer.map(Value::from));
        body
    }
}

fn thought() -> impl Strategy<Value = Part> {
    (words(), words(), any::<bool>()).prop_map(|(text, value, own)| {
        let sealed = json!({"id": "rs_1", "encrypted_content": value}).to_string();
        let (origin, value) = if own { (ID, sealed) } else { ("anthropic_messages", value) };
        Part::Reasoning { text, signature: Some(Signature { origin, value }) }
    })
}

fn call() -> impl Strategy<Value = Part> {
    (name(), name(), words()).prop_map(|(id, name, text)| {
        let arguments = json!({"input": text}).to_string();
        Part::ToolCall(ToolCall { id, name, arguments, signature: None, extra: Extra::new() })
    })
}

prop_compose! {
    fn answer()(
        thought in option::of(thought()), said in option::of(words()),
        refused in option::of(words()), calls in vec(call(), 0..3),
        reason in select(vec![StopReason::Stop, StopReason::Length, StopReason::ContentFilter]),
        input in 0u64..99, cached in 0u64..99, output in 0u64..99, reasoning in 0u64..99,
    ) -> Answer {
        let said = said.map(|words| text(&words));
        let refused = refused.map(Part::Refusal);
        let reason = match reason {
            StopReason::Stop if !calls.is_empty() => StopReason::ToolCalls,
            reason => reason,
        };
        let stop = Stop { reason, native: "n".to_owned(), sequence: None };
        let parts = thought.into_iter().chain(said).chain(refused).chain(calls).collect();
        Answer {
            id: "resp_i".to_owned(), model: "m".to_owned(), created: Some(7),
            usage: Some(Usage {
                input, cached_input: cached, output, reasoning, ..Usage::default()
            }),
            choices: vec![Choice { parts, stop: Some(stop), ..Choice::default() }],
            ..Answer::default()
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let signature = || {
        (words(), select(vec![ID, "gemini", "anthropic_messages"]))
            .prop_map(|(value, origin)| Signature { origin, value })
    };
    prop_oneof![
        3 => words().prop_map(|text| Event::Text { choice: 0, text, logprobs: None }),
        1 => words().prop_map(|text| Event::Refusal { choice: 0, text }),
        2 => words().prop_map(|text| Event::Reasoning { choice: 0, text }),
        1 => signature().prop_map(|signature| Event::ReasoningSignature { choice: 0, signature }),
        1 => words().prop_map(|data| Event::RedactedReasoning {
            choice: 0, data, origin: "anthropic_messages" }),
        2 => (0u32..4, name(), option::of(signature())).prop_map(|(index, name, signature)| {
            Event::ToolStart { choice: 0, index, id: name.clone(), name, signature }
        }),
        3 => (0u32..4, words()).prop_map(|(index, fragment)| Event::ToolArguments {
            choice: 0, index, fragment }),
        1 => Just(Event::Ping),
        1 => words().prop_map(|text| Event::Text { choice: 1, text, logprobs: None }),
    ]
}

/// What is open while a stream is checked.
#[derive(Default)]
struct Checker {
    added: usize,
    open: BTreeMap<u64, (String, String)>,
    parts: BTreeMap<u64, String>,
    done: BTreeMap<u64, Value>,
}

impl Checker {
    fn check(&mut self, data: &Value) {
        let kind = data["type"].as_str().unwrap();
        let at = data["output_index"].as_u64();
        match kind {
            "response.output_item.added" => {
                assert_eq!(at, Some(self.added as u64), "items are numbered in order");
                self.added += 1;
                let text = |key: &str| data["item"][key].as_str().unwrap().to_owned();
                let clash = self.open.values().any(|(id, _)| *id == text("id"));
                assert!(!clash, "ids are unique");
                self.open.insert(at.unwrap(), (text("id"), text("type")));
            }
            "response.output_item.done" => {
                let (id, kind) = self.open.remove(&at.unwrap()).expect("an open item");
                assert_eq!(
                    (&data["item"]["id"], &data["item"]["type"]),
                    (&id.into(), &kind.into())
                );
                assert!(!self.parts.contains_key(&at.unwrap()), "parts end before their item");
                self.done.insert(at.unwrap(), data["item"].clone());
            }
            _ => {
                let (id, _) = self.open.get(&at.unwrap()).expect("an open item");
                assert_eq!(data["item_id"], *id, "{kind}");
                self.part(kind, at.unwrap(), data);
            }
        }
    }

    fn part(&mut self, kind: &str, at: u64, data: &Value) {
        if kind.ends_with("_part.added") {
            assert!(self.parts.insert(at, String::new()).is_none(), "one part at a time");
        } else if kind.ends_with("_part.done") {
            self.parts.remove(&at).expect("an open part");
        } else if let (Some(delta), Some(sum)) = (data["delta"].as_str(), self.parts.get_mut(&at)) {
            sum.push_str(delta);
        } else if let Some(sum) = self.parts.get(&at) {
            let whole = data["text"].as_str().or(data["refusal"].as_str()).unwrap();
            assert_eq!(whole, sum, "{kind} repeats its deltas");
        } else {
            assert!(kind.contains("arguments") || kind.contains("input"), "{kind} needs a part");
        }
    }
}

/// Checks the order of a whole stream, and gives its last response.
fn ordered(stream: &str) -> Value {
    let payloads: Vec<Value> = frames(stream.as_bytes(), 64)
        .iter()
        .map(|(name, data)| {
            let data: Value = serde_json::from_slice(data).unwrap();
            assert_eq!(name.as_deref(), data["type"].as_str().map(str::as_bytes));
            data
        })
        .collect();
    for (at, data) in payloads.iter().enumerate() {
        assert_eq!(data["sequence_number"], at, "numbers count up");
    }
    let (last, rest) = payloads.split_last().unwrap();
    assert_eq!(rest[0]["type"], "response.created");
    assert_eq!(rest[1]["type"], "response.in_progress");
    let mut checker = Checker::default();
    rest[2..].iter().for_each(|data| checker.check(data));
    let ends = ["response.completed", "response.incomplete", "response.failed"];
    assert!(ends.contains(&last["type"].as_str().unwrap()), "{last}");
    let done: Vec<Value> = checker.done.into_values().collect();
    assert_eq!(last["response"]["output"], Value::from(done), "the end holds every finished item");
    let failed = last["type"] == "response.failed";
    assert!(failed || checker.open.is_empty(), "every item ends");
    last["response"].clone()
}

static SEEDS: &[&str] = &[
    r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_file","file_data":"data:a;base64,x"}]},{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"weighbridge:gemini:x"},{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"},{"type":"custom_tool_call_output","call_id":"c","output":"x"}],"tools":[{"type":"namespace","name":"n","tools":[{"type":"custom","name":"c"}]}],"text":{"format":{"type":"json_schema","schema":{}}}}"#,
    r#"{"object":"response","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a","logprobs":[{}]}]},{"type":"function_call","call_id":"c","name":"f","namespace":"n","arguments":"{}"}],"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":2}}}"#,
    r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"f","input":""}}"#,
    r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"x\"y"}"#,
    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"{\"id\":1}"}}"#,
    r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","role":"assistant","content":[]}],"usage":{"output_tokens":1}}}"#,
    r#"{"type":"error","code":"x","message":"m","param":null}"#,
];

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (select(SEEDS), edits).prop_map(|(seed, edits)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            match byte % 3 {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:0n"[usize::from(byte) % 9]),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

fn read_everywhere(bytes: &[u8]) {
    let quirks = Quirks::default();
    let dialect = dialect(ID);
    if let Ok(request) = (dialect.decode_request)(bytes, Some("m"), true) {
        for other in wire::dialect::DIALECTS {
            encode(other.id, &request, &target("m", &quirks));
        }
    }
    if let Ok(answer) = (dialect.decode_answer)(bytes, &quirks) {
        (dialect.encode_answer)(&answer);
    }
    let mut decoder = (dialect.decode_events)(&quirks);
    let mut meter = (dialect.meter)(&quirks);
    let mut aggregate = (dialect.aggregate)();
    let mut events = Vec::new();
    for data in [SEEDS[2].as_bytes(), bytes, bytes] {
        let sound = decoder.event(None, data, &mut events).is_ok();
        let metered = meter.event(None, data).is_ok();
        assert!(metered || !sound, "{}", String::from_utf8_lossy(data));
        let _ = aggregate.event(None, data);
    }
    decoder.end(&mut events);
    serde_json::from_slice::<Value>(&aggregate.finish()).expect("the aggregate is JSON");
    written(ID, &events);
}

proptest! {
    #[test]
    fn a_request_survives_the_dialect(body in request()) {
        let read = (dialect(ID).decode_request)(body.to_string().as_bytes(), None, false).unwrap();
        let quirks = Quirks::default();
        let mut target = target("m", &quirks);
        target.stream = read.stream;
        let (again, dropped) = encode(ID, &read, &target);
        prop_assert_eq!(again, body);
        prop_assert_eq!(dropped, "");
    }

    #[test]
    fn a_stream_keeps_its_order_whatever_it_tells(
        told in vec(event(), 0..20), fails in any::<bool>(),
    ) {
        let mut calls = 0;
        let start = Event::Start {
            id: "x".to_owned(), model: "m".to_owned(), created: None, usage: None };
        let mut all = vec![start];
        for mut event in told {
            // Numbers of calls are never reused.
            if let Event::ToolStart { index, .. } = &mut event {
                *index = calls;
                calls += 1;
            }
            all.push(event);
        }
        let stop = Stop { reason: StopReason::Stop, native: "stop".to_owned(), sequence: None };
        all.push(if fails {
            Event::Error(wire::error::Reported::default())
        } else {
            Event::Stop { choice: 0, stop }
        });
        all.extend([Event::Usage(Usage::default()), Event::Done, Event::Done]);
        let last = ordered(&written(ID, &all));
        prop_assert_eq!(&last["status"], if fails { "failed" } else { "completed" });
    }

    #[test]
    fn a_stream_says_what_the_answer_says(answer in answer(), size in 1usize..200) {
        let stream = written(ID, &events_of(&answer));
        ordered(&stream);
        let whole = frames(stream.as_bytes(), stream.len());
        let told = events(ID, &Quirks::default(), &whole);
        prop_assert_eq!(
            &events(ID, &Quirks::default(), &frames(stream.as_bytes(), size)), &told);
        let again = answer_of(&told);
        if let (Some(was), Some(is)) = (answer.choices.first(), again.choices.first()) {
            prop_assert_eq!(&is.parts, &was.parts);
            let reason = |choice: &Choice| choice.stop.as_ref().map(|stop| stop.reason);
            prop_assert_eq!(reason(is), reason(was));
        }
        prop_assert_eq!(again.usage, answer.usage);
    }

    #[test]
    fn an_aggregated_stream_is_the_unstreamed_answer(answer in answer()) {
        let stream = written(ID, &events_of(&answer));
        let aggregate: Value = serde_json::from_slice(
            &aggregated(ID, &frames(stream.as_bytes(), 50))).unwrap();
        let whole: Value =
            serde_json::from_slice(&(dialect(ID).encode_answer)(&answer)).unwrap();
        prop_assert_eq!(aggregate, whole);
    }

    #[test]
    fn no_bytes_make_the_responses_reader_panic(bytes in vec(any::<u8>(), 0..64)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn no_damage_makes_the_responses_reader_panic(bytes in damaged()) {
        read_everywhere(&bytes);
    }
}
