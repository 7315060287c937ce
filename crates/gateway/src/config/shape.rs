//! Compares the tree with the table of keys: unknown keys, keys written twice, sections that are
//! none, and capabilities that this version does not have. Single values are the reader's affair.

use std::collections::HashMap;

use super::keys::{self, Key, Kind, Support};
use super::problem::did_you_mean;
use super::reader::Reader;
use super::tree::{Entry, Mark, Node, Value};
use super::values::{Wrong, quoted};

/// Notes everything about the tree's shape that the table does not allow.
pub(super) fn check(reader: &mut Reader<'_>, root: &Node) {
    section(reader, root, Place { path: "", pattern: "", refused: false });
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Place<'p> {
    path: &'p str,
    pattern: &'p str,
    /// A capability above was refused already; only unknown keys still count.
    refused: bool,
}

impl Place<'_> {
    fn below(&self, name: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{name}", self.path)
    }
}

/// Walks the entries of a mapping whose keys are ours. The tree's depth is bounded.
fn section(reader: &mut Reader<'_>, node: &Node, place: Place<'_>) {
    duplicates(reader, node.entries(), place);
    for entry in node.entries() {
        let path = place.below(&entry.key);
        let known = keys::children(place.pattern).find(|(name, _)| *name == entry.key);
        match known {
            Some((_, key)) => {
                let below = Place { path: &path, pattern: key.path, ..place };
                value(reader, &entry.node, entry.mark, key, below);
            }
            None => reader.wrong_at(entry.mark, path, unknown(&entry.key, place)),
        }
    }
}

fn unknown(name: &str, place: Place<'_>) -> Wrong {
    let wrong = Wrong::new(format!("unknown key {}", quoted(name)));
    if name == "<<" {
        return wrong.hint("merge keys are not known here; write the keys out or use an alias");
    }
    let siblings = keys::children(place.pattern).map(|(name, _)| name);
    let near = did_you_mean(name, siblings.clone());
    let elsewhere = || {
        let mut ours = keys::KEYS.iter().filter(|key| key.support == Support::Now);
        let home = ours.find(|key| key.path.rsplit('.').next() == Some(name))?;
        Some(format!("it belongs at `{}`", home.path))
    };
    let all = || {
        let names: Vec<String> = siblings.map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("known here: {}", names.join(", ")))
    };
    Wrong { suggestion: near.or_else(elsewhere).or_else(all), ..wrong }
}

/// Walks the value of a key.
fn value(reader: &mut Reader<'_>, node: &Node, mark: Mark, key: &Key, place: Place<'_>) {
    let mut place = place;
    if let Support::Later(words) = key.support
        && !place.refused
        && !is_off(node, words)
    {
        let wrong = Wrong::new("not supported by this version").hint("remove it");
        reader.wrong_at(mark, place.path.to_owned(), wrong);
        place.refused = true;
    } else if matches!(key.support, Support::Later(_)) {
        place.refused = true;
    }
    match (key.kind, &node.value) {
        (_, Value::Null) => {}
        (Kind::Like(other), Value::Map(_)) => {
            section(reader, node, Place { pattern: other, ..place });
        }
        (Kind::Section, Value::Map(_)) => section(reader, node, place),
        (Kind::Named, Value::Map(_)) => named(reader, node, place),
        (Kind::List, Value::List(items)) => list(reader, items, place),
        (Kind::Either(kinds), Value::Map(_)) if has_section(kinds) => {
            section(reader, node, place);
        }
        (Kind::Section | Kind::Named | Kind::Like(_), _) => {
            expected("a mapping", reader, node, place)
        }
        (Kind::List, _) => expected("a list", reader, node, place),
        _ => {}
    }
}

fn has_section(kinds: &[Kind]) -> bool {
    kinds.iter().any(|kind| matches!(kind, Kind::Section))
}

fn expected(what: &str, reader: &mut Reader<'_>, node: &Node, place: Place<'_>) {
    if !place.refused {
        let wrong = Wrong::new(format!("{what} is needed here, not {}", node.kind()));
        reader.wrong_at(node.mark, place.path.to_owned(), wrong);
    }
}

fn named(reader: &mut Reader<'_>, node: &Node, place: Place<'_>) {
    duplicates(reader, node.entries(), place);
    let pattern = format!("{}.*", place.pattern);
    let Some(key) = keys::find(&pattern) else { return };
    for entry in node.entries() {
        let path = place.below(&entry.key);
        let below = Place { path: &path, pattern: &pattern, ..place };
        value(reader, &entry.node, entry.mark, key, below);
    }
}

fn list(reader: &mut Reader<'_>, items: &[Node], place: Place<'_>) {
    let pattern = format!("{}[]", place.pattern);
    let Some(key) = keys::find(&pattern) else { return };
    for (index, item) in items.iter().enumerate() {
        let path = format!("{}[{index}]", place.path);
        value(reader, item, item.mark, key, Place { path: &path, pattern: &pattern, ..place });
    }
}

fn duplicates(reader: &mut Reader<'_>, entries: &[Entry], place: Place<'_>) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        match first.get(entry.key.as_str()) {
            Some(line) => {
                let wrong = Wrong::new(format!("written twice, first on line {line}"));
                reader.wrong_at(entry.mark, place.below(&entry.key), wrong);
            }
            None => {
                first.insert(&entry.key, entry.mark.line);
            }
        }
    }
}

/// Whether a value asks for nothing: off, empty, or a word that means so.
fn is_off(node: &Node, words: &[&str]) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Text(text) => text == "false" || words.contains(&text.as_str()),
        Value::List(items) => items.is_empty(),
        Value::Map(_) => node.get("enabled").is_some_and(|enabled| is_off(enabled, &[])),
    }
}
