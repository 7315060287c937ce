//! `GET /v1/models`: one shape that OpenAI's and Anthropic's clients both accept; Gemini's has its own.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Value, json};
use wire::dialect::{Dialect, gemini};

use crate::failure::{Code, Failure};
use crate::pipeline::Core;
use crate::pipeline::accept;
use crate::pipeline::admit;
use crate::pipeline::lanes::Snapshot;
use crate::pipeline::reply::{self, Body};

/// Clients want a creation time; this one says "before you asked".
const CREATED: i64 = 1_735_689_600;
const CREATED_AT: &str = "2025-01-01T00:00:00Z";

/// All models.
///
/// # Errors
/// When the key is not known.
pub fn list(
    core: &Core,
    headers: &HeaderMap,
    dialect: &Dialect,
) -> Result<Response<Body>, Failure> {
    let snapshot = core.snapshot.load();
    admit::principal(&snapshot, headers)?;
    let names = snapshot.listed();
    if is_gemini(dialect) {
        let models: Vec<Value> = names.iter().map(|name| gemini_model(&snapshot, name)).collect();
        return Ok(answer(core, headers, &json!({ "models": models })));
    }
    let data: Vec<Value> = names.iter().map(|name| model(&snapshot, name)).collect();
    let page = json!({
        "object": "list",
        "data": data,
        "has_more": false,
        "first_id": names.first().map(|name| &**name),
        "last_id": names.last().map(|name| &**name),
    });
    Ok(answer(core, headers, &page))
}

/// One model by its name, which may hold slashes.
///
/// # Errors
/// When the key or the name is not known.
pub fn one(
    core: &Core,
    headers: &HeaderMap,
    dialect: &Dialect,
    name: &str,
) -> Result<Response<Body>, Failure> {
    let snapshot = core.snapshot.load();
    admit::principal(&snapshot, headers)?;
    if !snapshot.knows(name) {
        let message = format!("There is no model `{name}` here.");
        return Err(Failure::because(Code::ModelNotFound, message).on("model"));
    }
    let shape = if is_gemini(dialect) { gemini_model } else { model };
    Ok(answer(core, headers, &shape(&snapshot, name)))
}

fn is_gemini(dialect: &Dialect) -> bool {
    dialect.id == gemini::DIALECT.id
}

/// The context window and the largest answer of what a name means first.
fn limits(snapshot: &Snapshot, name: &str) -> (Option<u64>, Option<u64>) {
    let group = snapshot.resolve(name).ok();
    let lane = group.and_then(|group| group.lanes.first().map(|(lane, _)| Arc::clone(lane)));
    (lane.as_ref().map(|lane| lane.context), lane.as_ref().map(|lane| lane.max_output))
}

fn model(snapshot: &Snapshot, name: &str) -> Value {
    let owner = name.split_once('/').map_or("weighbridge", |(provider, _)| provider);
    let (context, max_output) = limits(snapshot, name);
    json!({
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": owner,
        "type": "model",
        "display_name": name,
        "created_at": CREATED_AT,
        "max_input_tokens": context,
        "max_tokens": max_output,
    })
}

fn gemini_model(snapshot: &Snapshot, name: &str) -> Value {
    let (context, max_output) = limits(snapshot, name);
    json!({
        "name": format!("models/{name}"),
        "displayName": name,
        "inputTokenLimit": context,
        "outputTokenLimit": max_output,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

fn answer(core: &Core, headers: &HeaderMap, value: &Value) -> Response<Body> {
    let id = accept::id_text(core.world.request_id(), headers);
    reply::json(&id, Bytes::from(value.to_string()))
}
