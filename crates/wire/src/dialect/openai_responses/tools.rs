//! Tools, both ways: functions, freeform (`custom`) tools and namespaces.
//!
//! To other dialects a freeform tool is a function with one string argument `input`, and a function
//! in a namespace is a function whose name begins with that of the namespace. What a tool was is
//! kept in its extras, so that its own dialect gets it back as it stood. Tools that the provider
//! runs itself are kept whole.

use super::ID;
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Extra, Tool, ToolChoice};
use serde_json::{Map, Value, json};

/// The one argument of a freeform tool.
pub(super) const INPUT: &str = "input";

const CUSTOM: &str = "custom";
const NAMESPACE: &str = "namespace";

/// Reads the tools on offer.
pub(super) fn read(list: Vec<Value>) -> Result<Vec<Tool>, DecodeError> {
    let mut tools = Vec::new();
    for (at, tool) in list.into_iter().enumerate() {
        let path = format!("tools[{at}]");
        match members(&tool, &path)? {
            Some(members) => tools.extend(members),
            None => tools.push(read_one(tool, path)?),
        }
    }
    Ok(tools)
}

fn read_one(tool: Value, path: String) -> Result<Tool, DecodeError> {
    match tool.get("type").and_then(Value::as_str) {
        Some("function") => function(Fields::of(tool, path)?),
        Some(CUSTOM) => custom(Fields::of(tool, path)?),
        Some(_) => Ok(Tool::Native { origin: ID, value: tool }),
        None => Err(DecodeError::at(path, "must be an object with a type")),
    }
}

fn function(mut fields: Fields) -> Result<Tool, DecodeError> {
    fields.take("type");
    Ok(Tool::Function {
        name: fields.need_text("name")?,
        description: fields.text("description")?,
        parameters: fields.take("parameters"),
        strict: fields.bool("strict")?,
        extra: fields.rest(),
    })
}

fn custom(mut fields: Fields) -> Result<Tool, DecodeError> {
    let name = fields.need_text("name")?;
    let description = fields.text("description")?;
    let grammar = fields.take("format");
    let told = [description.clone(), grammar.as_ref().and_then(rule)];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if let Some(grammar) = grammar {
        fields.keep("format", grammar);
    }
    if let Some(description) = description {
        fields.keep("description", description.into());
    }
    Ok(Tool::Function {
        name,
        description: Some(told.join("\n\n")).filter(|told| !told.is_empty()),
        parameters: Some(json!({
            "type": "object",
            "properties": { INPUT: { "type": "string" } },
            "required": [INPUT],
            "additionalProperties": false,
        })),
        strict: None,
        extra: fields.rest(),
    })
}

/// The grammar of a freeform tool in words, for models whose API cannot enforce it.
fn rule(format: &Value) -> Option<String> {
    let syntax = format.get("syntax").and_then(Value::as_str).unwrap_or("given");
    let definition = format.get("definition")?.as_str()?;
    Some(format!("`{INPUT}` must follow this {syntax} grammar:\n{definition}"))
}

/// The tools of a namespace that holds functions and freeform tools only.
fn members(tool: &Value, path: &str) -> Result<Option<Vec<Tool>>, DecodeError> {
    let is = |tool: &Value, kind| tool.get("type").and_then(Value::as_str) == Some(kind);
    let name = tool.get("name").and_then(Value::as_str);
    let inner = tool.get("tools").and_then(Value::as_array);
    let (true, Some(name), Some(inner)) = (is(tool, NAMESPACE), name, inner) else {
        return Ok(None);
    };
    if inner.is_empty() || !inner.iter().all(|tool| is(tool, "function") || is(tool, CUSTOM)) {
        return Ok(None);
    }
    let mut around = tool.clone();
    if let Value::Object(around) = &mut around {
        around.shift_remove("tools");
    }
    let mut tools = Vec::with_capacity(inner.len());
    for (at, inner) in inner.iter().enumerate() {
        let mut tool = read_one(inner.clone(), format!("{path}.tools[{at}]"))?;
        if let Tool::Function { name: short, extra, .. } = &mut tool {
            *short = joined(name, short);
            extra.insert(NAMESPACE.to_owned(), around.clone());
        }
        tools.push(tool);
    }
    Ok(Some(tools))
}

/// The name of a function in a namespace, for dialects that have none.
pub(super) fn joined(namespace: &str, name: &str) -> String {
    if namespace.ends_with('_') {
        format!("{namespace}{name}")
    } else {
        format!("{namespace}__{name}")
    }
}

/// The name within the namespace.
pub(super) fn split<'a>(namespace: &str, name: &'a str) -> &'a str {
    let short = name.strip_prefix(namespace).unwrap_or(name);
    if namespace.ends_with('_') { short } else { short.strip_prefix("__").unwrap_or(short) }
}

/// Writes the tools. `own`: they were read from this dialect. Those of other dialects that have no
/// place here are left out.
pub(super) fn write(tools: &[Tool], own: bool) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::with_capacity(tools.len());
    let mut open: Option<&Value> = None;
    for tool in tools {
        let around = around(tool).filter(|_| own);
        let Some(value) = write_one(tool, own) else { continue };
        let last = out.last_mut().and_then(|last| last.get_mut("tools"));
        match (around, last) {
            (Some(around), Some(Value::Array(list))) if open == Some(around) => list.push(value),
            (Some(around), _) => {
                let mut space = around.clone();
                if let Value::Object(space) = &mut space {
                    space.insert("tools".to_owned(), json!([value]));
                }
                out.push(space);
            }
            (None, _) => out.push(value),
        }
        open = around;
    }
    out
}

fn around(tool: &Tool) -> Option<&Value> {
    match tool {
        Tool::Function { extra, .. } => extra.get(NAMESPACE),
        Tool::Native { .. } => None,
    }
}

fn write_one(tool: &Tool, own: bool) -> Option<Value> {
    let (name, extra) = match tool {
        Tool::Function { name, extra, .. } => (name, extra),
        Tool::Native { origin: ID, value } => return Some(value.clone()),
        Tool::Native { .. } => return None,
    };
    let space = extra.get(NAMESPACE).and_then(|space| space.get("name")).and_then(Value::as_str);
    let name = space.filter(|_| own).map_or(name.as_str(), |space| split(space, name));
    let mut map = Map::new();
    put(&mut map, "type", Some(if own && is_custom(extra) { CUSTOM } else { "function" }));
    put(&mut map, "name", Some(name));
    if !(own && is_custom(extra)) {
        put_function(&mut map, tool, own);
    }
    if own {
        merge(&mut map, extra);
        map.shift_remove(NAMESPACE);
    }
    Some(map.into())
}

/// Where nothing is said this API is strict, unlike all others.
fn put_function(map: &mut Map<String, Value>, tool: &Tool, own: bool) {
    let Tool::Function { description, parameters, strict, .. } = tool else { return };
    put(map, "description", description.as_deref());
    put(map, "parameters", parameters.clone());
    put(map, "strict", strict.or((!own).then_some(false)));
}

fn is_custom(extra: &Extra) -> bool {
    extra.get("type").and_then(Value::as_str) == Some(CUSTOM)
}

/// How a client's own tools are to be called back, by the names that other dialects know.
#[derive(Debug, Default)]
pub(super) struct Known {
    tools: Vec<(String, Kind)>,
}

/// What a client knows of one of its tools.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// It takes text, not JSON.
    pub(super) custom: bool,
    /// The namespace it stands in.
    pub(super) namespace: Option<String>,
}

impl Known {
    /// What the tools of a request of this dialect are.
    pub(super) fn of(tools: &[Tool]) -> Self {
        let kind = |tool: &Tool| {
            let Tool::Function { name, extra, .. } = tool else { return None };
            let space = extra.get(NAMESPACE).and_then(|space| space.get("name")?.as_str());
            let kind = Kind { custom: is_custom(extra), namespace: space.map(str::to_owned) };
            (kind != Kind::default()).then(|| (name.clone(), kind))
        };
        Self { tools: tools.iter().filter_map(kind).collect() }
    }

    /// The kind of the tool with this name.
    pub(super) fn kind(&self, name: &str) -> Kind {
        let found = self.tools.iter().find(|(known, _)| known == name);
        found.map(|(_, kind)| kind.clone()).unwrap_or_default()
    }
}

/// Reads the choice among the tools.
pub(super) fn read_choice(choice: Option<Value>) -> Result<Option<ToolChoice>, DecodeError> {
    let choice = match choice {
        None => return Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => ToolChoice::Other { origin: ID, value: word.into() },
        },
        Some(value @ Value::Object(_)) => match named(&value) {
            Some(name) => ToolChoice::Named(name),
            None => ToolChoice::Other { origin: ID, value },
        },
        Some(_) => return Err(DecodeError::at("tool_choice", "must be a string or an object")),
    };
    Ok(Some(choice))
}

fn named(choice: &Value) -> Option<String> {
    let kind = choice.get("type")?.as_str()?;
    let name = choice.get("name")?.as_str()?;
    matches!(kind, "function" | CUSTOM).then(|| name.to_owned())
}

/// Writes the choice among `tools`.
pub(super) fn write_choice(choice: &ToolChoice, tools: &[Tool], own: bool) -> Option<Value> {
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Named(name) => {
            let custom = own && Known::of(tools).kind(name).custom;
            let kind = if custom { CUSTOM } else { "function" };
            Some(json!({ "type": kind, "name": name }))
        }
        ToolChoice::Other { origin: ID, value } => Some(value.clone()),
        ToolChoice::Other { .. } => None,
    }
}

/// The arguments that stand for a freeform tool's text.
pub(super) fn arguments_of(input: &str) -> String {
    json!({ INPUT: input }).to_string()
}

/// The text that arguments stand for; arguments of another shape are the text themselves.
pub(super) fn input_of(arguments: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(arguments).ok();
    let input = parsed.as_ref().and_then(|value| value.get(INPUT)?.as_str());
    input.unwrap_or(arguments).to_owned()
}
