//! The Messages API of Anthropic.
//!
//! A turn is a list of typed blocks; a stream sends each block as start, deltas and stop. Input
//! tokens exclude the cache. What the hub cannot hold stays in `extra` maps and goes back to this
//! dialect only; `cache_control` is the exception, because clients of other dialects send it for
//! this one.

use super::Dialect;
use crate::frames::Framing;

mod words;

mod blocks;

mod writing;

mod usage;

mod decode_request;

mod turns;

mod encode_request;

mod answer;

mod decode_events;

mod encode_events;

mod meter;

mod aggregate;

mod failure;

pub(crate) const ID: &str = "anthropic_messages";

/// The name of the tool through which a JSON answer is forced where the quirk `schema_as_tool`
/// asks for it. Reserved: a call to it is read back as the answer's text.
pub const JSON_TOOL: &str = crate::json_tool::NAME;

/// The row of this dialect.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path: |_, _| "/messages".to_owned(),
    model_in_body: true,
    framing: Framing::Sse,
    end_mark: true,
    peek: crate::peek::anthropic,
    decode_request: decode_request::decode,
    encode_request: encode_request::encode,
    decode_answer: answer::decode,
    encode_answer: answer::encode,
    decode_events: |quirks| Box::new(decode_events::Reader::new(quirks)),
    encode_events: |_| Box::new(encode_events::Writer::default()),
    meter: |_| Box::new(meter::Observer::default()),
    aggregate: || Box::new(aggregate::Collector::default()),
    decode_error: failure::decode,
    encode_error: failure::encode,
    encode_stream_error: failure::encode_in_stream,
};
