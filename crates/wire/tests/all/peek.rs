//! The peek: as strict as `serde_json`, and exact about where things are.

use proptest::prelude::*;
use serde_json::Value;
use wire::peek::{ChatPeek, PeekError, chat, validate};

fn peek(body: &str) -> ChatPeek {
    chat(body.as_bytes()).unwrap()
}

fn refused(body: &str) -> PeekError {
    chat(body.as_bytes()).unwrap_err()
}

#[test]
fn the_fields_of_a_usual_request_are_found_with_their_spans() {
    let body = r#" { "model" : "gpt-4o", "stream":true,"max_tokens": 12 ,"messages":[{"role":"user"},{}],
        "stream_options":{"include_usage":false,"x":1},"n":2,"user":"u","metadata":{"feature":"faq"}}"#;
    let peek = peek(body);
    let model = peek.model.as_ref().unwrap();
    assert_eq!((model.value.as_str(), &body[model.span.clone()]), ("gpt-4o", "\"gpt-4o\""));
    assert_eq!(&body[peek.stream.as_ref().unwrap().span.clone()], "true");
    assert_eq!(peek.max_tokens.as_ref().unwrap().value, 12);
    let messages = peek.messages.as_ref().unwrap();
    assert_eq!((messages.count, &body[messages.span.clone()]), (2, r#"[{"role":"user"},{}]"#));
    let options = &peek.stream_options.as_ref().unwrap().value;
    assert_eq!(options.include_usage, Some(false));
    assert_eq!(&body[options.include_usage_at.clone().unwrap()], "false");
    assert_eq!((peek.n, peek.feature.as_deref()), (Some(2), Some("faq")));
    assert_eq!(&body[peek.user.clone().unwrap()], "\"u\"");
    assert_eq!(&body[peek.first_field_at..peek.first_field_at + 4], " \"mo");
    assert_eq!(&body[peek.member("n").unwrap().span.clone()], "\"n\":2");
    assert!(!peek.has_tools && !peek.structured && !peek.audio && !peek.is_empty_object);
}

#[test]
fn features_that_change_the_plan_are_seen() {
    assert!(peek(r#"{"tools":[{}]}"#).has_tools);
    assert!(peek(r#"{"functions":[{}]}"#).has_tools);
    assert!(!peek(r#"{"tools":[],"functions":null}"#).has_tools);
    assert!(peek(r#"{"response_format":{"type":"json_object"}}"#).structured);
    assert!(!peek(r#"{"response_format":{"type":"text"}}"#).structured);
    assert!(!peek(r#"{"response_format":null}"#).structured);
    assert!(peek(r#"{"modalities":["text","audio"]}"#).audio);
    assert!(peek(r#"{"audio":{"voice":"x"}}"#).audio);
    assert!(!peek(r#"{"modalities":["text"],"audio":null}"#).audio);
}

type Look = fn(&[u8]) -> Result<ChatPeek, PeekError>;

/// A request of each dialect that says the same: at most 9 tokens for 2 alternatives with a tool
/// and a schema, and what in it the model reads.
static SAME: &[(Look, &str, &[&str])] = &[
    (
        wire::peek::responses,
        r#"{"model":"m","input":[1,2],"instructions":"be","stream":true,"max_output_tokens":9,
            "tools":[{}],"text":{"format":{"type":"json_schema"},"verbosity":"low"},
            "user":"u","metadata":{"feature":"f"}}"#,
        &["[1,2]", "\"be\"", "[{}]", r#"{"type":"json_schema"}"#],
    ),
    (
        wire::peek::anthropic,
        r#"{"model":"m","messages":[1,2],"system":"be","stream":true,"max_tokens":9,"tools":[{}],
            "output_config":{"effort":"low","format":{"type":"json_schema"}},
            "metadata":{"user_id":"u","feature":"f"}}"#,
        &["[1,2]", "\"be\"", "[{}]", r#"{"type":"json_schema"}"#],
    ),
    (
        wire::peek::gemini,
        r#"{"contents":[1,2],"systemInstruction":{"parts":1},"tools":[{}],"generationConfig":
            {"maxOutputTokens":9,"candidateCount":2,"responseMimeType":"application/json",
            "responseSchema":{}},"labels":{"feature":"f"}}"#,
        &["[1,2]", r#"{"parts":1}"#, "[{}]", "{}"],
    ),
    (
        wire::peek::gemini,
        r#"{"contents":[1,2],"system_instruction":{"parts":1},"tools":[{}],"generation_config":
            {"max_output_tokens":9,"candidate_count":2,"response_json_schema":{}},
            "labels":{"feature":"f"}}"#,
        &["[1,2]", r#"{"parts":1}"#, "[{}]", "{}"],
    ),
    (
        wire::peek::bedrock,
        r#"{"messages":[1,2],"system":[{"text":"be"}],"inferenceConfig":{"maxTokens":9},
            "toolConfig":{"tools":[{}]},"outputConfig":{"textFormat":{"type":"json_schema"}},
            "requestMetadata":{"feature":"f"}}"#,
        &["[1,2]", r#"[{"text":"be"}]"#, "[{}]", r#"{"type":"json_schema"}"#],
    ),
    (
        wire::peek::cohere,
        r#"{"model":"m","messages":[1,2],"stream":true,"max_tokens":9,"tools":[{}],
            "documents":["be"],"response_format":{"type":"json_object"}}"#,
        &["[1,2]", r#"["be"]"#, "[{}]", r#"{"type":"json_object"}"#],
    ),
];

#[test]
fn every_dialect_is_looked_at_in_its_own_words() {
    for (look, body, read) in SAME {
        let peek = look(body.as_bytes()).unwrap();
        assert_eq!(peek.max_tokens.as_ref().map(|bound| bound.value), Some(9), "{body}");
        assert_eq!(peek.messages.as_ref().map(|list| list.count), Some(2), "{body}");
        assert!(peek.has_tools && peek.structured && !peek.audio, "{body}");
        assert_eq!(peek.prompt_bytes, read.iter().map(|text| text.len()).sum::<usize>(), "{body}");
        assert_eq!(peek.feature.as_deref(), body.contains("feature").then_some("f"), "{body}");
        assert_eq!(peek.n, body.contains("andidate").then_some(2), "{body}");
        let user = peek.user.clone().map(|at| &body[at]);
        assert_eq!(user, body.contains("user").then_some("\"u\""), "{body}");
        let stream = peek.stream.as_ref().map(|stream| stream.value);
        assert_eq!(stream, body.contains("stream").then_some(true), "{body}");
    }
}

#[test]
fn plain_words_of_every_dialect_ask_for_nothing() {
    for (look, body) in [
        (wire::peek::responses as Look, r#"{"input":"a","text":{"format":{"type":"text"}}}"#),
        (
            wire::peek::gemini,
            r#"{"generationConfig":{"responseMimeType":"text/plain"},"tools":[]}"#,
        ),
        (
            wire::peek::gemini,
            r#"{"generationConfig":{"responseSchema":null,"candidateCount":null}}"#,
        ),
        (
            wire::peek::anthropic,
            r#"{"output_config":{"effort":"low"},"metadata":{"user_id":null}}"#,
        ),
        (wire::peek::bedrock, r#"{"inferenceConfig":7,"toolConfig":{"tools":[]}}"#),
    ] {
        let peek = look(body.as_bytes()).unwrap();
        assert!(!peek.has_tools && !peek.structured && !peek.audio, "{body}");
        assert_eq!((peek.n, &peek.max_tokens, &peek.user), (None, &None, &None), "{body}");
    }
    let audio = r#"{"generationConfig":{"responseModalities":["TEXT","AUDIO"]}}"#;
    assert!(wire::peek::gemini(audio.as_bytes()).unwrap().audio);
}

#[test]
fn completions_count_what_is_made_for_every_prompt() {
    let n = |body: &str| wire::peek::completions(body.as_bytes()).unwrap().n;
    assert_eq!(n(r#"{"prompt":"a"}"#), None);
    assert_eq!(n(r#"{"prompt":"a","n":2,"best_of":5}"#), Some(5));
    assert_eq!(n(r#"{"prompt":["a","b"]}"#), Some(2));
    assert_eq!(n(r#"{"prompt":[["a"],["b"]],"n":3}"#), Some(6));
    assert_eq!(n(r#"{"prompt":[1,2,3],"n":3}"#), Some(3));
}

#[test]
fn plain_calls_are_looked_at_whatever_they_are_for() {
    let peek = |body: &str| wire::peek::plain(body.as_bytes()).unwrap();
    let embed = peek(r#"{"model":"m","input":["a","b"],"user":"u","encoding_format":"base64"}"#);
    assert_eq!((embed.prompt_bytes, embed.model.unwrap().value.as_str()), (9, "m"));
    assert_eq!(peek(r#"{"query":"q","documents":["a"]}"#).prompt_bytes, 8);
    assert_eq!(peek(r#"{"requests":[{}]}"#).prompt_bytes, 4);
}

#[test]
fn null_means_absent_but_keeps_its_place() {
    let peek = peek(r#"{"stream":null,"max_tokens":null,"n":null,"stream_options":null}"#);
    assert_eq!((&peek.stream, &peek.max_tokens, peek.n), (&None, &None, None));
    assert_eq!(peek.stream_options, None);
    assert_eq!(peek.members.len(), 4);
}

#[test]
fn keys_are_compared_unescaped() {
    let key = |key: &str| PeekError::DuplicateKey { key: key.to_owned() };
    assert_eq!(refused(r#"{"model":"a","mod\u0065l":"b"}"#), key("model"));
    assert_eq!(refused(r#"{"x":1,"x":2}"#), key("x"));
    let twice = r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#;
    assert_eq!(refused(twice), key("stream_options.include_usage"));
    assert!(chat(br#"{"a":{"x":1,"x":2}}"#).is_ok());
}

#[test]
fn wrong_types_are_named() {
    for (body, wrong) in [
        (r#"{"model":1}"#, "model"),
        (r#"{"model":null}"#, "model"),
        (r#"{"stream":"yes"}"#, "stream"),
        (r#"{"max_tokens":-1}"#, "max_tokens"),
        (r#"{"max_completion_tokens":1.5}"#, "max_completion_tokens"),
        (r#"{"messages":{}}"#, "messages"),
        (r#"{"stream_options":[]}"#, "stream_options"),
        (r#"{"stream_options":{"include_usage":1}}"#, "stream_options.include_usage"),
    ] {
        match refused(body) {
            PeekError::WrongType { field, .. } => assert_eq!(field, wrong, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn bad_json_is_located() {
    let at = |body: &str| match refused(body) {
        PeekError::InvalidJson { line, column, .. } => (line, column),
        other => panic!("{other:?}"),
    };
    assert_eq!(at("{\n  \"a\": tru }"), (2, 8));
    assert_eq!(at(""), (1, 1));
    assert_eq!(at("{} x"), (1, 4));
    assert_eq!(refused("[1]"), PeekError::NotAnObject);
}

#[test]
fn nesting_is_bounded_at_64() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(validate(nested(64).as_bytes()), Ok(()));
    assert_eq!(validate(nested(65).as_bytes()), Err(PeekError::TooDeep));
    assert!(chat(format!("{{\"a\":{}}}", nested(63)).as_bytes()).is_ok());
    assert_eq!(refused(&format!("{{\"a\":{}}}", nested(64))), PeekError::TooDeep);
    assert_eq!(validate("[{\"a\":".repeat(1_000_000).as_bytes()), Err(PeekError::TooDeep));
}

#[test]
fn the_number_of_fields_is_bounded() {
    let body = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(peek(&body(1024)).members.len(), 1024);
    assert_eq!(refused(&body(1025)), PeekError::TooManyFields);
}

#[test]
fn corner_cases_agree_with_serde_json() {
    for text in [
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1e",
        "1e5",
        "1E+5",
        "1e400",
        "-1e-400",
        "0e999999999",
        "1.5e3",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83dx\"",
        "\"\\ude00\"",
        "\"\\x\"",
        "\"a\tb\"",
        "\"\u{7f}\"",
        "\"\u{1F600}\"",
        "tru",
        "nul",
        "true",
        "[1,]",
        "{\"a\":1,}",
        "{,}",
        "[,]",
        "{\"a\"}",
        "{1:2}",
        "[1 2]",
        " [ ] ",
        "\u{feff}{}",
        "\"",
        "\"\\",
        "\"\\u+123\"",
        "[]]",
    ] {
        agree(text.as_bytes());
    }
    let long = format!("\"{}\u{1}\"", "x".repeat(300));
    agree(long.as_bytes());
    agree(b"\"\xff\"");
}

fn agree(text: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(text).is_ok();
    let ours = validate(text);
    assert_eq!(ours.is_ok(), theirs, "{:?} gave {ours:?}", String::from_utf8_lossy(text));
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "[\"\\\\\n\u{0}-\u{20}é😀]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-e\"\\\\]{0,3}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_accepted(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        prop_assert_eq!(validate(&text.unwrap()), Ok(()));
    }

    #[test]
    fn mutated_text_is_judged_as_serde_json_judges_it(
        value in json(),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        let mut text = serde_json::to_vec(&value).unwrap();
        for (at, byte, how) in edits {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ if text.len() > 1 => { text.remove(at); }
                _ => {}
            }
        }
        agree(&text);
    }

    #[test]
    fn member_spans_are_the_members(map in proptest::collection::btree_map("[a-z\"]{0,9}", json(), 0..8)) {
        let text = serde_json::to_string(&map).unwrap();
        let Ok(peek) = chat(text.as_bytes()) else { return Ok(()) };
        prop_assert_eq!(peek.members.len(), map.len());
        for (member, (key, value)) in peek.members.iter().zip(&map) {
            prop_assert_eq!(member.key.as_ref(), key);
            prop_assert_eq!(&text[member.value.clone()], value.to_string());
            let whole: Value = serde_json::from_str(&format!("{{{}}}", &text[member.span.clone()])).unwrap();
            prop_assert_eq!(whole.as_object().unwrap().len(), 1);
        }
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = chat(&bytes);
        agree(&bytes);
    }
}
