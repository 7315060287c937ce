//! Recorded answers of OpenAI-shaped hosts, when the data folder is there: everything decodes, and
//! a stream says the same as its events, its aggregate and its meter.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wire::dialect::{Dialect, Quirks, find};
use wire::hub::{Event, Part, Usage};

const FOLDERS: &[&str] = &[
    "openai",
    "groq",
    "mistral",
    "deepseek",
    "xai",
    "moonshotai",
    "alibaba",
    "openai-compatible",
    "azure",
    "perplexity",
];

fn dialect() -> &'static Dialect {
    find("openai_chat").unwrap()
}

#[expect(clippy::disallowed_methods, reason = "recordings lie outside the project")]
fn recordings() -> Vec<(PathBuf, String)> {
    let root = std::env::var("WEIGHBRIDGE_DATA").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(root.join("recorded").join(folder)) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            if text.contains("chat.completion") || text.contains("chatcmpl-stream") {
                found.push((path, text));
            }
        }
    }
    if found.is_empty() {
        println!("note: no recordings at {}, nothing checked", root.display());
    }
    found
}

/// The data of each event of a recorded stream, or `None` for an unstreamed answer.
fn events(path: &Path, text: &str) -> Option<Vec<Vec<u8>>> {
    match path.extension()?.to_str()? {
        "txt" => Some(text.lines().map(|line| line.as_bytes().to_vec()).collect()),
        "sse" => {
            let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
            Some(lines.map(|line| line.as_bytes().to_vec()).collect())
        }
        _ => None,
    }
}

/// What a client gets to see of an answer.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    reasoning: String,
    tools: Vec<(String, String, String)>,
    finish: Option<String>,
    usage: Option<Usage>,
}

fn of_answer(body: &[u8]) -> Said {
    let answer = (dialect().decode_answer)(body, &Quirks::default()).unwrap();
    let choice = &answer.choices[0];
    let mut said = Said { usage: answer.usage, ..Said::default() };
    said.finish = choice.stop.as_ref().map(|stop| stop.native.clone());
    for part in &choice.parts {
        match part {
            Part::Text { text, .. } => said.text.push_str(text),
            Part::Reasoning { text, .. } => said.reasoning.push_str(text),
            Part::ToolCall(call) => {
                said.tools.push((call.id.clone(), call.name.clone(), call.arguments.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    said
}

fn of_events(events: &[Event]) -> Said {
    let mut said = Said::default();
    for event in events {
        match event {
            Event::Text { text, .. } => said.text.push_str(text),
            Event::Reasoning { text, .. } => said.reasoning.push_str(text),
            Event::ToolStart { id, name, .. } => {
                said.tools.push((id.clone(), name.clone(), String::new()));
            }
            Event::ToolArguments { index, fragment, .. } => {
                said.tools[*index as usize].2.push_str(fragment);
            }
            Event::Stop { stop, .. } => said.finish = Some(stop.native.clone()),
            Event::Usage(usage) => said.usage = Some(*usage),
            Event::Error(reported) => panic!("{reported:?}"),
            _ => {}
        }
    }
    said
}

fn decoded(chunks: &[Vec<u8>]) -> Vec<Event> {
    let mut reader = (dialect().decode_events)(&Quirks::default());
    let mut out = Vec::new();
    for data in chunks {
        reader.event(None, data, &mut out).unwrap();
    }
    reader.end(&mut out);
    out
}

#[test]
fn every_recorded_answer_decodes_with_text_or_tools_and_finish_and_usage() {
    for (path, text) in recordings().iter().filter(|(path, text)| events(path, text).is_none()) {
        let said = of_answer(text.as_bytes());
        let shown = path.display();
        assert!(!said.text.is_empty() || !said.tools.is_empty(), "{shown}");
        assert!(said.finish.is_some(), "{shown}");
        let usage = said.usage.unwrap();
        let raw: Value = serde_json::from_str(text).unwrap();
        let total = raw["usage"]["total_tokens"].as_u64().unwrap();
        assert_eq!(usage.total_input() + usage.total_output(), total, "{shown}");
    }
}

#[test]
fn every_recorded_stream_says_the_same_through_all_four_readers() {
    for (path, text) in &recordings() {
        let Some(chunks) = events(path, text) else { continue };
        let shown = path.display().to_string();
        let events = decoded(&chunks);
        let said = of_events(&events);
        assert!(!said.text.is_empty() || !said.tools.is_empty(), "{shown}");
        assert!(said.finish.is_some(), "{shown}");

        let mut aggregate = (dialect().aggregate)();
        let mut meter = (dialect().meter)(&Quirks::default());
        let (mut usage, mut bytes, mut finish) = (None, 0, None);
        for data in &chunks {
            aggregate.event(None, data).unwrap();
            let seen = meter.event(None, data).unwrap();
            assert_eq!(seen.error, None, "{shown}");
            usage = seen.usage.or(usage);
            finish = seen.stop.or(finish);
            bytes += seen.content_bytes;
        }
        assert_eq!(of_answer(&aggregate.finish()), said, "{shown}");
        assert_eq!(usage, said.usage, "{shown}");
        assert!(finish.is_some(), "{shown}");
        let tools: usize = said.tools.iter().map(|(_, name, args)| name.len() + args.len()).sum();
        assert!(bytes >= said.text.len() + said.reasoning.len() + tools, "{shown}");
    }
}

#[test]
fn a_recorded_stream_written_again_says_the_same() {
    for (path, text) in &recordings() {
        let Some(chunks) = events(path, text) else { continue };
        let events = decoded(&chunks);
        let mut writer = (dialect().encode_events)(true);
        let mut out = Vec::new();
        events.iter().for_each(|event| writer.event(event, &mut out));
        writer.end(&mut out);
        let text = String::from_utf8(out).unwrap();
        let again: Vec<Vec<u8>> = text
            .split_terminator("\n\n")
            .map(|frame| frame.strip_prefix("data: ").unwrap().as_bytes().to_vec())
            .collect();
        assert_eq!(again.last().unwrap(), b"[DONE]");
        let (mut was, mut is) = (of_events(&events), of_events(&decoded(&again)));
        // The writer uses OpenAI's words only.
        (was.finish, is.finish) = (None, None);
        assert_eq!(is, was, "{}", path.display());
    }
}
