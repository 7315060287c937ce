//! Which wishes of a request a dialect cannot express, by their OpenAI names.
//!
//! An encoder names the hub fields it has no place for; wishes that hide in another dialect's
//! extras are found by a table.

use crate::hub::{Format, Request};

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
            FOREIGN.iter().filter(|name| request.extra.contains_key(**name)).for_each(|name| {
                dropped.add(name);
            });
        }
        dropped
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

/// Wishes that shape the answer and that only OpenAI's dialects know.
static FOREIGN: &[&str] = &[
    "logit_bias",
    "modalities",
    "audio",
    "prediction",
    "verbosity",
    "web_search_options",
    "moderation",
];
