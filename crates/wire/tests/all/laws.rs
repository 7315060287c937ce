//! Laws of the Messages and the generateContent dialect: round trips, and that no input panics.

use crate::samples::{ANTHROPIC, GEMINI, dialect, encode, message, target, text};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use wire::dialect::Quirks;
use wire::hub::{
    Answer, Choice, Event, Extra, Format, Media, Message, Part, Reasoning, Request, Role,
    Signature, Stop, StopReason, Tool, ToolCall, ToolChoice, Usage,
};
use wire::replay::{answer_of, events_of};
use wire::translate::{Known, StreamTranslator};

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Z \"\\\\\u{e9}\u{1f600}]{0,9}[a-z]"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn object() -> impl Strategy<Value = Value> {
    (words(), any::<i32>(), any::<bool>())
        .prop_map(|(text, number, flag)| json!({"t": text, "n": [number], "f": flag}))
}

fn tool_call(sealed: Option<&'static str>) -> impl Strategy<Value = Part> {
    let seal = option::of(words())
        .prop_map(move |seal| seal.zip(sealed).map(|(value, origin)| Signature { origin, value }));
    (name(), name(), object(), seal).prop_map(|(id, name, input, signature)| {
        let arguments = input.to_string();
        Part::ToolCall(ToolCall { id, name, arguments, signature, extra: Extra::new() })
    })
}

fn tool_result(named: bool) -> impl Strategy<Value = Part> {
    (name(), name(), words(), any::<bool>()).prop_map(move |(call_id, name, answer, is_error)| {
        let content = vec![text(&answer)];
        let name = named.then_some(name);
        Part::ToolResult { call_id, name, content, is_error, extra: Extra::new() }
    })
}

fn said() -> impl Strategy<Value = Part> {
    words().prop_map(|words| text(&words))
}

fn picture() -> impl Strategy<Value = Part> {
    words().prop_map(|words| Part::Image {
        source: Media::Base64 { mime: "image/png".to_owned(), data: words },
        extra: Extra::new(),
    })
}

fn thought(origin: &'static str) -> impl Strategy<Value = Part> {
    (words(), words()).prop_map(move |(text, value)| Part::Reasoning {
        text,
        signature: Some(Signature { origin, value }),
    })
}

/// Turns that alternate, each with what its role may hold.
fn conversation(
    origin: &'static str,
    sealed_calls: Option<&'static str>,
    named_results: bool,
) -> impl Strategy<Value = Vec<Message>> {
    let user = prop_oneof![
        vec(prop_oneof![said(), picture()], 1..3),
        vec(tool_result(named_results), 1..3),
    ];
    let model = (option::of(thought(origin)), option::of(said()), tool_call(sealed_calls))
        .prop_map(|(thought, said, call)| thought.into_iter().chain(said).chain([call]).collect());
    vec((user, model), 1..3).prop_map(|turns| {
        let mut messages = Vec::new();
        for (user, model) in turns {
            messages.push(message(Role::User, user));
            messages.push(message(Role::Assistant, model));
        }
        messages
    })
}

fn function() -> impl Strategy<Value = Tool> {
    (name(), option::of(words())).prop_map(|(name, description)| Tool::Function {
        name,
        description,
        parameters: Some(json!({"type": "object"})),
        strict: None,
        extra: Extra::new(),
    })
}

fn choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        name().prop_map(ToolChoice::Named),
    ]
}

fn format() -> impl Strategy<Value = Format> {
    object().prop_map(|schema| Format::JsonSchema {
        name: None,
        description: None,
        schema,
        strict: None,
    })
}

prop_compose! {
    fn settings()(
        tools in vec(function(), 1..3), tool_choice in option::of(choice()),
        format in option::of(format()), stop in vec(name(), 0..3),
        temperature in option::of(select(vec![0.0, 0.25, 1.0])),
        top_p in option::of(select(vec![0.5, 1.0])), top_k in option::of(1u64..99),
        system in option::of(words()), extra in option::of(object()),
    ) -> Request {
        Request {
            model: "m".to_owned(),
            tools, tool_choice, format, stop, temperature, top_p, top_k,
            system: system.map(|words| text(&words)).into_iter().collect(),
            max_tokens: Some(100_000),
            include_usage: true,
            extra: extra.map(|extra| ("kept".to_owned(), extra)).into_iter().collect(),
            ..Request::default()
        }
    }
}

prop_compose! {
    fn anthropic_request()(
        base in settings(), messages in conversation(ANTHROPIC, None, false),
        budget in option::of(1024i64..99_999), effort in option::of(select(vec!["low", "max"])),
        user in option::of(words()), serial in option::of(any::<bool>()),
    ) -> Request {
        let reasoning = Reasoning {
            effort: effort.map(str::to_owned), budget_tokens: budget, include: None,
        };
        let choice_takes_it =
            !matches!(base.tool_choice, None | Some(ToolChoice::None));
        Request {
            messages, user, origin: ANTHROPIC,
            reasoning: (reasoning != Reasoning::default()).then_some(reasoning),
            parallel_tool_calls: serial.filter(|_| choice_takes_it),
            ..base
        }
    }
}

prop_compose! {
    fn gemini_request()(
        base in settings(), messages in conversation(GEMINI, Some(GEMINI), true),
        budget in option::of(-1i64..99_999), include in option::of(any::<bool>()),
        n in option::of(1u32..9), seed in option::of(any::<i64>()),
        penalties in option::of(select(vec![-1.0, 0.5])),
    ) -> Request {
        let reasoning = Reasoning { effort: None, budget_tokens: budget, include };
        Request {
            messages, n, seed, origin: GEMINI,
            presence_penalty: penalties, frequency_penalty: penalties,
            reasoning: (reasoning != Reasoning::default()).then_some(reasoning),
            ..base
        }
    }
}

fn returns(id: &str, request: &Request) -> Result<(), TestCaseError> {
    let quirks = Quirks::default();
    let (body, dropped) = encode(id, request, &target("m", &quirks));
    let body = body.to_string();
    let again = (dialect(id).decode_request)(body.as_bytes(), Some("m"), false);
    prop_assert_eq!(again.as_ref(), Ok(request));
    prop_assert_eq!(dropped, "");
    Ok(())
}

fn stop() -> impl Strategy<Value = Stop> {
    select(vec![
        ("end_turn", StopReason::Stop),
        ("max_tokens", StopReason::Length),
        ("refusal", StopReason::ContentFilter),
    ])
    .prop_map(|(native, reason)| Stop { reason, native: native.to_owned(), sequence: None })
}

fn usage() -> impl Strategy<Value = Usage> {
    (0u64..99, 0u64..99, 0u64..99, 0u64..99).prop_map(|(input, cached, output, reasoning)| Usage {
        input,
        cached_input: cached,
        output,
        reasoning,
        ..Usage::default()
    })
}

prop_compose! {
    /// An answer of one alternative without calls, so that its stop may be any.
    fn answer()(
        thought in option::of(thought(ANTHROPIC)), said in said(), stop in stop(), usage in usage(),
    ) -> Answer {
        let parts = thought.into_iter().chain([said]).collect();
        Answer {
            id: "i".to_owned(), model: "m".to_owned(), usage: Some(usage),
            choices: vec![Choice { parts, stop: Some(stop), ..Choice::default() }],
            ..Answer::default()
        }
    }
}

/// The answer after it was streamed in a dialect and read again.
fn through(id: &str, answer: &Answer) -> Answer {
    let stream = crate::samples::written(id, &events_of(answer));
    let frames = crate::samples::frames(stream.as_bytes(), 13);
    answer_of(&crate::samples::events(id, &Quirks::default(), &frames))
}

/// A good input of each kind, to be damaged.
static SEEDS: &[&str] = &[
    r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"weighbridge:gemini:x"},{"type":"tool_use","id":"t","name":"f","input":{}}]}],"thinking":{"type":"enabled","budget_tokens":1024},"tool_choice":{"type":"any"}}"#,
    r#"{"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"iterations":[{"output_tokens":2}]}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
    r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"s"}]},{"parts":[{"functionResponse":{"name":"f","response":{"output":"x"}}}]}],"generationConfig":{"responseSchema":{"type":"OBJECT"},"thinkingConfig":{"thinkingLevel":"LOW"}}}"#,
    r#"[{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a[0]['b']","stringValue":"x","willContinue":true}],"willContinue":true}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}]"#,
];

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 0..4);
    (select(SEEDS), edits).prop_map(|(seed, edits)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"{}[]\",:0n"[usize::from(byte) % 9]),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        bytes
    })
}

fn read_everywhere(bytes: &[u8]) {
    let quirks = Quirks { schema_as_tool: true, ..Quirks::default() };
    for id in [ANTHROPIC, GEMINI] {
        let dialect = dialect(id);
        if let Ok(request) = (dialect.decode_request)(bytes, Some("m"), true) {
            for id in [ANTHROPIC, GEMINI] {
                encode(id, &request, &target("m", &quirks));
            }
        }
        if let Ok(answer) = (dialect.decode_answer)(bytes, &quirks) {
            (dialect.encode_answer)(&answer);
        }
        (dialect.decode_error)(500, bytes);
        let mut decoder = (dialect.decode_events)(&quirks);
        let mut meter = (dialect.meter)(&quirks);
        let mut aggregate = (dialect.aggregate)();
        let mut events = Vec::new();
        let start: &[u8] = SEEDS[2].as_bytes();
        for data in [start, bytes, bytes] {
            let sound = decoder.event(None, data, &mut events).is_ok();
            let metered = meter.event(None, data).is_ok();
            // What the decoder takes is JSON of the right kind, so the meter must take it too; but
            // a reader that skips a field does not see whether it is UTF-8.
            let readable = std::str::from_utf8(data).is_ok();
            assert!(metered || !sound || !readable, "{}", String::from_utf8_lossy(data));
            let _ = aggregate.event(None, data);
        }
        decoder.end(&mut events);
        serde_json::from_slice::<Value>(&aggregate.finish()).expect("the aggregate is JSON");
        crate::samples::written(id, &events);
    }
}

proptest! {
    #[test]
    fn a_messages_request_survives_the_dialect(request in anthropic_request()) {
        returns(ANTHROPIC, &request)?;
    }

    #[test]
    fn a_gemini_request_survives_the_dialect(request in gemini_request()) {
        returns(GEMINI, &request)?;
    }

    #[test]
    fn replaying_an_answer_loses_nothing(answer in answer()) {
        prop_assert_eq!(answer_of(&events_of(&answer)), answer);
    }

    #[test]
    fn a_messages_stream_says_what_the_answer_says(answer in answer()) {
        prop_assert_eq!(through(ANTHROPIC, &answer), answer);
    }

    #[test]
    fn a_gemini_stream_says_what_the_answer_says(answer in answer()) {
        let again = through(GEMINI, &answer);
        let (was, is) = (&answer.choices[0], &again.choices[0]);
        prop_assert_eq!(&is.parts, &was.parts);
        prop_assert_eq!(is.stop.as_ref().map(|s| s.reason), was.stop.as_ref().map(|s| s.reason));
        prop_assert_eq!(again.usage, answer.usage);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..64)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn no_damage_makes_a_reader_panic(bytes in damaged()) {
        read_everywhere(&bytes);
    }
}

#[test]
fn a_translated_stream_reports_a_failure_and_does_not_write_it() {
    let (from, to) = (dialect(ANTHROPIC), dialect(GEMINI));
    let mut translator = StreamTranslator::new(from, &Quirks::default(), to, true);
    let mut out = Vec::new();
    let error = br#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#;
    let seen = translator.frame(Some(b"error"), error, &mut out).unwrap();
    assert_eq!(seen.error.unwrap().status, Some(529));
    assert!(out.is_empty());
    assert!(translator.frame(None, b"{", &mut out).is_err());
}

#[test]
fn a_translated_stream_is_dated_where_the_upstream_tells_no_time() {
    let (from, to) = (dialect(GEMINI), dialect("openai_chat"));
    let new = || {
        StreamTranslator::new(from, &Quirks::default(), to, false).known(&Known::at(1_700_000_000))
    };
    let mut out = Vec::new();
    let data = br#"{"candidates":[{"content":{"parts":[{"text":"abc"}]}}]}"#;
    new().frame(None, data, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r#""created":1700000000"#), "{text}");
    assert!(!text.contains(r#""created":0"#), "{text}");
}

#[test]
fn a_translated_stream_tells_its_content_stop_usage_and_end() {
    let (from, to) = (dialect(GEMINI), dialect(ANTHROPIC));
    let mut translator = StreamTranslator::new(from, &Quirks::default(), to, true);
    let mut out = Vec::new();
    let data = br#"{"candidates":[{"content":{"parts":[{"text":"abc"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1}}"#;
    let seen = translator.frame(None, data, &mut out).unwrap();
    assert_eq!((seen.content, seen.content_bytes), (true, 3));
    assert_eq!(seen.stop, Some(StopReason::Stop));
    assert_eq!(seen.usage.map(|usage| (usage.input, usage.output)), Some((2, 1)));
    assert!(!seen.done);
    assert!(translator.end(&mut out).done);
    let length = out.len();
    translator.close(&mut out);
    assert_eq!(out.len(), length, "the end was written already");
    assert!(String::from_utf8(out).unwrap().ends_with("{\"type\":\"message_stop\"}\n\n"));
}

#[test]
fn late_pieces_of_an_earlier_call_are_not_lost() {
    let start = |index: u32| Event::ToolStart {
        choice: 0,
        index,
        id: format!("t{index}"),
        name: "f".to_owned(),
        signature: None,
    };
    let piece = |index, fragment: &str| Event::ToolArguments {
        choice: 0,
        index,
        fragment: fragment.to_owned(),
    };
    let interleaved = [start(0), piece(0, "{"), start(1), piece(1, "{}"), piece(0, "}")];
    for call in answer_of(&interleaved).choices[0].parts.iter() {
        assert!(matches!(call, Part::ToolCall(call) if call.arguments == "{}"), "{call:?}");
    }
    let stream = crate::samples::written(ANTHROPIC, &interleaved);
    assert!(stream.contains(r#""index":0,"delta":{"type":"input_json_delta","partial_json":"}"}"#));
}
