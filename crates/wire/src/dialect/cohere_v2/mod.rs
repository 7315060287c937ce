//! The chat API of Cohere, version 2.
//!
//! It looks like OpenAI's and differs in its words: results of tools are turns of their own, what a
//! model says before its calls is a `tool_plan`, thoughts are parts of the content, and no single
//! tool can be forced by name. What is billed and what was read are counted apart.

use super::Dialect;
use crate::frames::Framing;

mod words;

mod reading;

mod writing;

mod usage;

mod decode_request;

mod encode_request;

mod answer;

mod frame;

mod decode_events;

mod encode_events;

mod meter;

mod aggregate;

mod failure;

pub(crate) const ID: &str = "cohere_v2";

/// The row of this dialect.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path: |_, _| "/chat".to_owned(),
    model_in_body: true,
    framing: Framing::Sse,
    end_mark: true,
    peek: crate::peek::cohere,
    decode_request: decode_request::decode,
    encode_request: encode_request::encode,
    decode_answer: answer::decode,
    encode_answer: answer::encode,
    decode_events: |_| Box::new(decode_events::Reader::default()),
    encode_events: |_| Box::new(encode_events::Writer::default()),
    meter: |_| Box::new(meter::Observer),
    aggregate: || Box::new(aggregate::Collector::default()),
    decode_error: failure::decode,
    encode_error: failure::encode,
    encode_stream_error: failure::encode_in_stream,
};
