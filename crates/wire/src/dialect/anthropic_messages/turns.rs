//! The conversation in the order this dialect demands.
//!
//! Turns alternate and the first is the user's; instructions before the first turn stand outside;
//! all tool results of a turn come first in one user turn; the last turn, if it is the model's, must
//! not end in white space.

use super::writing::{Reader, Writing, plain_or_blocks};
use crate::hub::{Message, Request, Role};
use serde_json::{Map, Value, json};

/// What stands for a user turn where the conversation has none at its beginning.
const OPENING: &str = ".";

/// The conversation as it goes out.
pub(super) struct Conversation {
    /// The field `system`.
    pub(super) system: Option<Value>,
    /// The field `messages`.
    pub(super) messages: Vec<Value>,
    /// Kinds of content that had no place.
    pub(super) lost: Vec<&'static str>,
}

struct Turn {
    role: Role,
    blocks: Vec<Value>,
    fields: Map<String, Value>,
}

/// Arranges the request's conversation, followed by `prefill` as the model's own beginning.
pub(super) fn arrange(request: &Request, prefill: Option<&str>) -> Conversation {
    let mut writing = Writing::new(Reader::Provider, request.origin);
    let leading =
        request.messages.iter().take_while(|message| message.role == Role::System).count();
    let (leading, rest) = request.messages.split_at_checked(leading).unwrap_or_default();
    let mut system = writing.blocks(&request.system);
    for message in leading {
        system.extend(writing.blocks(&message.parts));
    }
    let mut turns = Vec::with_capacity(rest.len() + 1);
    for message in rest {
        add(&mut turns, turn(message, &mut writing));
    }
    if let Some(text) = prefill {
        add(&mut turns, text_turn(Role::Assistant, text));
    }
    settle(&mut turns);
    let messages = turns.into_iter().map(written).collect();
    Conversation { system: plain_or_blocks(system), messages, lost: writing.lost }
}

/// Instructions in the middle stay what they are for clients of this dialect; of others they go as
/// the user's words, because only some models know the role there.
fn turn(message: &Message, writing: &mut Writing) -> Turn {
    let role = match message.role {
        Role::System if !writing.own_extras => Role::User,
        role => role,
    };
    let mut fields = Map::new();
    if writing.own_extras {
        fields.clone_from(&message.extra);
    }
    let mut blocks = writing.blocks(&message.parts);
    let control = message.extra.get("cache_control").filter(|_| !writing.own_extras);
    if let (Some(control), Some(Value::Object(last))) = (control, blocks.last_mut()) {
        last.entry("cache_control").or_insert_with(|| control.clone());
    }
    Turn { role, blocks, fields }
}

fn text_turn(role: Role, text: &str) -> Turn {
    Turn { role, blocks: vec![json!({"type": "text", "text": text})], fields: Map::new() }
}

fn add(turns: &mut Vec<Turn>, turn: Turn) {
    if turn.blocks.is_empty() {
        return;
    }
    match turns.last_mut() {
        Some(last) if last.role == turn.role => {
            last.blocks.extend(turn.blocks);
            last.fields.extend(turn.fields);
        }
        _ => turns.push(turn),
    }
}

fn settle(turns: &mut Vec<Turn>) {
    if turns.first().is_none_or(|turn| turn.role == Role::Assistant) {
        turns.insert(0, text_turn(Role::User, OPENING));
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == Role::User) {
        turn.blocks.sort_by_key(|block| !is_result(block));
    }
    if let Some(last) = turns.last_mut()
        && last.role == Role::Assistant
    {
        trim_end(&mut last.blocks);
    }
    if turns.last().is_some_and(|turn| turn.blocks.is_empty()) {
        turns.pop();
    }
}

fn is_result(block: &Value) -> bool {
    block.get("type").and_then(Value::as_str) == Some("tool_result")
}

fn trim_end(blocks: &mut Vec<Value>) {
    let Some(Value::String(text)) = blocks.last_mut().and_then(|block| block.get_mut("text"))
    else {
        return;
    };
    text.truncate(text.trim_end().len());
    if text.is_empty() {
        blocks.pop();
    }
}

fn written(turn: Turn) -> Value {
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut message = Map::new();
    message.insert("role".to_owned(), role.into());
    message.insert("content".to_owned(), plain_or_blocks(turn.blocks).unwrap_or_default());
    message.extend(turn.fields);
    Value::Object(message)
}
