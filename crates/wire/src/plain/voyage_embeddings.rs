//! `voyage_embeddings`: OpenAI's form with a purpose, and words of its own for the rest.

use super::openai_embeddings::{base64, decode_list, encode_list};
use super::{
    Ask, Embed, Kind, PlainDialect, PlainEncoded, What, counts, foreign, inputs, other_kind,
    purpose,
};
use crate::dialect::{Quirks, openai_chat};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::Usage;
use serde_json::{Map, json};

const ID: &str = "voyage_embeddings";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Embed,
    path: |_, _| "/embeddings".to_owned(),
    model_in_body: true,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply: decode_list,
    encode_reply: |reply, ask| {
        let tokens = reply.usage.as_ref().map_or(0, Usage::total_input);
        encode_list(reply, ask, json!({"total_tokens": tokens}))
    },
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
        dimensions: fields.u32("output_dimension")?,
        base64: base64(&mut fields),
        purpose: fields.text("input_type")?,
        truncate: fields.bool("truncation")?,
    });
    ask.extra = fields.rest();
    Ok(ask)
}

/// Another dialect's inputs must be texts; Voyage's own clients know what the model takes.
fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Embed(embed) = &ask.what else { return other_kind() };
    let mut dropped = foreign(ask, ID);
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    let own = ask.origin == ID;
    if !own {
        inputs::texts(&embed.inputs)?;
    }
    put(&mut body, "input", Some(inputs::write(&embed.inputs, embed.single, own)?));
    let purpose = embed.purpose.as_deref();
    let word = purpose.and_then(purpose::voyage).or(purpose.filter(|_| own));
    dropped.add_if(purpose.is_some() && word.is_none(), "input_type");
    dropped.add_if(ask.user.is_some(), "user");
    put(&mut body, "input_type", word);
    put(&mut body, "output_dimension", embed.dimensions);
    put(&mut body, "truncation", embed.truncate);
    put(&mut body, "encoding_format", embed.base64.then_some("base64"));
    if own {
        merge(&mut body, &ask.extra);
    }
    Ok(PlainEncoded::new(body, dropped))
}
