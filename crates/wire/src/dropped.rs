//! Which wishes of a request a dialect cannot express, by their OpenAI names.
//!
//! An encoder names the hub fields it has no place for; wishes that hide in another dialect's
//! extras are found by a table.

use crate::hub::{Format, Part, Request, Role};
use serde_json::Value;

/// Collects names of dropped fields, each once.
#[derive(Debug, Default)]
pub(crate) struct Dropped(Vec<&'static str>);

impl Dropped {
    /// What `request` wishes among `unknown`, and what the extras of another dialect than `dialect`
    /// wish.
    pub(crate) fn of(request: &Request, dialect: &str, unknown: &[&'static str]) -> Self {
        let mut dropped = Self::default();
        for (name, is_set) in HUB_FIELDS {
            if unknown.contains(name) && is_set(request) {
                dropped.add(name);
            }
        }
        if request.origin != dialect {
            let extra = Value::Object(request.extra.clone());
            for (place, name) in FOREIGN {
                dropped.add_if(extra.pointer(place).is_some_and(is_wish), name);
            }
        }
        for message in &request.messages {
            dropped.parts(&message.parts, message.role, dialect);
        }
        dropped
    }

    /// Names the pieces that only another dialect knows: of the prompt, as `messages`; of what a
    /// model did with its provider's own tools, as `content`, since its text tells most of that.
    fn parts(&mut self, parts: &[Part], role: Role, dialect: &str) {
        for part in parts {
            match part {
                Part::Other { origin, value } if *origin != dialect => {
                    let kind = value.get("type").and_then(Value::as_str);
                    self.add(match (kind, role) {
                        (Some("item_reference"), _) => "item_reference",
                        (_, Role::Assistant) => "content",
                        _ => "messages",
                    });
                }
                Part::ToolResult { content, .. } => self.parts(content, Role::User, dialect),
                _ => {}
            }
        }
    }

    /// One more.
    pub(crate) fn add(&mut self, name: &'static str) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    /// One more if `lost`.
    pub(crate) fn add_if(&mut self, lost: bool, name: &'static str) {
        if lost {
            self.add(name);
        }
    }

    /// The wish has a place after all.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.retain(|dropped| *dropped != name);
    }

    /// All names, in the order they were found.
    pub(crate) fn names(self) -> Vec<&'static str> {
        self.0
    }
}

type IsSet = fn(&Request) -> bool;

/// The hub's fields that some dialect lacks.
static HUB_FIELDS: &[(&str, IsSet)] = &[
    ("n", |request| request.n.is_some_and(|n| n > 1)),
    ("seed", |request| request.seed.is_some()),
    ("presence_penalty", |request| request.presence_penalty.is_some_and(|p| p != 0.0)),
    ("frequency_penalty", |request| request.frequency_penalty.is_some_and(|p| p != 0.0)),
    ("logprobs", |request| request.logprobs == Some(true)),
    ("top_logprobs", |request| request.top_logprobs.is_some()),
    ("parallel_tool_calls", |request| request.parallel_tool_calls == Some(false)),
    ("response_format", |request| matches!(request.format, Some(Format::JsonObject))),
    ("user", |request| request.user.is_some()),
];

/// Wishes that shape the answer and that only some dialects know: where they stand among the
/// extras of their own, and the name they are told by (OpenAI's, where it has one).
static FOREIGN: &[(&str, &str)] = &[
    ("/logit_bias", "logit_bias"),
    ("/suffix", "suffix"),
    ("/echo", "echo"),
    ("/best_of", "best_of"),
    ("/modalities", "modalities"),
    ("/audio", "audio"),
    ("/prediction", "prediction"),
    ("/verbosity", "verbosity"),
    ("/text/verbosity", "verbosity"),
    ("/web_search_options", "web_search_options"),
    ("/moderation", "moderation"),
    ("/previous_response_id", "previous_response_id"),
    ("/conversation", "conversation"),
    ("/background", "background"),
    ("/prompt", "prompt"),
    ("/truncation", "truncation"),
    ("/max_tool_calls", "max_tool_calls"),
    ("/context_management", "context_management"),
    ("/container", "container"),
    ("/mcp_servers", "mcp_servers"),
    ("/cachedContent", "cached_content"),
    ("/cached_content", "cached_content"),
    ("/safetySettings", "safety_settings"),
    ("/safety_settings", "safety_settings"),
    ("/generationConfig/responseModalities", "modalities"),
    ("/generationConfig/speechConfig", "audio"),
    ("/generationConfig/mediaResolution", "media_resolution"),
    ("/generationConfig/imageConfig", "image_config"),
];

/// Values that ask for nothing but what happens anyway.
static USUAL_WORDS: &[&str] = &["disabled", "text", "TEXT"];

/// Whether a value asks for something.
fn is_wish(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(wish) => *wish,
        Value::Number(number) => number.as_u64() != Some(1),
        Value::String(word) => !USUAL_WORDS.contains(&word.as_str()),
        Value::Array(list) => list.iter().any(is_wish),
        Value::Object(_) => true,
    }
}
