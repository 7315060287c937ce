//! What the program needs of its configuration: every value present, checked and in its own type.
//!
//! Nothing here is an `Option` that is always `Some`, and nothing here can be half right: a
//! [`Config`] exists only when the whole file was understood. It holds no text to be parsed later.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use catalog::{AuthKind, Catalog, Model, Price, QuirkSet};
use wire::dialect::Quirks;

use super::url::BaseUrl;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Listeners and their bounds.
    pub server: Server,
    /// Where everything that survives a restart is kept.
    pub data_dir: PathBuf,
    /// Who may send requests.
    pub auth: Auth,
    /// The clocks of requests by `provider/model`, and of groups that say nothing else.
    pub timeouts: Timeouts,
    /// What is done about failures, where a group says nothing else.
    pub failover: Failover,
    /// When a deployment is left alone, where a group says nothing else.
    pub breaker: Breaker,
    /// Whether upstreams are asked for streams, where a group says nothing else.
    pub upstream_stream: UpstreamStream,
    /// The configured providers. Deployments refer to them by index.
    pub providers: Vec<Provider>,
    /// The model names clients use. Fallbacks refer to them by index.
    pub groups: Vec<Group>,
    /// Whether clients may also ask for `provider/model` directly.
    pub open_catalog: bool,
    /// Whether a request is refused that its upstream's dialect cannot express whole, where a group
    /// says nothing else.
    pub strict: bool,
    /// The provider of calls that are passed on as they are (audio, images, files, batches), as an
    /// index into `providers`.
    pub passthrough: Option<usize>,
    /// What is known of providers and models, the user's overlay laid over.
    pub catalog: Arc<Catalog>,
    /// The file of that overlay.
    pub catalog_file: Option<PathBuf>,
    /// What to do with a model whose price nobody knows.
    pub unknown_price: UnknownPrice,
    /// What is written to standard error.
    pub log: Log,
    /// What is told to other systems.
    pub telemetry: Telemetry,
}

impl Config {
    /// The provider of this id, with its index.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<(usize, &Provider)> {
        self.providers.iter().enumerate().find(|(_, provider)| provider.id == id)
    }

    /// The group of this name, with its index.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<(usize, &Group)> {
        self.groups.iter().enumerate().find(|(_, group)| group.name == name)
    }
}

/// Listeners and their bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where operators connect.
    pub admin_listen: SocketAddr,
    /// The token of admin calls; one is generated into the data directory when none is set.
    pub admin_token: Option<Secret>,
    /// The longest request body, in bytes.
    pub max_body_bytes: u64,
    /// The longest request head, in bytes.
    pub max_head_bytes: u64,
    /// The most client connections at once.
    pub max_connections: u32,
    /// How long requests in flight may take to finish after SIGTERM.
    pub drain: Duration,
    /// How long new connections are still accepted after SIGTERM.
    pub drain_accept: Duration,
    /// How long a client may take to send its request head.
    pub header_read_timeout: Duration,
    /// Whether `auth: open` is wanted even where others can reach the listener.
    pub allow_open: bool,
}

/// Who may send requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Everyone, as the principal `anonymous`.
    Open,
    /// Holders of these keys.
    Keys(Vec<StaticKey>),
}

/// A key written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticKey {
    /// Its name in logs; unique.
    pub name: String,
    /// What the client sends; unique.
    pub secret: Secret,
    /// The team its use is attributed to.
    pub team: Option<String>,
    /// The user its use is attributed to.
    pub user: Option<String>,
}

/// The clocks of a request and its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Attempt start to connection ready: name, TCP and TLS together.
    pub connect: Duration,
    /// Request sent to first content.
    pub first_token: Duration,
    /// Any upstream byte to the next, after the first content.
    pub read: Duration,
    /// The whole request, all attempts together.
    pub total: Duration,
    /// When to commit the response head although no content has come.
    pub early_headers_after: Duration,
    /// `read` for answers that are not streamed.
    pub unstreamed_read: Duration,
    /// Silence after which a stream says `: keep-alive`.
    pub keep_alive_every: Duration,
    /// How long a client may leave its stream unread.
    pub stalled_client: Duration,
}

/// A provider's own clocks; what is `None` is the group's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeoutOverrides {
    /// See [`Timeouts::connect`].
    pub connect: Option<Duration>,
    /// See [`Timeouts::first_token`].
    pub first_token: Option<Duration>,
    /// See [`Timeouts::read`].
    pub read: Option<Duration>,
    /// See [`Timeouts::unstreamed_read`].
    pub unstreamed_read: Option<Duration>,
}

impl TimeoutOverrides {
    /// The clocks of an attempt at this provider for a request with the clocks `of_group`.
    #[must_use]
    pub fn over(&self, of_group: &Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.unwrap_or(of_group.connect),
            first_token: self.first_token.unwrap_or(of_group.first_token),
            read: self.read.unwrap_or(of_group.read),
            unstreamed_read: self.unstreamed_read.unwrap_or(of_group.unstreamed_read),
            ..*of_group
        }
    }
}

/// What is done about failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failover {
    /// The most attempts of one request, at least 1.
    pub max_attempts: u32,
    /// The most attempts more at the same deployment.
    pub retries: u32,
    /// The longest `Retry-After` that is waited for.
    pub retry_after_patience: Duration,
    /// What happens to an answer cut in the middle.
    pub mid_stream: MidStream,
    /// Whether a second deployment is started while the first is silent.
    pub hedge: Hedge,
}

/// What happens to an answer cut in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MidStream {
    /// The client is told inside the stream.
    Error,
    /// Another deployment continues the text where that is safe.
    Continue,
}

/// A second attempt while the first still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge {
    /// Whether it is done at all.
    pub enabled: bool,
    /// The least silence before it.
    pub after: Duration,
    /// The most hedges per million requests (5 % is 50,000).
    pub max_extra_ppm: u32,
}

/// When a deployment is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Consecutive counted failures that open it, at least 1.
    pub failures: u32,
    /// How long it stays open before the probe.
    pub open_for: Duration,
}

/// Whether an upstream is asked for a stream when the client did not ask for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamStream {
    /// Whenever the upstream can.
    Auto,
    /// Only when the client wants one.
    Never,
}

/// An upstream: its address, its credentials and its ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name in `provider/model`, in logs and metrics; unique.
    pub id: String,
    /// The catalog's provider whose models and prices are valid here, if any.
    pub catalog_id: Option<String>,
    /// The ways it can be talked to: its usual dialect first.
    pub faces: Vec<Face>,
    /// The region its failures and costs belong to; empty where that means nothing.
    pub region: String,
    /// Its credentials; several rotate. Empty only where `auth` is `None`.
    pub credentials: Vec<Proof>,
    /// Whether it can be asked for streams on behalf of clients that did not.
    pub stream: UpstreamStream,
    /// Whether HTTP/2 is spoken: by ALPN over TLS, by prior knowledge without.
    pub http2: bool,
    /// The certificates (PEM) trusted beside the public roots.
    pub ca_file: Option<Vec<u8>>,
    /// Models only this configuration knows, or whose row in the catalog it replaces.
    pub models: Vec<CustomModel>,
    /// Its own clocks.
    pub timeouts: TimeoutOverrides,
}

/// One way to talk to a provider: a dialect and where it is spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// The id of the dialect, one of `wire::dialect::DIALECTS` or `wire::plain::PLAIN_DIALECTS`.
    pub dialect: String,
    /// Where it is.
    pub base_url: BaseUrl,
    /// How a credential is sent.
    pub auth: AuthKind,
    /// Its peculiarities, for models the catalog does not know.
    pub quirks: Quirks,
    /// Those of them that the catalog's rows name.
    pub row_quirks: QuirkSet,
    /// Those that the user wrote, which have the last word.
    pub own_quirks: QuirkSet,
    /// The path after the base URL where it is not the dialect's own; `{model}` stands for the
    /// upstream's name of the model. It may end in a query.
    pub path: Option<String>,
    /// The same for streams, where it differs.
    pub stream_path: Option<String>,
    /// Fixed header fields, name and value.
    pub headers: Vec<(String, String)>,
}

impl Face {
    /// Whether a model of the catalog answers here: some are served by one dialect alone.
    #[must_use]
    pub fn serves(&self, known: Option<&Model>) -> bool {
        let only = known.and_then(|model| model.only.as_deref());
        only.is_none_or(|only| only == self.dialect)
    }

    /// Its peculiarities with a model of the catalog: the provider's row, then the model's, then
    /// what the user wrote.
    #[must_use]
    pub fn quirks_of(&self, known: Option<&Model>) -> Quirks {
        match known {
            Some(model) if !model.own_quirks.is_empty() => {
                self.row_quirks.under(&model.own_quirks).under(&self.own_quirks).quirks()
            }
            _ => self.quirks.clone(),
        }
    }
}

/// What proves to a provider who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A text that is sent with every call: an API key, or a token that is ready. Where `auth` is
    /// `aws_sigv4` or `gcp_oauth`, it goes as a bearer token.
    Key(Secret),
    /// An AWS key that signs every call.
    Aws {
        /// The key's name.
        access_key_id: String,
        /// The key.
        secret_access_key: Secret,
        /// What temporary keys are sent with.
        session_token: Option<Secret>,
    },
    /// Google credentials that tokens are fetched with.
    Gcp {
        /// The JSON of a service account or of a user's login.
        account: Secret,
    },
}

impl Proof {
    /// The part that must never be shown; it also tells credentials of one provider apart.
    #[must_use]
    pub fn secret(&self) -> &str {
        match self {
            Self::Key(secret) => secret.expose(),
            Self::Aws { secret_access_key, .. } => secret_access_key.expose(),
            Self::Gcp { account } => account.expose(),
        }
    }
}

impl Provider {
    /// The way it is usually talked to.
    #[must_use]
    pub fn usual(&self) -> Option<&Face> {
        self.faces.first()
    }

    /// The custom model of this name.
    #[must_use]
    pub fn custom_model(&self, name: &str) -> Option<&CustomModel> {
        self.models.iter().find(|model| model.name == name)
    }
}

/// A model described in the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomModel {
    /// The upstream's name of it.
    pub name: String,
    /// What it costs.
    pub price: Price,
    /// The most tokens of input and output together.
    pub context: Option<u64>,
    /// The most tokens of output.
    pub max_output: Option<u64>,
    /// It continues a partial answer given as the last assistant turn.
    pub prefill: bool,
}

/// A model name that clients use, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name; unique.
    pub name: String,
    /// At least one, in the order written.
    pub deployments: Vec<Deployment>,
    /// How one is chosen: `ordered`, `weighted`, `least_latency`, `least_cost` or `least_busy`.
    pub strategy: String,
    /// Groups to try when these deployments are exhausted, as indices into `Config::groups`.
    pub fallbacks: Vec<usize>,
    /// Groups to try when the context is too long.
    pub context_fallbacks: Vec<usize>,
    /// Groups to try when the content policy refuses.
    pub content_fallbacks: Vec<usize>,
    /// Its clocks.
    pub timeouts: Timeouts,
    /// What is done about its failures.
    pub failover: Failover,
    /// When its deployments are left alone.
    pub breaker: Breaker,
    /// Whether its upstreams are asked for streams.
    pub upstream_stream: UpstreamStream,
    /// Whether a request is refused that its upstream's dialect cannot express whole.
    pub strict: bool,
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Index into `Config::providers`.
    pub provider: usize,
    /// The upstream's name of the model.
    pub model: String,
    /// Its share under the strategy `weighted`; 0 takes it out of the draw.
    pub weight: u32,
}

/// What to do with a model whose price nobody knows.
#[derive(Debug, Clone, PartialEq)]
pub enum UnknownPrice {
    /// Refuse the request (`price_unknown`).
    Refuse,
    /// Count with this price.
    Assume(Price),
}

/// What is written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least important messages still written. It is no matter of requests: their lines
    /// are always written.
    pub level: LogLevel,
}

/// How important a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only failures of the gateway itself.
    Error,
    /// And what needs an operator's attention.
    Warn,
    /// And what happens to the gateway itself: ready, reloaded, draining.
    Info,
    /// And each attempt's steps.
    Debug,
    /// And everything else.
    Trace,
}

/// What is told to other systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telemetry {
    /// Whether the admin listener serves `/metrics`.
    pub prometheus: bool,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, to be sent or compared and never to be logged.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
