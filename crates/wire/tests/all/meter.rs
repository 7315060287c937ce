//! The meter of `openai_chat` reads bytes where the event reader reads values; what both tell must
//! be the same, and they must refuse the same chunks.

use crate::samples::dialect;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use wire::dialect::{Quirks, Seen};
use wire::hub::Event;

fn metered(chunk: &[u8]) -> Option<Seen> {
    (dialect("openai_chat").meter)(&Quirks::default()).event(None, chunk).ok()
}

fn told(chunk: &[u8]) -> Option<Seen> {
    let mut events = Vec::new();
    let mut reader = (dialect("openai_chat").decode_events)(&Quirks::default());
    reader.event(None, chunk, &mut events).ok()?;
    let mut seen = Seen::default();
    for event in events {
        match event {
            Event::Text { text, .. }
            | Event::Refusal { text, .. }
            | Event::Reasoning { text, .. }
            | Event::ToolArguments { fragment: text, .. } => seen.content_bytes += text.len(),
            Event::ToolStart { name, .. } => {
                seen.content = true;
                seen.content_bytes += name.len();
            }
            Event::Stop { stop, .. } => seen.stop = Some(stop.reason),
            Event::Usage(usage) => seen.usage = Some(usage),
            Event::Error(reported) => seen.error = Some(reported),
            Event::Done => seen.done = true,
            _ => {}
        }
    }
    seen.content |= seen.content_bytes > 0;
    Some(seen)
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z\"\\\\\n\u{1}/\u{e9}\u{20ac}\u{1f600}]{0,40}", "[a-z ]{0,90}"]
}

prop_compose! {
    fn delta()(
        content in proptest::option::of(words()), refusal in proptest::option::of(words()),
        thought in proptest::option::of((words(), 1..4u8)),
        call in proptest::option::of(("[a-z_]{1,9}", words())),
    ) -> Map<String, Value> {
        let mut delta = Map::new();
        delta.insert("role".to_owned(), "assistant".into());
        delta.extend(content.map(|text| ("content".to_owned(), text.into())));
        delta.extend(refusal.map(|text| ("refusal".to_owned(), text.into())));
        if let Some((thought, fields)) = thought {
            for (bit, field) in [(1, "reasoning"), (2, "reasoning_content")] {
                if fields & bit != 0 {
                    delta.insert(field.to_owned(), thought.clone().into());
                }
            }
        }
        delta.extend(call.map(|(name, arguments)| {
            let function = json!({ "name": name, "arguments": arguments });
            let call = json!({ "index": 0, "id": "c", "type": "function", "function": function });
            ("tool_calls".to_owned(), json!([call]))
        }));
        delta
    }
}

prop_compose! {
    fn chunk()(
        delta in delta(),
        finish in select(vec![None, Some("length"), Some("tool_calls"), Some("content_filter")]),
        tokens in proptest::option::of((any::<u32>(), any::<u32>())),
        error in proptest::option::weighted(0.1, words()),
    ) -> Value {
        let mut chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_762_317_021,
            "system_fingerprint": null, "model": "m", "choices": [
                { "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish },
            ],
        });
        if let Some((input, output)) = tokens {
            chunk["usage"] = json!({ "prompt_tokens": input, "completion_tokens": output });
        }
        if let Some(message) = error {
            chunk["error"] = json!({ "message": message, "code": 500 });
        }
        chunk
    }
}

/// The same JSON in another hand: with white space, or with letters of its keys escaped.
fn written(chunk: &Value, pretty: bool, escaped_keys: bool) -> String {
    let text = if pretty { serde_json::to_string_pretty(chunk) } else { Ok(chunk.to_string()) };
    let mut text = text.unwrap();
    if escaped_keys {
        for key in ["content", "tool_calls", "choices", "usage", "finish_reason", "error"] {
            let (first, rest) = key.split_at(1);
            let letter = u32::from(first.as_bytes()[0]);
            text = text.replace(&format!("\"{key}\":"), &format!("\"\\u{letter:04x}{rest}\":"));
        }
    }
    text
}

proptest! {
    #[test]
    fn a_chunk_says_to_the_meter_what_it_says_to_the_event_reader(
        chunk in chunk(), pretty in any::<bool>(), escaped_keys in any::<bool>(),
    ) {
        let text = written(&chunk, pretty, escaped_keys);
        prop_assert_eq!(metered(text.as_bytes()), told(text.as_bytes()), "{}", text);
    }

    #[test]
    fn a_spoilt_chunk_is_refused_by_both_or_by_neither(
        chunk in chunk(),
        edits in proptest::collection::vec(
            (any::<Index>(), prop_oneof![select(b"\"\\{}[]:, \n0e-.nx".to_vec()), any::<u8>()], 0..4u8),
            1..4,
        ),
    ) {
        let mut text = chunk.to_string().into_bytes();
        for (at, byte, how) in edits {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => text.truncate(at.max(1)),
                _ if text.len() > 1 => { text.remove(at); }
                _ => {}
            }
        }
        let (metered, told) = (metered(&text), told(&text));
        let judged = |seen: &Option<Seen>| {
            seen.as_ref().map(|seen| (seen.usage, seen.error.clone(), seen.done))
        };
        prop_assert_eq!(judged(&metered), judged(&told), "{}", String::from_utf8_lossy(&text));
    }
}
