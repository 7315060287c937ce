//! An event as it stands on the wire. The delta's form depends on the event's type, so that it is
//! read in a second step. `T` is how its texts are taken: whole, or measured only.

use super::usage::Counts;
use crate::error::DecodeError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What all events share.
#[derive(Debug, Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    /// Set in an error that stands where an event should.
    pub(super) message: Option<String>,
}

/// The deltas of content, plans and calls.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Delta<T> {
    pub(super) message: Message<T>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Message<T> {
    pub(super) content: Option<Content<T>>,
    pub(super) tool_plan: Option<T>,
    pub(super) tool_calls: Option<Call<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Content<T> {
    pub(super) text: Option<T>,
    pub(super) thinking: Option<T>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Call<T> {
    pub(super) id: Option<String>,
    pub(super) function: Option<Function<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Function<T> {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<T>,
}

/// The delta of the last event.
#[derive(Debug, Deserialize)]
pub(super) struct End {
    pub(super) finish_reason: Option<String>,
    pub(super) usage: Option<Counts>,
}

impl<'a> Frame<'a> {
    /// Reads an event.
    pub(super) fn read(data: &'a [u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(data)
            .map_err(|error| DecodeError::at("", format!("malformed event: {error}")))
    }

    /// Its type; the frame's own name where it has none.
    pub(super) fn kind(&self, name: Option<&'a [u8]>) -> Cow<'a, str> {
        match (&self.kind, name) {
            (Some(kind), _) => kind.clone(),
            (None, name) => String::from_utf8_lossy(name.unwrap_or_default()),
        }
    }

    /// Its delta in the form that belongs to its type.
    pub(super) fn delta<D: DeserializeOwned>(&self) -> Result<D, DecodeError> {
        let delta = self.delta.map_or("{}", RawValue::get);
        serde_json::from_str(delta).map_err(|error| DecodeError::at("delta", error.to_string()))
    }
}

/// The types of events whose delta is a [`Delta`].
pub(super) static PIECES: &[&str] =
    &["content-delta", "content-start", "tool-call-delta", "tool-call-start", "tool-plan-delta"];
