//! Reads typed values out of the tree and keeps every problem on the way.
//!
//! A wrong value is noted and its default taken instead, so that reading goes on and one run tells
//! all mistakes. What comes out is only valid when no problem was noted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::expand::{self, Env, ReadFile};
use super::keys::{self, Kind};
use super::problem::{Problem, did_you_mean};
use super::tree::{Mark, Node, Value};
use super::types::Secret;
use super::values::{self, Wrong, quoted};

/// A place in the configuration, whether something is written there or not.
#[derive(Clone)]
pub(super) struct At<'t> {
    node: Option<&'t Node>,
    /// Where it is, or for what is missing where its section is.
    mark: Mark,
    /// As the user would say it: `models.fast.strategy`.
    path: String,
    /// As the table of keys says it: `models.*.strategy`.
    pattern: String,
}

impl<'t> At<'t> {
    pub(super) fn root(node: &'t Node) -> Self {
        let node = Some(node);
        Self { node, mark: Mark::START, path: String::new(), pattern: String::new() }
    }

    /// A place where nothing is written.
    pub(super) fn nowhere() -> Self {
        Self { node: None, mark: Mark::START, path: String::new(), pattern: String::new() }
    }

    /// The place of a key of ours in this section.
    pub(super) fn get(&self, key: &str) -> Self {
        self.child(self.node.and_then(|node| node.get(key)), key, key)
    }

    /// The names of the user's in this mapping, each with its place.
    pub(super) fn named(&self) -> Vec<(&'t str, Self)> {
        let entries = self.node.map(Node::entries).unwrap_or_default();
        let place = |entry: &'t super::tree::Entry| {
            (entry.key.as_str(), self.child(Some(&entry.node), &entry.key, "*"))
        };
        entries.iter().map(place).collect()
    }

    /// The items of this list.
    pub(super) fn items(&self) -> Vec<Self> {
        let Some(Node { value: Value::List(items), .. }) = self.node else { return Vec::new() };
        let place = |(index, item): (usize, &'t Node)| Self {
            node: Some(item),
            mark: item.mark,
            path: format!("{}[{index}]", self.path),
            pattern: format!("{}[]", self.pattern),
        };
        items.iter().enumerate().map(place).collect()
    }

    /// Whether something other than `null` is written here.
    pub(super) fn is_present(&self) -> bool {
        self.node.is_some_and(|node| !matches!(node.value, Value::Null))
    }

    /// Whether a mapping is written here.
    pub(super) fn is_section(&self) -> bool {
        matches!(self.node, Some(Node { value: Value::Map(_), .. }))
    }

    fn child(&self, node: Option<&'t Node>, name: &str, pattern: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let mut pattern = format!("{}{dot}{pattern}", self.pattern);
        if let Some(Kind::Like(other)) = keys::find(&pattern).map(|key| key.kind) {
            pattern = other.to_owned();
        }
        let mark = node.map_or(self.mark, |node| node.mark);
        Self { node, mark, path: format!("{}{dot}{name}", self.path), pattern }
    }
}

/// What reading needs of the world, and what it found wrong.
pub(super) struct Reader<'a> {
    file: &'a str,
    directory: &'a Path,
    env: Env<'a>,
    read: ReadFile<'a>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, env: Env<'a>, read: ReadFile<'a>) -> Self {
        let directory = Path::new(file).parent().unwrap_or(Path::new(""));
        Self { file, directory, env, read, problems: Vec::new() }
    }

    /// The problems in the order of the file; those of other files come last.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        let file = self.file;
        self.problems.sort_by_key(|each| (each.file != file, each.line, each.column));
        self.problems
    }

    /// How many problems there are so far.
    pub(super) fn count_problems(&self) -> usize {
        self.problems.len()
    }

    /// An environment variable that is set to something.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        let text = (self.env)(name)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// A path from the configuration's directory, and what is in the file.
    pub(super) fn text_of(&self, path: &Path) -> (PathBuf, std::io::Result<String>) {
        let path = self.directory.join(path);
        let text = (self.read)(&path);
        (path, text)
    }

    /// Notes a problem of another file.
    pub(super) fn wrong_in(&mut self, file: &Path, line: Option<usize>, row: String, text: String) {
        let (file, line) = (file.display().to_string(), line.unwrap_or(1));
        let problem = Problem { file, line, column: 1, path: row, message: text, suggestion: None };
        self.problems.push(problem);
    }

    /// Notes a problem at a place.
    pub(super) fn wrong(&mut self, at: &At<'_>, wrong: Wrong) {
        self.wrong_at(at.mark, at.path.clone(), wrong);
    }

    /// Notes a problem at a line and column.
    pub(super) fn wrong_at(&mut self, mark: Mark, path: String, wrong: Wrong) {
        let Wrong { message, suggestion } = wrong;
        let file = self.file.to_owned();
        let Mark { line, column } = mark;
        self.problems.push(Problem { file, line, column, path, message, suggestion });
    }

    /// The text here, expanded. `None` when nothing usable is written.
    pub(super) fn text(&mut self, at: &At<'_>) -> Option<String> {
        match &at.node?.value {
            Value::Null => None,
            Value::Text(text) => {
                let expanded = expand::expand(text, self.directory, self.env, self.read);
                expanded.map_err(|wrong| self.wrong(at, wrong)).ok()
            }
            Value::List(_) | Value::Map(_) => {
                let found = at.node.map_or("nothing", Node::kind);
                self.wrong(at, Wrong::new(format!("a single value is needed here, not {found}")));
                None
            }
        }
    }

    /// The value here, or the inherited one, or the table's default, or `last` should there be
    /// none of these.
    pub(super) fn value<T>(
        &mut self,
        at: &At<'_>,
        inherited: Option<T>,
        last: T,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> T {
        let written = self.written(at, &parse);
        written.or(inherited).or_else(|| self.default(at, &parse)).unwrap_or(last)
    }

    /// The value here, `None` when nothing usable is written.
    pub(super) fn written<T>(
        &mut self,
        at: &At<'_>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let text = self.text(at)?;
        parse(&text).map_err(|wrong| self.wrong(at, wrong)).ok()
    }

    fn default<T>(&self, at: &At<'_>, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let default = keys::find(&at.pattern)?.default;
        let text = expand::expand(default, self.directory, self.env, self.read).ok()?;
        parse(&text).ok()
    }

    /// A duration. Zero is refused where the table says that it makes no sense.
    pub(super) fn duration(&mut self, at: &At<'_>, inherited: Option<Duration>) -> Duration {
        let parse = duration_of(at);
        self.value(at, inherited, Duration::ZERO, parse)
    }

    /// A duration that may be left out.
    pub(super) fn optional_duration(&mut self, at: &At<'_>) -> Option<Duration> {
        let parse = duration_of(at);
        self.written(at, parse)
    }

    /// A whole number within the table's bounds.
    pub(super) fn count(&mut self, at: &At<'_>, inherited: Option<u32>) -> u32 {
        let parse = count_of(at);
        let number = self.value(at, inherited.map(u64::from), 0, parse);
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// A whole number within the table's bounds that may be left out.
    pub(super) fn optional_count(&mut self, at: &At<'_>) -> Option<u64> {
        let parse = count_of(at);
        self.written(at, parse)
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, at: &At<'_>, inherited: Option<bool>) -> bool {
        self.value(at, inherited, false, values::flag)
    }

    /// A number of bytes.
    pub(super) fn size(&mut self, at: &At<'_>) -> u64 {
        self.value(at, None, 0, |text| match values::size(text) {
            Ok(0) => Err(Wrong::new("nothing would fit into zero bytes")),
            other => other,
        })
    }

    /// What a word stands for, by a table whose words are the key table's.
    pub(super) fn word<T: Copy>(
        &mut self,
        at: &At<'_>,
        inherited: Option<T>,
        words: &[(&str, T)],
        last: T,
    ) -> T {
        self.value(at, inherited, last, |text| one_of(text, words))
    }

    /// What a word stands for; may be left out.
    pub(super) fn optional_word<T: Copy>(&mut self, at: &At<'_>, words: &[(&str, T)]) -> Option<T> {
        self.written(at, |text| one_of(text, words))
    }

    /// A text that is not empty and has no control characters; may be left out.
    pub(super) fn name(&mut self, at: &At<'_>) -> Option<String> {
        self.written(at, |text| match text {
            "" => Err(Wrong::new("empty")),
            _ if text.chars().any(char::is_control) => {
                Err(Wrong::new("a line break or control character inside"))
            }
            _ => Ok(text.to_owned()),
        })
    }

    /// A secret that can stand in an HTTP header; `None` when it is left out or empty.
    pub(super) fn secret(&mut self, at: &At<'_>) -> Option<Secret> {
        let parse = |text: &str| {
            let fits = text.bytes().all(|byte| byte.is_ascii_graphic());
            let wrong = || Wrong::new("a secret has no spaces, line breaks or non-ASCII letters");
            if fits { Ok(text.to_owned()) } else { Err(wrong()) }
        };
        let text = self.value(at, None, String::new(), parse);
        (!text.is_empty()).then(|| Secret::new(text))
    }

    /// A secret that must be there: a written but empty one is a problem.
    pub(super) fn credential(&mut self, at: &At<'_>) -> Option<Secret> {
        let before = self.count_problems();
        let secret = self.secret(at);
        if secret.is_none() && self.count_problems() == before {
            self.wrong(at, Wrong::new("empty").hint("is its environment variable set?"));
        }
        secret
    }

    /// A path as written.
    pub(super) fn path(&mut self, at: &At<'_>) -> PathBuf {
        self.value(at, None, PathBuf::new(), |text| match text {
            "" => Err(Wrong::new("an empty path")),
            _ => Ok(PathBuf::from(text)),
        })
    }

    /// The content of the file whose path is written here, from the configuration's directory.
    pub(super) fn file(&mut self, at: &At<'_>) -> Option<String> {
        let (directory, read) = (self.directory, self.read);
        self.written(at, |path| expand::contents(&directory.join(path), read))
    }
}

fn duration_of(at: &At<'_>) -> impl Fn(&str) -> Result<Duration, Wrong> + use<> {
    let kind = keys::find(&at.pattern).map(|key| key.kind);
    let zero = matches!(kind, Some(Kind::Duration { zero: true }));
    move |text| match values::duration(text)? {
        Duration::ZERO if !zero => Err(Wrong::new("zero makes no sense here")),
        duration => Ok(duration),
    }
}

fn count_of(at: &At<'_>) -> impl Fn(&str) -> Result<u64, Wrong> + use<> {
    let (least, most) = match keys::find(&at.pattern).map(|key| key.kind) {
        Some(Kind::Count { least, most }) => (least, most),
        _ => (0, u64::from(u32::MAX)),
    };
    move |text| values::count(text, least, most)
}

fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let names = || words.iter().map(|(word, _)| *word);
    let listed: Vec<String> = names().map(|word| format!("`{word}`")).collect();
    let verb = if listed.len() == 1 { "is not" } else { "is none of" };
    let wrong = Wrong::new(format!("{} {verb} {}", quoted(text), listed.join(", ")));
    Err(Wrong { suggestion: did_you_mean(text, names()), ..wrong })
}
