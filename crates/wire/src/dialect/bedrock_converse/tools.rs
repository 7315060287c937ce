//! The tools on offer and the choice among them.
//!
//! A conversation that holds calls is refused without tools, so that the names called stand for
//! tools that are no longer on offer. Nothing here says that no tool may be called.

use super::ID;
use super::writing::{Writing, cache_point};
use crate::dialect::Target;
use crate::dropped::Dropped;
use crate::fields::put;
use crate::hub::{Message, Part, Request, Tool, ToolChoice};
use crate::json_tool;
use crate::seal::Reader;
use serde_json::{Map, Value, json};

/// The tools as they go out.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// The field `toolConfig`.
    pub(super) config: Option<Value>,
    /// Claude's field for the choice, where calls must come one at a time.
    pub(super) serial: Option<Value>,
    /// Whether a tool is forced.
    pub(super) forced: bool,
}

/// Writes the tools of this request.
pub(super) fn offer(request: &Request, target: &Target<'_>, dropped: &mut Dropped) -> Offer {
    let mut choice = choice(request, dropped);
    let mut tools = listed(request, dropped);
    if json_tool::wanted(request, target) {
        if !matches!(request.tool_choice, Some(ToolChoice::Named(_))) {
            let only = json!({"tool": {"name": json_tool::NAME}});
            choice = Some(if tools.is_empty() { only } else { json!({"any": {}}) });
        }
        let (description, schema) = json_tool::shape(request);
        tools.push(spec(json_tool::NAME, Some(description), schema));
    }
    if tools.is_empty() {
        tools = called(&request.messages);
        choice = None;
    }
    if tools.is_empty() {
        return Offer::default();
    }
    let forced = choice.as_ref().is_some_and(|choice| choice.get("auto").is_none());
    let serial = serial(request, target, choice.as_ref(), dropped);
    let mut config = Map::from_iter([("tools".to_owned(), tools.into())]);
    put(&mut config, "toolChoice", choice);
    Offer { config: Some(config.into()), serial, forced }
}

/// The tools on offer. Where none may be called they are kept back, unless the history needs them.
fn listed(request: &Request, dropped: &mut Dropped) -> Vec<Value> {
    let silent = request.tool_choice == Some(ToolChoice::None);
    if silent && called(&request.messages).is_empty() {
        return Vec::new();
    }
    dropped.add_if(silent, "tool_choice");
    let writing = Writing::new(Reader::Provider, request.origin);
    let mut list = Vec::with_capacity(request.tools.len());
    for tool in &request.tools {
        match tool {
            Tool::Native { origin, value } if *origin == ID => list.push(value.clone()),
            Tool::Native { .. } => dropped.add("tools"),
            Tool::Function { name, description, parameters, strict, extra } => {
                let schema = parameters.clone().unwrap_or_else(no_arguments);
                let description = description.as_deref().filter(|text| !text.is_empty());
                let mut tool = spec(name, description, schema);
                if let Some(Value::Object(map)) = tool.get_mut("toolSpec") {
                    put(map, "strict", *strict);
                    writing.add_extra(map, extra);
                }
                list.push(tool);
                list.extend(cache_point(extra));
            }
        }
    }
    list
}

fn no_arguments() -> Value {
    json!({"type": "object", "properties": {}})
}

fn spec(name: &str, description: Option<&str>, schema: Value) -> Value {
    let mut spec = Map::from_iter([("name".to_owned(), name.into())]);
    put(&mut spec, "description", description);
    spec.insert("inputSchema".to_owned(), json!({"json": schema}));
    json!({"toolSpec": spec})
}

/// A tool for each name that was called, in the order of the first calls.
fn called(messages: &[Message]) -> Vec<Value> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    let mut names: Vec<&str> = Vec::new();
    for part in parts {
        if let Part::ToolCall(call) = part
            && !names.contains(&call.name.as_str())
        {
            names.push(&call.name);
        }
    }
    names.into_iter().map(|name| spec(name, None, no_arguments())).collect()
}

fn choice(request: &Request, dropped: &mut Dropped) -> Option<Value> {
    match request.tool_choice.as_ref()? {
        ToolChoice::Auto => Some(json!({"auto": {}})),
        ToolChoice::Required => Some(json!({"any": {}})),
        ToolChoice::Named(name) => Some(json!({"tool": {"name": name}})),
        ToolChoice::None => None,
        ToolChoice::Other { origin, value } => {
            dropped.add_if(*origin != ID, "tool_choice");
            (*origin == ID).then(|| value.clone())
        }
    }
}

/// One call at a time is asked for in Claude's words, which repeat the choice.
fn serial(
    request: &Request,
    target: &Target<'_>,
    choice: Option<&Value>,
    dropped: &mut Dropped,
) -> Option<Value> {
    let own = request.origin == ID;
    let parallel = request.parallel_tool_calls.filter(|parallel| own || !parallel)?;
    if target.quirks.no_parallel_tool_calls {
        dropped.add("parallel_tool_calls");
        return None;
    }
    let named = choice.and_then(|choice| choice.pointer("/tool/name"));
    let any = choice.is_some_and(|choice| choice.get("any").is_some());
    let mut claudes = match named {
        Some(name) => json!({"type": "tool", "name": name}),
        None if any => json!({"type": "any"}),
        None => json!({"type": "auto"}),
    };
    if let Some(map) = claudes.as_object_mut() {
        map.insert("disable_parallel_tool_use".to_owned(), (!parallel).into());
    }
    Some(claudes)
}
