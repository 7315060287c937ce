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
