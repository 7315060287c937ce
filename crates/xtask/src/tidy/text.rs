//! What can be said about a file by reading it: its header, its name, its words.
//!
//! The needles are put together from halves, so that this file is not its own first finding.

use super::Finding;
use super::lex::{is_word, line_of};
use super::tree::{File, Source};

/// Notes to oneself: they belong into the tracker, not on main.
const MARKERS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
/// Endings of files in which a note to oneself is a comment.
const CODE: [&str; 8] = [".rs", ".toml", ".yml", ".yaml", ".sh", ".py", ".js", "Makefile"];

/// Words that tell of the place where something was written instead of what it is.
const BANNED_WORDS: [&str; 2] = [concat!("/wo", "rk/"), concat!("sub", "agent")];

/// File names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 10] = [
    "utils.rs",
    "util.rs",
    "helpers.rs",
    "helper.rs",
    "misc.rs",
    "common.rs",
    "manager.rs",
    "service.rs",
    "handler.rs",
    "handlers.rs",
];
/// Endings of type names that say "does things".
const DOERS: [&str; 5] = ["Manager", "Helper", "Util", "Utils", "Handler"];
/// Words after which a type is named.
const NAMES_A_TYPE: [&str; 4] = ["struct", "enum", "trait", "type"];

/// The checks of a Rust file.
pub(crate) fn check_source(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.starts_with("//! ") {
        findings.push(Finding::new(&source.path, 1, "does not open with a `//!` that explains it"));
    }
    let name = source.path.rsplit('/').next().unwrap_or_default();
    if EMPTY_NAMES.contains(&name) {
        findings.push(Finding::new(
            &source.path,
            1,
            format!("`{name}` does not say what is inside"),
        ));
    }
    findings.extend(doers(source));
    findings
}

/// Types named after doing instead of being.
fn doers(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.lexed.bare.lines()) {
        let mut words = line.split(|c| !is_word(c)).filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let Some(name) = NAMES_A_TYPE.contains(&word).then(|| words.next()).flatten() else {
                continue;
            };
            if DOERS.iter().any(|ending| name.ends_with(ending)) {
                findings.push(Finding::new(&source.path, number, format!("`{name}`: what is it?")));
            }
        }
    }
    findings
}

/// The checks of any text file.
pub(crate) fn check_file(file: &File) -> Vec<Finding> {
    let is_code = CODE.iter().any(|ending| file.path.ends_with(ending));
    let markers = MARKERS.iter().filter(|_| is_code).flat_map(|marker| whole_words(file, marker));
    let banned = BANNED_WORDS.iter().flat_map(|word| {
        file.text.match_indices(word).map(|(at, word)| {
            Finding::new(&file.path, line_of(&file.text, at), format!("`{word}` has no place here"))
        })
    });
    markers.chain(banned).collect()
}

fn whole_words(file: &File, marker: &'static str) -> Vec<Finding> {
    let alone = |at: usize| {
        let before = file.text.get(..at).and_then(|head| head.chars().next_back());
        let after = file.text.get(at + marker.len()..).and_then(|tail| tail.chars().next());
        ![before, after].into_iter().flatten().any(is_word)
    };
    let places = file.text.match_indices(marker).filter(|(at, _)| alone(*at));
    places
        .map(|(at, _)| {
            let text = format!("`{marker}`: do it, or write it down where it is planned");
            Finding::new(&file.path, line_of(&file.text, at), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{check_file, check_source};
    use crate::tidy::tree::{File, Source};

    fn file(path: &str, text: String) -> File {
        File { path: path.into(), text }
    }

    #[test]
    fn a_source_opens_with_its_explanation() {
        assert!(check_source(&Source::new("a.rs", "//! Why.\n")).is_empty());
        assert_eq!(check_source(&Source::new("a.rs", "use std::fmt;\n")).len(), 1);
    }

    #[test]
    fn names_say_what_is_inside() {
        assert_eq!(check_source(&Source::new("x/utils.rs", "//! A.\n")).len(), 1);
        let text = "//! A.\npub struct KeyManager;\n// struct FooHelper\nstruct Helpers;";
        let found = check_source(&Source::new("a.rs", text));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn notes_to_oneself_are_found_in_code_only() {
        let text = format!("a\n# {}: later\n{}S\n", super::MARKERS[0], super::MARKERS[0]);
        assert_eq!(check_file(&file("a.toml", text.clone()))[0].line, 2);
        assert_eq!(check_file(&file("a.toml", text.clone())).len(), 1);
        assert!(check_file(&file("a.md", text)).is_empty());
    }

    #[test]
    fn banned_words_are_found_in_any_text() {
        let text = format!("fine\nsee {}main\n", super::BANNED_WORDS[0]);
        assert_eq!(check_file(&file("a.md", text))[0].line, 2);
        assert!(check_file(&file("a.md", "a/network/b".into())).is_empty());
    }
}
