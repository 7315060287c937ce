//! Writes a request for the provider.

use super::decode_request::{MORE, USER};
use super::{ID, tools, turns};
use crate::dialect::{Encoded, Target};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{Format, Request};
use crate::{json_tool, sampling, thinking};
use serde_json::{Map, Value, json};

/// The hub's fields that have no place here.
static UNKNOWN: &[&str] =
    &["n", "seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"];

/// The longest value of the request's metadata, in characters.
const LONGEST_USER: usize = 256;

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Encoded {
    let mut dropped = Dropped::of(request, ID, UNKNOWN);
    let mut body = Map::new();
    let conversation = turns::arrange(request, target.prefill);
    put(&mut body, "system", conversation.system);
    put(&mut body, "messages", Some(conversation.messages));
    conversation.lost.into_iter().for_each(|name| dropped.add(name));

    let offer = tools::offer(request, target, &mut dropped);
    let own_force = request.origin == ID && !json_tool::wanted(request, target);
    let forced = offer.forced && !own_force;
    let bound = request.max_tokens.unwrap_or(target.default_max_tokens);
    let plan = if target.quirks.no_reasoning {
        thinking::Plan { lost: request.reasoning.is_some(), ..thinking::Plan::default() }
    } else {
        thinking::plan(ID, request, target, forced, bound)
    };
    dropped.add_if(plan.lost, "reasoning_effort");
    let sampling = sampling::of(ID, request, target, plan.on, &mut dropped);
    put(&mut body, "toolConfig", offer.config);

    let mut inference = Map::new();
    put(&mut inference, "maxTokens", request.max_tokens);
    put(&mut inference, "temperature", sampling.temperature);
    put(&mut inference, "topP", sampling.top_p);
    put(&mut inference, "stopSequences", sampling.stop);
    put_filled(&mut body, "inferenceConfig", inference);

    let mut more = Map::new();
    put(&mut more, "top_k", sampling.top_k);
    put(&mut more, "thinking", plan.thinking);
    put(&mut more, "tool_choice", offer.serial);
    put_filled(&mut body, MORE, more);
    put_filled(&mut body, "outputConfig", output(request, target, plan.effort, &mut dropped));
    if let Some(user) = user(request, &mut dropped) {
        body.insert("requestMetadata".to_owned(), json!({USER: user}));
    }
    if let Some(tier) = tier(request, &mut dropped) {
        body.insert("serviceTier".to_owned(), json!({"type": tier}));
    }
    add_extras(request, &mut body);
    Encoded { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.names() }
}

fn put_filled(body: &mut Map<String, Value>, key: &str, map: Map<String, Value>) {
    put(body, key, (!map.is_empty()).then_some(map));
}

fn add_extras(request: &Request, body: &mut Map<String, Value>) {
    if request.origin != ID {
        return;
    }
    let mut extra = request.extra.clone();
    if let Some(Value::Object(more)) = extra.get_mut(MORE) {
        let none = Map::new();
        let written = body.get(MORE).and_then(Value::as_object).unwrap_or(&none);
        thinking::forget_orphan(more, written);
    }
    merge(body, &extra);
}

fn output(
    request: &Request,
    target: &Target<'_>,
    effort: Option<String>,
    dropped: &mut Dropped,
) -> Map<String, Value> {
    let mut config = Map::new();
    put(&mut config, "effort", effort);
    if json_tool::wanted(request, target) {
        return config;
    }
    match &request.format {
        Some(Format::JsonSchema { name, description, schema, .. }) => {
            let mut definition = Map::from_iter([("schema".to_owned(), schema.to_string().into())]);
            put(&mut definition, "name", name.as_deref());
            put(&mut definition, "description", description.as_deref());
            let structure = json!({"jsonSchema": definition});
            let format = json!({"type": "json_schema", "structure": structure});
            config.insert("textFormat".to_owned(), format);
        }
        Some(Format::JsonObject) => dropped.add("response_format"),
        Some(Format::Text) | None => {}
    }
    config
}

/// Metadata may hold only some characters.
fn user<'a>(request: &'a Request, dropped: &mut Dropped) -> Option<&'a str> {
    let user = request.user.as_deref()?;
    let allowed = |letter: char| {
        letter.is_ascii_alphanumeric() || letter == ' ' || ":_@$#=/+,-.".contains(letter)
    };
    let fits = user.chars().count() <= LONGEST_USER && user.chars().all(allowed);
    dropped.add_if(!fits && request.origin != ID, "user");
    (fits || request.origin == ID).then_some(user)
}

fn tier<'a>(request: &'a Request, dropped: &mut Dropped) -> Option<&'a str> {
    let tier = request.service_tier.as_deref()?;
    match tier {
        _ if request.origin == ID => Some(tier),
        "default" | "flex" | "priority" => Some(tier),
        "standard" | "standard_only" => Some("default"),
        "auto" => None,
        _ => {
            dropped.add("service_tier");
            None
        }
    }
}
