//! Reading a JSON object field by field, so that what nobody asked for stays and can be kept.
//!
//! A field set to `null` reads as absent. Errors name the place as a path such as
//! `messages[2].content`. This file knows no dialect.

use crate::error::{DecodeError, Reported};
use crate::hub::Extra;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The fields of one object that were not taken yet.
pub(crate) struct Fields {
    map: Map<String, Value>,
    path: String,
    snake: bool,
}

impl Fields {
    /// Reads a whole body, which must be one JSON object.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| DecodeError::at("", format!("invalid JSON: {error}")))?;
        Self::of(value, "")
    }

    /// The fields of `value`, which stands at `path`.
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, DecodeError> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { map, path, snake: false }),
            _ => Err(DecodeError::at(path, "must be an object")),
        }
    }

    /// The same fields, where `camelCase` names may also be written in `snake_case`.
    pub(crate) fn either_case(mut self) -> Self {
        self.snake = true;
        self
    }

    /// The path of a field in here.
    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where this object stands.
    pub(crate) fn here(&self) -> &str {
        &self.path
    }

    /// Takes a field of any type.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        let found = self.map.shift_remove(key);
        let found = match found {
            None if self.snake => self.map.shift_remove(&snake_case(key)),
            found => found,
        };
        found.filter(|value| !value.is_null())
    }

    /// Takes a string.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, DecodeError> {
        self.typed(key, "a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// Takes a string that must be there.
    pub(crate) fn need_text(&mut self, key: &str) -> Result<String, DecodeError> {
        self.text(key)?.ok_or_else(|| DecodeError::at(self.path(key), "is required"))
    }

    /// Takes a whole number from 0.
    pub(crate) fn u64(&mut self, key: &str) -> Result<Option<u64>, DecodeError> {
        self.typed(key, "a whole number", |value| whole_number(&value))
    }

    /// Takes a whole number from 0 that fits 32 bits.
    pub(crate) fn u32(&mut self, key: &str) -> Result<Option<u32>, DecodeError> {
        self.typed(key, "a small whole number", |value| {
            value.as_u64().and_then(|number| u32::try_from(number).ok())
        })
    }

    /// Takes a whole number.
    pub(crate) fn i64(&mut self, key: &str) -> Result<Option<i64>, DecodeError> {
        self.typed(key, "a whole number", |value| value.as_i64())
    }

    /// Takes a number.
    pub(crate) fn f64(&mut self, key: &str) -> Result<Option<f64>, DecodeError> {
        self.typed(key, "a number", |value| value.as_f64())
    }

    /// Takes a truth value.
    pub(crate) fn bool(&mut self, key: &str) -> Result<Option<bool>, DecodeError> {
        self.typed(key, "true or false", |value| value.as_bool())
    }

    /// Takes a list; an absent one is empty.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<Value>, DecodeError> {
        let list = self.typed(key, "a list", |value| match value {
            Value::Array(list) => Some(list),
            _ => None,
        })?;
        Ok(list.unwrap_or_default())
    }

    /// Takes a list of strings; an absent one is empty.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>, DecodeError> {
        let path = self.path(key);
        self.list(key)?
            .into_iter()
            .map(|value| match value {
                Value::String(text) => Ok(text),
                _ => Err(DecodeError::at(path.clone(), "must hold strings only")),
            })
            .collect()
    }

    /// Takes an object.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Self>, DecodeError> {
        let path = self.path(key);
        let Some(value) = self.take(key) else { return Ok(None) };
        let mut fields = Self::of(value, path)?;
        fields.snake = self.snake;
        Ok(Some(fields))
    }

    /// Puts a value back, to be kept.
    pub(crate) fn keep(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    /// Takes an object of counts as `T`, which reads the fields `counted`; the others stay.
    pub(crate) fn counts<T: DeserializeOwned>(
        &mut self,
        key: &str,
        counted: &[&str],
    ) -> Result<Option<T>, DecodeError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let counts = T::deserialize(&value)
            .map_err(|error| DecodeError::at(self.path(key), error.to_string()))?;
        let mut rest = Self::of(value, self.path(key))?;
        for name in counted {
            rest.take(name);
        }
        self.keep_rest(key, rest);
        Ok(Some(counts))
    }

    /// Puts back what is left of an object, if anything is.
    pub(crate) fn keep_rest(&mut self, key: &str, rest: Self) {
        let rest = rest.rest();
        if !rest.is_empty() {
            self.keep(key, Value::Object(rest));
        }
    }

    /// All that was not taken, without nulls.
    pub(crate) fn rest(mut self) -> Extra {
        self.map.retain(|_, value| !value.is_null());
        self.map
    }

    fn typed<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(DecodeError::at(self.path(key), format!("must be {expected}"))),
        }
    }
}

/// A whole number from 0, also where it is written as `1.0` or `1e3`.
fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number that a double holds exactly"
)]
fn whole(number: f64) -> Option<u64> {
    let exact = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
    exact.then_some(number as u64)
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Sets a field if there is a value for it.
pub(crate) fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

/// Adds fields that are not there yet; objects on both sides are joined. As deep as the parser
/// lets JSON be.
pub(crate) fn merge(map: &mut Map<String, Value>, extra: &Extra) {
    for (key, value) in extra {
        match (map.get_mut(key), value) {
            (None, _) => {
                map.insert(key.clone(), value.clone());
            }
            (Some(Value::Object(old)), Value::Object(more)) => merge(old, more),
            _ => {}
        }
    }
}

/// The arguments of a tool call as the object that some dialects demand: no text is `{}`, anything
/// but an object stands under `input`.
pub(crate) fn arguments_object(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str(arguments) {
        Ok(value @ Value::Object(_)) => value,
        Ok(value) => Map::from_iter([("input".to_owned(), value)]).into(),
        Err(_) => Map::from_iter([("input".to_owned(), arguments.into())]).into(),
    }
}

/// How much of a body that is not JSON is quoted in a report.
const QUOTED_CHARS: usize = 300;

/// The report of an error body in no known form: its beginning as text.
pub(crate) fn plain_report(status: u16, body: &[u8]) -> Reported {
    let head = body.get(..4 * QUOTED_CHARS).unwrap_or(body);
    let message = String::from_utf8_lossy(head).trim().chars().take(QUOTED_CHARS).collect();
    Reported { status: Some(status), message, ..Reported::default() }
}

/// A token count, for serde. What is no whole number from 0 becomes `u64::MAX`, which nobody takes
/// for sane, so that a provider's nonsense is seen as nonsense and not as silence.
pub(crate) fn figure<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok((!value.is_null()).then(|| whole_number(&value).unwrap_or(u64::MAX)))
}
