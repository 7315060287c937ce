//! The `openai_responses` dialect: OpenAI's Responses API.
//!
//! A conversation is a list of items here. Several items of the model make one turn of the hub, and
//! what only an item knows stays beside the part it begins (`items` reads, `writing` writes).
//! Reasoning and its seal are in `thought`; tools, freeform ones and namespaces included, in
//! `tools`. Requests are read by `request` and written by `encode_request`; unstreamed answers are
//! in `answer`; a stream is read by `decode_events`, written by `encode_events`, watched by `meter`
//! and put together by `aggregate`. What an answer repeats of its request is in `response`.
//!
//! Nothing is stored here: `previous_response_id` and `conversation` mean something only to the
//! provider that keeps them.

mod failure;
mod usage;
mod words;

mod content;
mod thought;
mod tools;

mod items;
mod request;

mod encode_request;
mod writing;

mod response;

mod answer;

mod aggregate;
mod decode_events;
mod encode_events;
mod growing;
mod meter;

use super::Dialect;
use crate::frames::Framing;

/// The dialect's id.
pub const ID: &str = "openai_responses";

/// The dialect's row.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path: |_, _| "/responses".to_owned(),
    model_in_body: true,
    framing: Framing::Sse,
    end_mark: true,
    peek: crate::peek::responses,
    decode_request: request::decode,
    encode_request: encode_request::encode,
    decode_answer: answer::decode,
    encode_answer: |answer| answer::encode(answer, None),
    decode_events: |_| Box::new(decode_events::Reader::default()),
    encode_events: |_| Box::new(encode_events::Writer::default()),
    meter: |_| Box::new(meter::Watch::default()),
    aggregate: || Box::new(aggregate::Collector::default()),
    decode_error: super::openai_chat::decode_error,
    encode_error: super::openai_chat::encode_error,
    encode_stream_error: failure::encode_in_stream,
};

/// Writes an answer for a client whose request is known.
pub(crate) use answer::encode as encode_answer_to;
