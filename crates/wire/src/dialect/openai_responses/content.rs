//! Content parts of messages and of tool results, both ways.

use super::ID;
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Extra, Media, Part};
use crate::media;
use serde_json::{Map, Value, json};

/// The field of a text's extras that holds what its message item knows beside its content.
pub(super) const ITEM: &str = "item";

type Read = fn(Fields) -> Result<Part, DecodeError>;

static READERS: &[(&str, Read)] = &[
    ("input_text", text),
    ("output_text", text),
    ("text", text),
    ("input_image", image),
    ("input_file", file),
    ("input_audio", audio),
    ("refusal", |mut fields| Ok(Part::Refusal(fields.need_text("refusal")?))),
];

/// Content that is a text or a list of parts. The empty text is no part.
pub(super) fn read(content: Option<Value>, path: &str) -> Result<Vec<Part>, DecodeError> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text { text, extra: Extra::new() }]),
        Some(Value::Array(parts)) => {
            let read = |(at, part)| read_part(part, format!("{path}[{at}]"));
            parts.into_iter().enumerate().map(read).collect()
        }
        Some(_) => Err(DecodeError::at(path, "must be a string or a list of parts")),
    }
}

fn read_part(part: Value, path: String) -> Result<Part, DecodeError> {
    let Some(kind) = part.get("type").and_then(Value::as_str) else {
        return Err(DecodeError::at(path, "must be an object with a type"));
    };
    let Some((_, read)) = READERS.iter().find(|(known, _)| *known == kind) else {
        return Ok(Part::Other { origin: ID, value: part });
    };
    let mut fields = Fields::of(part, path)?;
    fields.take("type");
    read(fields)
}

fn text(mut fields: Fields) -> Result<Part, DecodeError> {
    Ok(Part::Text { text: fields.need_text("text")?, extra: fields.rest() })
}

fn image(mut fields: Fields) -> Result<Part, DecodeError> {
    let source = match (fields.text("file_id")?, fields.text("image_url")?) {
        (Some(id), _) => Media::FileId(id),
        (None, Some(url)) => media::of_url(url),
        (None, None) => {
            return Err(DecodeError::at(fields.here(), "needs image_url or file_id"));
        }
    };
    Ok(Part::Image { source, extra: fields.rest() })
}

fn file(mut fields: Fields) -> Result<Part, DecodeError> {
    let name = fields.text("filename")?;
    let id = fields.text("file_id")?.map(Media::FileId);
    let url = fields.text("file_url")?.map(Media::Url);
    let data = fields.text("file_data")?.map(|data| match media::of_url(data) {
        Media::Url(data) => Media::Base64 { mime: mime_of_name(name.as_deref()), data },
        inline => inline,
    });
    let Some(source) = id.or(url).or(data) else {
        return Err(DecodeError::at(fields.here(), "needs file_id, file_url or file_data"));
    };
    Ok(Part::File { source, name, extra: fields.rest() })
}

fn mime_of_name(name: Option<&str>) -> String {
    name.and_then(media::mime_of_url).unwrap_or("application/pdf").to_owned()
}

fn audio(mut fields: Fields) -> Result<Part, DecodeError> {
    let Some(mut inner) = fields.object("input_audio")? else {
        return Err(DecodeError::at(fields.path("input_audio"), "is required"));
    };
    let format = inner.text("format")?.unwrap_or_else(|| "mp3".to_owned());
    let data = inner.need_text("data")?;
    let mime = AUDIO.iter().find(|(known, _)| *known == format).map(|(_, mime)| *mime);
    let mime = mime.map_or_else(|| format!("audio/{format}"), str::to_owned);
    Ok(Part::Audio { source: Media::Base64 { mime, data }, extra: fields.rest() })
}

/// Formats of sound whose name is not the end of their media type.
static AUDIO: &[(&str, &str)] =
    &[("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("wav", "audio/x-wav")];

/// Whether a value kept whole is a part of content, as against an item of its own.
pub(super) fn is_content(value: &Value) -> bool {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    kind.starts_with("input_") || kind.starts_with("output_") || OTHERS.contains(&kind)
}

static OTHERS: &[&str] = &["computer_screenshot", "summary_text", "reasoning_text"];

/// Writes one part. `said` is the type that text has here: `input_text` or `output_text`. `None`
/// when it has no place in content.
pub(super) fn write(part: &Part, said: &str, own: bool) -> Option<Value> {
    let by_model = said == "output_text";
    let (mut map, extra) = match part {
        Part::Text { text, extra } => (typed(said, "text", text.as_str()), extra),
        Part::Refusal(text) if by_model => {
            return Some(typed("refusal", "refusal", text.as_str()).into());
        }
        Part::Refusal(text) => return Some(typed(said, "text", text.as_str()).into()),
        Part::Other { origin: ID, value } => return Some(value.clone()),
        _ if by_model => return None,
        Part::Image { source, extra } => (image_value(source, extra), extra),
        Part::File { source, name, extra } => (file_value(source, name.as_deref()), extra),
        Part::Audio { source, extra } => (audio_value(source)?, extra),
        _ => return None,
    };
    if own {
        merge(&mut map, extra);
        map.shift_remove(ITEM);
    }
    Some(map.into())
}

fn typed(kind: &str, key: &str, value: impl Into<Value>) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), kind.into()), (key.to_owned(), value.into())])
}

fn image_value(source: &Media, extra: &Extra) -> Map<String, Value> {
    let mut map = match source {
        Media::Base64 { mime, data } => {
            typed("input_image", "image_url", format!("data:{mime};base64,{data}"))
        }
        Media::Url(url) => typed("input_image", "image_url", url.as_str()),
        Media::FileId(id) => typed("input_image", "file_id", id.as_str()),
    };
    // Chat Completions has the same word for the same thing.
    put(&mut map, "detail", extra.get("detail").cloned());
    map
}

/// The provider wants a name for a file that comes inline.
fn file_value(source: &Media, name: Option<&str>) -> Map<String, Value> {
    let (mut map, name) = match source {
        Media::Base64 { mime, data } => {
            let data = format!("data:{mime};base64,{data}");
            (typed("input_file", "file_data", data), name.or(Some("document")))
        }
        Media::Url(url) => (typed("input_file", "file_url", url.as_str()), name),
        Media::FileId(id) => (typed("input_file", "file_id", id.as_str()), name),
    };
    put(&mut map, "filename", name);
    map
}

fn audio_value(source: &Media) -> Option<Map<String, Value>> {
    let Media::Base64 { mime, data } = source else { return None };
    let known = AUDIO.iter().find(|(_, known)| known == mime).map(|(format, _)| *format);
    let format = known.unwrap_or(mime.strip_prefix("audio/").unwrap_or(mime));
    Some(typed("input_audio", "input_audio", json!({ "data": data, "format": format })))
}
