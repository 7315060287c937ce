//! Splicing: the fields are set, and every other byte is the client's.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wire::dialect::Quirks;
use wire::peek::chat;
use wire::splice::{ChatPatches, Edit, same_dialect, splice};

fn patched(body: &str, patches: &ChatPatches<'_>) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let mut edits = patches.edits(&chat(&body).unwrap());
    String::from_utf8(splice(&body, &mut edits).concat()).unwrap()
}

#[test]
fn values_are_replaced_where_they_stand() {
    let patches = ChatPatches {
        model: Some("up\"stream"),
        stream: Some(true),
        include_usage: true,
        max_tokens: Some(("max_tokens", 9)),
        texts: &[],
        remove: &[],
    };
    let body =
        r#" {"x": 1, "model" : "m", "stream":false ,"stream_options":{ "a":1},"max_tokens":null} "#;
    let expected = r#" {"x": 1, "model" : "up\"stream", "stream":true ,"stream_options":{"include_usage":true, "a":1},"max_tokens":9} "#;
    assert_eq!(patched(body, &patches), expected);
}

#[test]
fn absent_fields_are_added_at_the_front() {
    let patches = ChatPatches { model: Some("m"), include_usage: true, ..ChatPatches::default() };
    let added = r#""model":"m","stream_options":{"include_usage":true}"#;
    assert_eq!(patched("{}", &patches), format!("{{{added}}}"));
    assert_eq!(patched(r#"{ "a":1}"#, &patches), format!("{{{added}, \"a\":1}}"));
}

#[test]
fn every_form_of_stream_options_ends_with_usage_asked_for() {
    let patches = ChatPatches { include_usage: true, ..ChatPatches::default() };
    for (before, after) in [
        ("null", r#"{"include_usage":true}"#),
        ("{}", r#"{"include_usage":true}"#),
        (r#"{"include_usage":null}"#, r#"{"include_usage":true}"#),
        (r#"{"x":1,"include_usage":false}"#, r#"{"x":1,"include_usage":true}"#),
    ] {
        let body = |options: &str| format!("{{\"stream_options\":{options}}}");
        assert_eq!(patched(&body(before), &patches), body(after));
    }
}

#[test]
fn removed_fields_take_their_comma_along() {
    let body = r#"{ "a":1 , "b":2 , "c":3 }"#;
    for (remove, expected) in [
        (&["a"][..], r#"{ "b":2 , "c":3 }"#),
        (&["b"][..], r#"{ "a":1 , "c":3 }"#),
        (&["c"][..], r#"{ "a":1 , "b":2 }"#),
        (&["a", "b"][..], r#"{ "c":3 }"#),
        (&["a", "c"][..], r#"{ "b":2 }"#),
        (&["a", "b", "c"][..], "{  }"),
    ] {
        assert_eq!(patched(body, &ChatPatches { remove, ..ChatPatches::default() }), expected);
    }
}

#[test]
fn a_body_that_is_already_right_is_one_slice_of_itself() {
    let body = Bytes::from_static(
        br#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
    );
    let patches = ChatPatches {
        model: Some("m"),
        stream: Some(true),
        include_usage: true,
        ..ChatPatches::default()
    };
    let pieces = splice(&body, &mut patches.edits(&chat(&body).unwrap()));
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].as_ptr(), body.as_ptr());
}

#[test]
fn edits_that_overlap_or_lie_outside_are_left_out() {
    let edit = |at, text: &'static str| Edit { at, text: Bytes::from_static(text.as_bytes()) };
    let mut edits = [edit(4..9, "z"), edit(2..3, "y"), edit(1..3, "x"), edit(0..0, "w")];
    assert_eq!(splice(&Bytes::from_static(b"abcde"), &mut edits).concat(), b"waxde");
}

fn same(id: &str, quirks: &Quirks, body: &str, stream: bool) -> String {
    let dialect = wire::dialect::find(id).unwrap();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let peek = (dialect.peek)(&body).unwrap();
    let pieces = same_dialect(dialect, quirks, &body, &peek, "up", stream, true);
    String::from_utf8(pieces.concat()).unwrap()
}

#[test]
fn a_request_in_the_same_dialect_changes_only_where_the_dialect_asks_for_it() {
    let none = Quirks::default();
    for (id, before, stream, after) in [
        ("openai_chat", r#"{"model":"m"}"#, false, r#"{"model":"up"}"#),
        (
            "openai_chat",
            r#"{"model":"m"}"#,
            true,
            r#"{"stream":true,"stream_options":{"include_usage":true},"model":"up"}"#,
        ),
        (
            "openai_chat",
            r#"{"model":"m","stream":true,"stream_options":{"x":1}}"#,
            false,
            r#"{"model":"up","stream":false}"#,
        ),
        ("anthropic_messages", r#"{"model":"m"}"#, true, r#"{"stream":true,"model":"up"}"#),
        ("gemini", r#"{"contents":[]}"#, true, r#"{"contents":[]}"#),
    ] {
        assert_eq!(same(id, &none, before, stream), after, "{id}");
    }
}

#[test]
fn quirks_of_the_upstream_are_kept_in_a_spliced_body() {
    let vertex = Quirks {
        no_model: true,
        anthropic_version: Some("vertex-2023-10-16".to_owned()),
        ..Quirks::default()
    };
    assert_eq!(
        same("anthropic_messages", &vertex, r#"{"model":"m","max_tokens":9}"#, false),
        r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":9}"#
    );
    let plain = Quirks { no_stream_options: true, ..Quirks::default() };
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(same("openai_chat", &plain, body, true), r#"{"model":"up","stream":true}"#);
}

fn body() -> impl Strategy<Value = (Map<String, Value>, bool)> {
    let scalar = prop_oneof![
        Just(json!(null)),
        Just(json!([1, {"model": "x"}])),
        "[a-z\"]{0,5}".prop_map(Value::from)
    ];
    let key = prop_oneof!["[a-z\"]{1,6}", Just("seed".to_owned()), Just("user".to_owned())];
    let others = proptest::collection::vec((key, scalar), 0..5);
    let options = prop_oneof![
        Just(json!(null)),
        Just(json!({})),
        Just(json!({"x": 1})),
        Just(json!({"include_usage": false, "y": []}))
    ];
    let known = (
        proptest::option::of("[a-z]{1,4}"),
        proptest::option::of(prop_oneof![Just(json!(null)), Just(json!(true)), Just(json!(false))]),
        proptest::option::of(options),
        proptest::option::of(1..99u32),
    );
    (others, known, any::<proptest::sample::Index>(), any::<bool>()).prop_map(
        |(others, known, turn, pretty)| {
            let mut pairs: Vec<(String, Value)> = others;
            pairs.extend(known.0.map(|model| ("model".to_owned(), model.into())));
            pairs.extend(known.1.map(|stream| ("stream".to_owned(), stream)));
            pairs.extend(known.2.map(|options| ("stream_options".to_owned(), options)));
            pairs.extend(known.3.map(|bound| ("max_tokens".to_owned(), bound.into())));
            let middle = turn.index(pairs.len() + 1).min(pairs.len());
            pairs.rotate_left(middle);
            let mut map: Map<String, Value> = pairs.into_iter().collect();
            // A generated key may be the name of a field that is read.
            if !map.get("model").is_none_or(Value::is_string) {
                map.remove("model");
            }
            map.remove("n");
            map.remove("tools");
            (map, pretty)
        },
    )
}

proptest! {
    #[test]
    fn a_spliced_body_parses_to_the_body_with_the_fields_set(
        (mut map, pretty) in body(),
        model in proptest::option::of("[a-z\"é]{1,5}"),
        stream in proptest::option::of(any::<bool>()),
        include_usage in any::<bool>(),
        bound in proptest::option::of(any::<u64>()),
        remove in proptest::sample::subsequence(vec!["seed", "user", "model", "max_tokens"], 0..4),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&map) } else { serde_json::to_string(&map) };
        let patches = ChatPatches {
            model: model.as_deref(),
            stream,
            include_usage,
            max_tokens: bound.map(|bound| ("max_tokens", bound)),
            texts: &[],
            remove: &remove,
        };
        let out = patched(&text.unwrap(), &patches);
        for key in &remove {
            map.remove(*key);
        }
        map.extend(model.map(|model| ("model".to_owned(), model.into())));
        map.extend(stream.map(|stream| ("stream".to_owned(), stream.into())));
        map.extend(bound.map(|bound| ("max_tokens".to_owned(), bound.into())));
        if include_usage {
            let options = map.entry("stream_options").or_insert(Value::Null);
            if options.is_null() {
                *options = json!({});
            }
            options["include_usage"] = true.into();
        }
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), Value::Object(map), "{}", out);
        prop_assert!(chat(out.as_bytes()).is_ok(), "{}", out);
    }
}
