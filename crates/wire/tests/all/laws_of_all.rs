//! Laws of every dialect and every pair of dialects, over generated answers and requests: what all
//! of them can express comes back whole, whole or streamed, directly or by way of another.
//!
//! What only one dialect can express is the subject of its own laws.

use crate::meaning::{Meaning, framed, meaning, of_stream, of_whole};
use crate::samples::{message, said, target, text};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use wire::dialect::{DIALECTS, Dialect, Quirks};
use wire::hub::{
    Answer, Choice, Extra, Message, Part, Request, Role, Stop, StopReason, Tool, ToolCall,
    ToolChoice, Usage,
};
use wire::replay::events_of;
use wire::translate::{Known, StreamTranslator, answer as translated};

/// Legacy completions know neither turns nor tools.
fn conversations() -> impl Iterator<Item = &'static Dialect> {
    DIALECTS.iter().filter(|dialect| dialect.id != "openai_completions")
}

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 \"\\\\\n\u{e9}\u{1f600}<]{0,14}[a-z]"
}

fn call(at: usize) -> impl Strategy<Value = Part> {
    ("[a-z_]{1,8}", words(), any::<i32>()).prop_map(move |(name, text, number)| {
        let arguments = json!({ "t": text, "n": [number, { "deep": null }] }).to_string();
        let id = format!("call_{at}");
        Part::ToolCall(ToolCall { id, name, arguments, signature: None, extra: Extra::new() })
    })
}

fn calls() -> impl Strategy<Value = Vec<Part>> {
    (0usize..3).prop_flat_map(|count| (0..count).map(call).collect::<Vec<_>>())
}

prop_compose! {
    fn answer()(
        thought in option::of(words()), words in words(), calls in calls(),
        reason in select(vec![StopReason::Stop, StopReason::Length]),
        counts in (0u64..9999, 0u64..9999, 0u64..9999),
    ) -> Answer {
        let reason = if calls.is_empty() { reason } else { StopReason::ToolCalls };
        let stop = Stop { reason, native: String::new(), sequence: None };
        let thought = thought.map(|text| Part::Reasoning { text, signature: None });
        let parts = thought.into_iter().chain([text(&words)]).chain(calls).collect();
        let (input, cached_input, output) = counts;
        Answer {
            id: "id-1".to_owned(),
            model: "m".to_owned(),
            created: Some(1),
            choices: vec![Choice { parts, stop: Some(stop), ..Choice::default() }],
            usage: Some(Usage { input, cached_input, output, ..Usage::default() }),
            ..Answer::default()
        }
    }
}

fn streamed(dialect: &Dialect, answer: &Answer) -> Vec<u8> {
    let mut writer = (dialect.encode_events)(true);
    let mut out = Vec::new();
    events_of(answer).iter().for_each(|event| writer.event(event, &mut out));
    writer.end(&mut out);
    out
}

fn restreamed(from: &Dialect, to: &Dialect, stream: &[u8]) -> Vec<u8> {
    let mut translator =
        StreamTranslator::new(from, &Quirks::default(), to, true).known(&Known::at(1));
    let mut out = Vec::new();
    for (name, data) in framed(from.framing, stream, 71) {
        translator.frame(name.as_deref(), &data, &mut out).expect("a good event");
    }
    translator.end(&mut out);
    translator.close(&mut out);
    out
}

fn aggregated(dialect: &Dialect, stream: &[u8]) -> Vec<u8> {
    let mut aggregate = (dialect.aggregate)();
    for (name, data) in framed(dialect.framing, stream, 29) {
        aggregate.event(name.as_deref(), &data).expect("a good event");
    }
    aggregate.finish()
}

/// What the meter sees of a stream, in the same words.
fn metered(dialect: &Dialect, stream: &[u8], read: &Meaning) -> Meaning {
    let mut meter = (dialect.meter)(&Quirks::default());
    let (mut usage, mut stop, mut bytes) = (None, None, 0);
    for (name, data) in framed(dialect.framing, stream, stream.len()) {
        let seen = meter.event(name.as_deref(), &data).expect("a good event");
        usage = seen.usage.or(usage);
        stop = seen.stop.or(stop);
        bytes += seen.content_bytes;
    }
    assert!(bytes >= read.text.len() + read.thoughts.len(), "{}: bytes", dialect.id);
    Meaning {
        stop,
        input: usage.map(|usage: Usage| usage.total_input()),
        output: usage.map(|usage| usage.total_output()),
        text: read.text.clone(),
        thoughts: read.thoughts.clone(),
        calls: read.calls.clone(),
    }
}

fn turn() -> impl Strategy<Value = (String, Option<String>, Vec<Part>, String)> {
    (words(), option::of(words()), calls(), words())
}

fn conversation(turns: Vec<(String, Option<String>, Vec<Part>, String)>) -> Vec<Message> {
    let mut messages = Vec::new();
    for (asked, said, calls, result) in turns {
        messages.push(message(Role::User, vec![text(&asked)]));
        let said = said.filter(|_| !calls.is_empty()).unwrap_or_else(|| "so".to_owned());
        let results = calls.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(Part::ToolResult {
                call_id: call.id.clone(),
                name: Some(call.name.clone()),
                content: vec![text(&result)],
                is_error: false,
                extra: Extra::new(),
            }),
            _ => None,
        });
        let results: Vec<_> = results.collect();
        messages.push(message(Role::Assistant, [vec![text(&said)], calls].concat()));
        if !results.is_empty() {
            messages.push(message(Role::User, results));
            messages.push(message(Role::Assistant, vec![text("done")]));
        }
    }
    messages.push(message(Role::User, vec![text("go on")]));
    messages
}

prop_compose! {
    fn request()(
        system in option::of(words()), turns in vec(turn(), 0..3),
        names in proptest::collection::btree_set("[a-z_]{1,8}", 1..3),
        forced in any::<bool>(), max_tokens in 1u64..9999,
        temperature in select(vec![None, Some(0.0), Some(0.25), Some(1.0)]),
    ) -> Request {
        let tools = names.into_iter().map(|name| Tool::Function {
            name,
            description: Some("d".to_owned()),
            parameters: Some(json!({"type": "object", "properties": {"a": {"type": "string"}}})),
            strict: None,
            extra: Extra::new(),
        });
        Request {
            model: "m".to_owned(),
            system: system.iter().map(|words| text(words)).collect(),
            messages: conversation(turns),
            tools: tools.collect(),
            tool_choice: Some(if forced { ToolChoice::Required } else { ToolChoice::Auto }),
            max_tokens: Some(max_tokens),
            temperature,
            ..Request::default()
        }
    }
}

/// Role, text, calls and the texts of results.
type Turn = (Role, String, Vec<(String, Value)>, Vec<String>);

/// What all dialects can say of a request.
#[derive(Debug, PartialEq)]
struct Asked {
    system: String,
    turns: Vec<Turn>,
    tools: Vec<(String, Option<Value>)>,
    forced: bool,
    max_tokens: Option<u64>,
    temperature: Option<f64>,
}

fn asked(request: &Request) -> Asked {
    let mut turns: Vec<Turn> = Vec::new();
    for message in &request.messages {
        let (text, calls) = said(&message.parts);
        let results = message.parts.iter().filter_map(|part| match part {
            Part::ToolResult { content, .. } => Some(said(content).0),
            _ => None,
        });
        let results: Vec<String> = results.collect();
        // Some dialects write one message a result, some one a turn.
        match turns.last_mut().filter(|last| last.0 == message.role) {
            Some(last) => {
                last.1.push_str(&text);
                last.2.extend(calls);
                last.3.extend(results);
            }
            None => turns.push((message.role, text, calls, results)),
        }
    }
    let tools = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function { name, parameters, .. } => Some((name.clone(), parameters.clone())),
        Tool::Native { .. } => None,
    });
    Asked {
        system: said(&request.system).0,
        turns,
        tools: tools.collect(),
        forced: request.tool_choice == Some(ToolChoice::Required),
        max_tokens: request.max_tokens,
        temperature: request.temperature,
    }
}

/// The request after it was written in a dialect and read again.
fn through(dialect: &Dialect, request: &Request) -> Request {
    let quirks = Quirks::default();
    let encoded = (dialect.encode_request)(request, &target("m", &quirks));
    assert_eq!(encoded.dropped, Vec::<&str>::new(), "{}", dialect.id);
    let path_model = (!dialect.model_in_body).then_some("m");
    (dialect.decode_request)(&encoded.body, path_model, false).expect(dialect.id)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_answer_comes_back_from_every_dialect(answer in answer()) {
        let expected = meaning(&answer);
        for dialect in conversations() {
            let whole = (dialect.encode_answer)(&answer);
            let is = of_whole(dialect, &Quirks::default(), &whole);
            prop_assert_eq!(&is, &expected, "{}", dialect.id);
        }
    }

    #[test]
    fn a_stream_says_the_same_to_reader_meter_and_aggregate_in_every_dialect(answer in answer()) {
        let (expected, quirks) = (meaning(&answer), Quirks::default());
        for dialect in conversations() {
            let stream = streamed(dialect, &answer);
            let read = of_stream(dialect, &quirks, &stream, 13);
            prop_assert_eq!(&read, &expected, "{}: stream", dialect.id);
            let sum = of_whole(dialect, &quirks, &aggregated(dialect, &stream));
            prop_assert_eq!(&sum, &expected, "{}: aggregate", dialect.id);
            prop_assert_eq!(&metered(dialect, &stream, &read), &expected, "{}: meter", dialect.id);
        }
    }

    #[test]
    fn an_answer_comes_back_by_way_of_every_other_dialect(answer in answer()) {
        let (expected, quirks) = (meaning(&answer), Quirks::default());
        for from in conversations() {
            let (whole, stream) = ((from.encode_answer)(&answer), streamed(from, &answer));
            for by in conversations() {
                let pair = format!("{} by {}", from.id, by.id);
                let there = translated(from, &quirks, &whole, by, &Known::at(1)).expect(&pair);
                let back = translated(by, &quirks, &there, from, &Known::at(1)).expect(&pair);
                prop_assert_eq!(&of_whole(from, &quirks, &back), &expected, "{}: whole", pair);
                let back = restreamed(by, from, &restreamed(from, by, &stream));
                let back = of_stream(from, &quirks, &back, 17);
                prop_assert_eq!(&back, &expected, "{}: stream", pair);
            }
        }
    }

    #[test]
    fn a_request_comes_back_from_every_dialect_and_by_way_of_every_other(request in request()) {
        let expected = asked(&request);
        for from in conversations() {
            let direct = through(from, &request);
            prop_assert_eq!(&asked(&direct), &expected, "{}", from.id);
            for by in conversations() {
                let back = through(from, &through(by, &direct));
                prop_assert_eq!(&asked(&back), &expected, "{} by {}", from.id, by.id);
            }
        }
    }
}
