//! `cargo xtask tidy`: the discipline of the house, held by a program instead of by reviewers.
//!
//! Each check is a pure function from texts to findings and has its own file; this one gathers the
//! texts, runs the checks and words the report. What formatting and lints can say is left to
//! `cargo fmt` and `cargo clippy`.

mod duplication;
mod lex;
mod lockfile;
mod modules;
mod ratchet;
mod rooms;
mod sizes;
mod text;
mod tree;

use std::fmt;
use std::time::{Duration, Instant};

use ratchet::Ratchet;
use tree::{Source, Tree};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

/// What a run of tidy says.
pub(crate) struct Report {
    findings: Vec<Finding>,
    notes: Vec<String>,
    files: usize,
    took: Duration,
}

impl Report {
    /// Nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{}:{}: {}", finding.path, finding.line, finding.text)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let (files, found, ms) = (self.files, self.findings.len(), self.took.as_millis());
        writeln!(f, "tidy: {found} findings in {files} files ({ms} ms)")
    }
}

/// Runs every check on the working tree.
///
/// # Errors
/// A text saying why the tree could not be read.
pub(crate) fn check() -> Result<Report, String> {
    let started = Instant::now();
    let tree = Tree::of_workspace()?;
    let now = measure(&tree.sources);
    let recorded = Ratchet::parse(tree.text_of(ratchet::PATH).unwrap_or_default())?;
    let mut findings = other_checks(&tree)?;
    findings.extend(recorded.judge(&now));
    findings.sort();
    let notes = recorded.slack(&now).into_iter().chain([summary(&now)]).collect();
    Ok(Report { findings, notes, files: tree.files.len(), took: started.elapsed() })
}

/// Rewrites the ratchet to what the tree needs today, then runs the other checks.
///
/// # Errors
/// A text saying why the tree could not be read or the ratchet not be written.
pub(crate) fn bless() -> Result<Report, String> {
    let started = Instant::now();
    let tree = Tree::of_workspace()?;
    let now = measure(&tree.sources);
    let blessed = Ratchet::needed_for(&now);
    tree.write(ratchet::PATH, &blessed.to_string())?;
    let mut findings = other_checks(&tree)?;
    findings.sort();
    let notes = vec![format!("wrote {}", ratchet::PATH), summary(&now)];
    Ok(Report { findings, notes, files: tree.files.len(), took: started.elapsed() })
}

/// What the ratchet measures.
struct Measures {
    files: Vec<sizes::Size>,
    functions: Vec<sizes::Size>,
    repeats: Vec<duplication::Repeat>,
}

fn measure(sources: &[Source]) -> Measures {
    Measures {
        files: sources.iter().map(sizes::of_file).collect(),
        functions: sources.iter().flat_map(sizes::of_functions).collect(),
        repeats: duplication::repeats(sources),
    }
}

fn other_checks(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = rooms::check(&tree.metadata()?)?;
    findings.extend(rooms::check_pure(|path| tree.text_of(path)));
    findings.extend(modules::check(&tree.sources));
    findings.extend(lockfile::check(tree.text_of("Cargo.lock").unwrap_or_default()));
    findings.extend(tree.sources.iter().flat_map(text::check_source));
    findings.extend(tree.files.iter().flat_map(text::check_file));
    Ok(findings)
}

/// The largest of each kind, so that growth is seen before it is a finding.
fn summary(now: &Measures) -> String {
    let longest = |sizes: &[sizes::Size]| {
        sizes
            .iter()
            .max_by_key(|size| size.lines)
            .map_or_else(String::new, |size| format!("{} ({} lines)", size.place(), size.lines))
    };
    let repeated = duplication::lines(&now.repeats);
    format!(
        "longest file {}; longest function {}; repeated lines {repeated}",
        longest(&now.files),
        longest(&now.functions)
    )
}
