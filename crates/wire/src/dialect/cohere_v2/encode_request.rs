//! Writes a request for the provider.

use super::ID;
use super::writing::Writing;
use crate::dialect::{Encoded, ReasoningContent, Target};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{Extra, Format, Message, Part, Request, Role, Tool, ToolChoice};
use crate::thinking;
use serde_json::{Map, Value, json};

/// The hub's fields that have no place here.
static UNKNOWN: &[&str] = &["n", "top_logprobs", "parallel_tool_calls", "user"];

/// The highest nucleus mass that is accepted.
const MOST_P: f64 = 0.99;

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Encoded {
    let own = request.origin == ID;
    let mut dropped = Dropped::of(request, ID, UNKNOWN);
    let mut body = Map::new();
    put(&mut body, "model", Some(target.model));
    let keep = own || target.quirks.reasoning_content != ReasoningContent::Strip;
    let mut writing = Writing::new(request.origin, keep);
    put(&mut body, "messages", Some(messages(request, target.prefill, &mut writing)));
    writing.lost.iter().for_each(|name| dropped.add(name));
    let documents = writing.documents;
    put(&mut body, "documents", (!documents.is_empty()).then_some(documents));
    tools(request, &mut body, &mut dropped);
    put(&mut body, "max_tokens", request.max_tokens);
    sampling(request, target, &mut body, &mut dropped);
    put(&mut body, "stop_sequences", (!request.stop.is_empty()).then(|| request.stop.clone()));
    // Their log probabilities are of pieces of text and cannot be told to clients of others.
    dropped.add_if(!own && request.logprobs == Some(true), "logprobs");
    put(&mut body, "logprobs", request.logprobs.filter(|_| own));
    put(&mut body, "response_format", request.format.as_ref().map(format));
    put(&mut body, "thinking", wish(request, target, &mut dropped));
    let usual = |tier: &&String| matches!(tier.as_str(), "auto" | "default" | "standard");
    dropped.add_if(request.service_tier.as_ref().is_some_and(|tier| !usual(&tier)), "service_tier");
    put(&mut body, "stream", target.stream.then_some(true));
    if own {
        merge(&mut body, &request.extra);
    }
    Encoded { body: Value::Object(body).to_string().into_bytes(), dropped: dropped.names() }
}

fn messages(request: &Request, prefill: Option<&str>, writing: &mut Writing) -> Vec<Value> {
    let mut out = Vec::with_capacity(request.messages.len().saturating_add(1));
    push("system", writing.content(request.system.iter()), &Extra::new(), &mut out);
    for message in &request.messages {
        push_turn(message, writing, &mut out);
    }
    if let Some(text) = prefill {
        out.push(json!({"role": "assistant", "content": text}));
    }
    out
}

fn push(role: &str, content: Option<Value>, extra: &Extra, out: &mut Vec<Value>) {
    let Some(content) = content else { return };
    let mut message =
        Map::from_iter([("role".to_owned(), role.into()), ("content".to_owned(), content)]);
    merge(&mut message, extra);
    out.push(message.into());
}

fn push_turn(message: &Message, writing: &mut Writing, out: &mut Vec<Value>) {
    let none = Extra::new();
    let extra = if writing.own { &message.extra } else { &none };
    match message.role {
        Role::System => push("system", writing.content(message.parts.iter()), extra, out),
        Role::Assistant => {
            let mut said = writing.assistant(&message.parts);
            merge(&mut said, extra);
            if said.len() > 1 {
                out.push(said.into());
            }
        }
        Role::User => {
            let (results, others): (Vec<&Part>, Vec<&Part>) =
                message.parts.iter().partition(|part| matches!(part, Part::ToolResult { .. }));
            let rest = if others.is_empty() { extra } else { &none };
            for result in results {
                push_result(result, writing, rest, out);
            }
            push("user", writing.content(others.into_iter()), extra, out);
        }
    }
}

/// A result is a turn of its own, and it has content even where there is none.
fn push_result(result: &Part, writing: &mut Writing, extra: &Extra, out: &mut Vec<Value>) {
    let Part::ToolResult { call_id, content, .. } = result else { return };
    let content = writing.content(content.iter()).unwrap_or_else(|| "".into());
    let mut message = Map::from_iter([
        ("role".to_owned(), "tool".into()),
        ("tool_call_id".to_owned(), call_id.as_str().into()),
        ("content".to_owned(), content),
    ]);
    merge(&mut message, extra);
    out.push(message.into());
}

/// A tool that must be called is the only one on offer, for there is no choice by name.
fn tools(request: &Request, body: &mut Map<String, Value>, dropped: &mut Dropped) {
    let named = match &request.tool_choice {
        Some(ToolChoice::Named(name)) => Some(name.as_str()),
        _ => None,
    };
    let is_named = |tool: &Tool| match tool {
        Tool::Function { name, .. } => Some(name.as_str()) == named,
        Tool::Native { .. } => false,
    };
    let alone = request.tools.iter().any(is_named);
    let offered = request.tools.iter().filter(|tool| !alone || is_named(tool));
    let list: Vec<Value> = offered.filter_map(|tool| written(tool, request, dropped)).collect();
    if list.is_empty() {
        return;
    }
    let strict = |tool: &Tool| matches!(tool, Tool::Function { strict: Some(true), .. });
    put(body, "strict_tools", request.tools.iter().any(strict).then_some(true));
    put(body, "tools", Some(list));
    let choice = match request.tool_choice.as_ref() {
        Some(ToolChoice::Required | ToolChoice::Named(_)) => Some(json!("REQUIRED")),
        Some(ToolChoice::None) => Some(json!("NONE")),
        Some(ToolChoice::Other { origin, value }) if *origin == ID => Some(value.clone()),
        Some(ToolChoice::Other { .. }) => {
            dropped.add("tool_choice");
            None
        }
        Some(ToolChoice::Auto) | None => None,
    };
    put(body, "tool_choice", choice);
}

fn written(tool: &Tool, request: &Request, dropped: &mut Dropped) -> Option<Value> {
    match tool {
        Tool::Native { origin, value } => {
            dropped.add_if(*origin != ID, "tools");
            (*origin == ID).then(|| value.clone())
        }
        Tool::Function { name, description, parameters, extra, .. } => {
            let mut function = Map::from_iter([("name".to_owned(), name.as_str().into())]);
            put(&mut function, "description", description.as_deref());
            let empty = || json!({"type": "object", "properties": {}});
            put(&mut function, "parameters", Some(parameters.clone().unwrap_or_else(empty)));
            let mut map = Map::from_iter([("type".to_owned(), "function".into())]);
            map.insert("function".to_owned(), function.into());
            if request.origin == ID {
                merge(&mut map, extra);
            }
            Some(map.into())
        }
    }
}

/// Temperature and penalties go from 0 to 1 here, and seeds from 0.
fn sampling(
    request: &Request,
    target: &Target<'_>,
    body: &mut Map<String, Value>,
    dropped: &mut Dropped,
) {
    let silent = target.quirks.no_sampling;
    let own = request.origin == ID;
    let wishes = [
        ("temperature", "temperature", request.temperature, 1.0),
        ("top_p", "p", request.top_p, MOST_P),
        ("frequency_penalty", "frequency_penalty", request.frequency_penalty, 1.0),
        ("presence_penalty", "presence_penalty", request.presence_penalty, 1.0),
    ];
    for (name, field, wish, most) in wishes {
        dropped.add_if(wish.is_some_and(|wish| silent || (!own && wish < 0.0)), name);
        let wish = wish.filter(|_| !silent);
        put(body, field, wish.map(|wish| if own { wish } else { wish.clamp(0.0, most) }));
    }
    put(body, "k", request.top_k);
    let seed = request.seed.filter(|seed| own || *seed >= 0);
    dropped.add_if(seed.is_none() && request.seed.is_some(), "seed");
    put(body, "seed", seed);
}

fn format(format: &Format) -> Value {
    match format {
        Format::Text => json!({"type": "text"}),
        Format::JsonObject => json!({"type": "json_object"}),
        Format::JsonSchema { schema, .. } => json!({"type": "json_object", "json_schema": schema}),
    }
}

/// An effort stands for a budget; a budget of another dialect leaves room for the answer.
fn wish(request: &Request, target: &Target<'_>, dropped: &mut Dropped) -> Option<Value> {
    let wish = request.reasoning.as_ref()?;
    if target.quirks.no_reasoning {
        dropped.add("reasoning_effort");
        return None;
    }
    let budget = match (wish.budget_tokens, wish.effort.as_deref()) {
        (Some(0), _) | (None, Some("none")) => return Some(json!({"type": "disabled"})),
        (Some(budget), _) if budget > 0 => budget.unsigned_abs(),
        (None, Some(effort)) => thinking::budget_of(effort),
        (Some(_), _) => return Some(json!({"type": "enabled"})),
        (None, None) => return None,
    };
    let bound = request.max_tokens.filter(|_| request.origin != ID);
    let budget = thinking::fitting(budget, 1, bound);
    dropped.add_if(budget.is_none(), "reasoning_effort");
    budget.map(|budget| json!({"type": "enabled", "token_budget": budget}))
}
