//! `cohere_embed`: vectors as Cohere's API v2 gives them.
//!
//! A purpose is demanded; documents are what most inputs are. Several formats of vectors can be
//! asked for at once; only floats are translated.

use super::vectors::{Vector, Written, json, malformed};
use super::{
    Ask, Embed, Found, Input, Kind, PlainDialect, PlainEncoded, Reply, What, cohere_rerank, counts,
    foreign, inputs, other_kind, purpose,
};
use crate::dialect::{Quirks, openai_chat};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::media;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const ID: &str = "cohere_embed";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Embed,
    path: |_, _| "/embed".to_owned(),
    model_in_body: true,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply,
    encode_reply,
    usage: counts::usage,
    decode_error: openai_chat::DIALECT.decode_error,
    encode_error: cohere_rerank::encode_error,
};

fn decode_ask(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut ask = super::ask(&mut fields, path_model, ID)?;
    ask.what = What::Embed(Embed {
        inputs: all_inputs(&mut fields)?,
        single: false,
        dimensions: fields.u32("output_dimension")?,
        base64: base64(&mut fields),
        purpose: fields.text("input_type")?.map(purpose::neutral),
        truncate: truncate(&mut fields),
    });
    ask.extra = fields.rest();
    Ok(ask)
}

fn all_inputs(fields: &mut Fields) -> Result<Vec<Input>, DecodeError> {
    let mut all: Vec<Input> = fields.texts("texts")?.into_iter().map(Input::Text).collect();
    let pictures = fields.texts("images")?.into_iter();
    all.extend(pictures.map(|url| Input::Image(media::of_url(url))));
    let path = fields.path("inputs");
    all.extend(inputs::each(fields.list("inputs")?, &path, |input, path| {
        let mut input = Fields::of(input, path)?;
        let path = input.path("content");
        inputs::parts(input.list("content")?, &path).map(inputs::joined)
    })?);
    if all.is_empty() { Err(DecodeError::at("texts", "is required")) } else { Ok(all) }
}

/// Takes `embedding_types` where it is a format that everybody can be given.
fn base64(fields: &mut Fields) -> bool {
    let Some(types) = fields.take("embedding_types") else { return false };
    if types == json!(["base64"]) {
        return true;
    }
    if types != json!(["float"]) {
        fields.keep("embedding_types", types);
    }
    false
}

/// Which end is cut only Cohere asks; the usual one is the end.
fn truncate(fields: &mut Fields) -> Option<bool> {
    let word = fields.take("truncate")?;
    match word.as_str() {
        Some("END") => Some(true),
        Some("NONE") => Some(false),
        _ => {
            fields.keep("truncate", word);
            None
        }
    }
}

fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Embed(embed) = &ask.what else { return other_kind() };
    let own = ask.origin == ID;
    let mut dropped = foreign(ask, ID);
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    let pictures = embed.inputs.iter().all(|input| matches!(input, Input::Image(_)));
    let usual = if pictures { "image" } else { "search_document" };
    let known = embed.purpose.as_deref().and_then(purpose::cohere);
    let word = known.or(embed.purpose.as_deref().filter(|_| own));
    dropped.add_if(embed.purpose.is_some() && word.is_none(), "input_type");
    dropped.add_if(ask.user.is_some(), "user");
    put(&mut body, "input_type", word.or(Some(usual).filter(|_| !own)));
    let (name, list) = written_inputs(&embed.inputs)?;
    put(&mut body, name, Some(list));
    put(&mut body, "output_dimension", embed.dimensions);
    put(&mut body, "truncate", embed.truncate.map(|cut| if cut { "END" } else { "NONE" }));
    if own {
        merge(&mut body, &ask.extra);
    }
    let types = if embed.base64 && own { json!(["base64"]) } else { json!(["float"]) };
    body.entry("embedding_types").or_insert(types);
    Ok(PlainEncoded::new(body, dropped))
}

fn written_inputs(inputs: &[Input]) -> Result<(&'static str, Vec<Value>), DecodeError> {
    let numbered = || inputs.iter().enumerate();
    let texts = numbered().map_while(|(_, input)| match input {
        Input::Text(text) => Some(Value::from(text.as_str())),
        _ => None,
    });
    let texts: Vec<Value> = texts.collect();
    if texts.len() == inputs.len() {
        return Ok(("texts", texts));
    }
    let pictures = numbered().map_while(|(at, input)| match input {
        Input::Image(source) => Some(inputs::url(at, source).map(Value::from)),
        _ => None,
    });
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    if pictures.len() == inputs.len() {
        return Ok(("images", pictures));
    }
    let mixed = numbered().map(|(at, input)| {
        let parts = match input {
            Input::Parts(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let content = parts.iter().map(|part| inputs::written_part(at, part));
        Ok::<_, DecodeError>(json!({"content": content.collect::<Result<Vec<_>, _>>()?}))
    });
    Ok(("inputs", mixed.collect::<Result<_, _>>()?))
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    embeddings: Embeddings,
}

/// Vectors by format, or in the one that was asked for (the API's first version).
#[derive(Deserialize)]
#[serde(untagged)]
enum Embeddings {
    List(Vec<Vector>),
    ByType {
        float: Option<Vec<Vector>>,
        base64: Option<Vec<Vector>>,
        #[serde(flatten)]
        others: BTreeMap<String, Option<Vec<IgnoredAny>>>,
    },
}

fn decode_reply(body: &[u8], quirks: &Quirks) -> Result<Reply, DecodeError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let vectors = match answer.embeddings {
        Embeddings::List(list) => Some(list),
        // Only Cohere's own clients ask for other formats, and they are given the answer as it is.
        Embeddings::ByType { float, base64, others } => {
            float.or(base64).or_else(|| others.values().any(Option::is_some).then(Vec::new))
        }
    };
    let Some(vectors) = vectors else {
        return Err(DecodeError::at("embeddings.float", "is required"));
    };
    Ok(Reply {
        id: answer.id,
        model: String::new(),
        found: Found::Vectors(vectors.into_iter().map(|vector| vector.0).collect()),
        usage: counts::usage(body, quirks),
        searches: None,
    })
}

#[derive(Serialize)]
struct WrittenAnswer<'a> {
    id: &'a str,
    embeddings: BTreeMap<&'static str, Vec<Written<'a>>>,
    meta: Value,
    response_type: &'static str,
}

fn encode_reply(reply: &Reply, ask: &Ask) -> Vec<u8> {
    let base64 = matches!(&ask.what, What::Embed(embed) if embed.base64);
    let vectors = match &reply.found {
        Found::Vectors(vectors) => {
            vectors.iter().map(|vector| Written { vector, base64 }).collect()
        }
        _ => Vec::new(),
    };
    let name = if base64 { "base64" } else { "float" };
    json(&WrittenAnswer {
        id: reply.id.as_deref().unwrap_or_default(),
        embeddings: BTreeMap::from([(name, vectors)]),
        meta: cohere_rerank::meta(reply),
        response_type: "embeddings_by_type",
    })
}
