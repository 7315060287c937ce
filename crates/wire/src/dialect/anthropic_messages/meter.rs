//! Observes a stream that is relayed as it is.
//!
//! One typed pass per event checks the JSON and measures text without copying it.

use super::usage::Counts;
use super::{failure, words};
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::measure::Length;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// Observes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Observer {
    counts: Counts,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<Piece<'a>>,
    #[serde(borrow)]
    content_block: Option<Piece<'a>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    usage: Option<Counts>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    text: Option<Length>,
    partial_json: Option<Length>,
    thinking: Option<Length>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    usage: Option<Counts>,
    #[serde(default, borrow)]
    content: Vec<Piece<'a>>,
    /// Set already where the whole message stands in its start.
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

/// Blocks that are content by being there.
static WHOLE_BLOCKS: &[&str] =
    &["tool_use", "server_tool_use", "mcp_tool_use", "redacted_thinking"];

impl Piece<'_> {
    fn bytes(&self) -> usize {
        [self.text, self.partial_json, self.thinking].iter().flatten().map(|length| length.0).sum()
    }

    fn note(&self, seen: &mut Seen) {
        seen.content_bytes += self.bytes();
        let whole = self.kind.as_deref().is_some_and(|kind| WHOLE_BLOCKS.contains(&kind));
        seen.content |= whole || self.bytes() > 0;
        if let Some(word) = &self.stop_reason {
            seen.stop = Some(words::STOPS.reason(word));
        }
    }
}

impl Meter for Observer {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let frame: Frame<'_> = serde_json::from_slice(data)
            .map_err(|error| DecodeError::at("", format!("malformed event: {error}")))?;
        let mut seen = Seen::default();
        for piece in [&frame.delta, &frame.content_block].into_iter().flatten() {
            piece.note(&mut seen);
        }
        let mut told = frame.usage;
        if let Some(message) = frame.message {
            message.content.iter().for_each(|piece| piece.note(&mut seen));
            seen.stop = message.stop_reason.as_deref().map(|word| words::STOPS.reason(word));
            told = told.or(message.usage);
        }
        if let Some(counts) = told {
            self.counts.update(counts);
            seen.usage = Some(self.counts.usage());
        }
        let kind = frame.kind.as_deref().map(str::as_bytes).or(name).unwrap_or_default();
        seen.done = kind == b"message_stop";
        if kind == b"error" {
            seen.error = Some(failure::reported(None, frame.error.as_ref()));
        }
        Ok(seen)
    }
}
