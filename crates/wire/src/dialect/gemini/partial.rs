//! Arguments of a function call that come in pieces, each naming its place by a JSON path.
//!
//! A path is `$`, then `.name`, `['name']` or `[0]` again and again. A text whose last piece said
//! `willContinue` grows with the next piece at its path. Depth and list places are bounded, because
//! a piece of a few bytes must not make a large value.

use crate::error::DecodeError;
use serde_json::{Map, Value};

/// The deepest place a piece may name; as deep as JSON texts may be here.
const MAX_DEPTH: usize = 64;

/// How far beyond its end a list may be extended at once.
const MAX_GAP: usize = 64;

/// The value built so far.
#[derive(Debug, Default)]
pub(super) struct Partial {
    root: Value,
    growing: Option<String>,
}

enum Step {
    Field(String),
    Item(usize),
}

impl Partial {
    /// Adds one piece of `partialArgs`.
    ///
    /// # Errors
    /// When the piece has no usable path, or its path contradicts earlier ones.
    pub(super) fn add(&mut self, piece: &Value) -> Result<(), DecodeError> {
        let wrong = |what: &str| DecodeError::at("functionCall.partialArgs", what);
        let path = piece.get("jsonPath").and_then(Value::as_str);
        let path = path.ok_or_else(|| wrong("needs a jsonPath"))?;
        let steps = steps(path).ok_or_else(|| wrong("has a jsonPath that cannot be read"))?;
        let place = place(&mut self.root, &steps).ok_or_else(|| wrong("contradicts itself"))?;
        let growing = self.growing.as_deref() == Some(path);
        match (place, text_of(piece)) {
            (Value::String(text), Some(more)) if growing => text.push_str(more),
            (place, Some(text)) => *place = text.into(),
            (place, None) => *place = plain_of(piece),
        }
        let goes_on = piece.get("willContinue") == Some(&Value::Bool(true));
        self.growing = goes_on.then(|| path.to_owned());
        Ok(())
    }

    /// The arguments as JSON text; `{}` if no piece came.
    pub(super) fn into_text(self) -> String {
        match self.root {
            Value::Null => "{}".to_owned(),
            root => root.to_string(),
        }
    }

    /// The arguments as a value.
    pub(super) fn into_value(self) -> Value {
        match self.root {
            Value::Null => Value::Object(Map::new()),
            root => root,
        }
    }
}

fn text_of(piece: &Value) -> Option<&str> {
    piece.get("stringValue").and_then(Value::as_str)
}

fn plain_of(piece: &Value) -> Value {
    let plain = ["numberValue", "boolValue"].iter().find_map(|key| piece.get(*key));
    plain.cloned().unwrap_or_default()
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == MAX_DEPTH {
            return None;
        }
        let (step, after) = step(rest)?;
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(name) = rest.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, after) = name.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (Step::Field(name.to_owned()), after));
    }
    let inner = rest.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(name) = inner.strip_prefix(quote) {
            let (name, after) = name.split_once(&format!("{quote}]"))?;
            return Some((Step::Field(name.to_owned()), after));
        }
    }
    let (number, after) = inner.split_once(']')?;
    Some((Step::Item(number.parse().ok()?), after))
}

/// The value at a place, made if it is not there.
fn place<'a>(root: &'a mut Value, steps: &[Step]) -> Option<&'a mut Value> {
    let mut at = root;
    for step in steps {
        at = match step {
            Step::Field(name) => {
                if at.is_null() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut()?.entry(name.as_str()).or_insert(Value::Null)
            }
            Step::Item(index) => {
                if at.is_null() {
                    *at = Value::Array(Vec::new());
                }
                item(at.as_array_mut()?, *index)?
            }
        };
    }
    Some(at)
}

fn item(list: &mut Vec<Value>, index: usize) -> Option<&mut Value> {
    if index >= list.len().saturating_add(MAX_GAP) {
        return None;
    }
    if index >= list.len() {
        list.resize(index + 1, Value::Null);
    }
    list.get_mut(index)
}
