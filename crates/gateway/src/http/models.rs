//! `GET /v1/models`: one shape that OpenAI's and Anthropic's clients both accept.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::pipeline::Core;
use crate::pipeline::admit;
use crate::pipeline::reply::Body;

/// Clients want a creation time; this one says "before you asked".
const CREATED: i64 = 1_735_689_600;
const CREATED_AT: &str = "2025-01-01T00:00:00Z";

/// All models.
///
/// # Errors
/// When the key is not known.
pub fn list(core: &Core, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    let snapshot = core.snapshot.load();
    admit::principal(&snapshot, headers)?;
    let names = snapshot.listed();
    let data: Vec<Value> = names.iter().map(|name| model(name)).collect();
    let page = json!({
        "object": "list",
        "data": data,
        "has_more": false,
        "first_id": names.first().map(|name| &**name),
        "last_id": names.last().map(|name| &**name),
    });
    Ok(answer(&page))
}

/// One model by its name, which may hold slashes.
///
/// # Errors
/// When the key or the name is not known.
pub fn one(core: &Core, headers: &HeaderMap, id: &str) -> Result<Response<Body>, Failure> {
    let snapshot = core.snapshot.load();
    admit::principal(&snapshot, headers)?;
    let name = percent_decoded(id);
    if !snapshot.knows(&name) {
        let message = format!("There is no model `{name}` here.");
        return Err(Failure::because(Code::ModelNotFound, message).on("model"));
    }
    Ok(answer(&model(&name)))
}

fn model(name: &str) -> Value {
    let owner = name.split_once('/').map_or("weighbridge", |(provider, _)| provider);
    json!({
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": owner,
        "type": "model",
        "display_name": name,
        "created_at": CREATED_AT,
    })
}

fn answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::Full(Bytes::from(value.to_string())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = if *first == b'%' { tail.get(..2) } else { None };
        let decoded =
            hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn slashes_may_come_encoded() {
        assert_eq!(percent_decoded("openai%2Fgpt-4o"), "openai/gpt-4o");
        assert_eq!(percent_decoded("100%"), "100%");
    }
}
