//! Observes a stream that is relayed as it is, measuring text without copying it.

use super::failure;
use super::frame::{Delta, End, Frame, PIECES};
use super::words::STOPS;
use crate::dialect::{Meter, Seen};
use crate::error::DecodeError;
use crate::measure::Length;

/// Observes the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Observer;

impl Meter for Observer {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Seen, DecodeError> {
        let frame = Frame::read(data)?;
        let mut seen = Seen::default();
        match frame.kind(name).as_ref() {
            "message-start" => {}
            "message-end" => {
                let end: End = frame.delta()?;
                seen.stop = end.finish_reason.as_deref().map(|word| STOPS.reason(word));
                seen.usage = end.usage.map(|counts| counts.usage());
                seen.done = true;
            }
            kind if PIECES.contains(&kind) => {
                seen.content = kind == "tool-call-start";
                measure(frame.delta()?, &mut seen);
            }
            _ => seen.error = frame.message.as_deref().map(failure::said),
        }
        Ok(seen)
    }
}

fn measure(delta: Delta<Length>, seen: &mut Seen) {
    let message = delta.message;
    let content = message.content.as_ref();
    let function = message.tool_calls.and_then(|call| call.function);
    let name = function.as_ref().and_then(|function| function.name.as_ref()).map_or(0, String::len);
    let texts = [
        message.tool_plan,
        content.and_then(|content| content.text),
        content.and_then(|content| content.thinking),
        function.and_then(|function| function.arguments),
    ];
    let bytes: usize = texts.into_iter().flatten().map(|length| length.0).sum();
    seen.content |= bytes > 0;
    seen.content_bytes = bytes + name;
}
