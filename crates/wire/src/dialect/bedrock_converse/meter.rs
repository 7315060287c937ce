//! Observes a stream that is relayed as it is. One typed pass per event checks the JSON and measures
//! text without copying it.

use super::failure;
use super::frame::Frame;
use super::words::STOPS;
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::measure::Length;

/// Observes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Observer {
    stopped: bool,
}

impl Meter for Observer {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let (name, frame) = Frame::<Length>::read(name, data)?;
        let mut seen = Seen::default();
        if frame.is_failure(name) {
            let original = frame.original_status_code;
            seen.error = Some(failure::in_stream(name, frame.message, original));
            return Ok(seen);
        }
        if let Some(delta) = frame.delta {
            let thought = delta.reasoning_content.as_ref();
            let texts = [
                delta.text,
                delta.tool_use.and_then(|call| call.input),
                thought.and_then(|thought| thought.text),
            ];
            seen.content_bytes = texts.into_iter().flatten().map(|length| length.0).sum();
            seen.content = seen.content_bytes > 0
                || thought.is_some_and(|thought| thought.redacted_content.is_some());
        }
        let call = frame.start.and_then(|start| start.tool_use);
        if let Some(call) = call.filter(|call| call.kind.is_none()) {
            seen.content = true;
            seen.content_bytes += call.name.len();
        }
        let stop = frame.stop_reason.as_deref().filter(|_| name == "messageStop");
        seen.stop = stop.map(|word| STOPS.reason(word));
        seen.usage = frame.usage.map(|counts| counts.usage());
        self.stopped |= seen.stop.is_some();
        seen.done = self.stopped && name == "metadata";
        Ok(seen)
    }
}
