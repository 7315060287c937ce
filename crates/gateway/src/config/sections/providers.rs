//! `providers`: rows of the catalog with the user's key, or servers the catalog does not know.
//!
//! What is not written comes from the catalog's row of `base`, or of the provider's own name.

use catalog::{AuthKind, Catalog, StreamSupport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use wire::dialect::{DIALECTS, Quirks, ReasoningContent};

use crate::config::problem::did_you_mean;
use crate::config::reader::{At, Reader};
use crate::config::sections::{models, routing};
use crate::config::types::{Face, Provider, Secret, TimeoutOverrides, UpstreamStream};
use crate::config::url::{BaseUrl, UrlError};
use crate::config::values::{Wrong, quoted};

/// Reads `providers`.
pub(in crate::config) fn providers(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    catalog: &Catalog,
) -> Vec<Provider> {
    let named = at.named();
    if named.is_empty() {
        let wrong = Wrong::new("at least one is needed");
        reader.wrong(
            at,
            wrong.hint("write for example `openai: { api_key: \"${OPENAI_API_KEY}\" }`"),
        );
    }
    named.into_iter().map(|(id, at)| provider(reader, id, &at, catalog)).collect()
}

/// The provider of a catalog row with credentials and nothing else.
pub(in crate::config) fn from_row(
    row: &catalog::Provider,
    credentials: Vec<Secret>,
) -> Result<Provider, UrlError> {
    Ok(Provider {
        id: row.id.clone(),
        catalog_id: Some(row.id.clone()),
        faces: vec![Face {
            dialect: row.dialect.clone(),
            base_url: row.base_url.parse()?,
            auth: row.auth,
            quirks: row.quirks.clone(),
            path: None,
            stream_path: None,
            headers: Vec::new(),
        }],
        region: row.region.clone(),
        credentials,
        stream: stream_of(row),
        http2: false,
        ca_file: None,
        models: Vec::new(),
        timeouts: TimeoutOverrides::default(),
    })
}

fn stream_of(row: &catalog::Provider) -> UpstreamStream {
    match row.stream {
        StreamSupport::Auto => UpstreamStream::Auto,
        StreamSupport::Never => UpstreamStream::Never,
    }
}

fn provider(reader: &mut Reader<'_>, id: &str, at: &At<'_>, catalog: &Catalog) -> Provider {
    check_id(reader, id, at);
    let row = row(reader, id, at, catalog);
    let dialect = dialect(reader, at, row);
    let credentials = credentials(reader, at);
    let auth = auth(reader, at, row, &dialect, &credentials);
    needs_credential(reader, at, row, auth, &credentials);
    let quirks = row.map_or_else(Quirks::default, |row| row.quirks.clone());
    let region = reader.name(&at.get("region"));
    Provider {
        id: id.to_owned(),
        catalog_id: row.map(|row| row.id.clone()),
        faces: vec![Face {
            base_url: base_url(reader, at, row),
            auth,
            quirks: self::quirks(reader, &at.get("quirks"), quirks),
            dialect,
            path: None,
            stream_path: None,
            headers: Vec::new(),
        }],
        region: region.or(row.map(|row| row.region.clone())).unwrap_or_default(),
        stream: routing::upstream_stream(reader, &at.get("stream"), row.map(stream_of)),
        http2: reader.flag(&at.get("http2"), None),
        ca_file: certificates(reader, &at.get("ca_file")),
        models: models::models(reader, &at.get("models")),
        timeouts: routing::overrides(reader, &at.get("timeouts")),
        credentials,
    }
}

/// An id becomes a label of metrics and the part before `/` in model names.
fn check_id(reader: &mut Reader<'_>, id: &str, at: &At<'_>) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > 64 || !id.bytes().all(fits) {
        let message = format!("{} is not a provider's name", quoted(id));
        reader.wrong(at, Wrong::new(message).hint("up to 64 letters, digits, `-`, `_` or `.`"));
    }
}

/// The catalog's row behind a provider; a problem if there is none and too little is written.
fn row<'c>(
    reader: &mut Reader<'_>,
    id: &str,
    at: &At<'_>,
    catalog: &'c Catalog,
) -> Option<&'c catalog::Provider> {
    let known = || catalog.providers().map(|row| row.id.as_str());
    if let Some(base) = reader.name(&at.get("base")) {
        let row = catalog.provider(&base);
        if row.is_none() {
            let wrong = Wrong::new(format!("the catalog does not know {}", quoted(&base)));
            let suggestion = did_you_mean(&base, known());
            reader.wrong(&at.get("base"), Wrong { suggestion, ..wrong });
        }
        return row;
    }
    let row = catalog.provider(id);
    if row.is_none() && !at.get("dialect").is_present() && !at.get("base_url").is_present() {
        let wrong = Wrong::new(format!("the catalog does not know {}", quoted(id)));
        let suggestion = did_you_mean(id, known());
        let suggestion = suggestion.unwrap_or_else(|| "give its `dialect` and `base_url`".into());
        reader.wrong(at, wrong.hint(suggestion));
    }
    row
}

/// Whether the user described a server, so that a missing part is worth a word.
fn described(at: &At<'_>) -> bool {
    at.get("dialect").is_present() || at.get("base_url").is_present()
}

fn dialect(reader: &mut Reader<'_>, at: &At<'_>, row: Option<&catalog::Provider>) -> String {
    let words: Vec<(&str, &str)> = DIALECTS.iter().map(|each| (each.id, each.id)).collect();
    let place = at.get("dialect");
    let written = reader.optional_word(&place, &words);
    if written.is_none() && row.is_none() && !place.is_present() && described(at) {
        let wrong = Wrong::new("the catalog does not know this provider's dialect");
        reader.wrong(&place, wrong.hint("write for example `dialect: openai_chat`"));
    }
    written.or(row.map(|row| row.dialect.as_str())).unwrap_or("openai_chat").to_owned()
}

fn base_url(reader: &mut Reader<'_>, at: &At<'_>, row: Option<&catalog::Provider>) -> BaseUrl {
    let place = at.get("base_url");
    let written = reader.written(&place, |text| {
        text.parse::<BaseUrl>().map_err(|error| Wrong::new(error.to_string()))
    });
    let of_row = row.and_then(|row| row.base_url.parse().ok());
    if of_row.is_none() && !place.is_present() && (row.is_some() || described(at)) {
        let wrong = Wrong::new("this provider's address is not known to the catalog");
        reader.wrong(&place, wrong.hint("write for example `base_url: https://host/v1`"));
    }
    let nowhere =
        || BaseUrl { https: true, host: String::new(), port: 443, path_prefix: String::new() };
    written.or(of_row).unwrap_or_else(nowhere)
}

fn credentials(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Secret> {
    let (one, many) = (at.get("api_key"), at.get("api_keys"));
    if one.is_present() && many.is_present() {
        reader.wrong(&one, Wrong::new("beside `api_keys`").hint("move it into the list"));
    }
    let one = one.is_present().then_some(one);
    let places = one.into_iter().chain(many.items());
    places.filter_map(|place| reader.credential(&place)).collect()
}

const AUTH: &[(&str, AuthKind)] = &[
    ("bearer", AuthKind::Bearer),
    ("x_api_key", AuthKind::XApiKey),
    ("x_goog_api_key", AuthKind::XGoogApiKey),
    ("api_key", AuthKind::ApiKey),
    ("none", AuthKind::None),
];

/// How the vendors of each dialect take their keys.
const AUTH_OF_DIALECT: &[(&str, AuthKind)] = &[
    ("openai_chat", AuthKind::Bearer),
    ("anthropic_messages", AuthKind::XApiKey),
    ("gemini", AuthKind::XGoogApiKey),
];

fn auth(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<&catalog::Provider>,
    dialect: &str,
    credentials: &[Secret],
) -> AuthKind {
    if let Some(written) = reader.optional_word(&at.get("auth"), AUTH) {
        return written;
    }
    let usual = AUTH_OF_DIALECT.iter().find(|(id, _)| *id == dialect);
    let usual = usual.map_or(AuthKind::Bearer, |(_, kind)| *kind);
    match row.map(|row| row.auth) {
        Some(AuthKind::None) | None if credentials.is_empty() => AuthKind::None,
        // A local server of the catalog that does want a key.
        Some(AuthKind::None) | None => usual,
        Some(kind) => kind,
    }
}

/// A provider of the catalog without its key would refuse every request.
fn needs_credential(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<&catalog::Provider>,
    auth: AuthKind,
    credentials: &[Secret],
) {
    let written = at.get("api_key").is_present() || at.get("api_keys").is_present();
    if auth == AuthKind::None || !credentials.is_empty() || written {
        return;
    }
    let variable = row.and_then(|row| row.key_env.first()).map_or("API_KEY", String::as_str);
    if row.is_none_or(|row| !row.local) {
        let wrong = Wrong::new("no credential");
        reader.wrong(at, wrong.hint(format!("write `api_key: \"${{{variable}}}\"`")));
    }
}

fn certificates(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<u8>> {
    let pem = reader.file(at)?.into_bytes();
    let count = CertificateDer::pem_slice_iter(&pem).filter(Result::is_ok).count();
    let broken = CertificateDer::pem_slice_iter(&pem).any(|each| each.is_err());
    if count == 0 || broken {
        reader.wrong(at, Wrong::new("the file does not hold certificates in PEM form"));
    }
    Some(pem)
}

const REASONING: &[(&str, ReasoningContent)] = &[
    ("strip", ReasoningContent::Strip),
    ("keep", ReasoningContent::Keep),
    ("inject", ReasoningContent::Inject),
];

/// The quirks written here over those of the catalog.
fn quirks(reader: &mut Reader<'_>, at: &At<'_>, base: Quirks) -> Quirks {
    let mut flag = |key: &str, base: bool| reader.flag(&at.get(key), Some(base));
    let mut quirks = Quirks {
        max_completion_tokens: flag("max_completion_tokens", base.max_completion_tokens),
        no_stream_options: flag("no_stream_options", base.no_stream_options),
        no_sampling: flag("no_sampling", base.no_sampling),
        random_seed: flag("random_seed", base.random_seed),
        reasoning_outside_completion: flag(
            "reasoning_outside_completion",
            base.reasoning_outside_completion,
        ),
        top_level_cached_tokens: flag("top_level_cached_tokens", base.top_level_cached_tokens),
        short_tool_ids: flag("short_tool_ids", base.short_tool_ids),
        effort_reasoning: flag("effort_reasoning", base.effort_reasoning),
        schema_as_tool: flag("schema_as_tool", base.schema_as_tool),
        no_parallel_tool_calls: flag("no_parallel_tool_calls", base.no_parallel_tool_calls),
        ..base
    };
    let temperature = at.get("max_temperature_centi");
    quirks.max_temperature_centi = reader.count(&temperature, Some(quirks.max_temperature_centi));
    let (policy, kept) = (at.get("reasoning_content"), quirks.reasoning_content);
    quirks.reasoning_content = reader.word(&policy, Some(kept), REASONING, kept);
    let prefill = reader.name(&at.get("prefill_field"));
    quirks.prefill_field = prefill.or(quirks.prefill_field);
    quirks
}
