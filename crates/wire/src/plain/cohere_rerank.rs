//! `cohere_rerank`: an order of documents as Cohere, Jina and Together give it.
//!
//! Cohere's second version takes texts only and never sends documents back; the others still do.

use super::{
    Ask, Kind, PlainDialect, PlainEncoded, Reply, What, counts, foreign, other_kind, ranks,
};
use crate::dialect::{Quirks, openai_chat};
use crate::error::{DecodeError, Problem};
use crate::fields::{Fields, merge, put};
use crate::hub::Usage;
use serde_json::{Map, Value, json};

const ID: &str = "cohere_rerank";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Rerank,
    path: |_, _| "/rerank".to_owned(),
    model_in_body: true,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply: |body, quirks| ranks::decode(body, "results", quirks),
    encode_reply,
    usage: counts::usage,
    decode_error: openai_chat::DIALECT.decode_error,
    encode_error,
};

fn decode_ask(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut ask = super::ask(&mut fields, path_model, ID)?;
    ask.what = What::Rerank(ranks::take(&mut fields, "top_n")?);
    ask.extra = fields.rest();
    Ok(ask)
}

fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Rerank(rerank) = &ask.what else { return other_kind() };
    let own = ask.origin == ID;
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    put(&mut body, "query", Some(rerank.query.as_str()));
    let plain = || rerank.documents.iter().map(ranks::text).collect();
    let documents = if own { rerank.documents.clone() } else { plain() };
    put(&mut body, "documents", Some(documents));
    put(&mut body, "top_n", rerank.top_n);
    if own {
        put(&mut body, "return_documents", rerank.return_documents);
        merge(&mut body, &ask.extra);
    }
    Ok(PlainEncoded::new(body, foreign(ask, ID)))
}

fn encode_reply(reply: &Reply, ask: &Ask) -> Vec<u8> {
    let mut body = Map::new();
    put(&mut body, "id", reply.id.as_deref());
    put(&mut body, "model", Some(reply.model.as_str()).filter(|model| !model.is_empty()));
    put(&mut body, "results", Some(ranks::written(reply, ask, as_object)));
    put(&mut body, "meta", Some(meta(reply)));
    Value::Object(body).to_string().into_bytes()
}

fn as_object(document: &Value) -> Value {
    if document.is_object() { document.clone() } else { json!({"text": document}) }
}

/// What was billed, in Cohere's words.
pub(super) fn meta(reply: &Reply) -> Value {
    let mut units = Map::new();
    put(&mut units, "input_tokens", reply.usage.as_ref().map(Usage::total_input));
    put(&mut units, "search_units", reply.searches);
    json!({"api_version": {"version": "2"}, "billed_units": units})
}

/// Writes our error as Cohere would, with the code beside it.
pub(super) fn encode_error(problem: &Problem<'_>) -> Vec<u8> {
    let mut body = Map::new();
    put(&mut body, "id", problem.request_id);
    put(&mut body, "message", Some(problem.message));
    put(&mut body, "code", Some(problem.code));
    Value::Object(body).to_string().into_bytes()
}
