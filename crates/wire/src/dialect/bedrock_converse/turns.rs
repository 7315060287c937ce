//! The conversation in the order that Converse demands. A document needs words beside it.

use super::writing::{Writing, cache_point};
use crate::hub::{Message, Part, Request, Role};
use crate::seal::Reader;
use crate::turns::{self, OPENING, Turn};
use serde_json::{Map, Value, json};

/// The conversation as it goes out.
pub(super) struct Conversation {
    /// The field `system`.
    pub(super) system: Option<Vec<Value>>,
    /// The field `messages`.
    pub(super) messages: Vec<Value>,
    /// Kinds of content that had no place.
    pub(super) lost: Vec<&'static str>,
}

/// What may stand among the instructions.
static SYSTEM_BLOCKS: &[&str] = &["text", "guardContent", "cachePoint"];

/// Arranges the request's conversation, followed by `prefill` as the model's own beginning.
pub(super) fn arrange(request: &Request, prefill: Option<&str>) -> Conversation {
    let mut writing = Writing::new(Reader::Provider, request.origin);
    let mut system = writing.blocks(&request.system);
    let mut rest = request.messages.as_slice();
    while let Some((first, after)) = rest.split_first().filter(|_| !writing.own_extras)
        && first.role == Role::System
    {
        system.extend(turn(first, &mut writing).blocks);
        rest = after;
    }
    system.retain(|block| SYSTEM_BLOCKS.iter().any(|key| block.get(key).is_some()));
    let mut turns = Vec::with_capacity(rest.len().saturating_add(1));
    for message in rest {
        turns::add(&mut turns, turn(message, &mut writing));
    }
    if let Some(text) = prefill {
        turns::add(&mut turns, Turn::of(Role::Assistant, text_block(text)));
    }
    turns::settle(&mut turns, text_block, is_result);
    let messages = turns.into_iter().map(|turn| turns::written(turn, Value::Array)).collect();
    let system = (!system.is_empty()).then_some(system);
    Conversation { system, messages, lost: writing.lost }
}

fn turn(message: &Message, writing: &mut Writing) -> Turn {
    let mut blocks = writing.blocks(&message.parts);
    if writing.own_extras {
        let fields = message.extra.clone();
        return Turn { role: message.role, blocks, fields };
    }
    // Only some models know instructions in the middle.
    let role = if message.role == Role::System { Role::User } else { message.role };
    let file = |part: &Part| matches!(part, Part::File { .. });
    if message.parts.iter().any(file) && !blocks.iter().any(|block| block.get("text").is_some()) {
        blocks.push(text_block(OPENING));
    }
    if !blocks.is_empty() {
        blocks.extend(cache_point(&message.extra));
    }
    Turn { role, blocks, fields: Map::new() }
}

fn text_block(text: &str) -> Value {
    json!({"text": text})
}

/// A cache point stays with what it follows.
fn is_result(block: &Value) -> Option<bool> {
    block.get("cachePoint").is_none().then(|| block.get("toolResult").is_some())
}
