//! The walls between the rooms of the house.
//!
//! The compiler holds a wall as long as a line is missing in a `Cargo.toml`; this check holds the
//! line's absence. A room that is not in the table is a finding: a new one needs a new "must not
//! know".

use serde_json::Value;

use super::Finding;

/// A room, the rooms it may use, and the foreign crates it must not know.
struct Room {
    name: &'static str,
    uses: &'static [&'static str],
    shuns: &'static [&'static str],
}

/// Crates that read clocks, wait, or talk to disks and networks.
const WORLD: &[&str] = &[
    "axum",
    "hyper",
    "hyper-util",
    "mio",
    "notify",
    "reqwest",
    "rusqlite",
    "rustls",
    "tokio",
    "tokio-rustls",
    "tracing",
];
/// `route` thinks in numbers only.
const WORLD_AND_FORMATS: &[&str] = &[
    "axum",
    "http",
    "hyper",
    "hyper-util",
    "mio",
    "notify",
    "reqwest",
    "rusqlite",
    "rustls",
    "serde_json",
    "tokio",
    "tokio-rustls",
    "tracing",
];
/// `store` knows a database and nothing of the web.
const WEB: &[&str] = &["axum", "http", "hyper", "hyper-util", "reqwest"];

const EVERY_ROOM: &[&str] =
    &["audit", "cache", "catalog", "console", "ledger", "route", "sim", "store", "wire"];

const ROOMS: &[Room] = &[
    Room { name: "wire", uses: &[], shuns: WORLD },
    Room { name: "catalog", uses: &["wire"], shuns: WORLD },
    Room { name: "route", uses: &[], shuns: WORLD_AND_FORMATS },
    Room { name: "ledger", uses: &["catalog"], shuns: WORLD },
    Room { name: "cache", uses: &["wire"], shuns: WORLD },
    Room { name: "audit", uses: &["catalog", "wire"], shuns: WORLD },
    Room { name: "store", uses: &["cache", "catalog", "ledger"], shuns: WEB },
    Room { name: "console", uses: &[], shuns: WORLD },
    Room { name: "sim", uses: &["wire"], shuns: &["rusqlite"] },
    Room { name: "gateway", uses: EVERY_ROOM, shuns: &[] },
    Room { name: "xtask", uses: &[], shuns: &[] },
    // What is measured must not be part of the scales.
    Room { name: "bench", uses: &[], shuns: &[] },
];

/// Rooms whose `clippy.toml` bans the clock and the disk.
const PURE: &[&str] = &["wire", "catalog", "route", "ledger", "cache", "audit"];
/// The least such a `clippy.toml` bans.
const PURE_BANS: &[&str] = &["std::time::Instant::now", "std::time::SystemTime::now", "std::env::"];

/// Checks cargo's metadata against the table.
///
/// # Errors
/// The metadata is not what cargo prints.
pub(crate) fn check(metadata: &str) -> Result<Vec<Finding>, String> {
    let metadata: Value = serde_json::from_str(metadata).map_err(|error| error.to_string())?;
    let packages = metadata.get("packages").and_then(Value::as_array).ok_or("no packages")?;
    let ours: Vec<&str> = packages.iter().filter_map(|package| text(package, "name")).collect();
    let root = text(&metadata, "workspace_root").unwrap_or_default();
    Ok(packages.iter().flat_map(|package| check_package(package, &ours, root)).collect())
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn check_package(package: &Value, ours: &[&str], root: &str) -> Vec<Finding> {
    let name = text(package, "name").unwrap_or_default();
    let manifest = text(package, "manifest_path").unwrap_or("Cargo.toml");
    let manifest = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        let said = format!("`{name}` is not in the table of rooms: what must it not know?");
        return vec![Finding::new(manifest, 1, said)];
    };
    let dependencies = package.get("dependencies").and_then(Value::as_array);
    dependencies
        .into_iter()
        .flatten()
        .filter_map(|dependency| refusal(room, dependency, ours))
        .map(|said| Finding::new(manifest, 1, said))
        .collect()
}

/// Why the room must not have this dependency. Tests of a room may use the world, not the rooms.
fn refusal(room: &Room, dependency: &Value, ours: &[&str]) -> Option<String> {
    let name = text(dependency, "name")?;
    if ours.contains(&name) {
        let allowed = room.uses.contains(&name);
        return (!allowed).then(|| format!("`{}` must not use the room `{name}`", room.name));
    }
    let for_tests = text(dependency, "kind") == Some("dev");
    let shunned = room.shuns.contains(&name) && !for_tests;
    shunned.then(|| format!("`{}` must not know `{name}`", room.name))
}

/// Checks that the pure rooms which exist have the bans that keep them pure.
pub(crate) fn check_pure<'a>(text_of: impl Fn(&str) -> Option<&'a str>) -> Vec<Finding> {
    let existing =
        PURE.iter().filter(|name| text_of(&format!("crates/{name}/Cargo.toml")).is_some());
    existing
        .flat_map(|name| {
            let path = format!("crates/{name}/clippy.toml");
            let bans = text_of(&path).unwrap_or_default();
            let missing = PURE_BANS.iter().filter(move |ban| !bans.contains(**ban));
            missing.map(move |ban| Finding::new(&path, 1, format!("does not ban `{ban}`")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{check, check_pure};

    fn package(name: &str, dependency: &str, kind: &str) -> String {
        format!(r#"{{"name":"{name}","dependencies":[{{"name":"{dependency}","kind":{kind}}}]}}"#)
    }

    fn findings(packages: &[String]) -> Vec<String> {
        let metadata = format!(r#"{{"packages":[{}]}}"#, packages.join(","));
        check(&metadata).unwrap().into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn a_line_through_a_wall_is_found_in_tests_too() {
        let wire = package("wire", "serde", "null");
        assert!(findings(&[wire.clone(), package("catalog", "wire", "null")]).is_empty());
        assert_eq!(findings(&[wire.clone(), package("ledger", "wire", "null")]).len(), 1);
        assert_eq!(findings(&[wire, package("route", "wire", "\"dev\"")]).len(), 1);
    }

    #[test]
    fn a_pure_room_must_not_know_the_world_outside_its_tests() {
        assert_eq!(findings(&[package("route", "tokio", "null")]).len(), 1);
        assert!(findings(&[package("route", "tokio", "\"dev\"")]).is_empty());
    }

    #[test]
    fn a_room_without_a_row_is_found() {
        assert_eq!(findings(&[package("attic", "serde", "null")]).len(), 1);
    }

    #[test]
    fn a_pure_room_needs_its_bans() {
        let without = |path: &str| (path == "crates/wire/Cargo.toml").then_some("");
        assert_eq!(check_pure(without).len(), 3);
        assert!(check_pure(|_| None).is_empty());
    }
}
