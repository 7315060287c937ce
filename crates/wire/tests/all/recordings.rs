//! Recorded answers of Anthropic and Google: text, calls, stop and usage are all found, the same in
//! stream, aggregate and meter, whatever the chunks.

use crate::samples::{
    ANTHROPIC, GEMINI, aggregated, dialect, events, frames, lines_as_stream, metered, recorded,
    said, written,
};
use serde_json::Value;
use wire::dialect::Quirks;
use wire::hub::{Answer, StopReason};
use wire::replay::answer_of;

/// What the raw events themselves say, found without the dialect.
#[derive(Debug, Default, PartialEq)]
struct Raw {
    text: String,
    calls: Vec<String>,
    stop: Option<String>,
    output: u64,
}

fn find<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn raw_anthropic(payloads: &[Value]) -> Raw {
    let mut raw = Raw::default();
    for data in payloads {
        let block = find(data, "/content_block");
        let initial = find(data, "/message/content").as_array().into_iter().flatten();
        for block in initial.chain([block]) {
            if block["type"] == "tool_use" {
                raw.calls.push(block["name"].as_str().unwrap().to_owned());
            }
        }
        if data["delta"]["type"] == "text_delta" {
            raw.text.push_str(data["delta"]["text"].as_str().unwrap());
        }
        let stops = ["/message/stop_reason", "/delta/stop_reason"];
        if let Some(stop) = stops.iter().find_map(|stop| find(data, stop).as_str()) {
            raw.stop = Some(stop.to_owned());
        }
        if let Some(output) = find(data, "/usage/output_tokens").as_u64() {
            let iterations = find(data, "/usage/iterations").as_array();
            let inner = iterations.into_iter().flatten();
            let inner = inner.filter_map(|inner| inner["output_tokens"].as_u64()).sum();
            raw.output = output.max(inner);
        }
    }
    raw
}

fn raw_gemini(payloads: &[Value]) -> Raw {
    let mut raw = Raw::default();
    for data in payloads {
        for part in find(data, "/candidates/0/content/parts").as_array().into_iter().flatten() {
            if let Some(text) = part["text"].as_str().filter(|_| part["thought"] != true) {
                raw.text.push_str(text);
            }
            if let Some(name) = find(part, "/functionCall/name").as_str() {
                raw.calls.push(name.to_owned());
            }
        }
        if let Some(stop) = find(data, "/candidates/0/finishReason").as_str() {
            raw.stop = Some(stop.to_owned());
        }
        let usage = find(data, "/usageMetadata");
        if usage["candidatesTokenCount"].is_u64() {
            let thoughts = usage["thoughtsTokenCount"].as_u64().unwrap_or(0);
            raw.output = usage["candidatesTokenCount"].as_u64().unwrap() + thoughts;
        }
    }
    raw
}

fn of_answer(answer: &Answer) -> Raw {
    let choice = &answer.choices[0];
    let (text, calls) = said(&choice.parts);
    Raw {
        text,
        calls: calls.into_iter().map(|(name, _)| name).collect(),
        stop: choice.stop.as_ref().map(|stop| stop.native.clone()),
        output: answer.usage.map_or(0, |usage| usage.total_output()),
    }
}

fn check_stream(id: &str, file: &str, stream: &[u8], raw: fn(&[Value]) -> Raw) {
    let quirks = Quirks::default();
    let whole = frames(stream, stream.len());
    let payloads: Vec<Value> =
        whole.iter().map(|(_, data)| serde_json::from_slice(data).unwrap()).collect();
    let expected = raw(&payloads);
    let told = events(id, &quirks, &whole);
    let streamed = answer_of(&told);
    assert_eq!(of_answer(&streamed), expected, "{file}: stream");
    for size in [1, 2, 3, 7, 64, 1000] {
        assert_eq!(events(id, &quirks, &frames(stream, size)), told, "{file}: chunks of {size}");
    }

    let aggregate = (dialect(id).decode_answer)(&aggregated(id, &whole), &quirks).unwrap();
    assert_eq!(of_answer(&aggregate), expected, "{file}: aggregate");
    assert_eq!(aggregate.usage, streamed.usage, "{file}: usage of the aggregate");

    let seen = metered(id, &whole);
    assert_eq!(seen.usage, streamed.usage, "{file}: usage of the meter");
    let stop = streamed.choices[0].stop.as_ref().map(|stop| stop.reason);
    assert_eq!(seen.stop, stop, "{file}: stop of the meter");
    assert!(seen.content_bytes >= expected.text.len(), "{file}: bytes of the meter");

    let again = written(id, &told);
    let again = answer_of(&events(id, &quirks, &frames(again.as_bytes(), 97)));
    assert_eq!(of_answer(&again), expected, "{file}: written again");
}

#[test]
fn every_recorded_stream_of_anthropic_is_read_alike_by_all() {
    let mut checked = 0;
    for (file, content) in recorded("anthropic") {
        if !file.ends_with(".chunks.txt") {
            continue;
        }
        // A recording may hold several answers, one after another.
        for answer in content.split("{\"type\":\"message_start\"").skip(1) {
            let lines = format!("{{\"type\":\"message_start\"{answer}");
            check_stream(ANTHROPIC, &file, &lines_as_stream(&lines), raw_anthropic);
            checked += 1;
        }
    }
    for (file, content) in recorded("anthropic-sdk") {
        if content.starts_with("event:") {
            check_stream(ANTHROPIC, &file, content.as_bytes(), raw_anthropic);
            checked += 1;
        }
    }
    println!("{checked} streams checked");
}

#[test]
fn every_recorded_answer_of_anthropic_is_read_and_written_without_loss() {
    for (file, content) in recorded("anthropic") {
        let Ok(recorded) = serde_json::from_str::<Value>(&content) else { continue };
        if !recorded["content"].is_array() {
            continue;
        }
        let quirks = Quirks::default();
        let read = (dialect(ANTHROPIC).decode_answer)(content.as_bytes(), &quirks).unwrap();
        let again = (dialect(ANTHROPIC).encode_answer)(&read);
        let reread = (dialect(ANTHROPIC).decode_answer)(&again, &quirks).unwrap();
        assert_eq!(reread.choices, read.choices, "{file}");
        assert_eq!(reread.usage, read.usage, "{file}");
        let mut again: Value = serde_json::from_slice(&again).unwrap();
        let mut recorded = recorded;
        // Counts of zero may be left out, and the usage was compared.
        again["usage"].take();
        recorded["usage"].take();
        let null = again["stop_sequence"].take();
        recorded.as_object_mut().unwrap().insert("stop_sequence".to_owned(), null);
        again["stop_sequence"] = recorded["stop_sequence"].clone();
        drop_nulls(&mut again);
        drop_nulls(&mut recorded);
        assert_eq!(again, recorded, "{file}");
    }
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !value.is_null());
    }
}

#[test]
fn every_recorded_stream_of_google_is_read_alike_by_all() {
    for (file, content) in recorded("google") {
        if file.ends_with(".chunks.txt") && content.starts_with("{\"candidates\"") {
            check_stream(GEMINI, &file, &lines_as_stream(&content), raw_gemini);
        }
    }
}

#[test]
fn every_recorded_answer_of_google_is_read_and_written_without_loss() {
    for (file, content) in recorded("google") {
        let Ok(recorded) = serde_json::from_str::<Value>(&content) else { continue };
        if !recorded["candidates"].is_array() {
            continue;
        }
        let quirks = Quirks::default();
        let read = (dialect(GEMINI).decode_answer)(content.as_bytes(), &quirks).unwrap();
        assert_eq!(of_answer(&read), raw_gemini(std::slice::from_ref(&recorded)), "{file}");
        let again = (dialect(GEMINI).encode_answer)(&read);
        assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), recorded, "{file}");
        if !read.choices[0].parts.is_empty() && file.contains("tool-call") {
            let stop = read.choices[0].stop.as_ref().unwrap().reason;
            assert_eq!(stop, StopReason::ToolCalls, "{file}");
        }
    }
}
