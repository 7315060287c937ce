//! `weighbridge.yaml`: what the user typed becomes what the program needs, or a list of problems.
//!
//! Three steps. The text becomes a [`tree`] whose nodes know their lines. The tree's [`shape`] is
//! compared with the table of [`keys`]. The [`sections`] are read into typed values, which refer to
//! each other by index. Every step notes its problems and goes on, so one run tells all of them.
//!
//! The environment and the disk are arguments. Nothing here opens a socket or starts anything; a
//! [`Config`] that exists is right as far as a file can be.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use catalog::Catalog;

mod types;
pub mod address;
pub mod url;

pub mod keys;
pub mod schema;
pub mod system;

mod expand;
mod problem;
mod reader;
mod sections;
mod shape;
mod tree;
mod values;

#[cfg(test)]
mod provider_tests;
#[cfg(test)]
mod tests;

pub use address::is_forbidden;
pub use expand::{Env, ReadFile};
pub use problem::Problem;
pub(crate) use problem::nearest;
pub use types::*;
pub use url::BaseUrl;

use reader::{At, Reader};
use sections::{groups, outward, overlay, providers, routing, server};
use tree::{Mark, Node};
use values::Wrong;

/// The configuration's file when none is named, if it exists.
pub const DEFAULT_FILE: &str = "weighbridge.yaml";

/// Reads a configuration file. [`system`] has the real environment and disk.
///
/// # Errors
/// All problems of the file in the order of its lines; a file that cannot be read is one.
pub fn load(path: &Path, env: Env<'_>, read: ReadFile<'_>) -> Result<Config, Vec<Problem>> {
    let file = path.display().to_string();
    match read(path) {
        Ok(text) => parse(&text, &file, env, read),
        Err(error) => {
            let mut reader = Reader::new(&file, env, read);
            let wrong = Wrong::new(format!("cannot be read: {error}"));
            reader.wrong_at(Mark::START, String::new(), wrong);
            Err(reader.into_problems())
        }
    }
}

/// Reads a configuration from its text. `file` is its name in problems, and its directory is where
/// relative `file:` paths begin.
///
/// # Errors
/// All problems in the order of the lines.
pub fn parse(
    text: &str,
    file: &str,
    env: Env<'_>,
    read: ReadFile<'_>,
) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader::new(file, env, read);
    let config = match tree::parse(text) {
        Ok(root) => Some(whole(&mut reader, &root)),
        Err(error) => {
            reader.wrong_at(error.mark, String::new(), Wrong::new(error.message));
            None
        }
    };
    match (config, reader.into_problems()) {
        (Some(config), problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(problems),
    }
}

/// The configuration without a file: every provider of the catalog whose usual key variable is
/// set, and defaults. Clients ask for `provider/model`. `WEIGHBRIDGE_CATALOG` names an overlay.
///
/// # Errors
/// When no such variable is set, or the overlay is wrong.
pub fn from_environment(env: Env<'_>, read: ReadFile<'_>) -> Result<Config, NoProviders> {
    let mut reader = Reader::new("", env, read);
    let overlay = overlay::from_environment(&mut reader);
    let hosted = || overlay.catalog.providers().filter(|row| !row.local);
    let found: Vec<Provider> =
        hosted().filter_map(|row| providers::from_environment(row, env, read)).collect();
    if found.is_empty() {
        let names = hosted().filter_map(|row| row.key_env.first().cloned());
        let looked_for = names.collect();
        return Err(NoProviders { looked_for, problems: reader.into_problems() });
    }
    let config = assemble(&mut reader, &At::root(&Node::empty()), found, overlay);
    match reader.into_problems() {
        problems if problems.is_empty() => Ok(config),
        problems => Err(NoProviders { looked_for: Vec::new(), problems }),
    }
}

/// The catalog without a configuration: the embedded one under the overlay that
/// `WEIGHBRIDGE_CATALOG` names.
///
/// # Errors
/// What is wrong with the overlay.
pub fn catalog(env: Env<'_>, read: ReadFile<'_>) -> Result<Arc<Catalog>, Vec<Problem>> {
    let mut reader = Reader::new("", env, read);
    let overlay = overlay::from_environment(&mut reader);
    match reader.into_problems() {
        problems if problems.is_empty() => Ok(overlay.catalog),
        problems => Err(problems),
    }
}

/// The ids of all dialects that a provider can be said to speak.
pub(crate) fn dialects() -> impl Iterator<Item = &'static str> {
    let conversations = wire::dialect::DIALECTS.iter().map(|dialect| dialect.id);
    conversations.chain(wire::plain::PLAIN_DIALECTS.iter().map(|dialect| dialect.id))
}

/// A duration as the file writes it (`500ms`, `2s`, `5m`).
#[must_use]
pub fn duration(text: &str) -> Option<std::time::Duration> {
    values::duration(text).ok()
}

/// No file, and no key in the environment or a wrong overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProviders {
    /// The variables that would have been used.
    pub looked_for: Vec<String>,
    /// What is wrong with the overlay.
    pub problems: Vec<Problem>,
}

impl fmt::Display for NoProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nobody reads eighty names; the rest is in the reference.
        const SHOWN: usize = 12;
        if self.problems.is_empty() {
            let names = self.looked_for.get(..SHOWN).unwrap_or(&self.looked_for);
            return write!(f, "no provider: set one of {}, ...", names.join(", "));
        }
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for NoProviders {}

fn whole(reader: &mut Reader<'_>, root: &Node) -> Config {
    shape::check(reader, root);
    let at = At::root(root);
    let overlay = overlay::overlay(reader, &at.get("catalog"));
    let providers = providers::providers(reader, &at.get("providers"), &overlay.catalog);
    let config = assemble(reader, &at, providers, overlay);
    if config.groups.is_empty() && !config.open_catalog {
        let wrong = Wrong::new("without `models` and with `open_catalog: false` nothing is served");
        reader.wrong(&at.get("open_catalog"), wrong);
    }
    config
}

fn assemble(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    providers: Vec<Provider>,
    overlay: overlay::Overlay,
) -> Config {
    let server = server::server(reader, &at.get("server"));
    let timeouts = routing::timeouts(reader, &at.get("timeouts"), None);
    let failover = routing::failover(reader, &at.get("failover"), None);
    let breaker = routing::breaker(reader, &at.get("breaker"), None);
    let upstream_stream = routing::upstream_stream(reader, &at.get("upstream_stream"), None);
    let unknown_price = outward::unknown_price(reader, &at.get("unknown_price"));
    let strict = reader.flag(&at.get("strict"), None);
    let around = groups::Around {
        catalog: &overlay.catalog,
        providers: &providers,
        unknown_price: &unknown_price,
        timeouts: &timeouts,
        failover: &failover,
        breaker: &breaker,
        upstream_stream,
        strict,
    };
    Config {
        auth: server::auth(reader, at, &server),
        data_dir: reader.path(&at.get("data_dir")),
        groups: groups::groups(reader, &at.get("models"), &around),
        open_catalog: reader.flag(&at.get("open_catalog"), None),
        log: outward::log(reader, &at.get("log")),
        telemetry: outward::telemetry(reader, &at.get("telemetry")),
        passthrough: providers::passthrough(reader, &at.get("passthrough"), &providers),
        catalog: overlay.catalog,
        catalog_file: overlay.file,
        strict,
        server,
        timeouts,
        failover,
        breaker,
        upstream_stream,
        providers,
        unknown_price,
    }
}
