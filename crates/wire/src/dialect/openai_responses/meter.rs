//! Watches a relayed stream in one pass over each event: lengths and places of the few interesting
//! fields fall out of the scan. Only items, ends and errors are looked at again.

use super::words::{self, ENDS};
use super::{failure, usage};
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::hub::StopReason;
use crate::scan::{Fault, Kind, Scanner};
use serde::Deserialize;
use serde_json::Value;
use std::ops::Range;

/// The observer of one stream.
#[derive(Debug, Default)]
pub(super) struct Watch {
    calls: bool,
}

/// What was found in one event.
#[derive(Default)]
struct Note {
    kind: Option<String>,
    delta: usize,
    item: Option<Range<usize>>,
    response: Option<Range<usize>>,
}

/// The parts of an item that count as content.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(rename = "type")]
    kind: Value,
    name: Value,
}

/// The parts of a finished answer that are told.
#[derive(Default, Deserialize)]
#[serde(default)]
struct End {
    status: Value,
    incomplete_details: Value,
    usage: Value,
    error: Value,
}

/// Deltas that carry what the model wrote.
static CONTENT: &[&str] = &[
    "response.output_text.delta",
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.refusal.delta",
];

impl Meter for Watch {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(Seen::default());
        }
        let mut scanner = Scanner::new(data)?;
        let note = scan(&mut scanner)?;
        let named = || name.map(|name| String::from_utf8_lossy(name).into_owned());
        let kind = note.kind.clone().or_else(named).unwrap_or_default();
        let mut seen = Seen::default();
        if CONTENT.contains(&kind.as_str()) {
            seen.content_bytes = note.delta;
            seen.content = note.delta > 0;
        } else if kind == "response.output_item.added" {
            self.item(note.item.map(|at| scanner.slice(&at)), &mut seen);
        } else if ENDS.contains(&kind.as_str()) {
            self.end(&kind, note.response.map(|at| scanner.slice(&at)), &mut seen);
        } else if kind == "error" {
            let value: Option<Value> = serde_json::from_slice(data).ok();
            seen.error = value.as_ref().and_then(Value::as_object).map(failure::reported);
        }
        Ok(seen)
    }
}

impl Watch {
    fn item(&mut self, text: Option<&[u8]>, seen: &mut Seen) {
        let item: Option<Item> = text.and_then(|text| serde_json::from_slice(text).ok());
        let item = item.unwrap_or_default();
        match item.kind.as_str() {
            Some("function_call" | "custom_tool_call") => {
                self.calls = true;
                seen.content = true;
                seen.content_bytes = item.name.as_str().map_or(0, str::len);
            }
            // These begin empty; what they say comes in deltas.
            Some("message" | "reasoning") | None => {}
            // A patch, a shell command, a search: an answer in itself, whatever it is called.
            Some(_) => seen.content = true,
        }
    }

    fn end(&self, kind: &str, text: Option<&[u8]>, seen: &mut Seen) {
        let end: Option<End> = text.and_then(|text| serde_json::from_slice(text).ok());
        let end = end.unwrap_or_default();
        let named = kind.strip_prefix("response.").unwrap_or_default();
        let status = end.status.as_str().unwrap_or(named);
        let reason = end.incomplete_details.get("reason").and_then(Value::as_str);
        seen.usage = usage::read(&end.usage);
        match words::stop(status, reason, self.calls) {
            Some(stop) if stop.reason == StopReason::Error => {
                let around = serde_json::Map::from_iter([("error".to_owned(), end.error)]);
                seen.error = Some(failure::reported(&around));
            }
            Some(stop) => {
                seen.stop = Some(stop.reason);
                seen.done = true;
            }
            None => {}
        }
    }
}

fn scan(scanner: &mut Scanner<'_>) -> Result<Note, Fault> {
    let mut note = Note::default();
    if scanner.kind() != Kind::Object {
        scanner.skip()?;
        return scanner.end().map(|()| note);
    }
    scanner.object(|scanner, key| {
        match (&*key.bytes(), scanner.kind()) {
            (b"type", Kind::String) => {
                note.kind = Some(scanner.string()?.unescaped().into_owned());
            }
            (b"delta", Kind::String) => note.delta = scanner.string()?.unescaped_len(),
            (b"item", Kind::Object) => note.item = Some(scanner.skip()?.span),
            (b"response", Kind::Object) => note.response = Some(scanner.skip_repeated()?.span),
            _ => scanner.pass()?,
        }
        Ok(())
    })?;
    scanner.end().map(|()| note)
}
