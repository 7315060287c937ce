//! The inputs of embedders and moderators in OpenAI's and Cohere's words.

use super::Input;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::Media;
use crate::media;
use serde_json::{Value, json};

/// Inputs, and whether one was written without a list around it.
pub(super) type Read = (Vec<Input>, bool);

/// Takes the field `input`: a text, a list of texts, token ids or a list of lists of them.
pub(super) fn take(fields: &mut Fields) -> Result<Read, DecodeError> {
    let path = fields.path("input");
    let Some(input) = fields.take("input") else {
        return Err(DecodeError::at(path, "is required"));
    };
    read(input, &path)
}

fn read(input: Value, path: &str) -> Result<Read, DecodeError> {
    let list = match input {
        Value::String(text) => return Ok((vec![Input::Text(text)], true)),
        Value::Array(list) => list,
        _ => return Err(DecodeError::at(path, "must be a string or a list")),
    };
    match list.first() {
        None => Err(DecodeError::at(path, "must not be empty")),
        Some(Value::Number(_)) => Ok((vec![Input::Tokens(tokens(&list, path)?)], true)),
        // Objects are pieces of one input.
        Some(Value::Object(_)) => Ok((vec![Input::Parts(parts(list, path)?)], true)),
        Some(_) => Ok((each(list, path, one)?, false)),
    }
}

/// Reads each element with its path.
pub(super) fn each<T>(
    list: Vec<Value>,
    path: &str,
    read: impl Fn(Value, &str) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let elements = list.into_iter().enumerate();
    elements.map(|(at, element)| read(element, &format!("{path}[{at}]"))).collect()
}

fn one(element: Value, path: &str) -> Result<Input, DecodeError> {
    match element {
        Value::String(text) => Ok(Input::Text(text)),
        Value::Array(list) => Ok(Input::Tokens(tokens(&list, path)?)),
        _ => Err(DecodeError::at(path, "must be a string or a list of token ids")),
    }
}

fn tokens(list: &[Value], path: &str) -> Result<Vec<u32>, DecodeError> {
    let token = |(at, id): (usize, &Value)| {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| DecodeError::at(format!("{path}[{at}]"), "must be a token id"))
    };
    list.iter().enumerate().map(token).collect()
}

/// Reads pieces of the kinds `text` and `image_url`.
pub(super) fn parts(list: Vec<Value>, path: &str) -> Result<Vec<Input>, DecodeError> {
    each(list, path, part)
}

fn part(value: Value, path: &str) -> Result<Input, DecodeError> {
    let mut fields = Fields::of(value, path)?;
    match fields.need_text("type")?.as_str() {
        "text" => fields.need_text("text").map(Input::Text),
        "image_url" => {
            let Some(mut image) = fields.object("image_url")? else {
                return Err(DecodeError::at(fields.path("image_url"), "is required"));
            };
            image.need_text("url").map(|url| Input::Image(media::of_url(url)))
        }
        _ => Err(DecodeError::at(fields.path("type"), "must be `text` or `image_url`")),
    }
}

/// One input out of its pieces.
pub(super) fn joined(mut parts: Vec<Input>) -> Input {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            Input::Parts(parts)
        }
    }
}

/// The field `input` in OpenAI's form. `pictures`: pieces may be pictures too.
pub(super) fn write(inputs: &[Input], single: bool, pictures: bool) -> Result<Value, DecodeError> {
    let written = match inputs {
        [Input::Parts(parts)] if pictures => return written_parts(parts),
        [picture @ Input::Image(_)] if pictures => {
            return written_parts(std::slice::from_ref(picture));
        }
        inputs => inputs.iter().enumerate().map(|(at, input)| match input {
            Input::Text(text) => Ok(Value::from(text.as_str())),
            Input::Tokens(ids) => Ok(Value::from(ids.as_slice())),
            Input::Image(_) => inexpressible(at, "a picture"),
            Input::Parts(_) => inexpressible(at, "made of several pieces"),
        }),
    };
    let mut list: Vec<Value> = written.collect::<Result<_, _>>()?;
    match (single, list.len()) {
        (true, 1) => Ok(list.pop().unwrap_or_default()),
        _ => Ok(list.into()),
    }
}

/// Checks that all are texts, where a provider takes nothing else.
pub(super) fn texts(inputs: &[Input]) -> Result<(), DecodeError> {
    inputs.iter().enumerate().try_for_each(|(at, input)| match input {
        Input::Text(_) => Ok(()),
        Input::Tokens(_) => inexpressible(at, "a list of token ids"),
        Input::Image(_) => inexpressible(at, "a picture"),
        Input::Parts(_) => inexpressible(at, "made of several pieces"),
    })
}

fn written_parts(parts: &[Input]) -> Result<Value, DecodeError> {
    let pieces = parts.iter().map(|part| written_part(0, part));
    pieces.collect::<Result<Vec<_>, _>>().map(Value::from)
}

/// A piece of the input at `at`.
pub(super) fn written_part(at: usize, part: &Input) -> Result<Value, DecodeError> {
    match part {
        Input::Text(text) => Ok(json!({"type": "text", "text": text})),
        Input::Image(source) => {
            Ok(json!({"type": "image_url", "image_url": {"url": url(at, source)?}}))
        }
        Input::Tokens(_) => inexpressible(at, "a list of token ids"),
        Input::Parts(_) => inexpressible(at, "made of several pieces"),
    }
}

/// A picture as a URL.
pub(super) fn url(at: usize, source: &Media) -> Result<String, DecodeError> {
    match source {
        Media::Base64 { mime, data } => Ok(format!("data:{mime};base64,{data}")),
        Media::Url(url) => Ok(url.clone()),
        Media::FileId(_) => inexpressible(at, "a stored file"),
    }
}

/// The input at `at` is something that the provider does not take.
pub(super) fn inexpressible<T>(at: usize, what: &str) -> Result<T, DecodeError> {
    let message = format!("is {what}, which this provider does not take");
    Err(DecodeError::at(format!("input[{at}]"), message))
}
