//! Recorded answers of the Responses API and of hosts that imitate it: text, calls, stop and usage
//! are all found, the same in stream, aggregate and meter, whatever the chunks.

use crate::samples::{
    aggregated, dialect, events, frames, lines_as_stream, metered, recorded, said, written,
};
use serde_json::Value;
use wire::dialect::Quirks;
use wire::hub::{Answer, Event};
use wire::replay::answer_of;

const ID: &str = "openai_responses";

static FOLDERS: &[&str] = &["openai", "azure", "xai", "open-responses"];

/// What the raw events themselves say, found without the dialect.
#[derive(Debug, Default, PartialEq)]
struct Raw {
    text: String,
    calls: Vec<String>,
    status: Option<String>,
    output: Option<u64>,
}

fn raw(payloads: &[Value]) -> Raw {
    let mut raw = Raw::default();
    for data in payloads {
        match data["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => raw.text.push_str(data["delta"].as_str().unwrap()),
            "response.output_item.added" => {
                let kind = data["item"]["type"].as_str().unwrap_or_default();
                if ["function_call", "custom_tool_call"].contains(&kind) {
                    raw.calls.push(data["item"]["name"].as_str().unwrap().to_owned());
                }
            }
            "response.completed" => {
                raw.status = data["response"]["status"].as_str().map(str::to_owned);
                raw.output = data["response"]["usage"]["output_tokens"].as_u64();
            }
            _ => {}
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
        status: choice.stop.as_ref().map(|stop| stop.native.clone()),
        output: answer.usage.map(|usage| usage.total_output()),
    }
}

fn without_spaces(mut raw: Raw) -> Raw {
    for call in &mut raw.calls {
        // A namespace stands before the name.
        *call = call.rsplit("__").next().unwrap().to_owned();
    }
    raw
}

fn check_stream(file: &str, stream: &[u8]) {
    let quirks = Quirks::default();
    let whole = frames(stream, stream.len());
    let payloads: Vec<Value> =
        whole.iter().map(|(_, data)| serde_json::from_slice(data).unwrap()).collect();
    let expected = without_spaces(raw(&payloads));
    let told = events(ID, &quirks, &whole);
    let streamed = answer_of(&told);
    assert_eq!(without_spaces(of_answer(&streamed)), expected, "{file}: stream");
    for size in [1, 3, 64, 1000] {
        assert_eq!(events(ID, &quirks, &frames(stream, size)), told, "{file}: chunks of {size}");
    }

    let aggregate = (dialect(ID).decode_answer)(&aggregated(ID, &whole), &quirks).unwrap();
    let mut gathered = without_spaces(of_answer(&aggregate));
    // Some recordings leave out most of the deltas.
    if gathered.text.len() > expected.text.len() {
        gathered.text.clone_from(&expected.text);
    }
    assert_eq!(gathered, expected, "{file}: aggregate");
    assert_eq!(aggregate.usage, streamed.usage, "{file}: usage of the aggregate");

    let seen = metered(ID, &whole);
    assert_eq!(seen.usage, streamed.usage, "{file}: usage of the meter");
    let stop = streamed.choices[0].stop.as_ref().map(|stop| stop.reason);
    assert_eq!(seen.stop, stop, "{file}: stop of the meter");
    assert!(seen.done, "{file}: end of the meter");
    assert!(seen.content_bytes >= expected.text.len(), "{file}: bytes of the meter");

    let again = written(ID, &told);
    let again = answer_of(&events(ID, &quirks, &frames(again.as_bytes(), 97)));
    assert_eq!(without_spaces(of_answer(&again)), expected, "{file}: written again");
}

/// The streams of a recording: some hold several, and one is cut in the middle of an event.
fn streams(content: &str) -> Vec<String> {
    let mut streams: Vec<String> = Vec::new();
    for line in content.lines().filter(|line| !line.is_empty()) {
        let Ok(data) = serde_json::from_str::<Value>(line) else { continue };
        match streams.last_mut() {
            Some(last) if data["type"] != "response.created" => last.push_str(line),
            _ => streams.push(line.to_owned()),
        }
        streams.last_mut().unwrap().push('\n');
    }
    streams.retain(|stream| stream.contains("\"response.completed\""));
    streams
}

#[test]
fn every_recorded_stream_of_responses_is_read_alike_by_all() {
    for folder in FOLDERS {
        for (file, content) in recorded(folder) {
            if file.ends_with(".chunks.txt") {
                for stream in streams(&content) {
                    check_stream(&file, &lines_as_stream(&stream));
                }
            }
        }
    }
}

#[test]
fn every_recorded_answer_of_responses_is_read_and_written_without_loss() {
    for folder in FOLDERS {
        for (file, content) in recorded(folder) {
            let Ok(mut recorded) = serde_json::from_str::<Value>(&content) else { continue };
            if recorded["object"] != "response" {
                continue;
            }
            let quirks = Quirks::default();
            let read = (dialect(ID).decode_answer)(content.as_bytes(), &quirks).unwrap();
            let again = (dialect(ID).encode_answer)(&read);
            let reread = (dialect(ID).decode_answer)(&again, &quirks).unwrap();
            assert_eq!(reread.choices, read.choices, "{file}");
            assert_eq!(reread.usage, read.usage, "{file}");
            let mut again: Value = serde_json::from_slice(&again).unwrap();
            // Empty messages say nothing, and nulls stand for nothing.
            let output = recorded["output"].as_array_mut().unwrap();
            output.retain(|item| {
                item["content"]
                    .as_array()
                    .is_none_or(|list| !list.is_empty() || item["type"] != "message")
            });
            normalise(&mut again["output"]);
            normalise(&mut recorded["output"]);
            assert_eq!(again["output"], recorded["output"], "{file}");
        }
    }
}

/// Nulls and empty lists are as good as absent; parts of a summary may be joined.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(normalise);
            map.retain(|_, value| {
                !value.is_null() && value.as_array().is_none_or(|l| !l.is_empty())
            });
            if let Some(Value::Array(summary)) = map.get_mut("summary") {
                let texts: Vec<_> =
                    summary.iter().filter_map(|part| part["text"].as_str()).collect();
                let joined = texts.join("\n\n");
                *summary = vec![Value::from(joined)];
            }
        }
        Value::Array(list) => list.iter_mut().for_each(normalise),
        _ => {}
    }
}

#[test]
fn a_recorded_failure_is_reported_and_no_end() {
    for (file, content) in recorded("openai") {
        if file != "openai-error.1.chunks.txt" {
            continue;
        }
        let whole = frames(&lines_as_stream(&content), 50);
        let told = events(ID, &Quirks::default(), &whole);
        let errors: Vec<_> = told
            .iter()
            .filter_map(|event| match event {
                Event::Error(reported) => Some(reported.code.as_deref()),
                _ => None,
            })
            .collect();
        assert_eq!(errors, [Some("insufficient_quota"); 2]);
        assert!(!told.contains(&Event::Done));
        let seen = metered(ID, &whole);
        assert_eq!(seen.error.unwrap().code.as_deref(), Some("insufficient_quota"));
        assert!(!seen.done);
    }
}
