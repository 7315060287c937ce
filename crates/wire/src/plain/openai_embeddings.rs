//! `openai_embeddings`: vectors as OpenAI and its imitators give them.
//!
//! OpenAI's SDKs ask for base64 unless told otherwise. `input_type` is no field of OpenAI's, but
//! clients send it for the hosts and providers that know it.

use super::vectors::{Vector, Written, each, json, malformed};
use super::{
    Ask, Embed, Found, Kind, PlainDialect, PlainEncoded, Reply, What, counts, foreign, inputs,
    other_kind, purpose,
};
use crate::dialect::{Quirks, openai_chat};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::Usage;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

const ID: &str = "openai_embeddings";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Embed,
    path: |_, _| "/embeddings".to_owned(),
    model_in_body: true,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply: |body, quirks| decode_list(body, quirks),
    encode_reply: |reply, ask| encode_list(reply, ask, usage_value(reply.usage.as_ref())),
    usage: counts::usage,
    decode_error: openai_chat::DIALECT.decode_error,
    encode_error: openai_chat::DIALECT.encode_error,
};

fn decode_ask(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut ask = super::ask(&mut fields, path_model, ID)?;
    let (inputs, single) = inputs::take(&mut fields)?;
    ask.what = What::Embed(Embed {
        inputs,
        single,
        dimensions: fields.u32("dimensions")?,
        base64: base64(&mut fields),
        purpose: fields.text("input_type")?.map(purpose::neutral),
        truncate: None,
    });
    ask.user = fields.text("user")?;
    ask.extra = fields.rest();
    Ok(ask)
}

/// Takes `encoding_format`, if it is one that everybody can be given.
pub(super) fn base64(fields: &mut Fields) -> bool {
    let Some(format) = fields.take("encoding_format") else { return false };
    let base64 = format == "base64";
    if !base64 && format != "float" {
        fields.keep("encoding_format", format);
    }
    base64
}

fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Embed(embed) = &ask.what else { return other_kind() };
    let own = ask.origin == ID;
    let mut dropped = foreign(ask, ID);
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    put(&mut body, "input", Some(inputs::write(&embed.inputs, embed.single, own)?));
    put(&mut body, "encoding_format", embed.base64.then_some("base64"));
    put(&mut body, "dimensions", embed.dimensions);
    put(&mut body, "user", ask.user.as_deref());
    put(&mut body, "input_type", embed.purpose.as_deref().filter(|_| own));
    dropped.add_if(embed.purpose.is_some() && !own, "input_type");
    dropped.add_if(embed.truncate == Some(false), "truncate");
    if own {
        merge(&mut body, &ask.extra);
    }
    Ok(PlainEncoded::new(body, dropped))
}

#[derive(Deserialize)]
struct List<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<u32>,
    embedding: Vector,
}

/// Reads a list of vectors, in the order of their numbers.
pub(super) fn decode_list(body: &[u8], quirks: &Quirks) -> Result<Reply, DecodeError> {
    let list: List<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let mut items: Vec<Item> = each(&list.data, "data")?;
    if items.iter().all(|item| item.index.is_some()) {
        items.sort_by_key(|item| item.index);
    }
    Ok(Reply {
        id: list.id,
        model: list.model.unwrap_or_default(),
        found: Found::Vectors(items.into_iter().map(|item| item.embedding.0).collect()),
        usage: counts::usage(body, quirks),
        searches: None,
    })
}

#[derive(Serialize)]
struct WrittenList<'a> {
    object: &'static str,
    data: Vec<WrittenItem<'a>>,
    model: &'a str,
    usage: Value,
}

#[derive(Serialize)]
struct WrittenItem<'a> {
    object: &'static str,
    index: usize,
    embedding: Written<'a>,
}

/// Writes a list of vectors.
pub(super) fn encode_list(reply: &Reply, ask: &Ask, usage: Value) -> Vec<u8> {
    let base64 = matches!(&ask.what, What::Embed(embed) if embed.base64);
    let vectors = match &reply.found {
        Found::Vectors(vectors) => vectors.as_slice(),
        _ => &[],
    };
    let data = vectors.iter().enumerate().map(|(index, vector)| WrittenItem {
        object: "embedding",
        index,
        embedding: Written { vector, base64 },
    });
    let data = data.collect();
    json(&WrittenList { object: "list", data, model: &reply.model, usage })
}

/// SDKs with types demand the counts; 0 stands where nobody counted.
fn usage_value(usage: Option<&Usage>) -> Value {
    let tokens = usage.map_or(0, Usage::total_input);
    serde_json::json!({"prompt_tokens": tokens, "total_tokens": tokens})
}
