//! Writes a request for an upstream.

use super::{ID, prompt};
use crate::dialect::{Encoded, Target};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{Extra, Format, Request};
use serde_json::{Map, Value, json};

/// The hub's fields that have no place here.
static UNKNOWN: &[&str] = &["parallel_tool_calls", "response_format"];

/// The most alternatives of a token that the API tells. Source: OpenAI's API reference.
const MOST_LOGPROBS: u32 = 5;

/// Writes the body for `target`.
pub(super) fn encode_request(request: &Request, target: &Target<'_>) -> Encoded {
    let own = request.origin == ID;
    let mut dropped = Dropped::of(request, ID, UNKNOWN);
    let prompt = prompt::of(request, target.prefill);
    let schema = matches!(request.format, Some(Format::JsonSchema { .. }));
    let effort = request.reasoning.as_ref().is_some_and(|wish| wish.effort.is_some());
    dropped.add_if(prompt.lossy, "messages");
    dropped.add_if(!request.tools.is_empty(), "tools");
    dropped.add_if(schema, "response_format");
    dropped.add_if(effort, "reasoning_effort");

    let mut body = Map::new();
    put(&mut body, "model", Some(target.model));
    put(&mut body, "prompt", Some(prompt.text));
    let options = target.stream && !target.quirks.no_stream_options;
    put(&mut body, "stream", target.stream.then_some(true));
    put(&mut body, "stream_options", options.then(|| json!({"include_usage": true})));
    // Without a bound the API would stop after 16 tokens, which only its own clients expect.
    put(&mut body, "max_tokens", Some(request.max_tokens.unwrap_or(target.default_max_tokens)));
    sampling(request, target, &mut body, &mut dropped);
    put(&mut body, "user", request.user.as_deref());
    if own {
        let mut extra: Extra = request.extra.clone();
        extra.retain(|key, _| options || key != "stream_options");
        merge(&mut body, &extra);
    }
    Encoded { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.names() }
}

fn sampling(
    request: &Request,
    target: &Target<'_>,
    body: &mut Map<String, Value>,
    dropped: &mut Dropped,
) {
    let own = request.origin == ID;
    let refused = target.quirks.no_sampling;
    let numbers = [
        ("temperature", request.temperature),
        ("top_p", request.top_p),
        ("presence_penalty", request.presence_penalty),
        ("frequency_penalty", request.frequency_penalty),
    ];
    for (name, number) in numbers {
        dropped.add_if(refused && number.is_some(), name);
        put(body, name, number.filter(|_| !refused));
    }
    dropped.add_if(request.top_k.is_some() && !own, "top_k");
    put(body, "top_k", request.top_k.filter(|_| own));
    put(body, "seed", request.seed);
    put(body, "n", request.n);
    let alternatives = request.top_logprobs.unwrap_or(0);
    let told = if own { alternatives } else { alternatives.min(MOST_LOGPROBS) };
    put(body, "logprobs", (request.logprobs == Some(true)).then_some(told));
    put(body, "stop", Some(request.stop.clone()).filter(|stop| !stop.is_empty()));
}
