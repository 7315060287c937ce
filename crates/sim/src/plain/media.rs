//! Sound and pictures, made of nothing.
//!
//! Answers have the vendor's shape and repeat under `sim` what arrived: the body's length, its
//! hash and its content type, so that a test can prove that bytes came through untouched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::multipart::{field, parts};
use super::{Answered, Done, Errand};
use crate::answer::Usage;
use crate::ask::{Complaint, number, word};
use crate::chance::fnv1a;
use crate::dialect::CREATED;
use crate::reply::{Kind, Reply, Step};
use crate::text;

/// A picture of one pixel: the smallest GIF.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// Bytes of sound for a token of text.
const SOUND: &[u8] = &[0x55; 480];

/// Bytes of a second of sound that was uploaded, were it 16 kHz of 16 bits.
const SECOND: usize = 32_000;

/// What arrived.
pub(super) fn arrival(errand: &Errand<'_>) -> Value {
    let incoming = errand.incoming;
    json!({ "body_bytes": incoming.body.len(),
        "body_hash": format!("{:016x}", fnv1a(&incoming.body)),
        "content_type": incoming.header("content-type") })
}

/// The model of a form or a JSON body.
fn model(errand: &Errand<'_>) -> Result<String, Complaint> {
    match field(&parts(errand), "model") {
        model if model.is_empty() => errand.model(),
        model => Ok(model),
    }
}

pub(super) fn speech(errand: &Errand<'_>) -> Answered {
    let model = errand.model()?;
    let said = word(&errand.body, "input");
    if said.is_empty() {
        return Err(Complaint::new(400, "Missing required parameter: 'input'.").param("input"));
    }
    let kind = match word(&errand.body, "response_format") {
        "wav" => "audio/wav",
        "pcm" => "audio/pcm",
        "opus" => "audio/opus",
        "flac" => "audio/flac",
        "aac" => "audio/aac",
        _ => "audio/mpeg",
    };
    let input = text::count(said).max(1);
    let piece = || Step::send(Kind::Token, 1, Bytes::from_static(SOUND));
    let reply = Reply::stream(kind, (0..input).map(|_| piece()).collect());
    Ok(Done { reply, usage: Usage { input, output: input, ..Usage::default() }, model })
}

pub(super) fn transcription(errand: &Errand<'_>) -> Answered {
    let (model, parts) = (model(errand)?, parts(errand));
    let Some(file) = parts.iter().find(|part| part.name == "file") else {
        return Err(Complaint::new(400, "Missing required parameter: 'file'.").param("file"));
    };
    let text = format!("Heard {} bytes.", file.content.len());
    let input = u32::try_from(file.content.len().div_ceil(SECOND) * 10).unwrap_or(u32::MAX);
    let output = text::count(&text);
    let usage = Usage { input, output, ..Usage::default() };
    if ["text", "srt", "vtt"].contains(&field(&parts, "response_format").as_str()) {
        let reply = Reply::whole(200, "text/plain; charset=utf-8", text + "\n", output);
        return Ok(Done { reply, usage, model });
    }
    let told = json!({ "type": "tokens", "input_tokens": input, "output_tokens": output,
        "total_tokens": input + output,
        "input_token_details": { "audio_tokens": input, "text_tokens": 0 } });
    let body = json!({ "text": text, "usage": told, "sim": arrival(errand) });
    Ok(Done::json(&body, usage, model))
}

/// A generation is asked for in JSON, an edit by a form.
pub(super) fn image(errand: &Errand<'_>) -> Answered {
    let (model, parts) = (model(errand)?, parts(errand));
    let form = field(&parts, "prompt");
    let prompt = if form.is_empty() { word(&errand.body, "prompt") } else { &form };
    if prompt.is_empty() {
        return Err(Complaint::new(400, "Missing required parameter: 'prompt'.").param("prompt"));
    }
    let asked = number(&errand.body, "n").or_else(|| field(&parts, "n").parse().ok());
    let count = asked.unwrap_or(1).clamp(1, 10);
    let picture = STANDARD.encode(PIXEL);
    let data: Vec<Value> = (0..count).map(|_| json!({ "b64_json": picture })).collect();
    let (input, output) = (text::count(prompt), count * 272);
    let body = json!({ "created": CREATED, "data": data, "sim": arrival(errand),
        "usage": { "input_tokens": input, "output_tokens": output,
            "total_tokens": input + output,
            "input_tokens_details": { "text_tokens": input, "image_tokens": 0 } } });
    Ok(Done::json(&body, Usage { input, output, ..Usage::default() }, model))
}
