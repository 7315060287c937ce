//! The generateContent API of Gemini, as AI Studio and Vertex AI speak it.
//!
//! The model and the wish for a stream stand in the URL. Function calls come whole and often without
//! an id, so ids are made here, the same ones whenever the same turn is read. A stream has no end
//! mark but its finish reason. Thought signatures bind to the part they stand on.

use super::Dialect;
use crate::frames::Framing;

mod words;

mod calls;

mod parts;

mod writing;

mod schema;

mod usage;

mod logprobs;

mod decode_request;

mod thinking;

mod contents;

mod encode_request;

mod answer;

mod partial;

mod decode_events;

mod encode_events;

mod meter;

mod aggregate;

mod failure;

pub(crate) const ID: &str = "gemini";

/// The row of this dialect.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path,
    model_in_body: false,
    framing: Framing::Sse,
    end_mark: false,
    peek: crate::peek::gemini,
    decode_request: decode_request::decode,
    encode_request: encode_request::encode,
    decode_answer: answer::decode,
    encode_answer: answer::encode,
    decode_events: |_| Box::new(decode_events::Reader::default()),
    encode_events: |_| Box::new(encode_events::Writer::default()),
    meter: |_| Box::new(meter::Observer::default()),
    aggregate: || Box::new(aggregate::Collector::default()),
    decode_error: failure::decode,
    encode_error: failure::encode,
    encode_stream_error: failure::encode_in_stream,
};

fn path(model: &str, stream: bool) -> String {
    method_path(model, if stream { "streamGenerateContent?alt=sse" } else { "generateContent" })
}

/// The path of a model's method.
pub(crate) fn method_path(model: &str, method: &str) -> String {
    format!("/{}:{method}", escaped(&resource_name(model)))
}

/// Model names may come with their collection (`tunedModels/x`); a bare one is in `models/`.
pub(crate) fn resource_name(model: &str) -> String {
    let model = model.trim_start_matches('/');
    let collection = if model.contains('/') { "" } else { "models/" };
    format!("{collection}{model}")
}

/// Nothing in a model's name may end the path.
fn escaped(model: &str) -> String {
    let mut out = String::with_capacity(model.len());
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
