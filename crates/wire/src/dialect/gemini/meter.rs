//! Observes a stream that is relayed as it is.
//!
//! One typed pass per event checks the JSON and measures text without copying it. There is no end
//! mark in this dialect: the stop is what counts.

use super::usage::Counts;
use super::{failure, words};
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::hub::StopReason;
use crate::measure::Length;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Observes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Observer {
    counts: Counts,
    called: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    usage_metadata: Option<Counts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    text: Option<Length>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    inline_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<Cow<'a, str>>,
}

impl Meter for Observer {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let mut seen = Seen::default();
        for chunk in read_body(data)? {
            self.chunk(chunk, &mut seen);
        }
        Ok(seen)
    }
}

fn read_body(data: &[u8]) -> Result<Vec<Chunk<'_>>, DecodeError> {
    let wrong = |error: serde_json::Error| DecodeError::at("", format!("malformed event: {error}"));
    if data.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(data).map_err(wrong);
    }
    serde_json::from_slice(data).map(|chunk| vec![chunk]).map_err(wrong)
}

impl Observer {
    fn chunk(&mut self, chunk: Chunk<'_>, seen: &mut Seen) {
        for candidate in chunk.candidates.iter().flatten() {
            self.candidate(candidate, seen);
        }
        if chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            seen.stop = Some(StopReason::ContentFilter);
        }
        if let Some(counts) = chunk.usage_metadata {
            self.counts.update(counts);
            seen.usage = self.counts.usage();
        }
        if let Some(error) = chunk.error {
            seen.error = Some(failure::reported(None, &error));
        }
    }

    fn candidate(&mut self, candidate: &Candidate<'_>, seen: &mut Seen) {
        let parts = candidate.content.as_ref().and_then(|content| content.parts.as_ref());
        for part in parts.into_iter().flatten() {
            let text = part.text.unwrap_or_default().0;
            let call = part.function_call.map_or(0, |call| call.get().len());
            self.called |= part.function_call.is_some();
            seen.content_bytes += text + call;
            seen.content |= text + call > 0 || part.inline_data.is_some();
        }
        // A failed alternative outweighs the others: the answer must not be shown as complete.
        if let Some(word) = candidate.finish_reason.as_deref()
            && word != words::UNSPECIFIED
            && seen.stop != Some(StopReason::Error)
        {
            seen.stop = Some(words::reason(word, self.called));
        }
    }
}
