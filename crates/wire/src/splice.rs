//! Patches a request without rebuilding it: the client's own bytes around a few replaced values.
//!
//! `peek` tells where things are, [`ChatPatches`] what to change, [`splice`] gives the slices to
//! send. Slices of the body are counted references, so a retry sends the same memory again, and
//! fields nobody knows survive because nobody touches them.

use std::ops::Range;

use bytes::Bytes;

use crate::dialect::{Dialect, Quirks};
use crate::peek::ChatPeek;

/// A range of the body and what stands there instead. An empty range inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Byte offsets into the body.
    pub at: Range<usize>,
    /// The bytes that replace it.
    pub text: Bytes,
}

/// The body with the edits made, in pieces. Sorts `edits`; one that overlaps an earlier one or
/// lies outside of the body is left out.
#[must_use]
pub fn splice(body: &Bytes, edits: &mut [Edit]) -> Vec<Bytes> {
    edits.sort_by_key(|edit| edit.at.start);
    let mut pieces = Vec::with_capacity(2 * edits.len() + 1);
    let mut done = 0;
    for edit in edits.iter() {
        let Range { start, end } = edit.at;
        if start < done || end < start || end > body.len() {
            continue;
        }
        pieces.push(body.slice(done..start));
        pieces.push(edit.text.clone());
        done = end;
    }
    pieces.push(body.slice(done..));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The dialects in which usage at the end of a stream must be asked for.
static WITH_STREAM_OPTIONS: &[&str] = &["openai_chat", "openai_completions"];

/// A client's request as an upstream of the same dialect wants it, in pieces: it names `model`, asks
/// for a stream or not, and for usage where that must be asked for. `peek` describes `body`.
#[must_use]
pub fn same_dialect(
    dialect: &Dialect,
    quirks: &Quirks,
    body: &Bytes,
    peek: &ChatPeek,
    model: &str,
    stream: bool,
    include_usage: bool,
) -> Vec<Bytes> {
    if !dialect.model_in_body {
        return vec![body.clone()];
    }
    let asked = WITH_STREAM_OPTIONS.contains(&dialect.id) && !quirks.no_stream_options;
    let streams = peek.stream.as_ref().is_some_and(|stream| stream.value);
    let version = quirks.anthropic_version.as_deref().map(|text| ("anthropic_version", text));
    // Options of a stream are refused without one, and by some hosts always.
    let no_options = WITH_STREAM_OPTIONS.contains(&dialect.id) && !(asked && stream);
    let gone = [("model", quirks.no_model), ("stream_options", no_options)];
    let gone: Vec<&str> = gone.iter().filter(|(_, gone)| *gone).map(|(name, _)| *name).collect();
    let patches = ChatPatches {
        model: Some(model).filter(|_| !quirks.no_model),
        stream: (streams != stream).then_some(stream),
        include_usage: stream && include_usage && asked,
        texts: version.as_slice(),
        remove: &gone,
        ..ChatPatches::default()
    };
    splice(body, &mut patches.edits(peek))
}

/// What a gateway changes in a chat request that goes on in its own dialect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatPatches<'a> {
    /// The upstream's name of the model.
    pub model: Option<&'a str>,
    /// Whether to ask for a stream.
    pub stream: Option<bool>,
    /// Ask for usage at the end of the stream, whatever the client said.
    pub include_usage: bool,
    /// The bound on output tokens and the field to put it in. The other such field is not touched:
    /// name it in `remove` if it must go.
    pub max_tokens: Option<(&'a str, u64)>,
    /// Other fields to set, and the texts they get.
    pub texts: &'a [(&'a str, &'a str)],
    /// Top-level fields to leave out. A field that is also set above is set.
    pub remove: &'a [&'a str],
}

impl ChatPatches<'_> {
    /// The edits that make these changes to the body that `peek` describes. A value that is
    /// already right is not touched.
    #[must_use]
    pub fn edits(&self, peek: &ChatPeek) -> Vec<Edit> {
        let mut plan = Plan { peek, edits: Vec::new(), new: String::new(), set: Vec::new() };
        if let Some(model) = self.model {
            let same = peek.model.as_ref().is_some_and(|old| old.value == model);
            plan.set("model", same, || quoted(model));
        }
        if let Some(stream) = self.stream {
            let same = peek.stream.as_ref().is_some_and(|old| old.value == stream);
            plan.set("stream", same, || stream.to_string());
        }
        if let Some((field, bound)) = self.max_tokens {
            plan.set(field, false, || bound.to_string());
        }
        for (field, text) in self.texts {
            plan.set(field, false, || quoted(text));
        }
        if self.include_usage {
            plan.include_usage();
        }
        plan.remove(self.remove);
        plan.finish(self.remove)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Plan<'a> {
    peek: &'a ChatPeek,
    edits: Vec<Edit>,
    /// Members to be put at the front, separated by commas.
    new: String,
    /// Names of the fields that are set.
    set: Vec<&'a str>,
}

impl<'a> Plan<'a> {
    /// Replaces the value of a field, or adds the field.
    fn set(&mut self, field: &'a str, same: bool, value: impl FnOnce() -> String) {
        self.set.push(field);
        match self.peek.member(field) {
            Some(_) if same => {}
            Some(member) => self.replace(member.value.clone(), value()),
            None => {
                let comma = if self.new.is_empty() { "" } else { "," };
                self.new = format!("{}{comma}{}:{}", self.new, quoted(field), value());
            }
        }
    }

    fn replace(&mut self, at: Range<usize>, text: String) {
        self.edits.push(Edit { at, text: Bytes::from(text) });
    }

    /// Sets `stream_options.include_usage` and leaves the other options alone.
    fn include_usage(&mut self) {
        const OPTION: &str = "\"include_usage\":true";
        let Some(options) = self.peek.stream_options.as_ref().map(|options| &options.value) else {
            return self.set("stream_options", false, || format!("{{{OPTION}}}"));
        };
        self.set.push("stream_options");
        match &options.include_usage_at {
            Some(_) if options.include_usage == Some(true) => {}
            Some(at) => self.replace(at.clone(), "true".to_owned()),
            None => {
                let comma = if options.is_empty_object { "" } else { "," };
                let at = options.first_field_at;
                self.replace(at..at, format!("{OPTION}{comma}"));
            }
        }
    }

    fn goes(&self, key: &str, remove: &[&str]) -> bool {
        remove.contains(&key) && !self.set.contains(&key)
    }

    /// Cuts members out, each with the comma before it; those at the front with the comma behind.
    fn remove(&mut self, remove: &[&str]) {
        let members = &self.peek.members;
        let mut kept = false;
        for (at, member) in members.iter().enumerate() {
            if !self.goes(&member.key, remove) {
                kept = true;
                continue;
            }
            let before = at.checked_sub(1).and_then(|at| members.get(at)).filter(|_| kept);
            let span = match (before, members.get(at + 1)) {
                (Some(before), _) => before.span.end..member.span.end,
                (None, Some(next)) => member.span.start..next.span.start,
                (None, None) => member.span.clone(),
            };
            self.replace(span, String::new());
        }
    }

    fn finish(mut self, remove: &[&str]) -> Vec<Edit> {
        let kept = self.peek.members.iter().any(|member| !self.goes(&member.key, remove));
        if !self.new.is_empty() {
            let comma = if kept { "," } else { "" };
            let text = format!("{}{comma}", self.new);
            let at = self.peek.first_field_at;
            // First in the list, so that a cut which begins at the same place comes after it.
            self.edits.insert(0, Edit { at: at..at, text: Bytes::from(text) });
        }
        self.edits
    }
}
