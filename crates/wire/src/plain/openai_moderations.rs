//! `openai_moderations`: verdicts on texts and pictures.
//!
//! Mistral's verdicts have no `flagged`; it is true where any category is.

use super::{
    Ask, Found, Kind, Moderate, PlainDialect, PlainEncoded, Reply, What, counts, foreign, inputs,
    other_kind,
};
use crate::dialect::{Quirks, openai_chat};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use serde_json::{Map, Value};

const ID: &str = "openai_moderations";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Moderate,
    path: |_, _| "/moderations".to_owned(),
    model_in_body: true,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply,
    encode_reply,
    usage: counts::usage,
    decode_error: openai_chat::DIALECT.decode_error,
    encode_error: openai_chat::DIALECT.encode_error,
};

fn decode_ask(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let mut ask = super::ask(&mut fields, path_model, ID)?;
    let (inputs, single) = inputs::take(&mut fields)?;
    ask.what = What::Moderate(Moderate { inputs, single });
    ask.extra = fields.rest();
    Ok(ask)
}

fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Moderate(moderate) = &ask.what else { return other_kind() };
    let mut body = Map::new();
    put(&mut body, "model", Some(model));
    let input = inputs::write(&moderate.inputs, moderate.single, true)?;
    put(&mut body, "input", Some(input));
    if ask.origin == ID {
        merge(&mut body, &ask.extra);
    }
    Ok(PlainEncoded::new(body, foreign(ask, ID)))
}

fn decode_reply(body: &[u8], quirks: &Quirks) -> Result<Reply, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let Some(Value::Array(results)) = fields.take("results") else {
        return Err(DecodeError::at("results", "must be a list"));
    };
    Ok(Reply {
        id: fields.text("id")?,
        model: fields.text("model")?.unwrap_or_default(),
        found: Found::Verdicts(inputs::each(results, "results", verdict)?),
        usage: counts::usage(body, quirks),
        searches: None,
    })
}

fn verdict(value: Value, path: &str) -> Result<Value, DecodeError> {
    let Value::Object(mut map) = value else {
        return Err(DecodeError::at(path, "must be an object"));
    };
    if !map.contains_key("flagged") {
        let categories = map.get("categories").and_then(Value::as_object);
        let any = categories.is_some_and(|all| all.values().any(|hit| *hit == Value::Bool(true)));
        map.shift_insert(0, "flagged".to_owned(), any.into());
    }
    Ok(map.into())
}

fn encode_reply(reply: &Reply, _: &Ask) -> Vec<u8> {
    let verdicts = match &reply.found {
        Found::Verdicts(verdicts) => verdicts.clone(),
        _ => Vec::new(),
    };
    let mut body = Map::new();
    put(&mut body, "id", Some(reply.id.as_deref().unwrap_or_default()));
    put(&mut body, "model", Some(reply.model.as_str()));
    put(&mut body, "results", Some(verdicts));
    Value::Object(body).to_string().into_bytes()
}
