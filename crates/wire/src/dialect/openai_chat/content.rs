//! Content parts of messages, both ways: text, pictures, sound, files, refusals.

use super::ID;
use crate::error::DecodeError;
use crate::fields::{Fields, merge};
use crate::hub::{Extra, Media, Part};
use crate::media;
use serde_json::{Map, Value, json};

/// Reads a message's content: nothing, a text, or parts. The empty text is no part.
pub(super) fn decode(content: Option<Value>, path: &str) -> Result<Vec<Part>, DecodeError> {
    match content {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text { text, extra: Extra::new() }]),
        Some(Value::Array(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(at, part)| decode_part(part, format!("{path}[{at}]")))
            .collect(),
        Some(_) => Err(DecodeError::at(path, "must be a string or a list of parts")),
    }
}

fn decode_part(part: Value, path: String) -> Result<Part, DecodeError> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let reader = PARTS.iter().find(|(known, _)| *known == kind);
    let Some((_, read)) = reader.filter(|_| part.is_object()) else {
        return match part {
            Value::Object(_) if !kind.is_empty() => Ok(Part::Other { origin: ID, value: part }),
            _ => Err(DecodeError::at(path, "must be an object with a type")),
        };
    };
    let mut fields = Fields::of(part, path)?;
    fields.take("type");
    read(fields)
}

type ReadPart = fn(Fields) -> Result<Part, DecodeError>;

static PARTS: &[(&str, ReadPart)] = &[
    ("text", |mut fields| Ok(Part::Text { text: fields.need_text("text")?, extra: fields.rest() })),
    ("image_url", image),
    ("input_audio", audio),
    ("file", file),
    ("refusal", |mut fields| Ok(Part::Refusal(fields.need_text("refusal")?))),
    ("thinking", |mut fields| {
        let text = fields.take("thinking").map(|value| thinking_text(&value)).unwrap_or_default();
        Ok(Part::Reasoning { text, signature: None })
    }),
];

/// The text of Mistral's thinking: a string, or a list of text parts.
pub(super) fn thinking_text(thinking: &Value) -> String {
    match thinking {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        _ => String::new(),
    }
}

fn image(mut fields: Fields) -> Result<Part, DecodeError> {
    let path = fields.path("image_url");
    let url = match fields.take("image_url") {
        // Seen in the field: the URL without the object around it.
        Some(Value::String(url)) => url,
        Some(value) => {
            let mut inner = Fields::of(value, path)?;
            let url = inner.need_text("url")?;
            if let Some(detail) = inner.take("detail") {
                fields.keep("detail", detail);
            }
            fields.keep_rest("image_url", inner);
            url
        }
        None => return Err(DecodeError::at(path, "is required")),
    };
    Ok(Part::Image { source: media::of_url(url), extra: fields.rest() })
}

fn audio(mut fields: Fields) -> Result<Part, DecodeError> {
    let Some(mut inner) = fields.object("input_audio")? else {
        return Err(DecodeError::at(fields.path("input_audio"), "is required"));
    };
    let data = inner.need_text("data")?;
    let mime = match inner.text("format")?.as_deref() {
        None | Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
    };
    Ok(Part::Audio { source: Media::Base64 { mime, data }, extra: fields.rest() })
}

fn file(mut fields: Fields) -> Result<Part, DecodeError> {
    let Some(mut inner) = fields.object("file")? else {
        return Err(DecodeError::at(fields.path("file"), "is required"));
    };
    let name = inner.text("filename")?;
    let source = match (inner.text("file_id")?, inner.text("file_data")?) {
        (Some(id), _) => Media::FileId(id),
        (None, Some(data)) if data.starts_with("data:") || data.contains("://") => {
            media::of_url(data)
        }
        (None, Some(data)) => Media::Base64 { mime: "application/pdf".to_owned(), data },
        (None, None) => {
            return Err(DecodeError::at(inner.here(), "needs file_id or file_data"));
        }
    };
    fields.keep_rest("file", inner);
    Ok(Part::File { source, name, extra: fields.rest() })
}

/// Which extras are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extras {
    /// All: they are this dialect's.
    Own,
    /// Of another dialect's the one that the upstream takes all the same.
    CacheControl,
    /// None.
    Foreign,
}

impl Extras {
    /// What is to be written of `extra`.
    pub(super) fn kept(self, extra: &Extra) -> Extra {
        match self {
            Self::Own => extra.clone(),
            Self::CacheControl => {
                let control = extra.get("cache_control").cloned();
                control.map(|control| ("cache_control".to_owned(), control)).into_iter().collect()
            }
            Self::Foreign => Extra::new(),
        }
    }
}

/// Writes content: one plain text as a string, anything else as parts.
pub(super) fn encode(parts: &[&Part], extras: Extras) -> Value {
    match parts {
        [] => "".into(),
        [Part::Text { text, extra }] if extras.kept(extra).is_empty() => text.as_str().into(),
        _ => parts.iter().filter_map(|part| encode_part(part, extras)).collect(),
    }
}

/// The name of the wish that is lost with this part; `own`: it is this dialect's. A stored file
/// means something only to the provider that stores it.
pub(super) fn lost(part: &Part, own: bool) -> Option<&'static str> {
    match part {
        Part::Audio { source: Media::Url(_) | Media::FileId(_), .. } => Some("input_audio"),
        Part::Image { source: Media::FileId(_), .. } if !own => Some("image_url"),
        Part::File { source: Media::FileId(_), .. } if !own => Some("file"),
        _ => None,
    }
}

/// Writes one part; `None` when it has no place in a message's content.
fn encode_part(part: &Part, extras: Extras) -> Option<Value> {
    let own = extras == Extras::Own;
    if lost(part, own).is_some() {
        return None;
    }
    let (mut map, extra) = match part {
        Part::Text { text, extra } => (typed("text", "text", text.as_str().into()), extra),
        Part::Image { source, extra } => (image_value(source, extra, own), extra),
        Part::Audio { source, extra } => (audio_value(source)?, extra),
        Part::File { source, name, extra } => (file_value(source, name.as_deref(), own), extra),
        Part::Other { origin, value } if *origin == ID => return Some(value.clone()),
        _ => return None,
    };
    let mut rest = extras.kept(extra);
    rest.shift_remove("detail");
    merge(&mut map, &rest);
    Some(map.into())
}

fn typed(kind: &str, key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), kind.into()), (key.to_owned(), value)])
}

/// A picture as the part that OpenAI takes.
pub(super) fn image_value(source: &Media, extra: &Extra, own: bool) -> Map<String, Value> {
    let url = match source {
        Media::Base64 { mime, data } => format!("data:{mime};base64,{data}"),
        Media::Url(url) => url.clone(),
        Media::FileId(id) => return typed("file", "file", json!({ "file_id": id })),
    };
    let mut inner = json!({ "url": url });
    // The Responses API has the same word for the same thing, and newer words beside it.
    let detail = extra.get("detail").filter(|detail| own || is_known_detail(detail));
    if let (Some(detail), Some(map)) = (detail, inner.as_object_mut()) {
        map.insert("detail".to_owned(), detail.clone());
    }
    typed("image_url", "image_url", inner)
}

fn is_known_detail(detail: &Value) -> bool {
    matches!(detail.as_str(), Some("low" | "high" | "auto"))
}

fn audio_value(source: &Media) -> Option<Map<String, Value>> {
    let Media::Base64 { mime, data } = source else { return None };
    let format = match mime.strip_prefix("audio/").unwrap_or(mime) {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        format => format,
    };
    Some(typed("input_audio", "input_audio", json!({ "data": data, "format": format })))
}

/// The provider wants a name for a file that comes inline.
fn file_value(source: &Media, name: Option<&str>, own: bool) -> Map<String, Value> {
    let inline = matches!(source, Media::Base64 { .. });
    let name = name.or((inline && !own).then_some("document"));
    let mut inner = match source {
        Media::Base64 { mime, data } => {
            json!({ "file_data": format!("data:{mime};base64,{data}") })
        }
        Media::Url(url) => json!({ "file_data": url }),
        Media::FileId(id) => json!({ "file_id": id }),
    };
    if let (Some(name), Some(map)) = (name, inner.as_object_mut()) {
        map.insert("filename".to_owned(), name.into());
    }
    typed("file", "file", inner)
}
