//! Blocks, written.
//!
//! What the provider may get back is its own: foreign seals, and thinking without a seal, are left
//! out, while a client carries them all. Files go inline or not at all.

use super::ID;
use super::blocks::{CACHE_MARK, KEPT_TEXTS};
use super::formats::{AUDIO, DOCUMENT, IMAGE, Medium};
use crate::fields::{arguments_object, merge};
use crate::hub::{Extra, Media, Part, Signature, ToolCall};
use crate::media;
use crate::seal::{self, Reader};
use serde_json::{Map, Value, json};

/// The longest id of a call.
const LONGEST_ID: usize = 64;
/// The longest name of a document.
const LONGEST_NAME: usize = 190;

/// Writes parts as blocks.
pub(super) struct Writing {
    /// Whom for.
    pub(super) reader: Reader,
    /// Whether the extras come from this dialect.
    pub(super) own_extras: bool,
    /// Wishes that had no place here.
    pub(super) lost: Vec<&'static str>,
    /// Documents so far: no two may have one name.
    documents: u32,
}

impl Writing {
    /// Writes for `reader` what was read from the dialect `origin`.
    pub(super) fn new(reader: Reader, origin: &str) -> Self {
        Self { reader, own_extras: origin == ID, lost: Vec::new(), documents: 0 }
    }

    /// All parts as blocks, with cache points after the blocks that bear a mark.
    pub(super) fn blocks(&mut self, parts: &[Part]) -> Vec<Value> {
        let mut blocks = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(block) = self.block(part) else { continue };
            blocks.push(block);
            blocks.extend(extra_of(part).and_then(cache_point));
        }
        blocks
    }

    /// The block that says `part`, where it can be said.
    fn block(&mut self, part: &Part) -> Option<Value> {
        match part {
            Part::Text { text, extra } => self.text(text, extra),
            Part::Refusal(text) => self.text(text, &Extra::new()),
            Part::ToolCall(call) => Some(self.call(call)),
            Part::Other { origin, value } => (*origin == ID).then(|| value.clone()),
            Part::Image { source, extra } => self.file(&IMAGE, source, "image_url", extra),
            Part::Audio { source, extra } => self.file(&AUDIO, source, "input_audio", extra),
            Part::File { source, name, extra } => {
                let mut block = self.file(&DOCUMENT, source, "file", extra)?;
                let name = self.document_name(name.as_deref());
                block.get_mut(DOCUMENT.key)?.as_object_mut()?.insert("name".to_owned(), name);
                Some(block)
            }
            Part::ToolResult { call_id, content, is_error, extra, .. } => {
                let content = self.result(content);
                let mut result = json!({"toolUseId": tool_id(call_id), "content": content});
                if let (true, Some(map)) = (*is_error, result.as_object_mut()) {
                    map.insert("status".to_owned(), "error".into());
                }
                Some(self.keyed("toolResult", result, extra))
            }
            Part::Reasoning { text, signature } => self.thought(text, signature.as_ref()),
            Part::RedactedReasoning { data, origin } => {
                // The field holds bytes, so that a foreign seal has no place in it.
                (*origin == ID).then(|| json!({"reasoningContent": {"redactedContent": data}}))
            }
        }
    }

    /// Texts of nothing but white space are refused by the provider.
    fn text(&self, text: &str, extra: &Extra) -> Option<Value> {
        let foreign = self.reader == Reader::Provider && !self.own_extras;
        let kept = |key: &&&str| self.own_extras && extra.contains_key(**key);
        if let Some(key) = KEPT_TEXTS.iter().find(kept) {
            return Some(json!({*key: extra.get(*key)}));
        }
        if text.is_empty() || (foreign && text.trim().is_empty()) {
            return None;
        }
        let mut block = Map::from_iter([("text".to_owned(), text.into())]);
        self.add_extra(&mut block, extra);
        Some(block.into())
    }

    fn call(&self, call: &ToolCall) -> Value {
        let input = arguments_object(&call.arguments);
        let block = json!({"toolUseId": tool_id(&call.id), "name": call.name, "input": input});
        self.keyed("toolUse", block, &call.extra)
    }

    /// A result holds no cache points of its own, and no calls.
    fn result(&mut self, content: &[Part]) -> Vec<Value> {
        let mut blocks = self.blocks(content);
        blocks.retain(|block| block.get("cachePoint").is_none());
        blocks
    }

    fn file(
        &mut self,
        medium: &Medium,
        source: &Media,
        wish: &'static str,
        extra: &Extra,
    ) -> Option<Value> {
        let inline = match media::resolved(source) {
            Media::Base64 { mime, data } => medium.format(&mime).map(|format| (format, data)),
            Media::Url(_) | Media::FileId(_) => None,
        };
        let Some((format, data)) = inline else {
            self.lost.push(wish);
            return None;
        };
        let block = json!({"format": format, "source": {"bytes": data}});
        Some(self.keyed(medium.key, block, extra))
    }

    /// A name made of what the provider allows: letters, digits, single spaces, hyphens and
    /// brackets. Clients of this dialect know the rule.
    fn document_name(&mut self, name: Option<&str>) -> Value {
        if let Some(name) = name.filter(|_| self.own_extras) {
            return name.into();
        }
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-()[]".contains(letter);
        let letters = name.unwrap_or("document").chars();
        let clean = letters.map(|letter| if allowed(letter) { letter } else { '-' });
        self.documents = self.documents.saturating_add(1);
        let clean: String = clean.take(LONGEST_NAME).collect();
        match self.documents {
            1 => clean.into(),
            number => format!("{clean} {number}").into(),
        }
    }

    /// Reasoning for the provider needs its own seal, unless its own client left it out.
    fn thought(&self, text: &str, signature: Option<&Signature>) -> Option<Value> {
        let mut thought = Map::from_iter([("text".to_owned(), text.into())]);
        match (signature, self.reader) {
            (Some(seal), Reader::Client) => {
                let seal = seal::wrap(seal.origin, &seal.value, ID);
                thought.insert("signature".to_owned(), seal.into());
            }
            (Some(seal), Reader::Provider) if seal.origin == ID => {
                thought.insert("signature".to_owned(), seal.value.as_str().into());
            }
            (None, Reader::Client) => {}
            (None, Reader::Provider) if self.own_extras => {}
            (_, Reader::Provider) => return None,
        }
        Some(json!({"reasoningContent": {"reasoningText": thought}}))
    }

    fn keyed(&self, key: &str, mut inner: Value, extra: &Extra) -> Value {
        if let Value::Object(map) = &mut inner {
            self.add_extra(map, extra);
        }
        json!({key: inner})
    }

    /// Adds extras of this dialect; the cache mark is none of its fields.
    pub(super) fn add_extra(&self, map: &mut Map<String, Value>, extra: &Extra) {
        if self.own_extras {
            merge(map, extra);
            map.shift_remove(CACHE_MARK);
        }
    }
}

fn extra_of(part: &Part) -> Option<&Extra> {
    match part {
        Part::Text { extra, .. }
        | Part::Image { extra, .. }
        | Part::File { extra, .. }
        | Part::Audio { extra, .. }
        | Part::ToolResult { extra, .. }
        | Part::ToolCall(ToolCall { extra, .. }) => Some(extra),
        _ => None,
    }
}

/// The cache point that says what the mark among these extras says.
pub(super) fn cache_point(extra: &Extra) -> Option<Value> {
    let mark = extra.get(CACHE_MARK)?.as_object()?;
    let mut point = Map::from_iter([("type".to_owned(), "default".into())]);
    point.extend(mark.get("ttl").map(|ttl| ("ttl".to_owned(), ttl.clone())));
    Some(json!({"cachePoint": point}))
}

/// Call ids may hold letters, digits, `_`, `.`, `:` and `-`, and not too many of them. The end of a
/// long one tells it from others.
pub(super) fn tool_id(id: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    let letters: Vec<char> =
        id.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    letters.iter().skip(letters.len().saturating_sub(LONGEST_ID)).collect()
}
