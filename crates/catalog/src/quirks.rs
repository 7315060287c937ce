//! Quirks that somebody wrote down: only the ones named, so that layers can be laid over each other.
//!
//! A finished [`Quirks`] cannot say which of its values were meant and which are defaults. A
//! provider's row, a model's row and a user's configuration each name a few; what holds for a
//! request is the last word on each.

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use toml::{Table, Value};
use wire::dialect::Quirks;

/// Some quirks by name, each checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuirkSet(Table);

impl QuirkSet {
    /// Reads a table of quirks.
    ///
    /// # Errors
    /// For a name that is no quirk, or a value of the wrong kind.
    pub fn new(table: Table) -> Result<Self, String> {
        if table.is_empty() {
            return Ok(Self::default());
        }
        table.clone().try_into::<Quirks>().map_err(|err| err.message().to_owned())?;
        Ok(Self(table))
    }

    /// Adds one quirk from its text: `true`, `150`, `keep`.
    ///
    /// # Errors
    /// When there is no such quirk, or it does not take such a value.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let read = |value: Value| Self::new(Table::from_iter([(name.to_owned(), value)]));
        // A text that looks like a number may still be meant as text.
        let plain = match (text.parse::<bool>(), text.parse::<i64>()) {
            (Ok(flag), _) => Some(Value::Boolean(flag)),
            (_, Ok(number)) => Some(Value::Integer(number)),
            _ => None,
        };
        let as_text = || read(Value::String(text.to_owned()));
        let one = match plain.map(read) {
            Some(Ok(one)) => one,
            Some(Err(problem)) => as_text().map_err(|_| problem)?,
            None => as_text()?,
        };
        self.0.extend(one.0);
        Ok(())
    }

    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These quirks with those of `over` instead, where both name one.
    #[must_use]
    pub fn under(&self, over: &Self) -> Self {
        if over.is_empty() {
            return self.clone();
        }
        let both = self.0.iter().chain(&over.0);
        Self(both.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The quirks that hold, defaults filled in.
    #[must_use]
    pub fn quirks(&self) -> Quirks {
        // Every value was checked by itself, and quirks do not depend on each other.
        self.0.clone().try_into().unwrap_or_default()
    }

    /// The names of all quirks there are.
    #[must_use]
    pub fn names() -> &'static [&'static str] {
        Quirks::deserialize(FieldNames).err().map_or(&[], |Names(names)| names)
    }
}

/// A source of nothing: it fails with the names of the fields that it was asked for.
struct FieldNames;

/// The names, on the way out as an error.
#[derive(Debug)]
struct Names(&'static [&'static str]);

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Names {}

impl de::Error for Names {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for FieldNames {
    type Error = Names;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Names> {
        Err(Names(fields))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Names> {
        Err(Names(&[]))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_each_quirk_holds() {
        let mut row = QuirkSet::default();
        row.set("random_seed", "true").unwrap();
        row.set("max_temperature_centi", "150").unwrap();
        let mut own = QuirkSet::default();
        own.set("random_seed", "false").unwrap();
        own.set("prefill_field", "prefix").unwrap();
        let quirks = row.under(&own).quirks();
        assert!(!quirks.random_seed);
        assert_eq!(quirks.max_temperature_centi, 150);
        assert_eq!(quirks.prefill_field.as_deref(), Some("prefix"));
    }

    #[test]
    fn a_name_or_value_that_is_none_is_refused() {
        let mut set = QuirkSet::default();
        assert!(set.set("no_such_quirk", "true").is_err());
        assert!(set.set("random_seed", "perhaps").is_err());
        assert!(set.set("max_temperature_centi", "-1").is_err());
        assert!(set.is_empty());
    }

    #[test]
    fn a_quirk_that_takes_text_takes_digits() {
        let mut set = QuirkSet::default();
        set.set("prefill_field", "7").unwrap();
        assert_eq!(set.quirks().prefill_field.as_deref(), Some("7"));
    }

    #[test]
    fn all_quirks_are_known_by_name() {
        assert!(QuirkSet::names().contains(&"max_completion_tokens"));
    }
}
