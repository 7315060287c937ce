//! `gemini_embed`: Gemini's `embedContent`, and `batchEmbedContents` for a list.
//!
//! Every request of a batch names its model and its options anew; options that differ are kept for
//! Gemini alone.

use super::vectors::{Vector, Written, json, malformed};
use super::{
    Ask, Embed, Found, Input, Kind, PlainDialect, PlainEncoded, Reply, What, counts, foreign,
    inputs, other_kind, purpose,
};
use crate::dialect::{Quirks, gemini};
use crate::error::DecodeError;
use crate::fields::{Fields, merge, put};
use crate::hub::{Media, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const ID: &str = "gemini_embed";

/// The dialect's row.
pub(super) const DIALECT: PlainDialect = PlainDialect {
    id: ID,
    kind: Kind::Embed,
    path: |model, ask| {
        let method = if is_single(ask) { "embedContent" } else { "batchEmbedContents" };
        gemini::method_path(model, method)
    },
    model_in_body: false,
    peek: crate::peek::plain,
    decode_ask,
    encode_ask,
    decode_reply,
    encode_reply,
    usage: counts::usage,
    decode_error: gemini::DIALECT.decode_error,
    encode_error: gemini::DIALECT.encode_error,
};

fn is_single(ask: &Ask) -> bool {
    matches!(&ask.what, What::Embed(embed) if embed.single && embed.inputs.len() == 1)
}

fn decode_ask(body: &[u8], path_model: Option<&str>) -> Result<Ask, DecodeError> {
    let mut fields = Fields::parse(body)?.either_case();
    let mut ask = super::ask(&mut fields, path_model, ID)?;
    let embed = match fields.take("requests") {
        None => one(&mut fields)?,
        Some(Value::Array(requests)) => {
            let (batch, options) = batch(requests.clone())?;
            if options == Options::Differ {
                fields.keep("requests", requests.into());
            }
            batch
        }
        Some(_) => return Err(DecodeError::at("requests", "must be a list")),
    };
    ask.what = What::Embed(embed);
    ask.extra = fields.rest();
    Ok(ask)
}

#[derive(PartialEq)]
enum Options {
    Agree,
    Differ,
}

fn one(fields: &mut Fields) -> Result<Embed, DecodeError> {
    Ok(Embed {
        inputs: vec![content(fields)?],
        dimensions: fields.u32("outputDimensionality")?,
        base64: false,
        purpose: fields.text("taskType")?.map(purpose::neutral),
        truncate: None,
        single: true,
    })
}

/// All requests in one, and whether they can be told apart by more than their content.
fn batch(requests: Vec<Value>) -> Result<(Embed, Options), DecodeError> {
    let mut sum = Embed::default();
    let mut options = Options::Agree;
    for (at, request) in requests.into_iter().enumerate() {
        let mut fields = Fields::of(request, format!("requests[{at}]"))?.either_case();
        fields.text("model")?;
        let next = one(&mut fields)?;
        let same = at == 0 || (sum.dimensions == next.dimensions && sum.purpose == next.purpose);
        if !same || !fields.rest().is_empty() {
            options = Options::Differ;
        }
        sum.dimensions = next.dimensions;
        sum.purpose = next.purpose;
        sum.inputs.extend(next.inputs);
    }
    if sum.inputs.is_empty() {
        return Err(DecodeError::at("requests", "must not be empty"));
    }
    Ok((sum, options))
}

fn content(fields: &mut Fields) -> Result<Input, DecodeError> {
    let Some(mut content) = fields.object("content")? else {
        return Err(DecodeError::at(fields.path("content"), "is required"));
    };
    let path = content.path("parts");
    let parts = inputs::each(content.list("parts")?, &path, part)?;
    if parts.is_empty() {
        return Err(DecodeError::at(path, "must not be empty"));
    }
    Ok(inputs::joined(parts))
}

fn part(value: Value, path: &str) -> Result<Input, DecodeError> {
    let mut fields = Fields::of(value, path)?.either_case();
    if let Some(text) = fields.text("text")? {
        return Ok(Input::Text(text));
    }
    if let Some(mut data) = fields.object("inlineData")? {
        let mime = data.need_text("mimeType")?;
        return Ok(Input::Image(Media::Base64 { mime, data: data.need_text("data")? }));
    }
    if let Some(mut file) = fields.object("fileData")? {
        return Ok(Input::Image(Media::Url(file.need_text("fileUri")?)));
    }
    Err(DecodeError::at(path, "must hold `text`, `inlineData` or `fileData`"))
}

fn encode_ask(ask: &Ask, model: &str, _: &Quirks) -> Result<PlainEncoded, DecodeError> {
    let What::Embed(embed) = &ask.what else { return other_kind() };
    let own = ask.origin == ID;
    let mut dropped = foreign(ask, ID);
    let word = embed.purpose.as_deref().and_then(purpose::gemini);
    let word = word.or(embed.purpose.as_deref().filter(|_| own));
    dropped.add_if(embed.purpose.is_some() && word.is_none(), "input_type");
    dropped.add_if(embed.truncate == Some(false), "truncate");
    dropped.add_if(ask.user.is_some(), "user");
    let named = gemini::resource_name(model);
    let request = |(at, input): (usize, &Input)| {
        let mut request = Map::new();
        put(&mut request, "model", Some(named.as_str()));
        put(&mut request, "content", Some(written_content(at, input)?));
        put(&mut request, "taskType", word);
        put(&mut request, "outputDimensionality", embed.dimensions);
        Ok::<_, DecodeError>(request)
    };
    let mut requests = embed.inputs.iter().enumerate().map(request);
    let mut body = match requests.next() {
        Some(only) if is_single(ask) => only?,
        first => {
            let all = first.into_iter().chain(requests).collect::<Result<Vec<_>, _>>()?;
            Map::from_iter([("requests".to_owned(), all.into())])
        }
    };
    if let Some(list) = ask.extra.get("requests").filter(|_| own) {
        body.insert("requests".to_owned(), named_anew(list, &named));
    }
    if own {
        merge(&mut body, &ask.extra);
    }
    Ok(PlainEncoded::new(body, dropped))
}

/// The requests of a batch as they stood, but for the model.
fn named_anew(requests: &Value, model: &str) -> Value {
    let mut requests = requests.clone();
    for request in requests.as_array_mut().into_iter().flatten() {
        if let Some(map) = request.as_object_mut() {
            map.insert("model".to_owned(), model.into());
        }
    }
    requests
}

fn written_content(at: usize, input: &Input) -> Result<Value, DecodeError> {
    let parts = match input {
        Input::Parts(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let written = parts.iter().map(|part| match part {
        Input::Text(text) => Ok(json!({"text": text})),
        Input::Image(Media::Base64 { mime, data }) => {
            Ok(json!({"inlineData": {"mimeType": mime, "data": data}}))
        }
        Input::Image(Media::Url(url)) => Ok(json!({"fileData": {"fileUri": url}})),
        Input::Image(Media::FileId(_)) => inputs::inexpressible(at, "a stored file"),
        Input::Tokens(_) => inputs::inexpressible(at, "a list of token ids"),
        Input::Parts(_) => inputs::inexpressible(at, "made of several pieces"),
    });
    Ok(json!({"parts": written.collect::<Result<Vec<_>, _>>()?}))
}

#[derive(Deserialize)]
struct Answer {
    embedding: Option<Values>,
    embeddings: Option<Vec<Values>>,
}

#[derive(Deserialize)]
struct Values {
    values: Vector,
}

fn decode_reply(body: &[u8], quirks: &Quirks) -> Result<Reply, DecodeError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let list = answer.embeddings.or(answer.embedding.map(|one| vec![one]));
    let Some(list) = list else {
        return Err(DecodeError::at("embeddings", "is required"));
    };
    Ok(Reply {
        id: None,
        model: String::new(),
        found: Found::Vectors(list.into_iter().map(|one| one.values.0).collect()),
        usage: counts::usage(body, quirks),
        searches: None,
    })
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct WrittenAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<WrittenValues<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<WrittenValues<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Value>,
}

#[derive(Serialize)]
struct WrittenValues<'a> {
    values: Written<'a>,
}

fn encode_reply(reply: &Reply, ask: &Ask) -> Vec<u8> {
    let vectors = match &reply.found {
        Found::Vectors(vectors) => vectors.as_slice(),
        _ => &[],
    };
    let tokens = reply.usage.as_ref().map(Usage::total_input);
    let mut answer = WrittenAnswer {
        usage_metadata: tokens
            .map(|tokens| json!({"promptTokenCount": tokens, "totalTokenCount": tokens})),
        ..WrittenAnswer::default()
    };
    match vectors {
        [only] if is_single(ask) => answer.embedding = Some(written(only)),
        all => answer.embeddings = Some(all.iter().map(|vector| written(vector)).collect()),
    }
    json(&answer)
}

fn written(vector: &[f32]) -> WrittenValues<'_> {
    WrittenValues { values: Written { vector, base64: false } }
}
