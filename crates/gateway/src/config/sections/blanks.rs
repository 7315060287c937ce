//! What stands in braces in addresses and paths: `{region}`, `{resource}`. The keys of the same
//! names fill it, then the catalog's defaults; what is filled by nothing is a problem that names
//! the key.

use std::collections::BTreeMap;

use catalog::provider::BLANKS;

use crate::config::reader::{At, Reader};
use crate::config::values::{Wrong, quoted};

/// What fills blanks, and which were found empty.
pub(in crate::config) struct Blanks<'a> {
    section: At<'a>,
    row: &'a [catalog::Blank],
    values: BTreeMap<&'static str, String>,
    missed: Vec<String>,
}

impl<'a> Blanks<'a> {
    /// What a provider's section says, over its row's defaults.
    pub(in crate::config) fn of_section(
        reader: &mut Reader<'_>,
        at: &At<'a>,
        row: Option<&'a catalog::Provider>,
    ) -> Self {
        let mut blanks = Self::of_row(at, row);
        for name in BLANKS {
            let written = reader.written(&at.get(name), checked);
            blanks.values.extend(written.map(|value| (*name, value)));
        }
        blanks
    }

    /// What the environment says, over the row's defaults.
    pub(in crate::config) fn of_environment(
        reader: &Reader<'_>,
        at: &At<'a>,
        row: &'a catalog::Provider,
    ) -> Self {
        let mut blanks = Self::of_row(at, Some(row));
        for blank in &row.blanks {
            let Some(name) = BLANKS.iter().find(|name| **name == blank.name) else { continue };
            let set = blank.env.iter().find_map(|variable| reader.env(variable));
            let value = set.and_then(|text| checked(&text).ok());
            blanks.values.extend(value.map(|value| (*name, value)));
        }
        blanks
    }

    fn of_row(at: &At<'a>, row: Option<&'a catalog::Provider>) -> Self {
        let row = row.map(|row| row.blanks.as_slice()).unwrap_or_default();
        let default = |name: &'static str| {
            let blank = row.iter().find(|blank| blank.name == name)?;
            Some((name, blank.default.clone()?))
        };
        let values = BLANKS.iter().filter_map(|name| default(name)).collect();
        Self { section: at.clone(), row, values, missed: Vec::new() }
    }

    /// The value of a blank.
    pub(in crate::config) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The text with its blanks filled. `{model}` is left for the requests to fill.
    pub(in crate::config) fn filled(
        &mut self,
        reader: &mut Reader<'_>,
        at: &At<'_>,
        text: &str,
    ) -> String {
        let text = self.without_region(text);
        let mut filled = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, (name, after))) = next_blank(rest) {
            filled.push_str(before);
            match self.values.get(name) {
                Some(value) => filled.push_str(value),
                None if name == "model" => filled.push_str("{model}"),
                None => {
                    self.missing(reader, at, name);
                    filled.push_str("missing");
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// Google's global addresses have no region before the host's name.
    fn without_region(&self, text: &str) -> String {
        let global = self.value("region") == Some("global");
        if global { text.replace("//{region}-", "//") } else { text.to_owned() }
    }

    fn missing(&mut self, reader: &mut Reader<'_>, at: &At<'_>, name: &str) {
        if self.missed.iter().any(|missed| missed == name) {
            return;
        }
        self.missed.push(name.to_owned());
        if !BLANKS.contains(&name) {
            let message = format!("{} is no key that fills a blank", quoted(name));
            let known = format!("known: {}, model", BLANKS.join(", "));
            return reader.wrong(at, Wrong::new(message).hint(known));
        }
        let blank = self.row.iter().find(|blank| blank.name == name);
        let variable = blank.and_then(|blank| blank.env.first()).map_or("...", String::as_str);
        let wrong = Wrong::new("the provider's address needs it");
        let hint = format!("write `{name}: \"${{{variable}}}\"`");
        reader.wrong(&self.section.get(name), wrong.hint(hint));
    }
}

/// What stands before the next blank, its name, and what follows.
fn next_blank(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, rest) = text.split_once('{')?;
    Some((before, rest.split_once('}')?))
}

/// A value that stands in a host's name or a path must not end either.
fn checked(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !text.is_empty() && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    let message = format!("{} cannot stand in an address", quoted(text));
    Err(Wrong::new(message).hint("letters, digits, `-`, `_`, `.` and `:`"))
}
