//! Parts of a turn, written.
//!
//! A seal that stands alone goes onto the part after it. What a provider may get back is its own:
//! foreign seals and foreign thoughts are left out, while a client carries them all.

use super::ID;
use super::calls::is_made;
use super::parts::{REDACTED, as_object};
use crate::fields::{arguments_object, merge, put};
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::media;
use crate::seal::{self, Reader};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Stands for the signature of a call that another model made, as Google's guide on thought
/// signatures prescribes for such histories.
const NO_SEAL: &str = "skip_thought_signature_validator";

/// Writes parts.
pub(super) struct Writing<'a> {
    /// Whom for.
    pub(super) reader: Reader,
    /// Whether the extras come from this dialect.
    pub(super) own_extras: bool,
    /// Whether the model refuses calls without a signature.
    pub(super) wants_seals: bool,
    /// Names of the calls by id.
    pub(super) names: BTreeMap<&'a str, &'a str>,
    /// Wishes that had no place here.
    pub(super) lost: Vec<&'static str>,
}

impl<'a> Writing<'a> {
    /// Writes for `reader` what was read from the dialect `origin`.
    pub(super) fn new(reader: Reader, origin: &str) -> Self {
        Self {
            reader,
            own_extras: origin == ID,
            wants_seals: false,
            names: BTreeMap::new(),
            lost: Vec::new(),
        }
    }

    /// All parts of one turn.
    pub(super) fn parts(&mut self, parts: &'a [Part]) -> Vec<Value> {
        let mut out = Vec::with_capacity(parts.len());
        let mut pending = None;
        let mut called = false;
        for part in parts {
            if let Part::Reasoning { text, signature: Some(seal) } = part
                && text.is_empty()
            {
                flush(pending.take(), &mut out);
                pending = self.sealed(seal);
                continue;
            }
            let Some(mut written) = self.part(part) else { continue };
            if matches!(part, Part::ToolCall(_)) {
                let first = !std::mem::replace(&mut called, true);
                pending = pending.or_else(|| self.stand_in(first, &written));
            }
            if let Value::Object(map) = &mut written
                && !map.contains_key("thoughtSignature")
            {
                put(map, "thoughtSignature", pending.take());
            }
            out.push(written);
        }
        flush(pending, &mut out);
        out
    }

    /// Only the first call of a turn is checked for a signature.
    fn stand_in(&self, first: bool, call: &Value) -> Option<String> {
        let needed = self.wants_seals && first && call.get("thoughtSignature").is_none();
        needed.then(|| NO_SEAL.to_owned())
    }

    fn part(&mut self, part: &'a Part) -> Option<Value> {
        match part {
            Part::Text { text, extra } if !text.is_empty() => {
                Some(self.with(text_part(text), extra))
            }
            Part::Refusal(text) if !text.is_empty() => Some(text_part(text)),
            Part::Text { .. } | Part::Refusal(_) => None,
            Part::Image { source, extra } => self.media(source, extra, "image/jpeg", "image_url"),
            Part::Audio { source, extra } => self.media(source, extra, "audio/wav", "input_audio"),
            Part::File { source, extra, .. } => {
                self.media(source, extra, "application/pdf", "file")
            }
            Part::ToolCall(call) => Some(self.call(call)),
            Part::ToolResult { call_id, name, content, is_error, extra } => {
                let name = self.name_of(call_id, name.as_deref());
                Some(self.response(call_id, &name, (content, *is_error), extra))
            }
            Part::Reasoning { text, signature } => self.thought(text, signature.as_ref()),
            Part::RedactedReasoning { data, origin } => self.redacted(data, origin),
            Part::Other { origin, value } => (*origin == ID).then(|| value.clone()),
        }
    }

    fn with(&self, mut part: Value, extra: &Extra) -> Value {
        if let (true, Value::Object(map)) = (self.own_extras, &mut part) {
            merge(map, extra);
        }
        part
    }

    fn media(
        &mut self,
        source: &Media,
        extra: &Extra,
        fallback: &str,
        wish: &'static str,
    ) -> Option<Value> {
        let mut extra = extra.clone();
        let known = extra.shift_remove("mimeType").filter(|_| self.own_extras);
        let part = match media::resolved(source) {
            Media::Base64 { mime, data } => {
                json!({"inlineData": {"mimeType": mime, "data": data}})
            }
            Media::Url(uri) => {
                let guess = media::mime_of_url(&uri).unwrap_or(fallback);
                let mime = known.unwrap_or_else(|| guess.into());
                json!({"fileData": {"mimeType": mime, "fileUri": uri}})
            }
            Media::FileId(_) => {
                self.lost.push(wish);
                return None;
            }
        };
        Some(self.with(part, &extra))
    }

    fn call(&self, call: &ToolCall) -> Value {
        let mut map = Map::new();
        put(&mut map, "id", (!is_made(&call.id)).then_some(call.id.as_str()));
        put(&mut map, "name", Some(call.name.as_str()));
        put(&mut map, "args", Some(arguments_object(&call.arguments)));
        if self.own_extras {
            merge(&mut map, &call.extra);
        }
        let mut part = Map::from_iter([("functionCall".to_owned(), Value::Object(map))]);
        let seal = call.signature.as_ref().and_then(|seal| self.sealed(seal));
        put(&mut part, "thoughtSignature", seal);
        Value::Object(part)
    }

    fn name_of(&self, call_id: &str, told: Option<&str>) -> String {
        let known = self.names.get(call_id).copied();
        told.or(known).unwrap_or(call_id).to_owned()
    }

    fn response(
        &mut self,
        id: &str,
        name: &str,
        (content, is_error): (&'a [Part], bool),
        extra: &Extra,
    ) -> Value {
        let mut text = String::new();
        let mut media = Vec::new();
        for part in content {
            match part {
                Part::Text { text: piece, .. } => text.push_str(piece),
                other => media.extend(self.part(other)),
            }
        }
        let response = match as_object(&text) {
            Some(object) if !is_error => object,
            _ => json!({ if is_error { "error" } else { "output" }: text }),
        };
        let mut map = Map::new();
        put(&mut map, "id", (!is_made(id)).then_some(id));
        put(&mut map, "name", Some(name));
        put(&mut map, "response", Some(response));
        put(&mut map, "parts", (!media.is_empty()).then_some(media));
        if self.own_extras {
            merge(&mut map, extra);
        }
        json!({"functionResponse": map})
    }

    /// The provider gets back only its own thoughts; a client gets them all.
    fn thought(&self, text: &str, signature: Option<&Signature>) -> Option<Value> {
        let seal = match (self.reader, signature) {
            (Reader::Provider, Some(seal)) => Some(self.sealed(seal)?),
            (Reader::Provider, None) if !self.own_extras => return None,
            (_, seal) => seal.and_then(|seal| self.sealed(seal)),
        };
        let mut part = Map::new();
        put(&mut part, "text", Some(text));
        put(&mut part, "thought", Some(true));
        put(&mut part, "thoughtSignature", seal);
        Some(Value::Object(part))
    }

    fn redacted(&self, data: &str, origin: &'static str) -> Option<Value> {
        (self.reader == Reader::Client).then(|| redacted_part(data, origin))
    }

    fn sealed(&self, seal: &Signature) -> Option<String> {
        let known = self.reader == Reader::Client || seal.origin == ID;
        known.then(|| seal::wrap(seal.origin, &seal.value, ID))
    }
}

/// Data that only its provider can read, as a client of this dialect carries it.
pub(super) fn redacted_part(data: &str, origin: &str) -> Value {
    let seal = seal::wrap(origin, &format!("{REDACTED}{data}"), ID);
    json!({"text": "", "thought": true, "thoughtSignature": seal})
}

fn flush(pending: Option<String>, out: &mut Vec<Value>) {
    out.extend(pending.map(|seal| json!({"text": "", "thoughtSignature": seal})));
}

fn text_part(text: &str) -> Value {
    json!({"text": text})
}
