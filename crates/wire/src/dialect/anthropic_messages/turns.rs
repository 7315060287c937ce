//! The conversation in the order this dialect demands.
//!
//! Turns alternate and the first is the user's; instructions before the first turn stand outside;
//! all tool results of a turn come first in one user turn; the last turn, if it is the model's, must
//! not end in white space.

use super::writing::{Writing, mark_last, plain_or_blocks};
use crate::hub::{Message, Request, Role};
use crate::seal::Reader;
use crate::turns::{self, Turn};
use serde_json::{Map, Value, json};

/// The conversation as it goes out.
pub(super) struct Conversation {
    /// The field `system`.
    pub(super) system: Option<Value>,
    /// The field `messages`.
    pub(super) messages: Vec<Value>,
    /// Kinds of content that had no place.
    pub(super) lost: Vec<&'static str>,
}

/// Arranges the request's conversation, followed by `prefill` as the model's own beginning.
pub(super) fn arrange(request: &Request, prefill: Option<&str>) -> Conversation {
    let mut writing = Writing::new(Reader::Provider, request.origin);
    let leading =
        request.messages.iter().take_while(|message| message.role == Role::System).count();
    let (leading, rest) = request.messages.split_at_checked(leading).unwrap_or_default();
    let mut system = writing.blocks(&request.system);
    for message in leading {
        let mut blocks = writing.blocks(&message.parts);
        if !writing.own_extras {
            mark_last(&mut blocks, &message.extra);
        }
        system.extend(blocks);
    }
    let mut turns = Vec::with_capacity(rest.len() + 1);
    for message in rest {
        turns::add(&mut turns, turn(message, &mut writing));
    }
    if let Some(text) = prefill {
        turns::add(&mut turns, Turn::of(Role::Assistant, text_block(text)));
    }
    turns::settle(&mut turns, text_block, is_result);
    let messages = turns.into_iter().map(|turn| turns::written(turn, content)).collect();
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
    if !writing.own_extras {
        mark_last(&mut blocks, &message.extra);
    }
    Turn { role, blocks, fields }
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn is_result(block: &Value) -> Option<bool> {
    Some(block.get("type").and_then(Value::as_str) == Some("tool_result"))
}

fn content(blocks: Vec<Value>) -> Value {
    plain_or_blocks(blocks).unwrap_or_default()
}
