//! Observes a stream that is relayed as it is.
//!
//! One pass of the scanner over each event checks the JSON and measures text; only counts and
//! errors, which come a few times a stream, are read as values.

use super::usage::Counts;
use super::{failure, words};
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::hub::{StopReason, Usage};
use crate::scan::{Fault, Kind, Scanner, Text};
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

/// Observes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Observer {
    counts: Counts,
    /// The stop that the start told already: the whole message may stand there.
    early: Option<StopReason>,
    stopped: bool,
}

/// What was found in one event.
#[derive(Default)]
struct Note<'a> {
    kind: Option<Cow<'a, [u8]>>,
    piece: Piece,
    usage: Option<Range<usize>>,
    /// What stands in `message`.
    message: Piece,
    message_usage: Option<Range<usize>>,
    error: Option<Range<usize>>,
}

/// A block, a piece of one, or several.
#[derive(Default)]
struct Piece {
    bytes: usize,
    /// It is content by being there.
    whole: bool,
    stop: Option<StopReason>,
}

/// Blocks that are content by being there.
static WHOLE_BLOCKS: &[&[u8]] =
    &[b"tool_use", b"server_tool_use", b"mcp_tool_use", b"redacted_thinking"];

impl Meter for Observer {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let mut scanner = Scanner::new(data)?;
        let mut note = Note::default();
        scanner.object(|scanner, key| note.member(scanner, key))?;
        scanner.end()?;
        let counts = |at: &Option<Range<usize>>| counts(at.as_ref().map(|at| scanner.slice(at)));
        let mut seen = Seen::default();
        match note.kind.as_deref().or(name).unwrap_or_default() {
            b"content_block_delta" | b"content_block_start" => note.piece.tell(&mut seen),
            b"message_start" => {
                note.message.tell(&mut seen);
                self.early = note.message.stop;
                seen.usage = self.count(counts(&note.message_usage)?);
            }
            b"message_delta" => {
                seen.usage = self.count(counts(&note.usage)?);
                seen.stop = self.stop(note.piece.stop);
            }
            b"message_stop" => {
                let early = self.early.take();
                seen.stop = self.stop(early);
                seen.done = true;
            }
            b"error" => {
                let error = note.error.map(|at| serde_json::from_slice(scanner.slice(&at)));
                let error: Option<Value> = error.and_then(Result::ok);
                seen.error = Some(failure::reported(None, error.as_ref()));
            }
            _ => {}
        }
        Ok(seen)
    }
}

impl Observer {
    fn count(&mut self, told: Option<Counts>) -> Option<Usage> {
        self.counts.update(told?);
        Some(self.counts.usage())
    }

    /// The first stop counts.
    fn stop(&mut self, told: Option<StopReason>) -> Option<StopReason> {
        let stop = told.filter(|_| !self.stopped);
        self.stopped |= stop.is_some();
        stop
    }
}

fn counts(text: Option<&[u8]>) -> Result<Option<Counts>, DecodeError> {
    let Some(text) = text else { return Ok(None) };
    let wrong = |error| DecodeError::at("usage", format!("malformed: {error}"));
    serde_json::from_slice(text).map(Some).map_err(wrong)
}

impl<'a> Note<'a> {
    fn member(&mut self, scanner: &mut Scanner<'a>, key: Text<'a>) -> Result<(), Fault> {
        match (&*key.bytes(), scanner.kind()) {
            (b"type", Kind::String) => self.kind = Some(scanner.string()?.bytes()),
            (b"delta" | b"content_block", Kind::Object) => self.piece.read(scanner)?,
            (b"message", Kind::Object) => scanner.object(|scanner, key| self.of(scanner, key))?,
            (b"usage", Kind::Object) => self.usage = Some(scanner.skip()?.span),
            (b"error", Kind::Object | Kind::String) => self.error = Some(scanner.skip()?.span),
            _ => scanner.pass()?,
        }
        Ok(())
    }

    /// A member of `message`.
    fn of(&mut self, scanner: &mut Scanner<'a>, key: Text<'a>) -> Result<(), Fault> {
        match (&*key.bytes(), scanner.kind()) {
            (b"usage", Kind::Object) => {
                self.message_usage = Some(scanner.skip()?.span);
                Ok(())
            }
            (b"content", Kind::Array) => scanner.array(|scanner, _| match scanner.kind() {
                Kind::Object => self.message.read(scanner),
                _ => scanner.pass(),
            }),
            _ => self.message.member(scanner, key),
        }
    }
}

impl Piece {
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        scanner.object(|scanner, key| self.member(scanner, key))
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: Text<'_>) -> Result<(), Fault> {
        match (&*key.bytes(), scanner.kind()) {
            (b"text" | b"partial_json" | b"thinking", Kind::String) => {
                self.bytes += scanner.string()?.unescaped_len();
            }
            (b"type", Kind::String) => {
                self.whole |= WHOLE_BLOCKS.contains(&&*scanner.string()?.bytes());
            }
            (b"stop_reason", Kind::String) => {
                let word = scanner.string()?.unescaped();
                self.stop = Some(words::STOPS.reason(&word));
            }
            _ => scanner.pass()?,
        }
        Ok(())
    }

    fn tell(&self, seen: &mut Seen) {
        seen.content_bytes = self.bytes;
        seen.content = self.whole || self.bytes > 0;
    }
}
