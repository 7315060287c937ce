//! The files of the matrix: sections of text under `== heading`, read, compared and blessed.

use std::path::PathBuf;

use serde_json::Value;

/// Heading and text.
pub(super) type Sections = Vec<(String, String)>;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

/// The cases that have this file, with its sections.
#[expect(clippy::disallowed_methods, reason = "the cases lie beside the tests")]
pub(super) fn cases(file: &str) -> Vec<(String, Sections)> {
    let folders = std::fs::read_dir(root()).expect("the folder of cases");
    let mut cases: Vec<_> = folders
        .filter_map(|folder| {
            let folder = folder.ok()?.path();
            let text = std::fs::read_to_string(folder.join(file)).ok()?;
            Some((folder.file_name()?.to_str()?.to_owned(), sections(&text)))
        })
        .collect();
    assert!(!cases.is_empty(), "no case has {file}");
    cases.sort();
    cases
}

fn sections(text: &str) -> Sections {
    let mut sections = Sections::new();
    for line in text.lines() {
        match (line.strip_prefix("== "), sections.last_mut()) {
            (Some(heading), _) => sections.push((heading.to_owned(), String::new())),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => panic!("a file of sections begins with a heading"),
        }
    }
    sections
}

/// Compares the sections with the file of the case, or writes it.
#[expect(clippy::disallowed_methods, reason = "golden files lie beside the tests")]
pub(super) fn check(case: &str, file: &str, found: Sections) {
    let text: String =
        merged(found).iter().map(|(heading, text)| format!("== {heading}\n{text}")).collect();
    let path = root().join(case).join(file);
    if std::env::var("WEIGHBRIDGE_BLESS").is_ok() {
        std::fs::write(&path, &text).expect("a golden file");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = text.lines().zip(golden.lines()).enumerate();
    let first = lines.into_iter().find(|(_, (is, was))| is != was);
    let shown = first.map(|(at, (is, was))| format!("line {}\n was {was}\n  is {is}", at + 1));
    assert!(text == golden, "{case}/{file} has changed: {}", shown.unwrap_or_default());
}

/// Sections with the same text become one.
fn merged(found: Sections) -> Sections {
    let mut merged = Sections::new();
    for (heading, text) in found {
        match merged.iter_mut().find(|(_, same)| *same == text) {
            Some((headings, _)) => *headings = format!("{headings} | {heading}"),
            None => merged.push((heading, text)),
        }
    }
    merged
}

/// JSON for the eye: one member a line, and one element a line in lists of several objects.
pub(super) fn shown(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json).expect("JSON");
    let Value::Object(members) = &value else { return format!("{value}\n") };
    let members: Vec<_> =
        members.iter().map(|(key, value)| format!("  \"{key}\":{}", listed(value))).collect();
    format!("{{\n{}}}\n", members.join(",\n"))
}

fn listed(value: &Value) -> String {
    match value {
        Value::Array(list) if list.len() > 1 && list.iter().all(Value::is_object) => {
            let elements: Vec<_> = list.iter().map(|element| format!("    {element}")).collect();
            format!("[\n{}]", elements.join(",\n"))
        }
        value => value.to_string(),
    }
}
