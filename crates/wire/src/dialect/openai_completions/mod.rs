//! The `openai_completions` dialect: OpenAI's legacy completions, a text in and its continuation out.
//!
//! Counts, errors, ends and the habits of imitators are those of `openai_chat`, whose parts are used
//! here. To the hub a prompt is one turn of the user, and a conversation from elsewhere becomes a
//! prompt as far as it is text. Several prompts in one request, and prompts of token ids, can only be
//! passed on as they are.

use super::{Dialect, openai_chat};
use crate::frames::Framing;

mod logprobs;

mod request;

mod prompt;

mod encode;

mod answer;

mod stream;

mod chunks;

mod aggregate;

/// The dialect's id.
pub const ID: &str = "openai_completions";

/// What every answer and chunk says it is.
const OBJECT: &str = "text_completion";

/// The dialect's row.
pub const DIALECT: Dialect = Dialect {
    id: ID,
    path: |_, _| "/completions".to_owned(),
    model_in_body: true,
    framing: Framing::Sse,
    end_mark: true,
    peek: crate::peek::completions,
    decode_request: request::decode_request,
    encode_request: encode::encode_request,
    decode_answer: answer::decode_answer,
    encode_answer: answer::encode_answer,
    decode_events: |quirks| Box::new(stream::Reader::new(quirks)),
    encode_events: |include_usage| Box::new(chunks::Writer::new(include_usage)),
    meter: openai_chat::DIALECT.meter,
    aggregate: || Box::new(aggregate::Collector::default()),
    decode_error: openai_chat::DIALECT.decode_error,
    encode_error: openai_chat::DIALECT.encode_error,
    encode_stream_error: openai_chat::DIALECT.encode_stream_error,
};
