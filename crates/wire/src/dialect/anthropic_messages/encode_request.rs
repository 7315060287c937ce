//! Writes a request for the provider.

use super::writing::Writing;
use super::{ID, JSON_TOOL, turns};
use crate::dialect::{Encoded, Target};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{Format, Request, Tool, ToolChoice};
use crate::seal::Reader;
use crate::{json_tool, sampling, thinking};
use serde_json::{Map, Value, json};

/// The hub's fields that have no place here.
static UNKNOWN: &[&str] =
    &["n", "seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"];

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Encoded {
    let mut dropped = Dropped::of(request, ID, UNKNOWN);
    let mut body = Map::new();
    let bound = request.max_tokens.unwrap_or(target.default_max_tokens);
    put(&mut body, "anthropic_version", target.quirks.anthropic_version.as_deref());
    put(&mut body, "model", Some(target.model).filter(|_| !target.quirks.no_model));
    put(&mut body, "max_tokens", Some(bound));
    let conversation = turns::arrange(request, target.prefill);
    put(&mut body, "system", conversation.system);
    put(&mut body, "messages", Some(conversation.messages));
    conversation.lost.into_iter().for_each(|name| dropped.add(name));

    let choice = tools(request, target, &mut body, &mut dropped);
    let own_force = request.origin == ID && !json_tool::wanted(request, target);
    let forced = choice && !own_force;
    let plan = thinking::plan(ID, request, target, forced, bound);
    dropped.add_if(plan.lost, "reasoning_effort");
    let sampling = sampling::of(ID, request, target, plan.on, &mut dropped);
    put(&mut body, "temperature", sampling.temperature);
    put(&mut body, "top_p", sampling.top_p);
    put(&mut body, "top_k", sampling.top_k);
    put(&mut body, "stop_sequences", sampling.stop);
    put(&mut body, "thinking", plan.thinking);
    put(&mut body, "output_config", output_config(request, target, plan.effort));
    dropped.add_if(
        matches!(request.format, Some(Format::JsonObject)) && !json_tool::wanted(request, target),
        "response_format",
    );
    put(&mut body, "metadata", request.user.as_ref().map(|user| json!({"user_id": user})));
    put(&mut body, "service_tier", tier(request, &mut dropped));
    put(&mut body, "stream", target.stream.then_some(true));
    add_extras(request, &mut body);
    Encoded { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.names() }
}

fn add_extras(request: &Request, body: &mut Map<String, Value>) {
    if request.origin != ID {
        return;
    }
    let mut extra = request.extra.clone();
    thinking::forget_orphan(&mut extra, body);
    merge(body, &extra);
}

/// Writes the tools and the choice among them; tells whether one is forced.
fn tools(
    request: &Request,
    target: &Target<'_>,
    body: &mut Map<String, Value>,
    dropped: &mut Dropped,
) -> bool {
    let writing = Writing::new(Reader::Provider, request.origin);
    let mut list: Vec<Value> =
        request.tools.iter().filter_map(|tool| written_tool(tool, &writing, dropped)).collect();
    let mut choice = choice(request, dropped);
    if json_tool::wanted(request, target) {
        let only = list.is_empty();
        list.push(json_tool(request));
        if !matches!(request.tool_choice, Some(ToolChoice::Named(_))) {
            choice = Some(if only {
                json!({"type": "tool", "name": JSON_TOOL})
            } else {
                json!({"type": "any"})
            });
        }
    }
    if list.is_empty() {
        return false;
    }
    let kind = choice.as_ref().and_then(|choice| choice.get("type")).and_then(Value::as_str);
    let forced = matches!(kind, Some("any" | "tool"));
    put(body, "tools", Some(list));
    put(body, "tool_choice", choice);
    forced
}

fn written_tool(tool: &Tool, writing: &Writing, dropped: &mut Dropped) -> Option<Value> {
    match tool {
        Tool::Native { origin, value } => {
            dropped.add_if(*origin != ID, "tools");
            (*origin == ID).then(|| value.clone())
        }
        Tool::Function { name, description, parameters, strict, extra } => {
            let mut map = Map::new();
            put(&mut map, "name", Some(name.as_str()));
            put(&mut map, "description", description.as_deref());
            let schema = parameters.clone().unwrap_or_else(no_arguments);
            put(&mut map, "input_schema", Some(schema));
            put(&mut map, "strict", *strict);
            writing.add_extra(&mut map, extra);
            Some(Value::Object(map))
        }
    }
}

fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

fn json_tool(request: &Request) -> Value {
    let (description, schema) = json_tool::shape(request);
    json!({"name": JSON_TOOL, "description": description, "input_schema": schema})
}

fn choice(request: &Request, dropped: &mut Dropped) -> Option<Value> {
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Named(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::Other { origin, value }) if *origin == ID => value.clone(),
        Some(ToolChoice::Other { .. }) => {
            dropped.add("tool_choice");
            return None;
        }
        None if request.parallel_tool_calls == Some(false) => json!({"type": "auto"}),
        None => return None,
    };
    if let (Value::Object(map), Some(parallel)) = (&mut choice, request.parallel_tool_calls) {
        map.insert("disable_parallel_tool_use".to_owned(), (!parallel).into());
    }
    Some(choice)
}

fn output_config(
    request: &Request,
    target: &Target<'_>,
    effort: Option<String>,
) -> Option<Map<String, Value>> {
    let mut config = Map::new();
    put(&mut config, "effort", effort);
    if let Some(Format::JsonSchema { schema, .. }) = &request.format
        && !json_tool::wanted(request, target)
    {
        let format = json!({"type": "json_schema", "schema": schema});
        config.insert("format".to_owned(), format);
    }
    (!config.is_empty()).then_some(config)
}

fn tier(request: &Request, dropped: &mut Dropped) -> Option<String> {
    let tier = request.service_tier.as_deref()?;
    let known = match tier {
        _ if request.origin == ID => Some(tier),
        "auto" => Some("auto"),
        "default" | "standard" => Some("standard_only"),
        _ => None,
    };
    dropped.add_if(known.is_none(), "service_tier");
    known.map(str::to_owned)
}
