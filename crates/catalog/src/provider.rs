//! A provider: where it is, which dialects it speaks, how a key is shown to it, what is odd about it.

use crate::quirks::QuirkSet;
use serde::Deserialize;
use wire::dialect::Quirks;

/// One row of `data/providers.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name in configuration and in `provider/model`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The id of the dialect it usually speaks, one of `wire::dialect::DIALECTS` or
    /// `wire::plain::PLAIN_DIALECTS`.
    pub dialect: String,
    /// What the dialect's path is appended to; no slash at the end. `{region}` and other
    /// [`Blank`]s stand for what the user fills in, here and in paths.
    pub base_url: String,
    /// The path after the base URL where it is not the dialect's own; `{model}` stands for the
    /// upstream's name of the model. It may end in a query.
    pub path: Option<String>,
    /// The same for streams, where it differs.
    pub stream_path: Option<String>,
    /// Fixed header fields, name and value.
    pub headers: Vec<(String, String)>,
    /// Further ways to talk to it.
    pub speaks: Vec<Face>,
    /// What may stand in braces in its addresses, and what fills it when the user does not.
    pub blanks: Vec<Blank>,
    /// The region it stands in; empty where that means nothing.
    pub region: String,
    /// How a key is shown to it.
    pub auth: AuthKind,
    /// Environment variables its own tools read a key from, best first.
    pub key_env: Vec<String>,
    /// What differs from the dialect's usual habits.
    pub quirks: Quirks,
    /// Those of them that its row names.
    pub own_quirks: QuirkSet,
    /// Whether it can be asked for streams.
    pub stream: StreamSupport,
    /// Runs on the user's own machines: no key needed, any model name, no charge.
    pub local: bool,
    /// Its documentation page.
    pub docs: String,
}

/// A further way to talk to a provider. What is `None` is the provider's usual.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// The id of the dialect.
    pub dialect: String,
    /// What the path is appended to. One that begins with `/` is on the usual address's host, so
    /// that it moves with it.
    pub base_url: Option<String>,
    /// How a key is shown.
    pub auth: Option<AuthKind>,
    /// The path where it is not the dialect's own.
    pub path: Option<String>,
    /// The path of streams, where it differs.
    pub stream_path: Option<String>,
    /// Fixed header fields beside the provider's.
    pub headers: Vec<(String, String)>,
    /// Quirks over the provider's.
    pub quirks: QuirkSet,
}

/// A part of an address that is the user's own: `{resource}`, `{region}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blank {
    /// What stands between the braces, one of [`BLANKS`].
    pub name: String,
    /// What fills it when nobody says more.
    pub default: Option<String>,
    /// Environment variables that the provider's own tools read it from, best first.
    pub env: Vec<String>,
}

/// The names of blanks, which are the configuration's keys.
pub const BLANKS: &[&str] = &["region", "project", "resource", "account", "api_version"];

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
    /// Every request is signed with an AWS key (Signature Version 4, service `bedrock`); a Bedrock
    /// API key goes as a bearer token instead.
    AwsSigv4,
    /// A bearer token that Google gives for a service account; a ready token goes as it is.
    GcpOauth,
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
