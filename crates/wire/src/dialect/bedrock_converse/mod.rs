//! The Converse API of Amazon Bedrock: one form for the models of many makers.
//!
//! A block is an object whose only key says what it is. The model and the wish for a stream stand in
//! the URL; what only some models know goes into `additionalModelRequestFields`, where Claude's words
//! are used. A stream is binary; its usage comes in one last event after the stop, so that the
//! connection's end is the answer's end. Cache points are blocks of their own here and marks on the
//! block before them elsewhere. Answers name neither themselves nor their model.

use super::Dialect;
use crate::frames::Framing;

mod words;

mod formats;

mod blocks;

mod writing;

mod usage;

mod decode_request;

mod turns;

mod tools;

mod encode_request;

mod answer;

mod frame;

mod decode_events;

mod encode_events;

mod meter;

mod aggregate;

mod failure;

pub(crate) const ID: &str = "bedrock_converse";

/// The row of this dialect.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path,
    model_in_body: false,
    framing: Framing::EventStream,
    end_mark: false,
    peek: crate::peek::bedrock,
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

/// A model may be named by an ARN, so that slashes and colons in it are escaped too.
fn path(model: &str, stream: bool) -> String {
    let method = if stream { "converse-stream" } else { "converse" };
    let mut path = String::from("/model/");
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path + "/" + method
}
