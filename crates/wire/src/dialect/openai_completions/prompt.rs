//! A conversation as one text to be continued.
//!
//! A single turn is itself, behind the instructions. Several turns are written down as a play is,
//! with the assistant's name at the end. What is no text is left out, and told as dropped.

use crate::hub::{Part, Request, Role};

/// The text to be continued, and whether anything was left out.
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) lossy: bool,
}

/// Writes the conversation down; `prefill` is how the continuation begins.
pub(super) fn of(request: &Request, prefill: Option<&str>) -> Prompt {
    let mut lossy = false;
    let system = texts(&request.system, &mut lossy);
    let turns = request.messages.iter();
    let turns: Vec<(Role, String)> =
        turns.map(|turn| (turn.role, texts(&turn.parts, &mut lossy))).collect();
    let rest = match turns.as_slice() {
        [(Role::User, only)] => format!("{only}{}", prefill.unwrap_or_default()),
        turns => play(turns, prefill),
    };
    let text = if system.is_empty() { rest } else { format!("{system}\n\n{rest}") };
    Prompt { text, lossy }
}

fn texts(parts: &[Part], lossy: &mut bool) -> String {
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => texts.push(text.as_str()),
            // Nobody expects old thoughts to be read again.
            Part::Reasoning { .. } | Part::RedactedReasoning { .. } => {}
            _ => *lossy = true,
        }
    }
    texts.join("\n")
}

fn play(turns: &[(Role, String)], prefill: Option<&str>) -> String {
    let lines = turns.iter().map(|(role, text)| format!("{}: {text}", name(*role)));
    let mut lines: Vec<String> = lines.collect();
    let ends_open = matches!(turns.last(), Some((Role::Assistant, _)));
    match prefill {
        Some(text) => lines.push(format!("Assistant: {text}")),
        None if ends_open => {}
        None => lines.push("Assistant:".to_owned()),
    }
    lines.join("\n\n")
}

fn name(role: Role) -> &'static str {
    match role {
        Role::System => "System",
        Role::User => "User",
        Role::Assistant => "Assistant",
    }
}
