//! Every key of `weighbridge.yaml`, one row each: where, what kind, which default, what for.
//!
//! The table is read four times: to find keys nobody knows, to fill what was left out, to write the
//! JSON Schema, and to write the reference page. Keys of capabilities that this version does not
//! have stand here as [`Support::Later`], so that they are refused by name and never ignored.
//!
//! In a path `*` stands for a name the user chooses and `[]` for any item of a list.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it stands, as `models.*.strategy`.
    pub path: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// What holds when it is left out, as it would be written; empty when nothing does.
    pub default: &'static str,
    /// What it is for, one sentence.
    pub doc: &'static str,
    /// Whether this version has what it asks for.
    pub support: Support,
}

/// What may stand at a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Keys of ours: the rows below this path.
    Section,
    /// Names of the user's: the row `path.*` says what each holds.
    Named,
    /// A list: the row `path[]` says what each item is.
    List,
    /// The same keys as another section; what is left out is inherited from there.
    Like(&'static str),
    /// One of these.
    Either(&'static [Kind]),
    /// The id of a dialect.
    Dialect,
    /// A text, a number, `true` or `false`: what it is for decides.
    Scalar,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A duration.
    Duration {
        /// Whether zero makes sense.
        zero: bool,
    },
    /// An amount in US dollars.
    Money,
    /// US dollars per million tokens.
    TokenPrice,
    /// A number of bytes.
    Size,
    /// A percentage.
    Percent,
    /// A whole number between bounds.
    Count {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A decimal fraction.
    Fraction,
    /// `true` or `false`.
    Flag,
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A path of a file or directory.
    Path,
    /// An IP address and port.
    Address,
    /// A base URL.
    Url,
}

/// Whether this version has what a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It has.
    Now,
    /// Not yet; only these words, and whatever switches the thing off, are accepted.
    Later(&'static [&'static str]),
}

/// The row of a path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The rows directly below a path, with their last name. The root's path is empty.
pub fn children(path: &str) -> impl Iterator<Item = (&'static str, &'static Key)> + Clone {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    KEYS.iter().filter_map(move |key| {
        let name = key.path.strip_prefix(prefix.as_str())?;
        (!name.contains(['.', '['])).then_some((name, key))
    })
}

/// The words of `models.*.strategy`.
pub const STRATEGIES: &[&str] =
    &["ordered", "weighted", "least_latency", "least_cost", "least_busy"];

const ON_OFF: Kind = Kind::Flag;
const POSITIVE: Kind = Kind::Duration { zero: false };
const FROM_ZERO: Kind = Kind::Duration { zero: true };
const TOKENS: Kind = Kind::Count { least: 1, most: 1 << 40 };
const STREAM: Kind = Kind::Word(&["auto", "never"]);

const AUTH: Kind = Kind::Word(&[
    "bearer",
    "x_api_key",
    "x_goog_api_key",
    "api_key",
    "aws_sigv4",
    "gcp_oauth",
    "none",
]);

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, doc, support: Support::Now }
}

const fn later(
    path: &'static str,
    kind: Kind,
    off: &'static [&'static str],
    doc: &'static str,
) -> Key {
    Key { path, kind, default: "", doc, support: Support::Later(off) }
}

/// All keys, in the order of the reference page.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key("server", Kind::Section, "", "The listeners and their bounds."),
    key("server.listen", Kind::Address, "127.0.0.1:4000", "Where clients connect."),
    key("server.admin_listen", Kind::Address, "127.0.0.1:4001", "Where operators connect: health, metrics, administration."),
    key("server.admin_token", Kind::Secret, "${WEIGHBRIDGE_ADMIN_TOKEN:-}", "The token of admin calls, of which this version has none yet."),
    key("server.max_body", Kind::Size, "32MiB", "The longest request body."),
    key("server.max_head", Kind::Size, "32KiB", "The longest request head."),
    key("server.max_connections", Kind::Count { least: 1, most: 1_000_000 }, "10000", "The most client connections at once."),
    key("server.drain", FROM_ZERO, "600s", "How long requests in flight may take to finish after SIGTERM."),
    key("server.drain_accept", FROM_ZERO, "5s", "How long new connections are still accepted after SIGTERM."),
    key("server.header_read_timeout", POSITIVE, "10s", "How long a client may take to send its request head."),
    key("server.allow_open_auth", ON_OFF, "false", "Accept `auth: open` on an address that others can reach."),
    key("data_dir", Kind::Path, "./weighbridge-data", "Where everything that survives a restart is kept."),
    key("auth", Kind::Either(&[Kind::Word(&["open", "keys"]), Kind::Section]), "open", "Who may send requests: everyone (`open`), or the holders of keys."),
    key("auth.keys", Kind::List, "", "The keys; each is a text, or a mapping with a name."),
    key("auth.keys[]", Kind::Either(&[Kind::Secret, Kind::Section]), "", "A key."),
    key("auth.keys[].name", Kind::Text, "", "Its name in logs."),
    key("auth.keys[].key", Kind::Secret, "", "What the client sends."),
    key("auth.keys[].team", Kind::Text, "", "The team its use is attributed to."),
    key("auth.keys[].user", Kind::Text, "", "The user its use is attributed to."),
    key("timeouts", Kind::Section, "", "The clocks of a request and its attempts."),
    key("timeouts.connect", POSITIVE, "2s", "Attempt start to connection ready: name, TCP and TLS together."),
    key("timeouts.first_token", POSITIVE, "5s", "Request sent to first content."),
    key("timeouts.read", POSITIVE, "10s", "Any upstream byte to the next, after the first content."),
    key("timeouts.total", POSITIVE, "600s", "The whole request, all attempts together."),
    key("timeouts.early_headers_after", POSITIVE, "15s", "When to commit the response head although no content has come."),
    key("timeouts.unstreamed_read", POSITIVE, "60s", "`read` for answers that are not streamed."),
    key("timeouts.keep_alive_every", POSITIVE, "15s", "Silence after which a stream says `: keep-alive`."),
    key("timeouts.stalled_client", POSITIVE, "30s", "How long a client may leave its stream unread."),
    key("failover", Kind::Section, "", "What is done about failures."),
    key("failover.max_attempts", Kind::Count { least: 1, most: 20 }, "3", "The most attempts of one request."),
    key("failover.retries", Kind::Count { least: 0, most: 5 }, "1", "The most further attempts at the same deployment."),
    key("failover.retry_after_patience", FROM_ZERO, "0s", "The longest `Retry-After` that is waited for instead of falling back."),
    key("failover.mid_stream", Kind::Word(&["error", "continue"]), "error", "What happens to an answer cut in the middle: an error inside the stream, or another deployment continues it."),
    key("failover.hedge", Kind::Section, "", "A second attempt while the first is silent."),
    key("failover.hedge.enabled", ON_OFF, "false", "Whether it is done."),
    key("failover.hedge.after", POSITIVE, "500ms", "The least silence before it."),
    key("failover.hedge.max_extra", Kind::Percent, "5%", "The largest share of requests that may have one."),
    key("breaker", Kind::Section, "", "When a failing upstream is left alone."),
    key("breaker.failures", Kind::Count { least: 1, most: 1_000 }, "3", "Consecutive failures that open it."),
    key("breaker.open_for", POSITIVE, "30s", "How long it stays open before one probe."),
    key("upstream_stream", STREAM, "auto", "Whether upstreams are asked for streams when the client did not ask for one."),
    key("strict", ON_OFF, "false", "Refuse a request that its upstream's dialect cannot express whole, naming the field, instead of leaving the field out."),
    key("passthrough", Kind::Text, "", "The provider for audio, images, files and batches whose model nobody here knows, or that name none."),
    key("catalog", Kind::Path, "", "A file of rows laid over the catalog's, in the form of docs/providers.md; without a configuration the variable `WEIGHBRIDGE_CATALOG` names it."),

    key("providers", Kind::Named, "", "The upstreams. A name the catalog knows needs only a key."),
    key("providers.*", Kind::Section, "", "An upstream."),
    key("providers.*.base", Kind::Text, "", "The catalog's provider to take everything from that is not written here."),
    key("providers.*.dialect", Kind::Dialect, "", "The wire format it usually speaks; needed where the catalog does not know the provider."),
    key("providers.*.base_url", Kind::Url, "", "Where its API begins; needed where the catalog does not know the provider. `{region}`, `{project}`, `{resource}`, `{account}` and `{api_version}` stand for the keys of these names, here and in paths."),
    key("providers.*.path", Kind::Text, "", "The path after the base URL, where it is not the dialect's own; `{model}` stands for the upstream's name of the model. It may end in a query."),
    key("providers.*.stream_path", Kind::Text, "", "The same for streams, where it differs."),
    key("providers.*.headers", Kind::Named, "", "Fixed header fields of every call."),
    key("providers.*.headers.*", Kind::Text, "", "The value of a header field."),
    key("providers.*.speaks", Kind::List, "", "Further dialects it speaks, instead of those the catalog knows; each is a dialect's name, or a mapping with what is different there."),
    key("providers.*.speaks[]", Kind::Either(&[Kind::Dialect, Kind::Section]), "", "A further dialect."),
    key("providers.*.speaks[].dialect", Kind::Dialect, "", "The dialect."),
    key("providers.*.speaks[].base_url", Kind::Text, "", "Where it is spoken: a base URL, or a path on the provider's host."),
    key("providers.*.speaks[].auth", AUTH, "", "How the credential is sent there."),
    key("providers.*.speaks[].path", Kind::Text, "", "See `providers.*.path`."),
    key("providers.*.speaks[].stream_path", Kind::Text, "", "See `providers.*.stream_path`."),
    key("providers.*.speaks[].headers", Kind::Named, "", "Fixed header fields beside the provider's."),
    key("providers.*.speaks[].headers.*", Kind::Text, "", "The value of a header field."),
    key("providers.*.speaks[].quirks", Kind::Named, "", "Peculiarities over the provider's."),
    key("providers.*.speaks[].quirks.*", Kind::Scalar, "", "A quirk by its name."),
    key("providers.*.region", Kind::Text, "", "The region its failures and costs belong to, and `{region}` in its address."),
    key("providers.*.project", Kind::Text, "", "`{project}` in its address (Vertex AI)."),
    key("providers.*.resource", Kind::Text, "", "`{resource}` in its address (Azure)."),
    key("providers.*.account", Kind::Text, "", "`{account}` in its address (Cloudflare, Snowflake, Databricks)."),
    key("providers.*.api_version", Kind::Text, "", "`{api_version}` in its address (Azure)."),
    key("providers.*.api_key", Kind::Secret, "", "Its credential."),
    key("providers.*.api_keys", Kind::List, "", "Several credentials that rotate."),
    key("providers.*.api_keys[]", Kind::Secret, "", "A credential."),
    key("providers.*.aws", Kind::Section, "", "An AWS key that signs every call (Bedrock); the usual `AWS_*` variables when left out."),
    key("providers.*.aws.access_key_id", Kind::Text, "", "The key's name."),
    key("providers.*.aws.secret_access_key", Kind::Secret, "", "The key."),
    key("providers.*.aws.session_token", Kind::Secret, "", "What temporary keys are sent with."),
    key("providers.*.credentials_file", Kind::Path, "", "The JSON of a Google service account (Vertex AI); `GOOGLE_APPLICATION_CREDENTIALS` when left out."),
    key("providers.*.auth", AUTH, "", "How the credential is sent; the catalog's or the dialect's way when left out."),
    key("providers.*.stream", STREAM, "auto", "Whether it can be asked for streams on behalf of clients that did not."),
    key("providers.*.http2", ON_OFF, "false", "Speak HTTP/2: negotiated over TLS, by prior knowledge without."),
    key("providers.*.ca_file", Kind::Path, "", "Certificates (PEM) to trust beside the public roots."),
    key("providers.*.timeouts", Kind::Section, "", "Its own clocks; they win over the group's."),
    key("providers.*.timeouts.connect", POSITIVE, "", "See `timeouts.connect`."),
    key("providers.*.timeouts.first_token", POSITIVE, "", "See `timeouts.first_token`."),
    key("providers.*.timeouts.read", POSITIVE, "", "See `timeouts.read`."),
    key("providers.*.timeouts.unstreamed_read", POSITIVE, "", "See `timeouts.unstreamed_read`."),
    key("providers.*.models", Kind::Named, "", "Models the catalog does not know, or whose price is another here."),
    key("providers.*.models.*", Kind::Section, "", "A model, under the upstream's name of it."),
    key("providers.*.models.*.input", Kind::TokenPrice, "", "US dollars per million input tokens."),
    key("providers.*.models.*.cached_input", Kind::TokenPrice, "", "US dollars per million input tokens read from the provider's cache; `input` when left out."),
    key("providers.*.models.*.output", Kind::TokenPrice, "", "US dollars per million output tokens."),
    key("providers.*.models.*.context", TOKENS, "", "The most tokens of input and output together."),
    key("providers.*.models.*.max_output", TOKENS, "", "The most output tokens."),
    key("providers.*.models.*.prefill", ON_OFF, "", "It continues a partial answer given as the last assistant turn (for `mid_stream: continue`)."),
    key("providers.*.quirks", Kind::Named, "", "Its peculiarities, over the catalog's; docs/providers.md lists them."),
    key("providers.*.quirks.*", Kind::Scalar, "", "A quirk by its name."),

    key("models", Kind::Named, "", "The model names clients use."),
    key("models.*", Kind::Section, "", "A group of deployments under one name."),
    key("models.*.deployments", Kind::List, "", "The deployments; each is `provider/model`, or a mapping with a weight."),
    key("models.*.deployments[]", Kind::Either(&[Kind::Text, Kind::Section]), "", "A deployment."),
    key("models.*.deployments[].model", Kind::Text, "", "`provider/model`."),
    key("models.*.deployments[].weight", Kind::Count { least: 0, most: 1_000_000 }, "1", "Its share under the strategy `weighted`; 0 takes it out of the draw."),
    key("models.*.strategy", Kind::Word(STRATEGIES), "ordered", "How a deployment is chosen."),
    key("models.*.fallbacks", Kind::List, "", "Groups to try when these deployments are exhausted."),
    key("models.*.fallbacks[]", Kind::Text, "", "A group."),
    key("models.*.context_fallbacks", Kind::List, "", "Groups to try when the context is too long."),
    key("models.*.context_fallbacks[]", Kind::Text, "", "A group."),
    key("models.*.content_fallbacks", Kind::List, "", "Groups to try when the content policy refuses."),
    key("models.*.content_fallbacks[]", Kind::Text, "", "A group."),
    key("models.*.timeouts", Kind::Like("timeouts"), "", "Its clocks, over the general ones."),
    key("models.*.failover", Kind::Like("failover"), "", "What is done about its failures, over the general rules."),
    key("models.*.breaker", Kind::Like("breaker"), "", "When its deployments are left alone, over the general rule."),
    key("models.*.upstream_stream", STREAM, "", "Whether its upstreams are asked for streams, over the general rule."),
    later("models.*.cache", Kind::Section, &[], "Response caching of this group."),
    later("models.*.cache.enabled", ON_OFF, &[], "Whether it is done."),
    later("models.*.cache.ttl", POSITIVE, &[], "How long an answer stays fresh."),
    later("models.*.cache.factual_ttl", POSITIVE, &[], "How long an answer marked factual stays fresh."),
    later("models.*.tiers", Kind::Named, &[], "Tiered routing: the group of each tier."),
    later("models.*.tiers.*", Kind::Text, &[], "The group of a tier."),
    later("models.*.classify", Kind::Section, &[], "How the tier of a request is found."),
    later("models.*.classify.by", Kind::Word(&["model", "rules", "learned"]), &[], "The method."),
    later("models.*.classify.with", Kind::Text, &[], "The group that classifies."),
    later("models.*.classify.timeout", POSITIVE, &[], "How long it may take."),
    later("models.*.classify.on_failure", Kind::Text, &[], "The tier when it fails."),
    key("models.*.strict", ON_OFF, "", "See `strict`, over the general rule."),
    key("open_catalog", ON_OFF, "true", "Whether clients may also ask for `provider/model` directly."),

    later("budgets", Kind::List, &[], "Money per window."),
    later("budgets[]", Kind::Section, &[], "A budget."),
    later("budgets[].name", Kind::Text, &[], "Its name."),
    later("budgets[].scope", Kind::Section, &[], "Whose spend it counts."),
    later("budgets[].scope.model", Kind::Text, &[], "A model."),
    later("budgets[].scope.provider", Kind::Text, &[], "A provider."),
    later("budgets[].scope.key", Kind::Text, &[], "A key."),
    later("budgets[].scope.team", Kind::Text, &[], "A team."),
    later("budgets[].scope.user", Kind::Text, &[], "A user."),
    later("budgets[].scope.feature", Kind::Text, &[], "A feature."),
    later("budgets[].limit", Kind::Money, &[], "The most to be spent in a window."),
    later("budgets[].window", Kind::Word(&["hour", "day", "week", "month", "total"]), &[], "The window."),
    later("budgets[].timezone", Kind::Text, &[], "The time zone of its start."),
    later("budgets[].on_exceeded", Kind::Either(&[Kind::Word(&["reject"]), Kind::Section]), &[], "What happens when it is used up."),
    later("budgets[].on_exceeded.downgrade", Kind::List, &[], "Cheaper deployments to use instead."),
    later("budgets[].on_exceeded.downgrade[]", Kind::Text, &[], "A deployment."),
    later("budgets[].on_store_error", Kind::Word(&["closed", "open"]), &[], "What happens when it cannot be read."),
    later("limits", Kind::List, &[], "Requests, tokens and concurrency."),
    later("limits[]", Kind::Section, &[], "A limit."),
    later("limits[].scope", Kind::Section, &[], "Whose requests it counts."),
    later("limits[].scope.model", Kind::Text, &[], "A model."),
    later("limits[].scope.provider", Kind::Text, &[], "A provider."),
    later("limits[].scope.key", Kind::Text, &[], "A key."),
    later("limits[].scope.team", Kind::Text, &[], "A team."),
    later("limits[].scope.user", Kind::Text, &[], "A user."),
    later("limits[].requests_per_minute", TOKENS, &[], "The most requests in a minute."),
    later("limits[].tokens_per_minute", TOKENS, &[], "The most tokens in a minute."),
    later("limits[].concurrent", TOKENS, &[], "The most requests at once."),
    key("unknown_price", Kind::Either(&[Kind::Word(&["refuse"]), Kind::Section]), "refuse", "What to do with a model whose price nobody knows: refuse, or count with these prices."),
    key("unknown_price.input", Kind::TokenPrice, "", "US dollars per million input tokens."),
    key("unknown_price.output", Kind::TokenPrice, "", "US dollars per million output tokens."),

    key("cache", Kind::Section, "", "Response caching."),
    later("cache.exact", Kind::Section, &[], "Answers to equal requests."),
    later("cache.exact.enabled", ON_OFF, &[], "Whether it is done."),
    later("cache.exact.ttl", POSITIVE, &[], "How long an answer stays fresh."),
    later("cache.exact.factual_ttl", POSITIVE, &[], "How long an answer marked factual stays fresh."),
    later("cache.exact.max_size", Kind::Size, &[], "The most memory it takes."),
    later("cache.semantic", Kind::Section, &[], "Answers to similar questions."),
    later("cache.semantic.enabled", ON_OFF, &[], "Whether it is done."),
    later("cache.semantic.embedder", Kind::Text, &[], "The embedding model."),
    later("cache.semantic.threshold", Kind::Fraction, &[], "The least similarity."),
    key("log", Kind::Section, "", "What is written to standard error, and what is kept."),
    key("log.level", Kind::Word(&["error", "warn", "info", "debug", "trace"]), "info", "The least important messages still written; lines of requests and fallbacks always are."),
    later("log.bodies", Kind::Word(&["none", "sampled", "all"]), &["none"], "Whether requests and answers are kept."),
    later("log.sample", Kind::Percent, &["100%"], "The share of requests whose bodies are kept."),
    later("log.retain", POSITIVE, &["30d"], "How long they are kept."),
    key("alerts", Kind::Section, "", "Who is told about trouble, and when."),
    later("alerts.error_rate", Kind::Section, &[], "Too many failures."),
    later("alerts.error_rate.above", Kind::Percent, &[], "The share of requests."),
    later("alerts.error_rate.over", POSITIVE, &[], "The time it is measured over."),
    later("alerts.error_rate.min_requests", TOKENS, &[], "The least requests for it to mean anything."),
    later("alerts.fallback_cascade", Kind::Section, &[], "Every deployment of a request failed."),
    later("alerts.webhooks", Kind::List, &[], "Who is told."),
    later("alerts.webhooks[]", Kind::Text, &[], "A URL."),
    key("telemetry", Kind::Section, "", "What is told to other systems."),
    key("telemetry.prometheus", ON_OFF, "true", "Serve `/metrics` on the admin listener."),
    later("telemetry.otlp", Kind::Text, &[], "The address of an OpenTelemetry collector."),
    later("telemetry.dogstatsd", Kind::Text, &[], "The address of a DogStatsD agent."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_written_once_below_a_row_that_holds_it() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..index].iter().any(|other| other.path == key.path), "{}", key.path);
            let parent = match key.path.strip_suffix("[]") {
                Some(list) => list,
                None => key.path.rsplit_once('.').map_or("", |(parent, _)| parent),
            };
            assert!(parent.is_empty() || find(parent).is_some(), "{} has no parent", key.path);
            assert!(key.doc.ends_with('.'), "{}", key.path);
        }
    }

    #[test]
    fn collections_have_the_rows_they_promise() {
        for key in KEYS {
            let item = match key.kind {
                Kind::Named => format!("{}.*", key.path),
                Kind::List => format!("{}[]", key.path),
                Kind::Like(other) => other.to_owned(),
                _ => continue,
            };
            assert!(find(&item).is_some(), "{item}");
        }
    }
}
