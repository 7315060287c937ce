//! YAML text as a tree whose every node knows its line, so that each mistake can name its place.
//!
//! Built from the parser's events and not by deserialising: a deserialiser stops at the first
//! wrong type, this tree lets the reader report all of them. Scalars stay text; what they mean is
//! the reader's affair. Everything is bounded (text, nodes, depth), aliases included, so no file
//! however hostile costs more than a moment.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    Event, Marker, Options, Parser, ScalarStyle, ScanError, StrInput,
};

/// The longest configuration, in bytes. A thousand model groups take about a tenth of it.
const MAX_BYTES: usize = 4 << 20;
/// The most nodes, those repeated by aliases included.
const MAX_NODES: usize = 100_000;
/// The deepest nesting. The deepest key of ours is at level 8.
const MAX_DEPTH: usize = 32;

/// A place in the text, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Mark {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(marker: Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) value: Value,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing written, `null` or `~`.
    Null,
    /// Any scalar, its text after YAML's escapes.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) node: Node,
}

impl Node {
    /// A mapping without entries, at the start of the text.
    pub(super) fn empty() -> Self {
        Self { mark: Mark::START, value: Value::Map(Vec::new()) }
    }

    /// The value of the first entry of this key, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries if this is a map, else none.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// How this kind of value is called in messages.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Why there is no tree.
#[derive(Debug)]
pub(super) struct TreeError {
    pub(super) mark: Mark,
    pub(super) message: String,
}

/// Reads one YAML document whose root is a mapping, as an empty text is.
///
/// # Errors
/// For broken YAML, another root, a second document, or a text beyond the bounds.
pub(super) fn parse(text: &str) -> Result<Node, TreeError> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is longer than {MAX_BYTES} bytes");
        return Err(TreeError { mark: Mark::START, message });
    }
    let mut options = Options::default();
    options.emit_comments = false;
    let mut building = Building::default();
    for event in Parser::with_options(StrInput::new(text), options) {
        let (event, span) = event.map_err(|error| broken(&error, text))?;
        building.take(event, Mark::of(span.start))?;
    }
    match building.root {
        Some(root) if matches!(root.value, Value::Map(_)) => Ok(root),
        Some(Node { value: Value::Null, .. }) | None => Ok(Node::empty()),
        Some(root) => {
            let message = format!("the configuration is a mapping, not {}", root.kind());
            Err(TreeError { mark: root.mark, message })
        }
    }
}

fn broken(error: &ScanError, text: &str) -> TreeError {
    let mark = Mark::of(*error.marker());
    let line = text.lines().nth(mark.line - 1).unwrap_or("");
    // The likeliest mistake of all in this file: `{ api_key: ${KEY} }`, where `{` opens a mapping.
    let hint = if line.contains("${") { "; inside `{ }` write \"${NAME}\" in quotes" } else { "" };
    TreeError { mark, message: format!("not valid YAML: {}{hint}", error.info()) }
}

/// A collection whose end has not come yet.
struct Open {
    mark: Mark,
    anchor: usize,
    value: Value,
    /// In a map: the key that waits for its value.
    key: Option<(String, Mark)>,
}

/// The tree while its events arrive.
#[derive(Default)]
struct Building {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Building {
    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), TreeError> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Text(text.into_owned()) };
                self.finish(Node { mark, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(mark, anchor, Value::List(vec![])),
            Event::MappingStart(_, anchor, _) => self.begin(mark, anchor, Value::Map(vec![])),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, mark),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(error(mark, "a second YAML document; the configuration is one document"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, mark: Mark, anchor: usize, value: Value) -> Result<(), TreeError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(error(mark, "nested too deeply"));
        }
        self.open.push(Open { mark, anchor, value, key: None });
        Ok(())
    }

    fn end(&mut self) -> Result<(), TreeError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        self.finish(Node { mark: open.mark, value: open.value }, open.anchor)
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<(), TreeError> {
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(error(mark, "an alias to a value that is not complete yet"));
        };
        // Counted before the copy is made: a bomb of aliases must not cost its size.
        self.nodes += size(target);
        self.check_size(mark)?;
        if self.open.len() + depth(target) > MAX_DEPTH {
            return Err(error(mark, "nested too deeply"));
        }
        let copy = Node { mark, value: target.value.clone() };
        self.place(copy)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), TreeError> {
        self.nodes += 1;
        self.check_size(node.mark)?;
        if anchor != 0 {
            // The kept copy counts as well.
            self.nodes += size(&node);
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    fn check_size(&self, mark: Mark) -> Result<(), TreeError> {
        if self.nodes > MAX_NODES { Err(error(mark, "too many values")) } else { Ok(()) }
    }

    /// Puts a complete node where it belongs: the root, a list's end, a map's key or value.
    fn place(&mut self, node: Node) -> Result<(), TreeError> {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                Some((key, mark)) => entries.push(Entry { key, mark, node }),
                None => parent.key = Some((key_text(&node)?, node.mark)),
            },
            Value::Null | Value::Text(_) => {}
        }
        Ok(())
    }
}

fn key_text(node: &Node) -> Result<String, TreeError> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Null => Err(error(node.mark, "a key is missing before `:`")),
        Value::List(_) | Value::Map(_) => Err(error(
            node.mark,
            "a key is a plain name; a text that begins with `{`, `[` or `*` is written in quotes",
        )),
    }
}

fn error(mark: Mark, message: &str) -> TreeError {
    TreeError { mark, message: message.to_owned() }
}

/// The nodes of a tree. Its depth is bounded by `MAX_DEPTH`.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Text(_) => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.node)).sum::<usize>(),
    }
}

/// The levels of collections in a tree.
fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Text(_) => 0,
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => {
            1 + entries.iter().map(|entry| depth(&entry.node)).max().unwrap_or(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{}:{}: {}", error.mark.line, error.mark.column, error.message)
    }

    #[test]
    fn nodes_know_their_line_and_column() {
        let root = parse("a: 1\nb:\n  - x\n  - { c: ~ }\n").unwrap();
        let list = root.get("b").unwrap();
        let Value::List(items) = &list.value else { panic!("a list") };
        assert_eq!(items[1].mark, Mark { line: 4, column: 5 });
        assert_eq!(items[1].entries()[0].mark, Mark { line: 4, column: 7 });
        assert!(matches!(items[1].get("c").unwrap().value, Value::Null));
        assert!(parse("").unwrap().entries().is_empty());
    }

    #[test]
    fn aliases_repeat_a_value_and_cannot_explode() {
        let root = parse("a: &t { x: 1 }\nb: *t\n").unwrap();
        assert!(root.get("b").unwrap().get("x").is_some());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(fails(&bomb).ends_with("too many values"), "{}", fails(&bomb));
    }

    #[test]
    fn broken_yaml_is_one_error_with_its_line() {
        assert!(fails("a: 1\nb: [1, 2\n").contains("not valid YAML"));
        assert!(fails("x: { api_key: ${KEY} }\n").contains("in quotes"));
        assert_eq!(fails("[1]"), "1:1: the configuration is a mapping, not a list");
        assert!(fails("a: 1\n---\nb: 2\n").contains("second YAML document"));
        assert!(
            fails(&format!("a: {}{}", "[".repeat(40), "]".repeat(40)))
                .contains("nested too deeply")
        );
        assert!(fails("{a: 1}: 2").contains("a key is a plain name"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_tree_or_an_error(text in "([ -~]|[\\n\\t:{}&*\\[\\]-]|\\PC){0,200}") {
            let _ = parse(&text);
        }
    }
}
