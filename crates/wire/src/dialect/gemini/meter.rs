//! Observes a stream that is relayed as it is.
//!
//! One pass of the scanner over each event checks the JSON and measures text; only counts and
//! errors are read as values. There is no end mark in this dialect: the stop is what counts.

use super::usage::Counts;
use super::{failure, words};
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::hub::{StopReason, Usage};
use crate::scan::{Fault, Kind, Scanner, Text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;

/// Observes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Observer {
    counts: Counts,
    /// Whether any alternative was seen.
    any: bool,
    /// Alternatives that called a function.
    called: BTreeSet<u32>,
    /// Alternatives that ended.
    stopped: BTreeSet<u32>,
}

/// What was found in one chunk.
#[derive(Default)]
struct Note {
    candidates: Vec<Candidate>,
    blocked: bool,
    usage: Option<Range<usize>>,
    error: Option<Range<usize>>,
}

#[derive(Default)]
struct Candidate {
    index: u32,
    bytes: usize,
    content: bool,
    called: bool,
    finish: Option<String>,
}

impl Meter for Observer {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let mut seen = Seen::default();
        let mut scanner = Scanner::new(data)?;
        if scanner.kind() == Kind::Array {
            scanner.array(|scanner, _| self.chunk(scanner, &mut seen))?;
        } else {
            self.chunk(&mut scanner, &mut seen)?;
        }
        scanner.end()?;
        Ok(seen)
    }
}

impl Observer {
    fn chunk(&mut self, scanner: &mut Scanner<'_>, seen: &mut Seen) -> Result<(), DecodeError> {
        let mut note = Note::default();
        scanner.object(|scanner, key| note.member(scanner, key))?;
        if let Some(error) = note.error {
            let error: Option<Value> = serde_json::from_slice(scanner.slice(&error)).ok();
            seen.error = Some(failure::reported(None, &error.unwrap_or_default()));
            return Ok(());
        }
        for candidate in &note.candidates {
            self.candidate(candidate, seen);
        }
        if note.blocked && !self.any {
            seen.stop = Some(StopReason::ContentFilter);
        }
        if let Some(usage) = note.usage {
            seen.usage = self.count(scanner.slice(&usage))?.or(seen.usage);
        }
        Ok(())
    }

    fn count(&mut self, text: &[u8]) -> Result<Option<Usage>, DecodeError> {
        let counts = serde_json::from_slice(text)
            .map_err(|error| DecodeError::at("usageMetadata", format!("malformed: {error}")))?;
        self.counts.update(counts);
        Ok(self.counts.usage())
    }

    fn candidate(&mut self, candidate: &Candidate, seen: &mut Seen) {
        self.any = true;
        seen.content_bytes += candidate.bytes;
        seen.content |= candidate.content;
        if candidate.called {
            self.called.insert(candidate.index);
        }
        let Some(word) = candidate.finish.as_deref().filter(|word| *word != words::UNSPECIFIED)
        else {
            return;
        };
        let first = self.stopped.insert(candidate.index);
        // A failed alternative outweighs the others: the answer must not be shown as complete.
        if first && seen.stop != Some(StopReason::Error) {
            seen.stop = Some(words::reason(word, self.called.contains(&candidate.index)));
        }
    }
}

impl Note {
    fn member(&mut self, scanner: &mut Scanner<'_>, key: Text<'_>) -> Result<(), Fault> {
        match (&*key.bytes(), scanner.kind()) {
            (b"candidates", Kind::Array) => scanner.array(|scanner, _| {
                let mut candidate = Candidate::default();
                object(scanner, |scanner, key| candidate.member(scanner, key))?;
                self.candidates.push(candidate);
                Ok(())
            }),
            (b"promptFeedback", Kind::Object) => scanner.object(|scanner, key| {
                let reason = *key.bytes() == *b"blockReason" && scanner.kind() == Kind::String;
                self.blocked |= reason;
                scanner.pass()
            }),
            (b"usageMetadata", Kind::Object) => {
                self.usage = Some(scanner.skip()?.span);
                Ok(())
            }
            (b"error", kind) if kind != Kind::Null => {
                self.error = Some(scanner.skip()?.span);
                Ok(())
            }
            _ => scanner.pass(),
        }
    }
}

impl Candidate {
    fn member(&mut self, scanner: &mut Scanner<'_>, key: Text<'_>) -> Result<(), Fault> {
        match (&*key.bytes(), scanner.kind()) {
            (b"content", Kind::Object) => scanner.object(|scanner, key| {
                if *key.bytes() == *b"parts" && scanner.kind() == Kind::Array {
                    let part = |scanner: &mut Scanner<'_>, _| {
                        object(scanner, |scanner, key| self.part(scanner, key))
                    };
                    return scanner.array(part);
                }
                scanner.pass()
            })?,
            (b"finishReason", Kind::String) => {
                self.finish = Some(scanner.string()?.unescaped().into_owned());
            }
            (b"index", Kind::Number) => {
                let span = scanner.skip()?.span;
                let digits = std::str::from_utf8(scanner.slice(&span)).unwrap_or_default();
                self.index = digits.parse().unwrap_or(0);
            }
            _ => scanner.pass()?,
        }
        Ok(())
    }

    fn part(&mut self, scanner: &mut Scanner<'_>, key: Text<'_>) -> Result<(), Fault> {
        match (&*key.bytes(), scanner.kind()) {
            (b"text", Kind::String) => self.add(scanner.string()?.unescaped_len()),
            (b"functionCall", Kind::Object) => {
                self.called = true;
                self.add(scanner.skip()?.span.len());
            }
            (b"inlineData", Kind::Object) => {
                self.content = true;
                scanner.pass()?;
            }
            _ => scanner.pass()?,
        }
        Ok(())
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.content |= bytes > 0;
    }
}

/// Walks an object; anything else is passed.
fn object<'a>(
    scanner: &mut Scanner<'a>,
    each: impl FnMut(&mut Scanner<'a>, Text<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if scanner.kind() == Kind::Object { scanner.object(each) } else { scanner.pass() }
}
