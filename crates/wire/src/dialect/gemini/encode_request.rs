//! Writes a request for the provider. The model and the wish for a stream are in the path.

use super::{ID, contents, thinking};
use crate::dialect::{Encoded, Target};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{Format, Request, Tool, ToolChoice};
use serde_json::{Map, Value, json};

/// The hub's fields that have no place here.
static UNKNOWN: &[&str] = &["parallel_tool_calls", "user"];

/// More stop texts than this are refused.
const MOST_STOPS: usize = 5;

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Encoded {
    let mut dropped = Dropped::of(request, ID, UNKNOWN);
    let mut body = Map::new();
    let conversation = contents::arrange(request, target);
    put(&mut body, "systemInstruction", conversation.system);
    put(&mut body, "contents", Some(conversation.contents));
    conversation.lost.into_iter().for_each(|name| dropped.add(name));
    let tools = tools(request, &mut dropped);
    let any_tool = !tools.is_empty();
    put(&mut body, "tools", any_tool.then_some(tools));
    put(&mut body, "toolConfig", tool_config(request, any_tool, &mut dropped));
    let config = generation(request, target, &mut dropped);
    put(&mut body, "generationConfig", (!config.is_empty()).then_some(config));
    put(&mut body, "serviceTier", tier(request, &mut dropped));
    if request.origin == ID {
        merge(&mut body, &request.extra);
    }
    Encoded { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.names() }
}

fn tools(request: &Request, dropped: &mut Dropped) -> Vec<Value> {
    let mut declarations = Vec::new();
    let mut groups = Vec::new();
    for tool in &request.tools {
        match tool {
            Tool::Native { origin, value } if *origin == ID => groups.push(value.clone()),
            Tool::Native { .. } => dropped.add("tools"),
            Tool::Function { name, description, parameters, extra, .. } => {
                let mut map = Map::new();
                put(&mut map, "name", Some(name.as_str()));
                put(&mut map, "description", description.as_deref());
                put(&mut map, "parametersJsonSchema", parameters.clone());
                if request.origin == ID {
                    merge(&mut map, extra);
                }
                declarations.push(Value::Object(map));
            }
        }
    }
    if !declarations.is_empty() {
        groups.insert(0, json!({"functionDeclarations": declarations}));
    }
    groups
}

fn tool_config(request: &Request, any_tool: bool, dropped: &mut Dropped) -> Option<Value> {
    let calling = match request.tool_choice.as_ref()? {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        ToolChoice::Other { origin, value } if *origin == ID => value.clone(),
        ToolChoice::Other { .. } => {
            dropped.add("tool_choice");
            return None;
        }
    };
    any_tool.then(|| json!({"functionCallingConfig": calling}))
}

fn generation(request: &Request, target: &Target<'_>, dropped: &mut Dropped) -> Map<String, Value> {
    let mut config = Map::new();
    let bound = request.max_tokens;
    put(&mut config, "maxOutputTokens", bound);
    sampling(request, target, &mut config, dropped);
    put(&mut config, "candidateCount", request.n);
    put(&mut config, "seed", request.seed);
    put(&mut config, "responseLogprobs", request.logprobs);
    put(&mut config, "logprobs", request.top_logprobs);
    let stops: Vec<_> = request.stop.iter().take(MOST_STOPS).cloned().collect();
    dropped.add_if(stops.len() < request.stop.len(), "stop");
    put(&mut config, "stopSequences", (!stops.is_empty()).then_some(stops));
    match &request.format {
        Some(Format::JsonObject) => {
            put(&mut config, "responseMimeType", Some("application/json"));
        }
        Some(Format::JsonSchema { schema, .. }) => {
            put(&mut config, "responseMimeType", Some("application/json"));
            put(&mut config, "responseJsonSchema", Some(schema.clone()));
        }
        Some(Format::Text) if request.origin == ID => {
            put(&mut config, "responseMimeType", Some("text/plain"));
        }
        Some(Format::Text) | None => {}
    }
    put(&mut config, "thinkingConfig", thinking::config(request, target.quirks, dropped));
    config
}

fn sampling(
    request: &Request,
    target: &Target<'_>,
    config: &mut Map<String, Value>,
    dropped: &mut Dropped,
) {
    let wishes = [
        ("temperature", "temperature", request.temperature),
        ("topP", "top_p", request.top_p),
        ("presencePenalty", "presence_penalty", request.presence_penalty),
        ("frequencyPenalty", "frequency_penalty", request.frequency_penalty),
    ];
    let highest = match target.quirks.max_temperature_centi {
        0 => 2.0,
        centi => f64::from(centi) / 100.0,
    };
    for (name, openai_name, wish) in wishes {
        let Some(wish) = wish else { continue };
        if target.quirks.no_sampling {
            dropped.add(openai_name);
            continue;
        }
        let value = if name == "temperature" { wish.min(highest) } else { wish };
        put(config, name, Some(value));
    }
    put(config, "topK", request.top_k.filter(|_| !target.quirks.no_sampling));
}

/// Their words for tiers, by OpenAI's.
static TIERS: &[(&str, &str)] =
    &[("default", "standard"), ("flex", "flex"), ("priority", "priority")];

fn tier(request: &Request, dropped: &mut Dropped) -> Option<String> {
    let wish = request.service_tier.as_deref()?;
    if request.origin == ID {
        return Some(wish.to_owned());
    }
    let known = TIERS.iter().find(|(word, _)| *word == wish).map(|(_, tier)| (*tier).to_owned());
    dropped.add_if(known.is_none() && wish != "auto", "service_tier");
    known
}
