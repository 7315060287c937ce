//! Reads a stream.
//!
//! Items are told apart by their place in the output: some hosts change the ids from event to event.
//! What came in no delta is taken from the finished item, and from the finished answer where no item
//! was streamed at all. Items that the hub cannot hold (tools the provider runs itself) are signs of
//! life, and so are unknown events.

use super::{answer, content, failure, thought, tools, usage, words};
use crate::dialect::DecodeEvents;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Event, Part};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// More items than any answer has.
const MAX_ITEMS: usize = 4096;

/// Reads the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    started: bool,
    stopped: bool,
    calls: u32,
    items: BTreeMap<u64, Item>,
}

/// What was told of an item.
#[derive(Debug, Default)]
struct Item {
    /// The number of the call, if it is one that has begun.
    call: Option<u32>,
    /// The call takes text, not JSON.
    custom: bool,
    /// A piece of it was told.
    told: bool,
    done: bool,
    /// Arguments that came before the call's name.
    held: String,
}

type Out<'a> = &'a mut Vec<Event>;
type Read = fn(&mut Reader, Fields, Out<'_>) -> Result<(), DecodeError>;

static READERS: &[(&str, Read)] = &[
    ("response.output_text.delta", Reader::text),
    ("response.function_call_arguments.delta", Reader::arguments),
    ("response.custom_tool_call_input.delta", Reader::arguments),
    ("response.reasoning_summary_text.delta", Reader::thought),
    ("response.reasoning_text.delta", Reader::thought),
    ("response.reasoning_summary_part.added", Reader::thought_part),
    ("response.refusal.delta", Reader::refusal),
    ("response.output_item.added", Reader::added),
    ("response.output_item.done", Reader::done),
    ("response.created", Reader::start),
    ("response.in_progress", Reader::start),
    ("response.queued", Reader::start),
    ("response.completed", Reader::finish),
    ("response.incomplete", Reader::finish),
    ("response.failed", Reader::finish),
    ("response.cancelled", Reader::finish),
    ("error", Reader::error),
];

impl DecodeEvents for Reader {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8], out: Out<'_>) -> Result<(), DecodeError> {
        let before = out.len();
        if let Some((mut fields, kind)) = event(name, data)? {
            fields.keep("type", kind.as_str().into());
            if let Some((_, read)) = READERS.iter().find(|(known, _)| *known == kind) {
                read(self, fields, out)?;
            }
        }
        if out.len() == before {
            out.push(Event::Ping);
        }
        Ok(())
    }

    fn end(&mut self, _out: Out<'_>) {}
}

/// The fields of an event and its type; `None` for what is no event of this API, such as the
/// `[DONE]` of Chat Completions.
pub(super) fn event(
    name: Option<&[u8]>,
    data: &[u8],
) -> Result<Option<(Fields, String)>, DecodeError> {
    let data = data.trim_ascii();
    if data.is_empty() || data == b"[DONE]" {
        return Ok(None);
    }
    let mut fields = Fields::parse(data)?;
    let kind = fields.text("type")?;
    let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
    Ok(kind.or(name).map(|kind| (fields, kind)))
}

impl Reader {
    fn item(&mut self, fields: &mut Fields) -> Result<(u64, &mut Item), DecodeError> {
        let at = fields.u64("output_index")?.unwrap_or(0);
        if self.items.len() >= MAX_ITEMS && !self.items.contains_key(&at) {
            return Err(DecodeError::at("output_index", "too many items"));
        }
        Ok((at, self.items.entry(at).or_default()))
    }

    fn start(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        if let Some(mut response) = fields.object("response")? {
            self.begin(&mut response, out)?;
        }
        Ok(())
    }

    fn begin(&mut self, response: &mut Fields, out: Out<'_>) -> Result<(), DecodeError> {
        if self.started {
            return Ok(());
        }
        let id = response.text("id")?.unwrap_or_default();
        let model = response.text("model")?.unwrap_or_default();
        let created = response.take("created_at").as_ref().and_then(answer::seconds);
        self.started = true;
        out.push(Event::Start { id, model, created, usage: None });
        Ok(())
    }

    fn text(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let text = fields.text("delta")?.unwrap_or_default();
        let logprobs = fields.list("logprobs")?;
        let (_, item) = self.item(&mut fields)?;
        item.told |= !text.is_empty();
        let logprobs = (!logprobs.is_empty()).then(|| json!({ "content": logprobs }));
        if !text.is_empty() || logprobs.is_some() {
            out.push(Event::Text { choice: 0, text, logprobs });
        }
        Ok(())
    }

    fn refusal(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let text = fields.text("delta")?.unwrap_or_default();
        let (_, item) = self.item(&mut fields)?;
        item.told |= !text.is_empty();
        if !text.is_empty() {
            out.push(Event::Refusal { choice: 0, text });
        }
        Ok(())
    }

    fn thought(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let text = fields.text("delta")?.unwrap_or_default();
        let (_, item) = self.item(&mut fields)?;
        item.told |= !text.is_empty();
        if !text.is_empty() {
            out.push(Event::Reasoning { choice: 0, text });
        }
        Ok(())
    }

    /// Parts of a summary are paragraphs.
    fn thought_part(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        if fields.u64("summary_index")?.unwrap_or(0) > 0 && self.item(&mut fields)?.1.told {
            out.push(Event::Reasoning { choice: 0, text: "\n\n".to_owned() });
        }
        Ok(())
    }

    fn arguments(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let piece = fields.text("delta")?.unwrap_or_default();
        let (_, item) = self.item(&mut fields)?;
        item.argue(&piece, out);
        Ok(())
    }

    fn added(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let Some(value) = fields.take("item") else { return Ok(()) };
        let (at, _) = self.item(&mut fields)?;
        self.start_call(at, &value, out);
        Ok(())
    }

    /// Begins the call that `value` is, if it is one and has not begun.
    fn start_call(&mut self, at: u64, value: &Value, out: Out<'_>) {
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        let custom = match text("type") {
            Some("function_call") => false,
            Some("custom_tool_call") => true,
            _ => return,
        };
        let number = self.calls;
        let item = self.items.entry(at).or_default();
        if item.call.is_some() {
            return;
        }
        self.calls = self.calls.saturating_add(1);
        item.call = Some(number);
        item.custom = custom;
        let name = text("name").unwrap_or_default();
        let name = text("namespace").map_or(name.to_owned(), |space| tools::joined(space, name));
        let id = text("call_id").or(text("id")).map_or(format!("call_{at}"), str::to_owned);
        out.push(Event::ToolStart { choice: 0, index: number, id, name, signature: None });
        let held = std::mem::take(&mut item.held);
        item.argue(&held, out);
    }

    fn done(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let Some(value) = fields.take("item") else { return Ok(()) };
        let (at, _) = self.item(&mut fields)?;
        self.complete(at, value, out)
    }

    /// Tells what of a finished item was not told yet.
    fn complete(&mut self, at: u64, value: Value, out: Out<'_>) -> Result<(), DecodeError> {
        self.start_call(at, &value, out);
        let item = self.items.entry(at).or_default();
        if std::mem::replace(&mut item.done, true) {
            return Ok(());
        }
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "function_call" | "custom_tool_call" => item.finish(&value, out),
            "message" if !item.told => {
                let mut fields = Fields::of(value, "item")?;
                let parts = content::read(fields.take("content"), "item.content")?;
                out.extend(parts.into_iter().filter_map(said));
            }
            "reasoning" => {
                let mut fields = Fields::of(value, "item")?;
                fields.take("type");
                fields.take("status");
                item.reason(thought::read(fields)?, out);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, mut fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        let kind = fields.text("type")?.unwrap_or_default();
        let Some(mut response) = fields.object("response")? else {
            return Err(DecodeError::at("response", "is required"));
        };
        self.begin(&mut response, out)?;
        if self.items.is_empty() {
            for (at, item) in (0..).zip(response.list("output")?.into_iter().take(MAX_ITEMS)) {
                self.complete(at, item, out)?;
            }
        }
        for item in self.items.values_mut().filter(|item| !item.done) {
            item.close(out);
        }
        let counted = response.take("usage").as_ref().and_then(usage::read);
        out.extend(counted.map(Event::Usage));
        let status = kind.strip_prefix("response.").unwrap_or_default().to_owned();
        let status = response.text("status")?.unwrap_or(status);
        let reason = match response.object("incomplete_details")? {
            Some(mut details) => details.text("reason")?,
            None => None,
        };
        if status == "failed" || status == "cancelled" {
            out.push(Event::Error(failure::reported(&response.rest())));
        } else if let Some(stop) = words::stop(&status, reason.as_deref(), self.calls > 0) {
            if !std::mem::replace(&mut self.stopped, true) {
                out.push(Event::Stop { choice: 0, stop });
            }
            out.push(Event::Done);
        }
        Ok(())
    }

    fn error(&mut self, fields: Fields, out: Out<'_>) -> Result<(), DecodeError> {
        out.push(Event::Error(failure::reported(&fields.rest())));
        Ok(())
    }
}

fn said(part: Part) -> Option<Event> {
    match part {
        Part::Text { text, .. } => Some(Event::Text { choice: 0, text, logprobs: None }),
        Part::Refusal(text) => Some(Event::Refusal { choice: 0, text }),
        _ => None,
    }
}

impl Item {
    /// A piece of arguments; of a freeform call a piece of the text that is its one argument.
    fn argue(&mut self, piece: &str, out: Out<'_>) {
        let Some(index) = self.call else {
            self.held.push_str(piece);
            return;
        };
        if piece.is_empty() {
            return;
        }
        let fragment = if self.custom {
            let opening = if self.told { "" } else { OPENING };
            format!("{opening}{}", escaped(piece))
        } else {
            piece.to_owned()
        };
        self.told = true;
        out.push(Event::ToolArguments { choice: 0, index, fragment });
    }

    /// The call is complete: its arguments, if no piece of them came, and the end of its text.
    fn finish(&mut self, value: &Value, out: Out<'_>) {
        let key = if self.custom { tools::INPUT } else { "arguments" };
        if !self.told {
            let whole = value.get(key).and_then(Value::as_str).unwrap_or_default();
            self.argue(whole, out);
        }
        self.close(out);
    }

    fn close(&mut self, out: Out<'_>) {
        self.done = true;
        let Some(index) = self.call.filter(|_| self.custom) else { return };
        let rest = if self.told { CLOSING.to_owned() } else { tools::arguments_of("") };
        out.push(Event::ToolArguments { choice: 0, index, fragment: rest });
    }

    fn reason(&self, part: Part, out: Out<'_>) {
        match part {
            Part::Reasoning { text, signature } => {
                if !self.told && !text.is_empty() {
                    out.push(Event::Reasoning { choice: 0, text });
                }
                let seal =
                    signature.map(|signature| Event::ReasoningSignature { choice: 0, signature });
                out.extend(seal);
            }
            Part::RedactedReasoning { data, origin } => {
                out.push(Event::RedactedReasoning { choice: 0, data, origin });
            }
            _ => {}
        }
    }
}

/// What stands around a freeform call's text where it is an argument.
const OPENING: &str = "{\"input\":\"";
const CLOSING: &str = "\"}";

/// Text as it stands within a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}
