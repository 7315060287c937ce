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

use catalog::Catalog;

mod types;
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
mod tests;

pub use expand::{Env, ReadFile};
pub use problem::Problem;
pub(crate) use problem::nearest;
pub use types::*;
pub use url::BaseUrl;

use reader::{At, Reader};
use sections::{groups, outward, providers, routing, server};
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
/// set, and defaults. Clients ask for `provider/model`.
///
/// # Errors
/// When no such variable is set.
pub fn from_environment(env: Env<'_>) -> Result<Config, NoProviders> {
    let rows = || Catalog::embedded().providers().filter(|row| !row.local);
    let mut found = Vec::new();
    for row in rows() {
        let set = row.key_env.iter().filter_map(|name| env(name));
        let key = set.map(|key| key.trim().to_owned()).find(|key| !key.is_empty());
        let provider = key.map(|key| providers::from_row(row, vec![Secret::new(key)]));
        found.extend(provider.and_then(Result::ok));
    }
    if found.is_empty() {
        let names = rows().filter_map(|row| row.key_env.first().cloned());
        return Err(NoProviders { looked_for: names.collect() });
    }
    let no_files = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
    let mut reader = Reader::new("", env, &no_files);
    Ok(assemble(&mut reader, &At::root(&Node::empty()), found))
}

/// A duration as the file writes it (`500ms`, `2s`, `5m`).
#[must_use]
pub fn duration(text: &str) -> Option<std::time::Duration> {
    values::duration(text).ok()
}

/// No file and no key in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProviders {
    /// The variables that would have been used.
    pub looked_for: Vec<String>,
}

impl fmt::Display for NoProviders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no provider: set one of {}", self.looked_for.join(", "))
    }
}

impl std::error::Error for NoProviders {}

fn whole(reader: &mut Reader<'_>, root: &Node) -> Config {
    shape::check(reader, root);
    let at = At::root(root);
    let providers = providers::providers(reader, &at.get("providers"), Catalog::embedded());
    let config = assemble(reader, &at, providers);
    if config.groups.is_empty() && !config.open_catalog {
        let wrong = Wrong::new("without `models` and with `open_catalog: false` nothing is served");
        reader.wrong(&at.get("open_catalog"), wrong);
    }
    config
}

fn assemble(reader: &mut Reader<'_>, at: &At<'_>, providers: Vec<Provider>) -> Config {
    let server = server::server(reader, &at.get("server"));
    let timeouts = routing::timeouts(reader, &at.get("timeouts"), None);
    let failover = routing::failover(reader, &at.get("failover"), None);
    let breaker = routing::breaker(reader, &at.get("breaker"), None);
    let upstream_stream = routing::upstream_stream(reader, &at.get("upstream_stream"), None);
    let unknown_price = outward::unknown_price(reader, &at.get("unknown_price"));
    let around = groups::Around {
        catalog: Catalog::embedded(),
        providers: &providers,
        unknown_price: &unknown_price,
        timeouts: &timeouts,
        failover: &failover,
        breaker: &breaker,
        upstream_stream,
    };
    Config {
        auth: server::auth(reader, at, &server),
        data_dir: reader.path(&at.get("data_dir")),
        groups: groups::groups(reader, &at.get("models"), &around),
        open_catalog: reader.flag(&at.get("open_catalog"), None),
        log: outward::log(reader, &at.get("log")),
        telemetry: outward::telemetry(reader, &at.get("telemetry")),
        server,
        timeouts,
        failover,
        breaker,
        upstream_stream,
        providers,
        unknown_price,
    }
}
