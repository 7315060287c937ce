//! The laws of the `openai_chat` dialect: round trips are the identity, and no bytes make it panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use wire::dialect::{Quirks, ReasoningContent, Target};
use wire::hub::{
    Answer, Choice, Extra, Format, Media, Message, Part, Reasoning, Request, Role, Signature, Stop,
    StopReason, Tool, ToolCall, ToolChoice, Usage,
};

use crate::openai_chat::{dialect, target};

fn text() -> impl Strategy<Value = String> {
    "[a-zé😀\"\\\\\n ]{1,12}"
}

fn extra() -> impl Strategy<Value = Extra> {
    prop_oneof![
        Just(Extra::new()),
        text().prop_map(|text| json!({ "x_extra": text }).as_object().unwrap().clone()),
    ]
}

fn text_part() -> impl Strategy<Value = Part> {
    (text(), extra()).prop_map(|(text, extra)| Part::Text { text, extra })
}

fn plain_text_part() -> impl Strategy<Value = Part> {
    text().prop_map(|text| Part::Text { text, extra: Extra::new() })
}

fn media(mime: &'static str) -> impl Strategy<Value = Media> {
    prop_oneof![
        "[A-Za-z0-9+/]{0,8}".prop_map(move |data| Media::Base64 { mime: mime.to_owned(), data }),
        "[a-z]{1,5}".prop_map(|host| Media::Url(format!("https://{host}/x"))),
    ]
}

fn user_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        text_part(),
        (media("image/png"), extra()).prop_map(|(source, extra)| Part::Image { source, extra }),
        (media("application/pdf"), proptest::option::of("[a-z.]{1,6}"), extra())
            .prop_map(|(source, name, extra)| Part::File { source, name, extra }),
        ("[A-Za-z0-9]{0,8}", prop_oneof!["audio/wav", "audio/mpeg"], extra()).prop_map(
            |(data, mime, extra)| Part::Audio { source: Media::Base64 { mime, data }, extra }
        ),
    ]
}

fn tool_call() -> impl Strategy<Value = Part> {
    let signature = proptest::option::of("[a-z]{1,5}")
        .prop_map(|seal| seal.map(|value| Signature { origin: "gemini", value }));
    ("[a-z0-9]{1,9}", "[a-z_]{1,6}", text(), signature, extra()).prop_map(
        |(id, name, arguments, signature, extra)| {
            Part::ToolCall(ToolCall { id, name, arguments, signature, extra })
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let user = (proptest::collection::vec(user_part(), 0..4), extra())
        .prop_map(|(parts, extra)| Message { role: Role::User, parts, extra });
    let result = (
        "[a-z]{1,5}",
        proptest::option::of("[a-z]{1,5}"),
        proptest::collection::vec(text_part(), 0..3),
        extra(),
    )
        .prop_map(|(call_id, name, content, extra)| Message {
            role: Role::User,
            parts: vec![Part::ToolResult { call_id, name, content, is_error: false, extra }],
            extra: Extra::new(),
        });
    let assistant = (
        proptest::option::of(text().prop_map(|text| Part::Reasoning { text, signature: None })),
        proptest::collection::vec(text_part(), 0..3),
        proptest::option::of(text().prop_map(Part::Refusal)),
        proptest::collection::vec(tool_call(), 0..3),
        extra(),
    )
        .prop_map(|(reasoning, texts, refusal, calls, extra)| Message {
            role: Role::Assistant,
            parts: reasoning.into_iter().chain(texts).chain(refusal).chain(calls).collect(),
            extra,
        });
    prop_oneof![user, result, assistant]
}

fn tool() -> impl Strategy<Value = Tool> {
    (
        "[a-z]{1,6}",
        proptest::option::of(text()),
        any::<bool>(),
        proptest::option::of(any::<bool>()),
        extra(),
    )
        .prop_map(|(name, description, parameters, strict, extra)| Tool::Function {
            name,
            description,
            parameters: parameters.then(|| json!({ "type": "object", "properties": {} })),
            strict,
            extra,
        })
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::Text),
        Just(Format::JsonObject),
        (text(), proptest::option::of(text()), proptest::option::of(any::<bool>())).prop_map(
            |(name, description, strict)| Format::JsonSchema {
                name: Some(name),
                description,
                schema: json!({ "type": "object" }),
                strict,
            }
        ),
    ]
}

fn tool_choice() -> impl Strategy<Value = ToolChoice> {
    prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        "[a-z]{1,5}".prop_map(ToolChoice::Named),
    ]
}

fn hub_request() -> impl Strategy<Value = Request> {
    let head = (
        proptest::collection::vec(text_part(), 0..2),
        proptest::collection::vec(message(), 0..5),
        proptest::collection::vec(tool(), 1..3),
        proptest::option::of(tool_choice()),
        proptest::option::of(any::<bool>()),
        proptest::option::of(any::<u32>()),
        proptest::option::of(format()),
        extra(),
    );
    let tail = (
        proptest::option::of((0..200u8).prop_map(|t| f64::from(t) / 128.0)),
        proptest::option::of(any::<i64>()),
        proptest::collection::vec(text(), 0..3),
        proptest::option::of(1..5u32),
        proptest::option::of(prop_oneof!["low", "high", "minimal"]),
        proptest::option::of(text()),
        any::<bool>(),
    );
    (head, tail).prop_map(|(head, tail)| {
        let (system, messages, tools, tool_choice, parallel, max_tokens, format, extra) = head;
        let (temperature, seed, stop, n, effort, user, stream) = tail;
        Request {
            origin: "openai_chat",
            model: "up".to_owned(),
            system,
            messages,
            tools,
            tool_choice,
            parallel_tool_calls: parallel,
            max_tokens: max_tokens.map(u64::from),
            temperature,
            presence_penalty: temperature,
            seed,
            stop,
            n,
            format,
            reasoning: effort
                .map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
            user,
            stream,
            include_usage: stream,
            extra,
            ..Request::default()
        }
    })
}

fn hub_answer() -> impl Strategy<Value = Answer> {
    let sealed = (text(), "[a-z]{1,5}").prop_map(|(text, value)| Part::Reasoning {
        text,
        signature: Some(Signature { origin: "anthropic_messages", value }),
    });
    let redacted =
        text().prop_map(|data| Part::RedactedReasoning { data, origin: "anthropic_messages" });
    let reasoning = prop_oneof![
        Just(Vec::new()),
        text().prop_map(|text| vec![Part::Reasoning { text, signature: None }]),
        proptest::collection::vec(prop_oneof![sealed, redacted], 1..3),
    ];
    let call = tool_call().prop_map(|part| match part {
        Part::ToolCall(call) => Part::ToolCall(ToolCall { extra: Extra::new(), ..call }),
        other => other,
    });
    let parts = (
        reasoning,
        proptest::option::of(plain_text_part()),
        proptest::option::of(text().prop_map(Part::Refusal)),
        proptest::collection::vec(call, 0..3),
    )
        .prop_map(|(reasoning, text, refusal, calls)| {
            reasoning.into_iter().chain(text).chain(refusal).chain(calls).collect::<Vec<_>>()
        });
    let usage =
        (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>()).prop_map(|u| {
            Usage {
                input: u.0.into(),
                cached_input: u.1.into(),
                cache_write: u.2.into(),
                output: u.3.into(),
                reasoning: u.4.into(),
                ..Usage::default()
            }
        });
    (parts, extra(), extra(), proptest::option::of(usage), any::<u32>()).prop_map(
        |(parts, own, extra, usage, created)| {
            let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            let (reason, native) = if calls {
                (StopReason::ToolCalls, "tool_calls")
            } else {
                (StopReason::Stop, "stop")
            };
            let stop = Some(Stop { reason, native: native.to_owned(), sequence: None });
            Answer {
                origin: "openai_chat",
                id: "id".to_owned(),
                model: "m".to_owned(),
                created: Some(created.into()),
                choices: vec![Choice { index: 0, parts, stop, logprobs: None, extra: own }],
                usage,
                extra,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_request_written_and_read_is_the_same(request in hub_request()) {
        let quirks = Quirks { reasoning_content: ReasoningContent::Keep, ..Quirks::default() };
        let target = Target { stream: request.stream, ..target(&quirks) };
        let encoded = (dialect().encode_request)(&request, &target);
        prop_assert_eq!(&encoded.dropped, &Vec::<&str>::new());
        let again = (dialect().decode_request)(&encoded.body, None, false).unwrap();
        prop_assert_eq!(again, request);
    }

    #[test]
    fn an_answer_written_and_read_is_the_same(answer in hub_answer()) {
        let body = (dialect().encode_answer)(&answer);
        let again = (dialect().decode_answer)(&body, &Quirks::default()).unwrap();
        prop_assert_eq!(again, answer);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        total(&bytes);
    }

    #[test]
    fn mutated_bodies_are_read_without_panic(
        request in hub_request(),
        answer in hub_answer(),
        at in any::<proptest::sample::Index>(),
        put in prop_oneof![Just("null"), Just("[]"), Just("{}"), Just("-1"), Just("\"\""), Just("}"), Just("x")],
    ) {
        let quirks = Quirks::default();
        for body in [
            (dialect().encode_request)(&request, &target(&quirks)).body,
            (dialect().encode_answer)(&answer),
        ] {
            let text = String::from_utf8(body).unwrap();
            let starts: Vec<usize> = text.match_indices(':').map(|(at, _)| at + 1).collect();
            let from = starts[at.index(starts.len())];
            let to = text[from..].find([',', '}']).map_or(text.len(), |end| from + end);
            total(format!("{}{put}{}", &text[..from], &text[to..]).as_bytes());
            total(text.replace("\"message\"", "\"delta\"").as_bytes());
        }
    }
}

/// Reads the bytes in every way there is; panics are what is looked for.
fn total(bytes: &[u8]) {
    let dialect = dialect();
    let quirks = Quirks::default();
    let _ = (dialect.decode_request)(bytes, None, false);
    let _ = (dialect.decode_answer)(bytes, &quirks);
    let _ = (dialect.decode_error)(500, bytes);
    let mut out = Vec::new();
    let mut reader = (dialect.decode_events)(&quirks);
    let decoded = reader.event(None, bytes, &mut out).is_ok();
    reader.end(&mut out);
    let metered = (dialect.meter)(&quirks).event(None, bytes).is_ok();
    assert!(decoded || !metered, "{}", String::from_utf8_lossy(bytes));
    let mut writer = (dialect.encode_events)(true);
    let mut written = Vec::new();
    out.iter().for_each(|event| writer.event(event, &mut written));
    writer.end(&mut written);
    let mut aggregate = (dialect.aggregate)();
    let _ = aggregate.event(None, bytes);
    serde_json::from_slice::<Value>(&aggregate.finish()).unwrap();
}
