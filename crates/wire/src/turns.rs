//! Turns in the order that Claude's providers demand: they alternate, the first is the user's, all
//! tool results of a turn come first in it, and a last turn of the model's own does not end in white
//! space. What a block looks like is the dialect's.

use crate::hub::Role;
use serde_json::{Map, Value};

/// What stands for a user turn where the conversation has none at its beginning.
pub(crate) const OPENING: &str = ".";

/// One turn as it goes out.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Whose turn it is.
    pub(crate) role: Role,
    /// Its content.
    pub(crate) blocks: Vec<Value>,
    /// Fields beside role and content.
    pub(crate) fields: Map<String, Value>,
}

impl Turn {
    /// A turn of one block.
    pub(crate) fn of(role: Role, block: Value) -> Self {
        Self { role, blocks: vec![block], fields: Map::new() }
    }
}

/// Adds a turn, or its content to the last turn of the same role.
pub(crate) fn add(turns: &mut Vec<Turn>, turn: Turn) {
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

/// Brings the turns into order. `text` makes a block of a text. `is_result` tells results of tools;
/// `None` is a block that stays with the one before it.
pub(crate) fn settle(
    turns: &mut Vec<Turn>,
    text: fn(&str) -> Value,
    is_result: fn(&Value) -> Option<bool>,
) {
    if turns.first().is_none_or(|turn| turn.role == Role::Assistant) {
        turns.insert(0, Turn::of(Role::User, text(OPENING)));
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == Role::User) {
        let mut first = false;
        let results_first = |block: &Value| {
            first = is_result(block).unwrap_or(first);
            first
        };
        let (results, others) =
            std::mem::take(&mut turn.blocks).into_iter().partition(results_first);
        turn.blocks = results;
        turn.blocks.extend::<Vec<_>>(others);
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

/// The message that says a turn, its content as the dialect writes it.
pub(crate) fn written(turn: Turn, content: impl FnOnce(Vec<Value>) -> Value) -> Value {
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut message = Map::new();
    message.insert("role".to_owned(), role.into());
    message.insert("content".to_owned(), content(turn.blocks));
    message.extend(turn.fields);
    Value::Object(message)
}
