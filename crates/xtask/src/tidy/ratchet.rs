//! What tidy still tolerates, in a committed file whose figures may only shrink.
//!
//! The limits are for new code. A file or function that is longer for a good reason, and the lines
//! that are repeated, are recorded with today's figure: the next change may make them smaller and
//! never larger. `cargo xtask tidy --bless` rewrites the record, so a growing exception is a line
//! in a diff that someone has to approve.

use std::collections::BTreeMap;
use std::fmt;

use super::sizes::Size;
use super::{Finding, Measures, duplication};

/// Where the record is kept.
pub(crate) const PATH: &str = ".tidy-ratchet";

/// The longest file without an exception, in lines of code.
const FILE_LINES: usize = 600;
/// The longest function without an exception, in lines of code: about one screen.
const FUNCTION_LINES: usize = 60;

/// The recorded exceptions: lines by place, and the total of repeated lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ratchet {
    files: BTreeMap<String, usize>,
    functions: BTreeMap<String, usize>,
    repeated: usize,
}

impl Ratchet {
    /// Reads the record. An empty text is one without exceptions.
    ///
    /// # Errors
    /// The first line that says nothing known.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut ratchet = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            ratchet.take(line).ok_or_else(|| format!("{PATH}:{number}: cannot read {line:?}"))?;
        }
        Ok(ratchet)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        let (place, figure) = rest.rsplit_once(' ').unwrap_or(("", rest));
        let figure = figure.parse().ok()?;
        match kind {
            "file" => drop(self.files.insert(place.to_owned(), figure)),
            "function" => drop(self.functions.insert(place.to_owned(), figure)),
            "repeated" => self.repeated = figure,
            _ => return None,
        }
        Some(())
    }

    /// The record that today's tree needs.
    pub(crate) fn needed_for(now: &Measures) -> Self {
        Self {
            files: above(&now.files, FILE_LINES),
            functions: above(&now.functions, FUNCTION_LINES),
            repeated: duplication::lines(&now.repeats),
        }
    }

    /// What is larger today than the limit and its exception.
    pub(crate) fn judge(&self, now: &Measures) -> Vec<Finding> {
        let mut findings = too_long(&now.files, FILE_LINES, &self.files, "file");
        findings.extend(too_long(&now.functions, FUNCTION_LINES, &self.functions, "function"));
        let repeated = duplication::lines(&now.repeats);
        if repeated > self.repeated {
            findings.extend(now.repeats.iter().map(|repeat| {
                let text = format!(
                    "{} lines repeat those at {} ({repeated} repeated lines in all, {} tolerated)",
                    repeat.lines, repeat.first, self.repeated
                );
                Finding::new(&repeat.path, repeat.line, text)
            }));
        }
        findings
    }

    /// Exceptions that are larger than what today's tree needs.
    pub(crate) fn slack(&self, now: &Measures) -> Vec<String> {
        let needed = Self::needed_for(now);
        let shrunk = |recorded: &BTreeMap<String, usize>, needed: &BTreeMap<String, usize>| {
            let fits = |(place, lines): &(&String, &usize)| needed.get(*place) < Some(*lines);
            recorded.iter().filter(fits).map(|(place, _)| place.clone()).collect::<Vec<_>>()
        };
        let mut places = shrunk(&self.files, &needed.files);
        places.extend(shrunk(&self.functions, &needed.functions));
        if needed.repeated < self.repeated {
            places.push("repeated lines".to_owned());
        }
        let said = |place| format!("{place}: shrunk; record it with `cargo xtask tidy --bless`");
        places.into_iter().map(said).collect()
    }
}

/// The places above the limit; of equal names in one file the longest counts.
fn above(sizes: &[Size], limit: usize) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for size in sizes.iter().filter(|size| size.lines > limit) {
        let lines: &mut usize = found.entry(size.place()).or_default();
        *lines = size.lines.max(*lines);
    }
    found
}

fn too_long(
    sizes: &[Size],
    limit: usize,
    exceptions: &BTreeMap<String, usize>,
    what: &str,
) -> Vec<Finding> {
    let allowed = |size: &Size| exceptions.get(&size.place()).copied().unwrap_or(0).max(limit);
    let long = sizes.iter().filter(|size| size.lines > allowed(size));
    long.map(|size| {
        let text = format!(
            "{what} {} has {} lines of code, {} allowed",
            size.name,
            size.lines,
            allowed(size)
        );
        Finding::new(&size.path, size.line, text.replace("  ", " "))
    })
    .collect()
}

impl fmt::Display for Ratchet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# What `cargo xtask tidy` tolerates, in lines of code. Figures only shrink.")?;
        for (place, lines) in &self.files {
            writeln!(f, "file {place} {lines}")?;
        }
        for (place, lines) in &self.functions {
            writeln!(f, "function {place} {lines}")?;
        }
        writeln!(f, "repeated {}", self.repeated)
    }
}

#[cfg(test)]
mod tests {
    use super::Ratchet;
    use crate::tidy::Measures;
    use crate::tidy::sizes::Size;

    fn with_function(lines: usize) -> Measures {
        let size = Size { path: "a.rs".into(), name: "f".into(), line: 7, lines };
        Measures { files: Vec::new(), functions: vec![size], repeats: Vec::new() }
    }

    #[test]
    fn a_new_long_function_is_found_at_its_line() {
        let findings = Ratchet::default().judge(&with_function(61));
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("a.rs", 7));
        assert!(Ratchet::default().judge(&with_function(60)).is_empty());
    }

    #[test]
    fn an_exception_may_shrink_and_not_grow() {
        let recorded = Ratchet::parse("# why\nfunction a.rs f 70\n").unwrap();
        assert!(recorded.judge(&with_function(70)).is_empty());
        assert!(recorded.slack(&with_function(70)).is_empty());
        assert_eq!(recorded.slack(&with_function(65)).len(), 1);
        assert_eq!(recorded.judge(&with_function(71)).len(), 1);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let written = Ratchet::needed_for(&with_function(90));
        assert_eq!(Ratchet::parse(&written.to_string()).unwrap(), written);
        assert!(Ratchet::parse("functions a.rs f 1").is_err());
    }
}
