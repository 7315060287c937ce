//! Embeddings in four vendors' shapes.
//!
//! A vector depends on the text alone, has length one, and differs between texts as chance will
//! have it: nearness means nothing. A shorter vector is the beginning of the longer one, made
//! length one again, as with the vendors that let the size be chosen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answered, Done, Errand, heard};
use crate::ask::{Complaint, list, number, word};
use crate::chance::{Chance, fnv1a};
use crate::dialect::put;
use crate::text;

/// The largest size any vendor offers is 4,096.
const MOST_NUMBERS: u32 = 4_096;

/// The most texts of one request (OpenAI's limit).
const MOST_TEXTS: usize = 2_048;

/// The vector of a text.
fn vector(text: &str, size: u32) -> Vec<f32> {
    let mut chance = Chance::new(fnv1a(text.as_bytes()));
    let numbers: Vec<f64> = (0..size).map(|_| chance.unit() - 0.5).collect();
    let length = numbers.iter().map(|n| n * n).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    numbers.iter().map(|n| (n / length) as f32).collect()
}

/// The vector as JSON numbers, in the shortest decimals that are the same 32-bit numbers.
fn floats(vector: &[f32]) -> Value {
    vector.iter().map(|n| n.to_string().parse::<f64>().unwrap_or_default()).collect()
}

/// The vector as 32-bit numbers, little endian, in base64.
fn base64(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
    STANDARD.encode(bytes).into()
}

fn encoded(vector: &[f32], format: &str) -> Value {
    if format == "base64" { base64(vector) } else { floats(vector) }
}

fn size(body: &Value, key: &str, usual: u32) -> u32 {
    number(body, key).unwrap_or(usual).clamp(1, MOST_NUMBERS)
}

fn tokens(texts: &[String]) -> u32 {
    texts.iter().fold(0, |sum, text| sum.saturating_add(text::count(text).max(1)))
}

/// A text, a list of texts, a list of token numbers, or a list of those.
fn texts(input: Option<&Value>, field: &'static str) -> Result<Vec<String>, Complaint> {
    let numbers = |list: &[Value]| list.iter().map(|n| format!("{n} ")).collect::<String>();
    let texts = match input {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_number) => {
            vec![numbers(list)]
        }
        Some(Value::Array(list)) => {
            let one = |item: &Value| match item {
                Value::String(text) => text.clone(),
                Value::Array(list) => numbers(list),
                other => other.to_string(),
            };
            list.iter().map(one).collect()
        }
        _ => Vec::new(),
    };
    if texts.is_empty() || texts.len() > MOST_TEXTS {
        let message = format!("'{field}' must hold between 1 and {MOST_TEXTS} texts.");
        return Err(Complaint::new(400, message).param(field).code("invalid_value"));
    }
    Ok(texts)
}

/// The list that OpenAI and Voyage answer with.
fn rows(texts: &[String], size: u32, format: &str) -> Vec<Value> {
    let one = |(index, text): (usize, &String)| {
        json!({ "object": "embedding", "embedding": encoded(&vector(text, size), format),
            "index": index })
    };
    texts.iter().enumerate().map(one).collect()
}

pub(super) fn openai(errand: &Errand<'_>) -> Answered {
    let (body, model) = (&errand.body, errand.model()?);
    let texts = texts(body.get("input"), "input")?;
    let tokens = tokens(&texts);
    let size = size(body, "dimensions", 1_536);
    let answer = json!({ "object": "list",
        "data": rows(&texts, size, word(body, "encoding_format")), "model": model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens } });
    Ok(Done::json(&answer, heard(tokens), model))
}

pub(super) fn voyage(errand: &Errand<'_>) -> Answered {
    let (body, model) = (&errand.body, errand.model()?);
    let texts = texts(body.get("input"), "input")?;
    let tokens = tokens(&texts);
    if let Some(unknown) = ["dimensions", "user"].iter().find(|key| body.get(*key).is_some()) {
        return Err(Complaint::new(
            400,
            format!("Argument '{unknown}' is not supported by our API."),
        ));
    }
    let size = size(body, "output_dimension", 1_024);
    let answer = json!({ "object": "list",
        "data": rows(&texts, size, word(body, "encoding_format")), "model": model,
        "usage": { "total_tokens": tokens } });
    Ok(Done::json(&answer, heard(tokens), model))
}

pub(super) fn cohere(errand: &Errand<'_>) -> Answered {
    let (body, model) = (&errand.body, errand.model()?);
    if word(body, "input_type").is_empty() {
        return Err(Complaint::new(400, "invalid request: input_type is required."));
    }
    let texts = texts(body.get("texts"), "texts")?;
    let size = size(body, "output_dimension", 1_024);
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| vector(text, size)).collect();
    let asked = list(body, "embedding_types").iter().filter_map(Value::as_str);
    let mut kinds: Vec<&str> = asked.collect();
    if kinds.is_empty() {
        kinds.push("float");
    }
    let mut embeddings = json!({});
    for kind in kinds {
        let Some(write) = cohere_kind(kind) else {
            return Err(Complaint::new(400, "invalid request: unknown embedding type."));
        };
        put(&mut embeddings, kind, vectors.iter().map(|vector| write(vector)).collect());
    }
    let tokens = tokens(&texts);
    let answer = json!({ "id": errand.id, "embeddings": embeddings, "texts": texts,
        "response_type": "embeddings_by_type",
        "meta": { "api_version": { "version": "2" }, "billed_units": { "input_tokens": tokens } } });
    Ok(Done::json(&answer, heard(tokens), model))
}

fn cohere_kind(kind: &str) -> Option<fn(&[f32]) -> Value> {
    match kind {
        "float" => Some(floats),
        "base64" => Some(base64),
        "int8" => Some(|vector| vector.iter().map(|n| (n * 127.0) as i8).collect()),
        "uint8" => Some(|vector| vector.iter().map(|n| (n * 127.0 + 128.0) as u8).collect()),
        "ubinary" => Some(|vector| bits(vector).into_iter().collect()),
        "binary" => {
            Some(|vector| bits(vector).into_iter().map(|byte| i16::from(byte) - 128).collect())
        }
        _ => None,
    }
}

/// One bit a number, its sign, eight to a byte.
fn bits(vector: &[f32]) -> Vec<u8> {
    let byte = |eight: &[f32]| eight.iter().fold(0, |byte, n| byte << 1 | u8::from(*n > 0.0));
    vector.chunks(8).map(byte).collect()
}

/// The words of one of Google's contents.
fn content(body: &Value) -> Result<String, Complaint> {
    let parts = body.get("content").map(|content| list(content, "parts")).unwrap_or_default();
    if parts.is_empty() {
        return Err(Complaint::new(
            400,
            "* EmbedContentRequest.content: contents is not specified\n",
        ));
    }
    Ok(parts.iter().map(|part| word(part, "text")).collect())
}

fn google_size(body: &Value) -> u32 {
    let config = body.get("embedContentConfig").unwrap_or(body);
    size(config, "outputDimensionality", 3_072)
}

pub(super) fn gemini(errand: &Errand<'_>) -> Answered {
    let text = content(&errand.body)?;
    let values = floats(&vector(&text, google_size(&errand.body)));
    let tokens = tokens(&[text]);
    let answer = json!({ "embedding": { "values": values },
        "usageMetadata": { "promptTokenCount": tokens } });
    Ok(Done::json(&answer, heard(tokens), errand.facts.model.clone()))
}

pub(super) fn gemini_batch(errand: &Errand<'_>) -> Answered {
    let requests = list(&errand.body, "requests");
    if requests.is_empty() {
        let message = "* BatchEmbedContentsRequest.requests: at least one request is required\n";
        return Err(Complaint::new(400, message));
    }
    let named = format!("models/{}", errand.facts.model);
    if requests.iter().any(|request| word(request, "model") != named) {
        let message = "* BatchEmbedContentsRequest.requests: \
                       the model must be the one of the batch, with `models/` before it\n";
        return Err(Complaint::new(400, message));
    }
    let texts: Vec<String> = requests.iter().map(content).collect::<Result<_, _>>()?;
    let pairs = texts.iter().zip(requests);
    let embeddings: Vec<Value> = pairs
        .map(|(text, body)| json!({ "values": floats(&vector(text, google_size(body))) }))
        .collect();
    let tokens = tokens(&texts);
    let answer = json!({ "embeddings": embeddings,
        "usageMetadata": { "promptTokenCount": tokens } });
    Ok(Done::json(&answer, heard(tokens), errand.facts.model.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_one_and_begins_as_the_longer_one() {
        let (short, long) = (vector("scale", 8), vector("scale", 64));
        for vector in [&short, &long] {
            let length: f32 = vector.iter().map(|n| n * n).sum();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
        let ratio = short[0] / long[0];
        assert!(short.iter().zip(&long).all(|(s, l)| (s / l - ratio).abs() < 1e-3));
        assert_ne!(short, vector("scales", 8));
    }
}
