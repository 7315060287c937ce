//! Calls that are asked once and answered whole: embeddings, reranking, moderation.
//!
//! The same hub and spokes as for conversations, only smaller: each dialect reads and writes the
//! neutral [`Ask`] and [`Reply`], and the same dialect in and out is spliced. A new one is a file
//! beside this one and a row in [`PLAIN_DIALECTS`].
//!
//! Answers have no field for what only one dialect knows: where the dialect is the same, the answer
//! is passed on as it is.

use crate::dialect::Quirks;
use crate::dropped::Dropped;
use crate::error::{DecodeError, Problem, Reported};
use crate::fields::Fields;
use crate::hub::{Extra, Media, Usage};
use crate::peek::{ChatPeek, PeekError};

mod counts;
mod purpose;
mod vectors;

mod inputs;

mod cohere_embed;
mod gemini_embed;
mod openai_embeddings;
mod voyage_embeddings;

mod ranks;

mod cohere_rerank;
mod voyage_rerank;

mod openai_moderations;

mod patch;

pub use counts::searches;
pub use patch::splice_model;

/// All dialects of plain calls.
pub static PLAIN_DIALECTS: &[PlainDialect] = &[
    openai_embeddings::DIALECT,
    voyage_embeddings::DIALECT,
    cohere_embed::DIALECT,
    gemini_embed::DIALECT,
    cohere_rerank::DIALECT,
    voyage_rerank::DIALECT,
    openai_moderations::DIALECT,
];

/// The dialect of plain calls with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static PlainDialect> {
    PLAIN_DIALECTS.iter().find(|dialect| dialect.id == id)
}

/// What a call is for. A call is only ever translated within its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts in, vectors out.
    Embed,
    /// Documents in, the order of their relevance out.
    Rerank,
    /// Texts in, verdicts out.
    Moderate,
}

/// Reads a request out of its body and the model in the path.
pub type DecodeAsk = fn(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError>;

/// Writes a request for an upstream whose name of the model is `model`. An error names the input
/// that the dialect cannot express; nobody would want an answer to the others alone.
pub type EncodeAsk = fn(&Ask, model: &str, &Quirks) -> Result<PlainEncoded, DecodeError>;

/// A format of plain calls, as plain functions.
#[derive(Debug)]
pub struct PlainDialect {
    /// Its name in configuration and data.
    pub id: &'static str,
    /// What its calls are for.
    pub kind: Kind,
    /// The path after the provider's base URL. Some providers have one for one input and another
    /// for several.
    pub path: fn(model: &str, ask: &Ask) -> String,
    /// Whether the body names the model; otherwise the path does.
    pub model_in_body: bool,
    /// Finds the fields of a client's request that the gateway itself must know, in one pass.
    pub peek: fn(&[u8]) -> Result<ChatPeek, PeekError>,
    /// Reads a client's request.
    pub decode_ask: DecodeAsk,
    /// Writes a request for an upstream.
    pub encode_ask: EncodeAsk,
    /// Reads an upstream's answer (status 200).
    pub decode_reply: fn(&[u8], &Quirks) -> Result<Reply, DecodeError>,
    /// Writes an answer for a client that asked `ask`.
    pub encode_reply: fn(&Reply, &Ask) -> Vec<u8>,
    /// Finds the usage in an upstream's answer that is passed on as it is.
    pub usage: fn(&[u8], &Quirks) -> Option<Usage>,
    /// Reads an upstream's error body (any bytes at all).
    pub decode_error: fn(status: u16, body: &[u8]) -> Reported,
    /// Writes our error as a body (JSON).
    pub encode_error: fn(&Problem<'_>) -> Vec<u8>,
}

/// A plain request ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainEncoded {
    /// The JSON body.
    pub body: Vec<u8>,
    /// Request fields that this dialect cannot express, by their OpenAI or Cohere name.
    pub dropped: Vec<&'static str>,
}

impl PlainEncoded {
    fn new(body: serde_json::Map<String, serde_json::Value>, dropped: Dropped) -> Self {
        let body = serde_json::Value::Object(body).to_string().into_bytes();
        Self { body, dropped: dropped.names() }
    }
}

/// A plain request, whoever asked it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The model name as the sender wrote it.
    pub model: String,
    /// What is asked.
    pub what: What,
    /// The end user's opaque id.
    pub user: Option<String>,
    /// The dialect it was read from; it alone may write `extra` back.
    pub origin: &'static str,
    /// What only the sender's dialect knows.
    pub extra: Extra,
}

/// What a plain request asks, by kind.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Vectors.
    Embed(Embed),
    /// An order.
    Rerank(Rerank),
    /// Verdicts.
    Moderate(Moderate),
}

/// A request for vectors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Embed {
    /// What to embed, one vector each.
    pub inputs: Vec<Input>,
    /// The length of the vectors, where the model lets one choose.
    pub dimensions: Option<u32>,
    /// The vectors as base64 of little-endian 32-bit floats instead of numbers.
    pub base64: bool,
    /// What the vectors are for (`query`, `document`, `classification`, `clustering`...).
    pub purpose: Option<String>,
    /// Whether inputs that are too long are cut; `None` is the provider's default.
    pub truncate: Option<bool>,
    /// The sender wrote one input, not a list of one; some answers differ.
    pub single: bool,
}

/// One input of a plain call.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A text.
    Text(String),
    /// Token ids of the model's own vocabulary.
    Tokens(Vec<u32>),
    /// A picture.
    Image(Media),
    /// Several pieces that are one input together.
    Parts(Vec<Self>),
}

/// A request for an order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rerank {
    /// What is looked for.
    pub query: String,
    /// The candidates as they stood: texts, or objects that hold one.
    pub documents: Vec<serde_json::Value>,
    /// How many results at most.
    pub top_n: Option<u32>,
    /// Whether the documents come back with the results.
    pub return_documents: Option<bool>,
}

/// A request for verdicts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moderate {
    /// What to judge, one verdict each.
    pub inputs: Vec<Input>,
    /// The sender wrote one input, not a list of one.
    pub single: bool,
}

/// An answer to a plain call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The provider's id of the answer, where there is one.
    pub id: Option<String>,
    /// The model that answered.
    pub model: String,
    /// What it found.
    pub found: Found,
    /// What it used; `None` where the provider did not say.
    pub usage: Option<Usage>,
    /// The searches it was billed as (Cohere's search units), where the provider counts so.
    pub searches: Option<u64>,
}

/// What a plain call found, by kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// One vector an input, in order.
    Vectors(Vec<Vec<f32>>),
    /// Places in the list of documents with their relevance, best first.
    Ranks(Vec<Rank>),
    /// One verdict an input, in OpenAI's form.
    Verdicts(Vec<serde_json::Value>),
}

/// A document's relevance.
#[derive(Debug, Clone, PartialEq)]
pub struct Rank {
    /// Its place in the request's list, from 0.
    pub index: u32,
    /// How relevant it is, 0..1.
    pub score: f64,
    /// The document, where it was asked back.
    pub document: Option<serde_json::Value>,
}

/// The fields that stand in every request.
fn ask(
    fields: &mut Fields,
    path_model: Option<&str>,
    origin: &'static str,
) -> Result<Ask, DecodeError> {
    let named = fields.text("model")?;
    Ok(Ask {
        model: path_model.map(str::to_owned).or(named).unwrap_or_default(),
        what: What::Moderate(Moderate::default()),
        user: None,
        origin,
        extra: Extra::new(),
    })
}

/// Wishes that stand in the extras of one dialect and mean nothing to the others.
static FOREIGN: &[&str] = &[
    "encoding_format",
    "output_dtype",
    "embedding_types",
    "truncate",
    "truncation",
    "title",
    "taskType",
    "requests",
    "rank_fields",
    "max_chunks_per_doc",
    "max_tokens_per_doc",
    "priority",
    "metadata",
];

/// What the extras of another dialect than `dialect` wish.
fn foreign(ask: &Ask, dialect: &str) -> Dropped {
    let mut dropped = Dropped::default();
    if ask.origin != dialect {
        let wished = FOREIGN.iter().filter(|name| ask.extra.contains_key(**name));
        wished.for_each(|name| dropped.add(name));
    }
    dropped
}

/// A request of another kind, which the gateway never sends here.
fn other_kind<T>() -> Result<T, DecodeError> {
    Err(DecodeError::at("", "is a request of another kind"))
}
