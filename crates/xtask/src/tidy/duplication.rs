//! The same code in two places.
//!
//! Only runs of at least [`RUN`] lines count: shorter ones are usually the shape of the language.
//! Lines are compared without comments and indentation; lines without a letter or a digit (closing
//! brackets) and imports are left out, because they make strangers look alike. Tests may repeat
//! themselves: an example is read alone.

use std::collections::HashMap;

use super::tree::Source;

/// The shortest run that is reported, in lines.
const RUN: usize = 12;

/// A run of lines that stands in two places.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) path: String,
    /// Where the later copy begins, from 1.
    pub(crate) line: usize,
    /// The earlier copy, as `path:line`.
    pub(crate) first: String,
    pub(crate) lines: usize,
}

/// How many lines all repeats have together.
pub(crate) fn lines(repeats: &[Repeat]) -> usize {
    repeats.iter().map(|repeat| repeat.lines).sum()
}

/// A line and where it stands: the number of its file, and its own from 1.
struct Line<'a> {
    file: usize,
    number: usize,
    text: &'a str,
}

/// Every repeat in the sources of the crates, found once, at its later copy.
pub(crate) fn repeats(sources: &[Source]) -> Vec<Repeat> {
    let all = comparable(sources);
    let mut seen: HashMap<Vec<&str>, usize> = HashMap::new();
    let mut found = Vec::new();
    let mut covered_to = 0;
    for (at, window) in all.windows(RUN).enumerate() {
        let one_file = window.first().map(|l| l.file) == window.last().map(|l| l.file);
        if at < covered_to || !one_file {
            continue;
        }
        let texts: Vec<&str> = window.iter().map(|line| line.text).collect();
        let Some(&earlier) = seen.get(&texts) else {
            seen.insert(texts, at);
            continue;
        };
        // A run that overlaps itself is a table of equal rows, not a copy.
        let length = common_run(&all, earlier, at);
        covered_to = at + length;
        found.extend(repeat(sources, &all, (earlier, at, length)).filter(|_| earlier + RUN <= at));
    }
    found
}

fn comparable(sources: &[Source]) -> Vec<Line<'_>> {
    let in_crates = |path: &str| path.starts_with("crates/") && path.contains("/src/");
    let code = sources.iter().enumerate().filter(|(_, source)| in_crates(&source.path));
    code.flat_map(|(file, source)| {
        source
            .lexed
            .product_lines()
            .filter(|(_, text)| text.contains(char::is_alphanumeric) && !is_import(text))
            .map(move |(number, text)| Line { file, number, text })
    })
    .collect()
}

fn is_import(line: &str) -> bool {
    line.starts_with("use ") || line.starts_with("pub use ") || line.starts_with("mod ")
}

/// How many lines agree from the two places on, within one file each.
fn common_run(all: &[Line<'_>], earlier: usize, later: usize) -> usize {
    let (first, second) = (all.get(earlier..), all.get(later..));
    let pairs = first.into_iter().flatten().zip(second.into_iter().flatten());
    let (Some(a), Some(b)) = (all.get(earlier), all.get(later)) else { return 0 };
    pairs.take_while(|(x, y)| x.text == y.text && x.file == a.file && y.file == b.file).count()
}

fn repeat(
    sources: &[Source],
    all: &[Line<'_>],
    (earlier, later, lines): (usize, usize, usize),
) -> Option<Repeat> {
    let (from, to) = (all.get(earlier)?, all.get(later)?);
    let (from_path, to_path) = (&sources.get(from.file)?.path, &sources.get(to.file)?.path);
    let first = format!("{from_path}:{}", from.number);
    Some(Repeat { path: to_path.clone(), line: to.number, first, lines })
}

#[cfg(test)]
mod tests {
    use super::{Repeat, repeats};
    use crate::tidy::tree::Source;

    fn numbered(from: usize, to: usize) -> String {
        (from..to).map(|n| format!("    let x{n} = {n};\n")).collect()
    }

    #[test]
    fn a_copied_run_is_reported_once_with_both_places() {
        let a = Source::new("crates/a/src/lib.rs", &format!("//! A.\n{}", numbered(0, 14)));
        let b = Source::new("crates/b/src/lib.rs", &format!("fn b() {{\n{}}}\n", numbered(0, 14)));
        let expected = Repeat {
            path: "crates/b/src/lib.rs".into(),
            line: 2,
            first: "crates/a/src/lib.rs:2".into(),
            lines: 14,
        };
        assert_eq!(repeats(&[a, b]), [expected]);
    }

    #[test]
    fn short_runs_tests_and_other_folders_may_repeat() {
        let a = Source::new("crates/a/src/lib.rs", &numbered(0, 30));
        let short = Source::new("crates/b/src/lib.rs", &numbered(0, 11));
        let outside = Source::new("crates/b/tests/all/main.rs", &numbered(0, 30));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", numbered(0, 30));
        let inline = Source::new("crates/c/src/lib.rs", &tests);
        assert_eq!(repeats(&[a, short, outside, inline]), []);
    }

    #[test]
    fn a_run_does_not_reach_over_the_end_of_a_file() {
        let a = Source::new("crates/a/src/a.rs", &numbered(0, 6));
        let b = Source::new("crates/a/src/b.rs", &numbered(6, 12));
        let c = Source::new("crates/a/src/c.rs", &numbered(0, 12));
        assert_eq!(repeats(&[a, b, c]), []);
    }
}
