//! `voyage_rerank`: an order of documents as Voyage gives it.

use super::{
    Ask, Kind, PlainDialect, PlainEncoded, Reply, What, counts, foreign, other_kind, ranks,
};
use crate::dialect::{Quirks, openai_chat};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::Usage;
use serde_json::{Map, Value, json};

const ID: &str = "voyage_rerank";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Rerank,
    path: |_, _| "/rerank".to_owned(),
    model_in_body: true,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply: |body, quirks| ranks::decode(body, "data", quirks),
    encode_reply,
    usage: counts::usage,
    decode_error: openai_chat::DIALECT.decode_error,
    encode_error: openai_chat::DIALECT.encode_error,
};

fn decode_ask(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut ask = super::ask(&mut fields, path_model, ID)?;
    ask.what = What::Rerank(ranks::take(&mut fields, "top_k")?);
    ask.extra = fields.rest();
    Ok(ask)
}

/// Documents are not asked back: they are known.
fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Rerank(rerank) = &ask.what else { return other_kind() };
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    put(&mut body, "query", Some(rerank.query.as_str()));
    let documents: Vec<Value> = rerank.documents.iter().map(ranks::text).collect();
    put(&mut body, "documents", Some(documents));
    put(&mut body, "top_k", rerank.top_n);
    if ask.origin == ID {
        put(&mut body, "return_documents", rerank.return_documents);
        merge(&mut body, &ask.extra);
    }
    Ok(PlainEncoded::new(body, foreign(ask, ID)))
}

fn encode_reply(reply: &Reply, ask: &Ask) -> Vec<u8> {
    let tokens = reply.usage.as_ref().map_or(0, Usage::total_input);
    let body = json!({
        "object": "list",
        "data": ranks::written(reply, ask, ranks::text),
        "model": reply.model,
        "usage": {"total_tokens": tokens},
    });
    body.to_string().into_bytes()
}
