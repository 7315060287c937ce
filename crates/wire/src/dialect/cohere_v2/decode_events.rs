//! Reads a stream. Citations and the events that only bracket others are signs of life.

use super::failure;
use super::frame::{Call, Content, Delta, End, Frame, PIECES};
use super::words::STOPS;
use crate::dialect::DecodeEvents;
use crate::error::DecodeError;
use crate::hub::Event;
use std::collections::BTreeMap;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Their numbers of calls and ours.
    calls: BTreeMap<u64, u32>,
    tools: u32,
}

impl DecodeEvents for Reader {
    fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let frame = Frame::read(data)?;
        let kind = frame.kind(name);
        let before = out.len();
        match kind.as_ref() {
            "message-start" => out.push(Event::Start {
                id: frame.id.unwrap_or_default(),
                model: String::new(),
                created: None,
                usage: None,
            }),
            "message-end" => end(&frame.delta()?, out),
            kind if PIECES.contains(&kind) => {
                let starts = kind == "tool-call-start";
                self.piece(frame.delta()?, frame.index.unwrap_or(0), starts, out)?;
            }
            _ => {
                let failed = frame.message.as_deref().map(failure::said);
                out.extend(failed.map(Event::Error));
            }
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<Event>) {}
}

impl Reader {
    fn piece(
        &mut self,
        delta: Delta<String>,
        index: u64,
        starts: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let message = delta.message;
        push_text(message.tool_plan, out);
        if let Some(Content { text, thinking }) = message.content {
            if let Some(text) = thinking.filter(|text| !text.is_empty()) {
                out.push(Event::Reasoning { choice: 0, text });
            }
            push_text(text, out);
        }
        match message.tool_calls {
            Some(call) => self.call(call, index, starts, out),
            None => Ok(()),
        }
    }

    fn call(
        &mut self,
        call: Call<String>,
        index: u64,
        starts: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        let Some(function) = call.function else { return Ok(()) };
        if starts {
            let number = self.tools;
            self.tools = self.tools.saturating_add(1);
            self.calls.insert(index, number);
            out.push(Event::ToolStart {
                choice: 0,
                index: number,
                id: call.id.unwrap_or_else(|| format!("call_{number}")),
                name: function.name.unwrap_or_default(),
                signature: None,
            });
        }
        let Some(number) = self.calls.get(&index) else {
            return Err(DecodeError::at("index", "names no call that has begun"));
        };
        if let Some(fragment) = function.arguments.filter(|piece| !piece.is_empty()) {
            out.push(Event::ToolArguments { choice: 0, index: *number, fragment });
        }
        Ok(())
    }
}

fn push_text(text: Option<String>, out: &mut Vec<Event>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        out.push(Event::Text { choice: 0, text, logprobs: None });
    }
}

fn end(end: &End, out: &mut Vec<Event>) {
    out.extend(end.usage.as_ref().map(|counts| Event::Usage(counts.usage())));
    let word = end.finish_reason.clone();
    let stop = word.map(|word| STOPS.stop(word, None, false));
    out.extend(stop.map(|stop| Event::Stop { choice: 0, stop }));
    out.push(Event::Done);
}
