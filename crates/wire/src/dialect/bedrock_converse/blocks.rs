//! Blocks, read. A block that the hub cannot hold is kept whole; a cache point becomes the mark
//! `cache_control` on the block before it, as it is known elsewhere.

use super::ID;
use super::formats::{AUDIO, DOCUMENT, IMAGE, Medium};
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::seal;
use serde_json::{Map, Value, json};

/// The mark on a block that the cache holds everything up to.
pub(super) const CACHE_MARK: &str = "cache_control";

/// Blocks whose text the hub can hold while the block itself must be kept: the key under which the
/// extras keep it.
pub(super) static KEPT_TEXTS: &[&str] = &["citationsContent", "json"];

/// How one kind of block is read, and whether the hub can hold what stands under its key.
struct Kind {
    key: &'static str,
    holds: fn(&Value) -> bool,
    read: fn(Fields) -> Result<Part, DecodeError>,
}

static KINDS: &[Kind] = &[
    Kind { key: "text", holds: Value::is_string, read: read_text },
    Kind { key: "toolUse", holds: is_clients, read: read_tool_use },
    Kind { key: "toolResult", holds: is_clients, read: read_tool_result },
    Kind { key: "image", holds: |image| is_inline(&IMAGE, image), read: read_image },
    Kind { key: "document", holds: |file| is_inline(&DOCUMENT, file), read: read_document },
    Kind { key: "audio", holds: |sound| is_inline(&AUDIO, sound), read: read_audio },
    Kind { key: "reasoningContent", holds: is_reasoning, read: read_reasoning },
    Kind { key: "citationsContent", holds: Value::is_object, read: read_cited },
    Kind { key: "json", holds: |_| true, read: read_json },
];

/// A tool that the provider runs itself has a type.
fn is_clients(call: &Value) -> bool {
    call.get("type").is_none_or(Value::is_null)
}

fn is_inline(medium: &Medium, block: &Value) -> bool {
    let format = block.get("format").and_then(Value::as_str);
    let known = format.is_some_and(|format| medium.mime(format).is_some());
    known && block.pointer("/source/bytes").is_some_and(Value::is_string)
}

fn is_reasoning(block: &Value) -> bool {
    block.get("reasoningText").is_some() || block.get("redactedContent").is_some()
}

/// A list of blocks that stands at `path`.
pub(super) fn read_all(blocks: Vec<Value>, path: &str) -> Result<Vec<Part>, DecodeError> {
    let mut parts = Vec::with_capacity(blocks.len());
    for (at, block) in blocks.into_iter().enumerate() {
        let marked = cache_mark(&block).is_some_and(|mark| mark_last(&mut parts, mark));
        if !marked {
            parts.push(read(block, format!("{path}[{at}]"))?);
        }
    }
    Ok(parts)
}

fn read(block: Value, path: String) -> Result<Part, DecodeError> {
    let found = |kind: &&Kind| block.get(kind.key).is_some_and(|inner| (kind.holds)(inner));
    match KINDS.iter().find(found) {
        Some(kind) => (kind.read)(Fields::of(block, path)?),
        None if block.is_object() => Ok(Part::Other { origin: ID, value: block }),
        None => Err(DecodeError::at(path, "must be an object")),
    }
}

/// The mark that says what a cache point says; `None` for any other block.
pub(super) fn cache_mark(block: &Value) -> Option<Value> {
    let point = block.get("cachePoint")?.as_object()?;
    let plain = point.keys().all(|key| key == "type" || key == "ttl");
    if !plain || point.get("type")? != "default" || block.as_object()?.len() > 1 {
        return None;
    }
    let mut mark = Map::from_iter([("type".to_owned(), "ephemeral".into())]);
    mark.extend(point.get("ttl").map(|ttl| ("ttl".to_owned(), ttl.clone())));
    Some(mark.into())
}

fn mark_last(parts: &mut [Part], mark: Value) -> bool {
    match parts.last_mut() {
        Some(
            Part::Text { extra, .. }
            | Part::Image { extra, .. }
            | Part::File { extra, .. }
            | Part::Audio { extra, .. }
            | Part::ToolResult { extra, .. }
            | Part::ToolCall(ToolCall { extra, .. }),
        ) if !extra.contains_key(CACHE_MARK) => {
            extra.insert(CACHE_MARK.to_owned(), mark);
            true
        }
        _ => false,
    }
}

fn read_text(mut fields: Fields) -> Result<Part, DecodeError> {
    Ok(Part::Text { text: fields.need_text("text")?, extra: fields.rest() })
}

/// What stands under the block's key.
fn inner(fields: &mut Fields, key: &str) -> Result<Fields, DecodeError> {
    let path = fields.path(key);
    fields.object(key)?.ok_or_else(|| DecodeError::at(path, "is required"))
}

/// The bytes of a file block, which are known to be there, and its other fields.
fn bytes(fields: &mut Fields, medium: &Medium) -> Result<(Media, Fields), DecodeError> {
    let mut block = inner(fields, medium.key)?;
    let format = block.need_text("format")?;
    let mime = medium.mime(&format).unwrap_or_default().to_owned();
    let data = inner(&mut block, "source")?.need_text("bytes")?;
    Ok((Media::Base64 { mime, data }, block))
}

fn read_image(mut fields: Fields) -> Result<Part, DecodeError> {
    let (source, block) = bytes(&mut fields, &IMAGE)?;
    Ok(Part::Image { source, extra: block.rest() })
}

fn read_audio(mut fields: Fields) -> Result<Part, DecodeError> {
    let (source, block) = bytes(&mut fields, &AUDIO)?;
    Ok(Part::Audio { source, extra: block.rest() })
}

fn read_document(mut fields: Fields) -> Result<Part, DecodeError> {
    let (source, mut block) = bytes(&mut fields, &DOCUMENT)?;
    Ok(Part::File { source, name: block.text("name")?, extra: block.rest() })
}

fn read_tool_use(mut fields: Fields) -> Result<Part, DecodeError> {
    let mut call = inner(&mut fields, "toolUse")?;
    let input = call.take("input").unwrap_or_else(|| json!({}));
    Ok(Part::ToolCall(ToolCall {
        id: call.need_text("toolUseId")?,
        name: call.need_text("name")?,
        arguments: input.to_string(),
        signature: None,
        extra: call.rest(),
    }))
}

fn read_tool_result(mut fields: Fields) -> Result<Part, DecodeError> {
    let mut result = inner(&mut fields, "toolResult")?;
    let path = result.path("content");
    let status = result.text("status")?;
    let is_error = status.as_deref() == Some("error");
    if let Some(status) = status.filter(|_| !is_error) {
        result.keep("status", status.into());
    }
    Ok(Part::ToolResult {
        call_id: result.need_text("toolUseId")?,
        name: None,
        content: read_all(result.list("content")?, &path)?,
        is_error,
        extra: result.rest(),
    })
}

fn read_reasoning(mut fields: Fields) -> Result<Part, DecodeError> {
    let mut block = inner(&mut fields, "reasoningContent")?;
    if let Some(mut thought) = block.object("reasoningText")? {
        let text = thought.text("text")?.unwrap_or_default();
        let signature = thought.text("signature")?.filter(|seal| !seal.is_empty());
        return Ok(Part::Reasoning { text, signature: signature.map(|seal| seal::open(seal, ID)) });
    }
    let Signature { origin, value } = seal::open(block.need_text("redactedContent")?, ID);
    Ok(Part::RedactedReasoning { data: value, origin })
}

fn read_cited(mut fields: Fields) -> Result<Part, DecodeError> {
    let value = fields.take("citationsContent").unwrap_or_default();
    let pieces = value.get("content").and_then(Value::as_array).into_iter().flatten();
    let text = pieces.filter_map(|piece| piece.get("text")?.as_str()).collect();
    Ok(kept_text(text, "citationsContent", value))
}

fn read_json(mut fields: Fields) -> Result<Part, DecodeError> {
    let value = fields.take("json").unwrap_or_default();
    Ok(kept_text(value.to_string(), "json", value))
}

fn kept_text(text: String, key: &str, value: Value) -> Part {
    Part::Text { text, extra: Extra::from_iter([(key.to_owned(), value)]) }
}
