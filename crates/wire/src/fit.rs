//! Whether a client's request can go on as it is to an upstream of its own dialect.
//!
//! Mostly yes, and then its bytes are spliced. A provider with a peculiarity that the request runs
//! into gets it through the hub instead, where the encoder knows every quirk; nothing is lost that
//! way, since a dialect writes back all that it has read. So that quirks are known in one place,
//! this file only asks whether any of them is touched.

use memchr::memmem;

use crate::dialect::{Dialect, Quirks, ReasoningContent};
use crate::peek::ChatPeek;

/// One peculiarity and how a request runs into it.
struct Snag {
    /// The upstream has it.
    has: fn(&Quirks) -> bool,
    /// The request, as bytes and as peeked, runs into it.
    meets: fn(&[u8], &ChatPeek) -> bool,
}

/// Peculiarities of hosts that speak OpenAI's chat dialect.
static SNAGS: &[Snag] = &[
    Snag { has: |q| q.max_completion_tokens, meets: |_, peek| peek.max_tokens.is_some() },
    Snag {
        has: |q| q.no_sampling,
        meets: |_, peek| {
            let fields = ["temperature", "top_p", "presence_penalty", "frequency_penalty"];
            fields.iter().any(|field| peek.member(field).is_some())
        },
    },
    Snag {
        has: |q| q.max_temperature_centi > 0,
        meets: |_, peek| peek.member("temperature").is_some(),
    },
    Snag { has: |q| q.random_seed, meets: |_, peek| peek.member("seed").is_some() },
    Snag {
        has: |q| q.no_parallel_tool_calls,
        meets: |_, peek| peek.member("parallel_tool_calls").is_some(),
    },
    Snag { has: |q| q.schema_as_tool, meets: |_, peek| peek.structured },
    Snag { has: |q| q.short_tool_ids, meets: |body, _| says(body, b"\"tool_call_id\"") },
    Snag {
        has: |q| q.reasoning_content == ReasoningContent::Strip,
        meets: |body, _| says(body, b"\"reasoning_content\""),
    },
    Snag {
        has: |q| q.reasoning_content == ReasoningContent::Inject,
        meets: |body, _| says(body, b"\"tool_calls\""),
    },
];

fn says(body: &[u8], word: &[u8]) -> bool {
    memmem::find(body, word).is_some()
}

/// Whether `body`, described by `peek`, runs into none of the upstream's quirks.
#[must_use]
pub fn goes_as_it_is(dialect: &Dialect, quirks: &Quirks, body: &[u8], peek: &ChatPeek) -> bool {
    dialect.id != "openai_chat"
        || !SNAGS.iter().any(|snag| (snag.has)(quirks) && (snag.meets)(body, peek))
}
