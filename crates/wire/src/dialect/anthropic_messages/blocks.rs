//! Content blocks, read. A block of a type unknown here is kept whole.

use super::ID;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::seal;
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
