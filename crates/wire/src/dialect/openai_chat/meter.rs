//! Watches a relayed stream in one pass over each chunk: the scanner checks the text and the
//! lengths and spans of the few interesting fields fall out on the way. Nothing is parsed into
//! values but usage and errors, which come once a stream.

use super::{DONE, finish, report, usage};
use crate::dialect::{Meter, Quirks, Seen};
use crate::error::DecodeError;
use crate::scan::{Fault, Kind, Scanner};
use serde_json::Value;
use std::ops::Range;

/// The observer of one stream.
pub(super) struct ChunkMeter {
    quirks: Quirks,
}

impl ChunkMeter {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self { quirks: quirks.clone() }
    }
}

impl Meter for ChunkMeter {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let data = data.trim_ascii();
        if data == DONE {
            return Ok(Seen { done: true, ..Seen::default() });
        }
        if data.is_empty() {
            return Ok(Seen::default());
        }
        let mut note = Note::default();
        let mut scanner = Scanner::new(data)?;
        chunk(&mut scanner, &mut note)?;
        let mut seen = note.seen;
        seen.content_bytes += note.reasoning.max(note.reasoning_content);
        seen.content |= seen.content_bytes > 0;
        let told = [&note.usage, &note.groq_usage, &note.choice_usage].into_iter().flatten();
        seen.usage = told.filter_map(|at| usage::of_slice(scanner.slice(at), &self.quirks)).next();
        seen.usage_only = note.choices == Some(0) && seen.usage.is_some();
        if note.may_be_error {
            seen.error = error(data);
        }
        Ok(seen)
    }
}

/// What was found in one chunk.
#[derive(Default)]
struct Note {
    seen: Seen,
    choices: Option<usize>,
    usage: Option<Range<usize>>,
    groq_usage: Option<Range<usize>>,
    /// Of the first alternative that tells one.
    choice_usage: Option<Range<usize>>,
    may_be_error: bool,
    /// Hosts that send both fields send the same text in them.
    reasoning: usize,
    reasoning_content: usize,
}

#[cold]
fn error(data: &[u8]) -> Option<crate::error::Reported> {
    let value: Value = serde_json::from_slice(data).ok()?;
    report::inside(value.as_object()?)
}

fn chunk(scanner: &mut Scanner<'_>, note: &mut Note) -> Result<(), Fault> {
    scanner.object(|scanner, key| match &*key.bytes() {
        b"choices" if scanner.kind() == Kind::Array => {
            let mut count = 0;
            scanner.array(|scanner, _| {
                count += 1;
                choice(scanner, note)
            })?;
            note.choices = Some(count);
            Ok(())
        }
        b"usage" if scanner.kind() == Kind::Object => {
            note.usage = Some(scanner.skip()?.span);
            Ok(())
        }
        b"x_groq" if scanner.kind() == Kind::Object => scanner.object(|scanner, key| {
            if *key.bytes() == *b"usage" && scanner.kind() == Kind::Object {
                note.groq_usage = Some(scanner.skip()?.span);
                return Ok(());
            }
            scanner.pass()
        }),
        b"error" => {
            note.may_be_error |= scanner.kind() != Kind::Null;
            scanner.pass()
        }
        b"object" if scanner.kind() == Kind::String => {
            note.may_be_error |= *scanner.string()?.bytes() == *b"error";
            Ok(())
        }
        _ => scanner.pass(),
    })?;
    scanner.end()
}

fn choice(scanner: &mut Scanner<'_>, note: &mut Note) -> Result<(), Fault> {
    if scanner.kind() != Kind::Object {
        return scanner.pass();
    }
    scanner.object(|scanner, key| match (&*key.bytes(), scanner.kind()) {
        (b"delta" | b"message", Kind::Object) => delta(scanner, note),
        // Legacy completions, which are watched by this meter too.
        (b"text", Kind::String) => {
            note.seen.content_bytes += scanner.string()?.unescaped_len();
            Ok(())
        }
        (b"finish_reason", Kind::String) => {
            note.seen.stop = Some(finish::reason(&scanner.string()?.unescaped()));
            Ok(())
        }
        (b"usage", Kind::Object) => {
            let span = scanner.skip()?.span;
            note.choice_usage.get_or_insert(span);
            Ok(())
        }
        _ => scanner.pass(),
    })
}

fn delta(scanner: &mut Scanner<'_>, note: &mut Note) -> Result<(), Fault> {
    scanner.object(|scanner, key| {
        match (&*key.bytes(), scanner.kind()) {
            (b"content" | b"refusal", Kind::String) => {
                note.seen.content_bytes += scanner.string()?.unescaped_len();
            }
            (b"reasoning_content", Kind::String) => {
                note.reasoning_content += scanner.string()?.unescaped_len();
            }
            (b"reasoning", Kind::String) => note.reasoning += scanner.string()?.unescaped_len(),
            (b"tool_calls", Kind::Array) => scanner.array(|scanner, _| {
                note.seen.content = true;
                texts(scanner, note)
            })?,
            (b"function_call" | b"audio", Kind::Object) => {
                note.seen.content = true;
                texts(scanner, note)?;
            }
            // Parts, such as Mistral's thinking.
            (b"content", Kind::Array) => texts(scanner, note)?,
            _ => scanner.pass()?,
        }
        Ok(())
    })
}

/// Counts the texts of a value: all that a model wrote under one of these names.
fn texts(scanner: &mut Scanner<'_>, note: &mut Note) -> Result<(), Fault> {
    match scanner.kind() {
        Kind::Object => scanner.object(|scanner, key| {
            match (&*key.bytes(), scanner.kind()) {
                (b"text" | b"thinking" | b"arguments" | b"name" | b"transcript", Kind::String) => {
                    note.seen.content_bytes += scanner.string()?.unescaped_len();
                }
                (b"function" | b"thinking", Kind::Object | Kind::Array) => {
                    texts(scanner, note)?;
                }
                _ => scanner.pass()?,
            }
            Ok(())
        }),
        Kind::Array => scanner.array(|scanner, _| texts(scanner, note)),
        _ => scanner.pass(),
    }
}
