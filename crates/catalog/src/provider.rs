//! A provider: where it is, which dialect it speaks, how a key is shown to it, what is odd about it.

use serde::Deserialize;
use wire::dialect::Quirks;

/// One row of `data/providers.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name in configuration and in `provider/model`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The id of the dialect it speaks, one of `wire::dialect::DIALECTS`.
    pub dialect: String,
    /// What the dialect's path is appended to; no slash at the end.
    pub base_url: String,
    /// The region it stands in; empty where that means nothing.
    pub region: String,
    /// How a key is shown to it.
    pub auth: AuthKind,
    /// Environment variables its own tools read a key from, best first.
    pub key_env: Vec<String>,
    /// What differs from the dialect's usual habits.
    pub quirks: Quirks,
    /// Whether it can be asked for streams.
    pub stream: StreamSupport,
    /// Runs on the user's own machines: no key needed, any model name, no charge.
    pub local: bool,
    /// Its documentation page.
    pub docs: String,
}

/// How a key is shown to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// `authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY` (Anthropic).
    XApiKey,
    /// `x-goog-api-key: KEY` (Gemini).
    XGoogApiKey,
    /// `api-key: KEY` (Azure).
    ApiKey,
    /// Not at all.
    None,
}

/// Whether a provider can be asked for streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamSupport {
    /// Yes, wherever the request allows it.
    #[default]
    Auto,
    /// No.
    Never,
}
