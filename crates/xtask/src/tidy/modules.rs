//! The order of the modules inside `gateway`.
//!
//! One crate holds the running program, so the compiler does not keep its modules apart. Uses go
//! down one list; modules that are not in the list (leaves such as error types) may stand
//! anywhere as long as nothing runs in a circle. Inline tests are free to reach up.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::lex::{is_word, line_of};
use super::tree::Source;

const ROOT: &str = "crates/gateway/src/";

/// From top to bottom; a row may use the rows below it, and not its neighbours.
const ORDER: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["app"],
    &["http", "admin"],
    &["pipeline"],
    &["upstream"],
    &["telemetry"],
    &["config"],
];

/// One use of a module by another.
struct Use<'a> {
    from: &'a str,
    to: &'a str,
    path: &'a str,
    line: usize,
}

/// Checks the order and looks for circles.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let inside: Vec<(&str, &Source)> =
        sources.iter().filter_map(|source| Some((module_of(&source.path)?, source))).collect();
    let modules: BTreeSet<&str> = inside.iter().map(|(module, _)| *module).collect();
    let uses: Vec<Use<'_>> =
        inside.iter().flat_map(|(module, source)| uses_of(module, source, &modules)).collect();
    let upward = uses.iter().filter(|edge| goes_up(edge.from, edge.to)).map(|edge| {
        let text =
            format!("`{}` must not use `{}`, which stands above or beside", edge.from, edge.to);
        Finding::new(edge.path, edge.line, text)
    });
    let circular = uses.iter().filter(|edge| !goes_up(edge.from, edge.to)).filter_map(|edge| {
        let way = way_back(edge, &uses)?;
        Some(Finding::new(edge.path, edge.line, format!("modules in a circle: {way}")))
    });
    upward.chain(circular).collect()
}

/// The top module a file of the gateway belongs to; none for the crate's root.
fn module_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix(ROOT)?;
    let module = inner.split('/').next()?.trim_end_matches(".rs");
    (module != "lib").then_some(module)
}

fn uses_of<'a>(from: &'a str, source: &'a Source, modules: &BTreeSet<&'a str>) -> Vec<Use<'a>> {
    let bare = source.lexed.bare.as_str();
    let places = bare.match_indices("crate::").filter(|(at, _)| {
        let before = bare.get(..*at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| is_word(c) || c == '$')
    });
    places
        .map(|(at, needle)| (line_of(bare, at), bare.get(at + needle.len()..).unwrap_or("")))
        .filter(|(line, _)| source.lexed.in_tests.get(line - 1) != Some(&true))
        .flat_map(|(line, tail)| first_names(tail).into_iter().map(move |name| (line, name)))
        .filter_map(|(line, name)| {
            let to = modules.get(name).copied().filter(|to| *to != from)?;
            Some(Use { from, to, path: &source.path, line })
        })
        .collect()
}

/// The first names of a path, or of each path of a `{...}` group.
fn first_names(tail: &str) -> Vec<&str> {
    let Some(group) = tail.strip_prefix('{') else {
        return name_at(tail).into_iter().collect();
    };
    let (mut depth, mut names, mut expected) = (0_u32, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && is_word(c) => {
                names.extend(group.get(at..).and_then(name_at));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn name_at(text: &str) -> Option<&str> {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    text.get(..end).filter(|name| !name.is_empty())
}

fn goes_up(from: &str, to: &str) -> bool {
    let rank = |module: &str| ORDER.iter().position(|row| row.contains(&module));
    matches!((rank(from), rank(to)), (Some(from), Some(to)) if to <= from)
}

/// The circle that this use closes, if its target leads back to it.
fn way_back(edge: &Use<'_>, uses: &[Use<'_>]) -> Option<String> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = vec![edge.to];
    while let Some(here) = open.pop() {
        for next in uses.iter().filter(|other| other.from == here).map(|other| other.to) {
            if next != edge.to && !came_from.contains_key(next) {
                came_from.insert(next, here);
                open.push(next);
            }
        }
    }
    let mut way = vec![edge.from];
    let mut here = came_from.get(edge.from).copied()?;
    while here != edge.to {
        way.push(here);
        here = came_from.get(here).copied()?;
    }
    way.extend([edge.to, edge.from]);
    way.reverse();
    Some(way.join(" -> "))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Source;

    fn texts(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("crates/gateway/src/{path}"), text))
            .collect();
        check(&sources).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn uses_down_the_list_are_fine_and_up_or_sideways_are_found() {
        let down = ("app/mod.rs", "use crate::{http::Door, pipeline::{self, run}};");
        let rest = [("http/mod.rs", ""), ("pipeline/mod.rs", ""), ("admin.rs", "")];
        let with = |file| texts(&[&[down, file], &rest[..]].concat());
        assert!(with(("config/mod.rs", "// crate::app")).is_empty());
        assert_eq!(with(("config/mod.rs", "fn f() -> crate::app::App {}")).len(), 1);
        assert_eq!(with(("http/door.rs", "use crate::admin::Page;")).len(), 1);
    }

    #[test]
    fn modules_outside_the_list_may_not_run_in_a_circle() {
        let found = texts(&[
            ("failure.rs", "use crate::config::Text;"),
            ("config/mod.rs", "use crate::clock::Clock;"),
            ("clock.rs", "use crate::failure::Failure;"),
            ("world.rs", "use crate::clock::Clock;"),
        ]);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], "modules in a circle: failure -> config -> clock -> failure");
    }

    #[test]
    fn inline_tests_may_reach_up() {
        let tests = "#[cfg(test)]\nmod tests {\n    use crate::app::App;\n}\n";
        assert!(texts(&[("config/mod.rs", tests), ("app/mod.rs", "")]).is_empty());
    }
}
