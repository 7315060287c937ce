//! Parts of a turn, read. A part of a kind unknown here is kept whole.
//!
//! A signature on a text stands in the hub as reasoning without text right before it; on a call, it
//! is the call's own.

use super::ID;
use super::calls::Calls;
use crate::error::DecodeError;
use crate::fields::{Fields, put};
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::seal;
use serde_json::{Value, json};

/// What stands before sealed data that only its provider can read, within a foreign seal.
pub(super) const REDACTED: &str = "redacted:";

/// The kinds of data, by the names of their fields.
static KINDS: &[(&str, &str)] = &[
    ("text", "text"),
    ("functionCall", "function_call"),
    ("functionResponse", "function_response"),
    ("inlineData", "inline_data"),
    ("fileData", "file_data"),
];

/// Reads the parts of one turn that stand at `path`.
pub(super) fn read_all(
    list: Vec<Value>,
    path: &str,
    calls: &mut Calls,
) -> Result<Vec<Part>, DecodeError> {
    let mut parts = Vec::with_capacity(list.len());
    for (at, value) in list.into_iter().enumerate() {
        read(value, format!("{path}[{at}]"), calls, &mut parts)?;
    }
    Ok(parts)
}

/// Reads one part and appends what it says.
pub(super) fn read(
    value: Value,
    path: String,
    calls: &mut Calls,
    out: &mut Vec<Part>,
) -> Result<(), DecodeError> {
    let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
    let kind = KINDS.iter().find(|(camel, snake)| has(camel) || has(snake)).map(|(camel, _)| camel);
    let Some(kind) = kind else {
        return read_other(value, path, out);
    };
    let mut fields = Fields::of(value, path)?.either_case();
    let seal = fields.text("thoughtSignature")?.map(|text| seal::open(text, ID));
    match *kind {
        "text" => read_text(fields, seal, out),
        "functionCall" => read_call(fields, seal, calls, out),
        "functionResponse" => read_response(fields, calls, out),
        "inlineData" => read_media(fields, kind, seal, inline_source, out),
        _ => read_media(fields, kind, seal, file_source, out),
    }
}

/// A part without known data: perhaps only a signature, perhaps something of theirs.
fn read_other(value: Value, path: String, out: &mut Vec<Part>) -> Result<(), DecodeError> {
    let Value::Object(map) = &value else {
        return Err(DecodeError::at(path, "must be an object"));
    };
    let seal = map.get("thoughtSignature").and_then(Value::as_str);
    match seal {
        Some(text) if map.keys().all(|key| key == "thoughtSignature" || key == "thought") => {
            let signature = Some(seal::open(text.to_owned(), ID));
            out.push(Part::Reasoning { text: String::new(), signature });
        }
        _ if map.is_empty() => {}
        _ => out.push(Part::Other { origin: ID, value }),
    }
    Ok(())
}

fn read_text(
    mut fields: Fields,
    seal: Option<Signature>,
    out: &mut Vec<Part>,
) -> Result<(), DecodeError> {
    let text = fields.text("text")?.unwrap_or_default();
    if fields.bool("thought")?.unwrap_or(false) {
        push_thought(text, seal, out);
        return Ok(());
    }
    if seal.is_some() {
        out.push(Part::Reasoning { text: String::new(), signature: seal });
    }
    if !text.is_empty() {
        out.push(Part::Text { text, extra: fields.rest() });
    }
    Ok(())
}

/// Thoughts in a row are one, up to a seal; clients keep the pieces of a stream as parts.
fn push_thought(text: String, seal: Option<Signature>, out: &mut Vec<Part>) {
    if let Some(foreign) = seal.as_ref().filter(|seal| seal.origin != ID)
        && let Some(data) = foreign.value.strip_prefix(REDACTED)
    {
        out.push(Part::RedactedReasoning { data: data.to_owned(), origin: foreign.origin });
        return;
    }
    match out.last_mut() {
        Some(Part::Reasoning { text: before, signature: none @ None }) => {
            before.push_str(&text);
            *none = seal;
        }
        _ => out.push(Part::Reasoning { text, signature: seal }),
    }
}

fn read_call(
    mut fields: Fields,
    signature: Option<Signature>,
    calls: &mut Calls,
    out: &mut Vec<Part>,
) -> Result<(), DecodeError> {
    let Some(mut call) = fields.object("functionCall")? else { return Ok(()) };
    let name = call.need_text("name")?;
    let id = calls.call(call.text("id")?, &name);
    let arguments = call.take("args").unwrap_or_else(|| json!({})).to_string();
    out.push(Part::ToolCall(ToolCall { id, name, arguments, signature, extra: call.rest() }));
    Ok(())
}

fn read_response(
    mut fields: Fields,
    calls: &mut Calls,
    out: &mut Vec<Part>,
) -> Result<(), DecodeError> {
    let Some(mut answer) = fields.object("functionResponse")? else { return Ok(()) };
    let name = answer.need_text("name")?;
    let call_id = calls.answer(answer.text("id")?, &name);
    let (text, is_error) = response_text(answer.take("response"));
    let mut content = vec![Part::Text { text, extra: Extra::new() }];
    let path = answer.path("parts");
    content.extend(read_all(answer.list("parts")?, &path, calls)?);
    let (name, extra) = (Some(name), answer.rest());
    out.push(Part::ToolResult { call_id, name, content, is_error, extra });
    Ok(())
}

/// A response is an object; a lone text under `output` or `error` is that text, unless the text is
/// itself an object and would be written back as such.
fn response_text(response: Option<Value>) -> (String, bool) {
    let Some(response) = response else { return (String::new(), false) };
    for (key, is_error) in [("output", false), ("error", true)] {
        if let Some(text) = lone_text(&response, key)
            && (is_error || as_object(text).is_none())
        {
            return (text.to_owned(), is_error);
        }
    }
    (response.to_string(), false)
}

fn lone_text<'a>(response: &'a Value, key: &str) -> Option<&'a str> {
    let map = response.as_object().filter(|map| map.len() == 1)?;
    map.get(key)?.as_str()
}

/// The object that a text is, if it is one.
pub(super) fn as_object(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_object)
}

type Source = fn(&mut Fields) -> Result<(String, Media), DecodeError>;

fn inline_source(data: &mut Fields) -> Result<(String, Media), DecodeError> {
    let mime = data.need_text("mimeType")?;
    Ok((mime.clone(), Media::Base64 { mime, data: data.need_text("data")? }))
}

fn file_source(data: &mut Fields) -> Result<(String, Media), DecodeError> {
    let uri = data.need_text("fileUri")?;
    let mime = data.text("mimeType")?.unwrap_or_default();
    Ok((mime, Media::Url(uri)))
}

fn read_media(
    mut fields: Fields,
    kind: &str,
    seal: Option<Signature>,
    source: Source,
    out: &mut Vec<Part>,
) -> Result<(), DecodeError> {
    let Some(mut data) = fields.object(kind)? else { return Ok(()) };
    let (mime, source) = source(&mut data)?;
    let name = data.text("displayName")?;
    let mut extra = fields.rest();
    put(&mut extra, "thoughtSignature", seal.map(|seal| seal.value));
    if matches!(source, Media::Url(_)) && !mime.is_empty() {
        put(&mut extra, "mimeType", Some(mime.as_str()));
    }
    out.push(match mime.split('/').next() {
        Some("image") => Part::Image { source, extra },
        Some("audio") => Part::Audio { source, extra },
        _ => Part::File { source, name, extra },
    });
    Ok(())
}
