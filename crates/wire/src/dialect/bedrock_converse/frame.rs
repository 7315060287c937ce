//! An event as it stands on the wire. `T` is how its texts are taken: whole, or measured only.

use super::usage::Counts;
use crate::error::DecodeError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The fields of all events together; each has some of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
pub(super) struct Frame<T> {
    pub(super) content_block_index: Option<u64>,
    pub(super) start: Option<Start>,
    pub(super) delta: Option<Delta<T>>,
    pub(super) stop_reason: Option<String>,
    pub(super) additional_model_response_fields: Option<Value>,
    pub(super) usage: Option<Counts>,
    pub(super) message: Option<String>,
    pub(super) original_status_code: Option<u64>,
}

/// What a block begins with. Texts begin with nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub(super) tool_use: Option<ToolUse>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse {
    pub(super) tool_use_id: String,
    pub(super) name: String,
    /// Set where the provider runs the tool itself.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
pub(super) struct Delta<T> {
    pub(super) text: Option<T>,
    pub(super) tool_use: Option<Input<T>>,
    pub(super) reasoning_content: Option<Thought<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Input<T> {
    pub(super) input: Option<T>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
pub(super) struct Thought<T> {
    pub(super) text: Option<T>,
    pub(super) signature: Option<T>,
    pub(super) redacted_content: Option<T>,
}

/// The names of events that carry an answer; any other that tells a message is a failure.
static EVENTS: &[&str] = &[
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
];

impl<T: DeserializeOwned> Frame<T> {
    /// The event's name and content.
    pub(super) fn read<'a>(
        name: Option<&'a [u8]>,
        data: &[u8],
    ) -> Result<(&'a str, Self), DecodeError> {
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let frame = serde_json::from_slice(data)
            .map_err(|error| DecodeError::at("", format!("malformed event: {error}")))?;
        Ok((name.unwrap_or_default(), frame))
    }

    /// Whether this is an exception.
    pub(super) fn is_failure(&self, name: &str) -> bool {
        let named = name.ends_with("Exception") || self.message.is_some();
        named && !EVENTS.contains(&name)
    }
}
