//! The `response` object: what stands around the output, streamed or not.
//!
//! The API repeats most of the request in every answer, and SDK types demand some of it. What is not
//! known is told with the API's defaults.

use super::ID;
use super::encode_request::settings;
use crate::dialect::Quirks;
use crate::dropped::Dropped;
use crate::hub::Request;
use serde_json::{Map, Value, json};

/// Fields of a request that its answer repeats.
static REPEATED: &[&str] = &[
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// How much of an answer's id goes into the ids of its items.
const ID_CHARS: usize = 32;

/// What is known of an answer before its output.
#[derive(Debug, Default)]
pub(super) struct Head {
    id: String,
    model: String,
    created: i64,
    repeated: Map<String, Value>,
}

impl Head {
    /// `id` may be any provider's.
    pub(super) fn new(id: &str, model: &str, created: Option<i64>) -> Self {
        let mut head = Self::default();
        head.name(id, model, created);
        head
    }

    /// Takes over the names that an answer begins with.
    pub(super) fn name(&mut self, id: &str, model: &str, created: Option<i64>) {
        let allowed = |letter: &char| letter.is_ascii_alphanumeric() || "_-".contains(*letter);
        let own = id.strip_prefix("resp_").unwrap_or(id);
        self.id = own.chars().filter(allowed).collect();
        if self.id.is_empty() {
            self.id.push('0');
        }
        model.clone_into(&mut self.model);
        self.created = created.unwrap_or(0);
    }

    /// Takes over what the answer repeats of its request.
    pub(super) fn asked(&mut self, request: &Request) {
        if request.origin != ID {
            return;
        }
        let mut all = settings(request, &Quirks::default(), &mut Dropped::default());
        let known = REPEATED
            .iter()
            .filter_map(|name| all.shift_remove(*name).map(|value| ((*name).to_owned(), value)));
        self.repeated = known.collect();
    }

    /// The id of an item: the same at each writing, unlike those of other answers.
    pub(super) fn item_id(&self, prefix: &str, at: usize) -> String {
        let from = self.id.len().saturating_sub(ID_CHARS);
        format!("{prefix}_{}_{at}", self.id.get(from..).unwrap_or_default())
    }

    /// The object, without usage.
    pub(super) fn response(&self, status: &str, output: Vec<Value>) -> Map<String, Value> {
        let around = json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "max_output_tokens": null,
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": { "effort": null, "summary": null },
            "store": false,
            "temperature": null,
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": null,
            "user": null,
            "metadata": {},
        });
        let Value::Object(mut map) = around else { return Map::new() };
        for (key, value) in &self.repeated {
            match (map.get_mut(key), value) {
                (Some(Value::Object(old)), Value::Object(more)) => old.extend(more.clone()),
                _ => {
                    map.insert(key.clone(), value.clone());
                }
            }
        }
        map
    }
}
