//! Writes a request for an upstream.
//!
//! Extras are written only when they came from this dialect, except those that Chat Completions has
//! under the same name. What comes from another dialect is not stored by the provider, and its
//! reasoning comes sealed, so that the client can carry it.

use super::request::LOGPROBS;
use super::writing::Writing;
use super::{ID, tools};
use crate::dialect::{Encoded, Quirks, Target, openai_chat};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{Format, Message, Part, Request, Role};
use serde_json::{Map, Value, json};

/// Wishes of the hub that have no place here.
static UNKNOWN: &[&str] = &["n", "seed", "presence_penalty", "frequency_penalty"];

/// Extras that Chat Completions has under the same name.
static SHARED: &[&str] = &[
    "metadata",
    "store",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "safety_identifier",
    "moderation",
];

/// The least bound that the provider accepts.
const LEAST_BOUND: u64 = 16;

/// Writes the body for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Encoded {
    let own = request.origin == ID;
    let mut dropped = Dropped::of(request, ID, UNKNOWN);
    dropped.add_if(!request.stop.is_empty(), "stop");
    dropped.add_if(request.top_k.is_some(), "top_k");
    if request.origin == openai_chat::ID {
        if verbosity(request).is_some() {
            dropped.forget("verbosity");
        }
        dropped.forget("moderation");
    }
    let mut writing = Writing::new(own);
    request.messages.iter().for_each(|message| writing.turn(message));
    if let Some(text) = target.prefill {
        writing.turn(&prefill(text));
    }
    writing.lost.iter().for_each(|name| dropped.add(name));
    let mut body = Map::new();
    put(&mut body, "model", Some(target.model));
    put(&mut body, "input", Some(writing.items));
    put(&mut body, "stream", target.stream.then_some(true));
    let mut settings = settings(request, target.quirks, &mut dropped);
    if !target.stream {
        settings.shift_remove("stream_options");
    }
    body.extend(settings);
    Encoded { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.names() }
}

fn prefill(text: &str) -> Message {
    let parts = vec![Part::Text { text: text.to_owned(), extra: Map::new() }];
    Message { role: Role::Assistant, parts, extra: Map::new() }
}

/// All fields but the model, the conversation and the stream.
pub(super) fn settings(
    request: &Request,
    quirks: &Quirks,
    dropped: &mut Dropped,
) -> Map<String, Value> {
    let own = request.origin == ID;
    let mut body = Map::new();
    put(&mut body, "instructions", instructions(&request.system));
    let least = if own { 0 } else { LEAST_BOUND };
    put(&mut body, "max_output_tokens", request.max_tokens.map(|bound| bound.max(least)));
    sampling(request, quirks, &mut body, dropped);
    offer(request, quirks, &mut body, dropped);
    put(&mut body, "text", text(request));
    put(&mut body, "reasoning", reasoning(request));
    let named = request.extra.get("safety_identifier").and_then(Value::as_str);
    put(&mut body, "user", request.user.as_deref().filter(|user| !own || named != Some(*user)));
    if own {
        put(&mut body, "service_tier", request.service_tier.as_deref());
        merge(&mut body, &request.extra);
    } else {
        foreign(request, quirks, &mut body);
    }
    body
}

fn instructions(system: &[Part]) -> Option<String> {
    let text = |part: &Part| match part {
        Part::Text { text, .. } => Some(text.clone()),
        _ => None,
    };
    let texts: Vec<String> = system.iter().filter_map(text).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

fn sampling(
    request: &Request,
    quirks: &Quirks,
    body: &mut Map<String, Value>,
    dropped: &mut Dropped,
) {
    let taken = !quirks.no_sampling;
    dropped.add_if(!taken && request.temperature.is_some(), "temperature");
    dropped.add_if(!taken && request.top_p.is_some(), "top_p");
    put(body, "temperature", request.temperature.filter(|_| taken));
    put(body, "top_p", request.top_p.filter(|_| taken));
    put(body, "top_logprobs", request.top_logprobs);
}

fn offer(request: &Request, quirks: &Quirks, body: &mut Map<String, Value>, dropped: &mut Dropped) {
    let own = request.origin == ID;
    let native = |tool: &crate::hub::Tool| matches!(tool, crate::hub::Tool::Native { origin, .. } if *origin != ID);
    dropped.add_if(request.tools.iter().any(native), "tools");
    let list = tools::write(&request.tools, own);
    let any = !list.is_empty();
    put(body, "tools", Some(list).filter(|_| any));
    if any || own {
        let choice = request.tool_choice.as_ref();
        put(body, "tool_choice", choice.and_then(|c| tools::write_choice(c, &request.tools, own)));
        let several = request.parallel_tool_calls;
        dropped.add_if(quirks.no_parallel_tool_calls && several.is_some(), "parallel_tool_calls");
        put(body, "parallel_tool_calls", several.filter(|_| !quirks.no_parallel_tool_calls));
    }
}

fn text(request: &Request) -> Option<Value> {
    let mut map = Map::new();
    put(&mut map, "format", request.format.as_ref().map(format));
    if request.origin == openai_chat::ID {
        put(&mut map, "verbosity", verbosity(request));
    }
    (!map.is_empty()).then(|| map.into())
}

/// Chat's word; anything else would only be nested more deeply than it was.
fn verbosity(request: &Request) -> Option<&str> {
    request.extra.get("verbosity").and_then(Value::as_str)
}

fn format(format: &Format) -> Value {
    let mut map = Map::new();
    match format {
        Format::Text => put(&mut map, "type", Some("text")),
        Format::JsonObject => put(&mut map, "type", Some("json_object")),
        Format::JsonSchema { name, description, schema, strict } => {
            put(&mut map, "type", Some("json_schema"));
            // The provider demands a name.
            put(&mut map, "name", Some(name.as_deref().unwrap_or("answer")));
            put(&mut map, "description", description.as_deref());
            put(&mut map, "schema", Some(schema.clone()));
            put(&mut map, "strict", *strict);
        }
    }
    map.into()
}

fn reasoning(request: &Request) -> Option<Value> {
    let wish = request.reasoning.as_ref()?;
    let mut map = Map::new();
    put(&mut map, "effort", openai_chat::effort(wish));
    let kind = request.extra.get("reasoning").and_then(|wish| wish.get("summary"));
    let kind = kind.filter(|_| request.origin == ID);
    let auto = (wish.include == Some(true)).then(|| Value::from("auto"));
    put(&mut map, "summary", kind.cloned().or(auto));
    (!map.is_empty()).then(|| map.into())
}

/// What requests of other dialects need beside their own fields.
fn foreign(request: &Request, quirks: &Quirks, body: &mut Map<String, Value>) {
    if request.origin == openai_chat::ID {
        put(body, "service_tier", request.service_tier.as_deref());
        for name in SHARED {
            put(body, name, request.extra.get(*name).cloned());
        }
    }
    body.entry("store").or_insert(Value::Bool(false));
    let thinks = |effort: Option<&str>| effort.is_some_and(|effort| effort != "none");
    let wished = request.reasoning.as_ref().is_some_and(|wish| thinks(openai_chat::effort(wish)));
    let mut include = Vec::new();
    if wished || quirks.encrypted_reasoning {
        include.push("reasoning.encrypted_content");
    }
    if request.logprobs == Some(true) {
        include.push(LOGPROBS);
    }
    put(body, "include", Some(json!(include)).filter(|_| !include.is_empty()));
}
