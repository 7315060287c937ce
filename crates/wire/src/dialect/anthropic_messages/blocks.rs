//! Content blocks, read and written. A block of a type unknown here is kept whole.

use super::ID;
use crate::error::DecodeError;
use crate::fields::{Fields, arguments_object, merge, put};
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::{media, seal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

type Read = fn(Fields) -> Result<Part, DecodeError>;

static READERS: &[(&str, Read)] = &[
    ("text", read_text),
    ("image", read_image),
    ("document", read_document),
    ("tool_use", read_tool_use),
    ("tool_result", read_tool_result),
    ("thinking", read_thinking),
    ("redacted_thinking", read_redacted),
];

/// Content that is either a text or a list of blocks.
pub(super) fn read_content(content: Option<Value>, path: &str) -> Result<Vec<Part>, DecodeError> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text { text, extra: Extra::new() }]),
        Some(Value::Array(blocks)) => read_blocks(blocks, path),
        Some(_) => Err(DecodeError::at(path, "must be a string or a list of blocks")),
    }
}

/// A list of blocks that stands at `path`.
pub(super) fn read_blocks(blocks: Vec<Value>, path: &str) -> Result<Vec<Part>, DecodeError> {
    let read = |(at, block)| read_block(block, format!("{path}[{at}]"));
    let parts: Result<Vec<_>, _> = blocks.into_iter().enumerate().map(read).collect();
    parts.map(unseal_calls)
}

/// One block.
pub(super) fn read_block(block: Value, path: String) -> Result<Part, DecodeError> {
    let Some(kind) = block.get("type").and_then(Value::as_str) else {
        return Err(DecodeError::at(path, "must be an object with a type"));
    };
    let reader = READERS.iter().find(|(known, _)| *known == kind).map(|(_, read)| *read);
    match reader {
        Some(read) => {
            let mut fields = Fields::of(block, path)?;
            fields.take("type");
            read(fields)
        }
        None => Ok(Part::Other { origin: ID, value: block }),
    }
}

/// A foreign seal without text, right before a call, belongs to that call.
fn unseal_calls(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Part::ToolCall(call) = &mut part
            && let Some(seal) = out.pop_if(|last| is_foreign_seal(last))
            && let Part::Reasoning { signature, .. } = seal
        {
            call.signature = signature;
        }
        out.push(part);
    }
    out
}

fn is_foreign_seal(part: &Part) -> bool {
    matches!(part, Part::Reasoning { text, signature: Some(seal) }
        if text.is_empty() && seal.origin != ID)
}

fn read_text(mut fields: Fields) -> Result<Part, DecodeError> {
    Ok(Part::Text { text: fields.need_text("text")?, extra: fields.rest() })
}

fn read_image(mut fields: Fields) -> Result<Part, DecodeError> {
    let Some(source) = fields.take("source") else {
        return Err(DecodeError::at(fields.path("source"), "is required"));
    };
    Ok(match read_source(source) {
        Ok(source) => Part::Image { source, extra: fields.rest() },
        Err(source) => unread(fields, "image", source),
    })
}

fn read_document(mut fields: Fields) -> Result<Part, DecodeError> {
    let Some(source) = fields.take("source") else {
        return Err(DecodeError::at(fields.path("source"), "is required"));
    };
    Ok(match read_source(source) {
        Ok(source) => Part::File { source, name: fields.text("title")?, extra: fields.rest() },
        Err(source) => unread(fields, "document", source),
    })
}

fn unread(fields: Fields, kind: &str, source: Value) -> Part {
    let mut block =
        Map::from_iter([("type".to_owned(), Value::from(kind)), ("source".to_owned(), source)]);
    block.extend(fields.rest());
    Part::Other { origin: ID, value: Value::Object(block) }
}

/// A source as media, or as it stood if the hub cannot hold it.
fn read_source(source: Value) -> Result<Media, Value> {
    let text = |key: &str| source.get(key).and_then(Value::as_str).map(str::to_owned);
    let media = match text("type").as_deref() {
        Some("base64") => {
            text("media_type").zip(text("data")).map(|(mime, data)| Media::Base64 { mime, data })
        }
        Some("url") => text("url").map(Media::Url),
        Some("file") => text("file_id").map(Media::FileId),
        Some("text") => text("data").map(|data| Media::Base64 {
            mime: "text/plain".to_owned(),
            data: STANDARD.encode(data),
        }),
        _ => None,
    };
    media.ok_or(source)
}

fn read_tool_use(mut fields: Fields) -> Result<Part, DecodeError> {
    let input = fields.take("input").unwrap_or_else(|| json!({}));
    Ok(Part::ToolCall(ToolCall {
        id: fields.need_text("id")?,
        name: fields.need_text("name")?,
        arguments: input.to_string(),
        signature: None,
        extra: fields.rest(),
    }))
}

fn read_tool_result(mut fields: Fields) -> Result<Part, DecodeError> {
    let content = fields.take("content");
    Ok(Part::ToolResult {
        call_id: fields.need_text("tool_use_id")?,
        name: None,
        content: read_content(content, &fields.path("content"))?,
        is_error: fields.bool("is_error")?.unwrap_or(false),
        extra: fields.rest(),
    })
}

fn read_thinking(mut fields: Fields) -> Result<Part, DecodeError> {
    let text = fields.text("thinking")?.unwrap_or_default();
    let signature = fields.text("signature")?.filter(|seal| !seal.is_empty());
    Ok(Part::Reasoning { text, signature: signature.map(|text| seal::open(text, ID)) })
}

fn read_redacted(mut fields: Fields) -> Result<Part, DecodeError> {
    let Signature { origin, value } = seal::open(fields.need_text("data")?, ID);
    Ok(Part::RedactedReasoning { data: value, origin })
}

/// Whom blocks are written for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// The provider: it accepts only its own seals, and extras only from its own dialect.
    Provider,
    /// A client: it carries foreign seals for us.
    Client,
}

/// Writes parts as blocks.
pub(super) struct Writing {
    /// Whom for.
    pub(super) reader: Reader,
    /// Whether the extras come from this dialect.
    pub(super) own_extras: bool,
    /// Wishes that had no place here.
    pub(super) lost: Vec<&'static str>,
}

impl Writing {
    /// Writes for `reader` what was read from the dialect `origin`.
    pub(super) fn new(reader: Reader, origin: &str) -> Self {
        Self { reader, own_extras: origin == ID, lost: Vec::new() }
    }

    /// All parts as blocks.
    pub(super) fn blocks(&mut self, parts: &[Part]) -> Vec<Value> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            self.push(part, &mut blocks);
        }
        blocks
    }

    /// Appends the blocks that say `part`; none where it cannot be said.
    fn push(&mut self, part: &Part, blocks: &mut Vec<Value>) {
        match part {
            Part::ToolCall(call) => self.push_call(call, blocks),
            Part::Text { text, extra } => self.push_text(text, extra, blocks),
            Part::Refusal(text) => self.push_text(text, &Extra::new(), blocks),
            Part::Other { origin, value } if *origin == ID => blocks.push(value.clone()),
            Part::Other { .. } => {}
            Part::Audio { .. } => self.lost.push("input_audio"),
            Part::Image { source, extra } => {
                let block = source_of(source, self.own_extras)
                    .map(|source| self.block(json!({"type": "image", "source": source}), extra));
                self.push_or_lose(block, "image_url", blocks);
            }
            Part::File { source, name, extra } => {
                let block = source_of(source, self.own_extras)
                    .map(|source| self.document(source, name.as_deref(), extra));
                self.push_or_lose(block, "file", blocks);
            }
            Part::ToolResult { call_id, content, is_error, extra, .. } => {
                let block = self.tool_result(call_id, content, *is_error, extra);
                blocks.push(block);
            }
            Part::Reasoning { text, signature } => {
                blocks.extend(self.thinking(text, signature.as_ref()));
            }
            Part::RedactedReasoning { data, origin } => {
                if let Some(data) = self.sealed(origin, data) {
                    blocks.push(json!({"type": "redacted_thinking", "data": data}));
                }
            }
        }
    }

    fn push_or_lose(&mut self, block: Option<Value>, name: &'static str, out: &mut Vec<Value>) {
        match block {
            Some(block) => out.push(block),
            None => self.lost.push(name),
        }
    }

    /// Empty texts are left out, because the provider refuses them.
    fn push_text(&self, text: &str, extra: &Extra, blocks: &mut Vec<Value>) {
        if !text.is_empty() {
            blocks.push(self.block(json!({"type": "text", "text": text}), extra));
        }
    }

    fn push_call(&self, call: &ToolCall, blocks: &mut Vec<Value>) {
        if self.reader == Reader::Client && call.signature.is_some() {
            blocks.extend(self.thinking("", call.signature.as_ref()));
        }
        let block = json!({
            "type": "tool_use",
            "id": tool_id(&call.id),
            "name": call.name,
            "input": arguments_object(&call.arguments),
        });
        blocks.push(self.block(block, &call.extra));
    }

    fn tool_result(&mut self, id: &str, content: &[Part], is_error: bool, extra: &Extra) -> Value {
        let mut block = Map::new();
        put(&mut block, "type", Some("tool_result"));
        put(&mut block, "tool_use_id", Some(tool_id(id)));
        let content = plain_or_blocks(self.blocks(content));
        put(&mut block, "content", content);
        put(&mut block, "is_error", is_error.then_some(true));
        self.block(Value::Object(block), extra)
    }

    fn document(&self, source: Value, name: Option<&str>, extra: &Extra) -> Value {
        let mut block = Map::new();
        put(&mut block, "type", Some("document"));
        put(&mut block, "source", Some(source));
        put(&mut block, "title", name);
        self.block(Value::Object(block), extra)
    }

    /// Reasoning for the provider needs its own seal; a client gets it in any case.
    fn thinking(&self, text: &str, signature: Option<&Signature>) -> Option<Value> {
        let seal = match signature {
            Some(seal) => self.sealed(seal.origin, &seal.value)?,
            None if self.reader == Reader::Client => String::new(),
            None => return None,
        };
        Some(json!({"type": "thinking", "thinking": text, "signature": seal}))
    }

    fn sealed(&self, origin: &str, value: &str) -> Option<String> {
        match self.reader {
            Reader::Client => Some(seal::wrap(origin, value, ID)),
            Reader::Provider => (origin == ID).then(|| value.to_owned()),
        }
    }

    fn block(&self, mut block: Value, extra: &Extra) -> Value {
        if let Value::Object(map) = &mut block {
            self.add_extra(map, extra);
        }
        block
    }

    /// Adds extras of this dialect, or of any other the one field meant for this dialect.
    pub(super) fn add_extra(&self, map: &mut Map<String, Value>, extra: &Extra) {
        if self.own_extras {
            merge(map, extra);
        } else if let Some(control @ Value::Object(_)) = extra.get("cache_control") {
            map.insert("cache_control".to_owned(), control.clone());
        }
    }
}

/// A lone plain text stands as a string, anything else as blocks; nothing is nothing.
pub(super) fn plain_or_blocks(mut blocks: Vec<Value>) -> Option<Value> {
    let plain = match blocks.as_mut_slice() {
        [] => return None,
        [Value::Object(block)] if block.len() == 2 => block.get_mut("text").map(Value::take),
        _ => None,
    };
    Some(plain.unwrap_or(Value::Array(blocks)))
}

/// A file id means something only to the provider that stores the file.
fn source_of(source: &Media, own: bool) -> Option<Value> {
    match media::resolved(source) {
        Media::Base64 { mime, data } if mime == "text/plain" => plain_text(&data)
            .map(|text| json!({"type": "text", "media_type": "text/plain", "data": text})),
        Media::Base64 { mime, data } => {
            Some(json!({"type": "base64", "media_type": mime, "data": data}))
        }
        Media::Url(url) => Some(json!({"type": "url", "url": url})),
        Media::FileId(id) => own.then(|| json!({"type": "file", "file_id": id})),
    }
}

fn plain_text(data: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(data).ok()?).ok()
}

/// Call ids may hold letters, digits, `_` and `-` only.
pub(super) fn tool_id(id: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    id.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect()
}
