//! The `openai_chat` dialect: Chat Completions, as OpenAI and a hundred imitators speak it.
//!
//! The imitators' habits are undone here: words for the end of an answer (`finish`), token counts
//! (`usage`), shapes of errors (`report`), numbering of streamed tool calls (`slots`). Requests
//! are read by `request` and `messages` and written by `encode`; unstreamed answers are in
//! `answer`; a stream is read by `stream`, written by `chunks`, watched by `meter` and put together
//! by `aggregate`. Extensions of ours to the format are in `details` only.

mod details;
pub(super) mod finish;
pub(super) mod report;
mod slots;
pub(super) mod usage;

mod content;
mod messages;

mod encode;
pub(super) mod request;

mod answer;

pub(super) mod aggregate;
mod chunks;
mod meter;
mod stream;

use super::Dialect;
use crate::error::DecodeError;
use crate::frames::Framing;
use crate::hub::Extra;
use serde_json::{Map, Value};

/// The dialect's id.
pub const ID: &str = "openai_chat";

/// The data of the event that ends a stream.
pub(super) const DONE: &[u8] = b"[DONE]";

/// The dialect's row.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path: |_, _| "/chat/completions".to_owned(),
    model_in_body: true,
    framing: Framing::Sse,
    end_mark: true,
    peek: crate::peek::chat,
    decode_request: request::decode_request,
    encode_request: encode::encode_request,
    decode_answer: answer::decode_answer,
    encode_answer: answer::encode_answer,
    decode_events: |quirks| Box::new(stream::ChunkReader::new(quirks)),
    encode_events: |include_usage| Box::new(chunks::ChunkWriter::new(include_usage)),
    meter: |quirks| Box::new(meter::ChunkMeter::new(quirks)),
    aggregate: || Box::new(aggregate::Completion::default()),
    decode_error: report::decode_error,
    encode_error: report::encode_error,
    encode_stream_error: report::encode_stream_error,
};

/// Reads an error body in any of the shapes that OpenAI and its imitators use.
pub(crate) use report::decode_error;

/// What OpenAI's other APIs have in common with this one.
pub(crate) use encode::effort;
pub(crate) use report::{encode_error, inside as error_inside};

/// The fields of one chunk.
pub(super) fn parse_chunk(data: &[u8]) -> Result<Map<String, Value>, DecodeError> {
    match serde_json::from_slice(data) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(DecodeError::at("", "must be an object")),
        Err(error) => Err(DecodeError::at("", format!("invalid JSON: {error}"))),
    }
}

/// The dialect whose seals Google's OpenAI-compatible API hands out.
const GOOGLE: &str = "gemini";

/// The place of Google's thought signature on a tool call of its OpenAI-compatible API.
const THOUGHT_SIGNATURE: [&str; 3] = ["extra_content", "google", "thought_signature"];

/// Takes Google's thought signature out of a tool call.
fn take_thought_signature(call: &Map<String, Value>) -> Option<crate::hub::Signature> {
    let [content, google, signature] = THOUGHT_SIGNATURE;
    let value = call.get(content)?.get(google)?.get(signature)?.as_str()?;
    Some(crate::hub::Signature { origin: GOOGLE, value: value.to_owned() })
}

/// The extension of a tool call that carries a thought signature, if Google made it.
fn thought_signature(signature: Option<&crate::hub::Signature>) -> Option<Extra> {
    let signature = signature.filter(|signature| signature.origin == GOOGLE)?;
    let [content, google, name] = THOUGHT_SIGNATURE;
    let value = serde_json::json!({ google: { name: signature.value } });
    Some(Map::from_iter([(content.to_owned(), value)]))
}
