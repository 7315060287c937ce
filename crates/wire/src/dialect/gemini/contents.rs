//! The conversation in the order this dialect demands.
//!
//! Instructions stand outside; turns of one role are joined, but results of functions stay apart from
//! the user's words, because their number must match that of the calls before them.

use super::writing::Writing;
use crate::dialect::Target;
use crate::fields::put;
use crate::hub::{Message, Part, Request, Role};
use crate::seal::Reader;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What stands for the conversation where there is none but instructions.
const OPENING: &str = ".";

/// The conversation as it goes out.
pub(super) struct Conversation {
    /// The field `systemInstruction`.
    pub(super) system: Option<Value>,
    /// The field `contents`.
    pub(super) contents: Vec<Value>,
    /// Kinds of content that had no place.
    pub(super) lost: Vec<&'static str>,
}

struct Turn {
    role: &'static str,
    results: bool,
    parts: Vec<Value>,
    fields: Map<String, Value>,
}

/// Arranges the request's conversation, followed by the target's prefill.
pub(super) fn arrange(request: &Request, target: &Target<'_>) -> Conversation {
    let mut writing = Writing::new(Reader::Provider, request.origin);
    writing.wants_seals = target.quirks.effort_reasoning;
    writing.names = names(request);
    let leading =
        request.messages.iter().take_while(|message| message.role == Role::System).count();
    let (leading, rest) = request.messages.split_at_checked(leading).unwrap_or_default();
    let mut system = writing.parts(&request.system);
    for message in leading {
        system.extend(writing.parts(&message.parts));
    }
    let mut turns: Vec<Turn> = Vec::with_capacity(rest.len() + 1);
    for message in rest {
        add(&mut turns, turn(message, &mut writing));
    }
    if let Some(text) = target.prefill {
        add(&mut turns, text_turn("model", text));
    }
    if turns.is_empty() {
        turns.push(text_turn("user", OPENING));
    }
    let system = (!system.is_empty()).then(|| json!({"parts": system}));
    Conversation { system, contents: turns.into_iter().map(written).collect(), lost: writing.lost }
}

/// Results name their function, which most dialects tell only in the call.
fn names(request: &Request) -> BTreeMap<&str, &str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
            _ => None,
        })
        .collect()
}

fn turn<'a>(message: &'a Message, writing: &mut Writing<'a>) -> Turn {
    let role = if message.role == Role::Assistant { "model" } else { "user" };
    let results = message.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }));
    let fields = if writing.own_extras { message.extra.clone() } else { Map::new() };
    Turn { role, results, parts: writing.parts(&message.parts), fields }
}

fn text_turn(role: &'static str, text: &str) -> Turn {
    Turn { role, results: false, parts: vec![json!({"text": text})], fields: Map::new() }
}

fn add(turns: &mut Vec<Turn>, turn: Turn) {
    if turn.parts.is_empty() {
        return;
    }
    match turns.last_mut() {
        Some(last) if last.role == turn.role && last.results == turn.results => {
            last.parts.extend(turn.parts);
            last.fields.extend(turn.fields);
        }
        _ => turns.push(turn),
    }
}

fn written(turn: Turn) -> Value {
    let mut content = Map::new();
    put(&mut content, "role", Some(turn.role));
    put(&mut content, "parts", Some(turn.parts));
    content.extend(turn.fields);
    Value::Object(content)
}
