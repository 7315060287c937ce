//! `providers`: rows of the catalog with the user's key, or servers the catalog does not know.
//!
//! What is not written comes from the catalog's row of `base`, or of the provider's own name.

use catalog::{Catalog, StreamSupport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::expand::{Env, ReadFile};
use crate::config::problem::did_you_mean;
use crate::config::reader::{At, Reader};
use crate::config::sections::blanks::Blanks;
use crate::config::sections::{credentials, faces, models, routing};
use crate::config::types::{Proof, Provider, TimeoutOverrides, UpstreamStream};
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

/// The provider of a catalog row, if the environment holds what it needs.
pub(in crate::config) fn from_environment(
    row: &catalog::Provider,
    env: Env<'_>,
    read: ReadFile<'_>,
) -> Option<Provider> {
    // What is missing is no problem of anybody's: the provider is not meant.
    let mut reader = Reader::new("", env, read);
    let proof = credentials::ambient(&reader, &row.key_env, row.auth)?;
    let at = At::nowhere();
    let mut blanks = Blanks::of_environment(&reader, &at, row);
    let dialect = row.dialect.clone();
    let faces = faces::faces(&mut reader, &at, Some(row), dialect, row.auth, &mut blanks);
    let region = blanks.value("region").unwrap_or(&row.region).to_owned();
    let provider = Provider {
        id: row.id.clone(),
        catalog_id: Some(row.id.clone()),
        faces,
        region,
        credentials: vec![proof],
        stream: stream_of(row),
        http2: false,
        ca_file: None,
        models: Vec::new(),
        timeouts: TimeoutOverrides::default(),
    };
    (reader.count_problems() == 0).then_some(provider)
}

/// The provider that calls are passed on to.
pub(in crate::config) fn passthrough(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    providers: &[Provider],
) -> Option<usize> {
    let name = reader.name(at)?;
    let place = providers.iter().position(|provider| provider.id == name);
    if place.is_none() {
        let wrong = Wrong::new(format!("provider {} is not configured", quoted(&name)));
        let known = providers.iter().map(|provider| provider.id.as_str());
        reader.wrong(at, Wrong { suggestion: did_you_mean(&name, known), ..wrong });
    }
    place
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
    let mut credentials = credentials::written(reader, at);
    let known = row.map(|row| row.auth);
    let auth = credentials::auth(reader, at, known, &dialect, !credentials.is_empty());
    if credentials.is_empty() {
        credentials.extend(of_cloud(reader, row, auth));
    }
    credentials::needed(reader, at, row, auth, &credentials);
    let mut blanks = Blanks::of_section(reader, at, row);
    let faces = faces::faces(reader, at, row, dialect, auth, &mut blanks);
    let region = blanks.value("region").map(str::to_owned);
    Provider {
        id: id.to_owned(),
        catalog_id: row.map(|row| row.id.clone()),
        faces,
        region: region.or(row.map(|row| row.region.clone())).unwrap_or_default(),
        stream: routing::upstream_stream(reader, &at.get("stream"), row.map(stream_of)),
        http2: reader.flag(&at.get("http2"), None),
        ca_file: certificates(reader, &at.get("ca_file")),
        models: models::models(reader, &at.get("models")),
        timeouts: routing::overrides(reader, &at.get("timeouts")),
        credentials,
    }
}

/// What the tools of a cloud would take from the environment. A plain API key is never taken
/// unasked: which of several is meant, only the file can say.
fn of_cloud(
    reader: &Reader<'_>,
    row: Option<&catalog::Provider>,
    auth: catalog::AuthKind,
) -> Option<Proof> {
    let clouds = [catalog::AuthKind::AwsSigv4, catalog::AuthKind::GcpOauth];
    let names = row.map(|row| row.key_env.as_slice()).unwrap_or_default();
    clouds.contains(&auth).then(|| credentials::ambient(reader, names, auth)).flatten()
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

fn dialect(reader: &mut Reader<'_>, at: &At<'_>, row: Option<&catalog::Provider>) -> String {
    let place = at.get("dialect");
    let written = faces::dialect(reader, &place);
    let described = place.is_present() || at.get("base_url").is_present();
    if written.is_none() && row.is_none() && !place.is_present() && described {
        let wrong = Wrong::new("the catalog does not know this provider's dialect");
        reader.wrong(&place, wrong.hint("write for example `dialect: openai_chat`"));
    }
    let usual = || row.map_or_else(|| "openai_chat".to_owned(), |row| row.dialect.clone());
    written.unwrap_or_else(usual)
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
