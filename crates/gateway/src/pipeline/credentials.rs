//! A provider's credentials as ready request headers.
//!
//! The headers of an upstream request come from here alone: nothing of the client's own headers is
//! passed on, but for the few that `attempt` names.

use std::sync::Arc;

use catalog::AuthKind;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::proof::Proof;
use super::sites::Credential;
use super::state::States;
use crate::config::{Face, Proof as Written, Provider, Secret};

/// The version of Anthropic's API that the dialect speaks.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const AGENT: &str = concat!("weighbridge/", env!("CARGO_PKG_VERSION"));

/// The provider's credentials in order; one without a secret where it needs none.
#[must_use]
pub fn of(provider: &Provider, states: &States) -> Vec<Credential> {
    let credential = |written: Option<&Written>| {
        let secret = written.map_or("", Written::secret);
        Credential { secret: secret.to_owned(), state: states.credential(&provider.id, secret) }
    };
    each(provider).map(credential).collect()
}

/// The fixed header fields of a face, once for each credential.
#[must_use]
pub fn headers(provider: &Provider, face: &Face) -> Vec<HeaderMap> {
    each(provider).map(|written| carrying(face, written)).collect()
}

/// What proves each credential besides header fields.
#[must_use]
pub fn proofs(provider: &Provider) -> Vec<Arc<Proof>> {
    each(provider).map(|written| Arc::new(proof(provider, written))).collect()
}

/// The credentials, or nothing once.
fn each(provider: &Provider) -> impl Iterator<Item = Option<&Written>> {
    let none = provider.credentials.is_empty().then_some(None);
    provider.credentials.iter().map(Some).chain(none)
}

fn proof(provider: &Provider, written: Option<&Written>) -> Proof {
    match written {
        None | Some(Written::Key(_)) => Proof::Headers,
        Some(Written::Aws { access_key_id, secret_access_key, session_token }) => {
            let session = session_token.as_ref().map(Secret::expose);
            Proof::aws(access_key_id, secret_access_key.expose(), session, &provider.region)
        }
        Some(Written::Gcp { account }) => Proof::google(account.expose()).unwrap_or_else(|error| {
            tracing::error!(provider = %provider.id, error, "the Google credential is of no use");
            Proof::Headers
        }),
    }
}

fn carrying(face: &Face, written: Option<&Written>) -> HeaderMap {
    let mut headers = fixed(face);
    if let Some(Written::Key(secret)) = written
        && let Some((name, text)) = carried(face.auth, secret.expose())
        && let Ok(mut value) = HeaderValue::from_str(&text)
    {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

fn fixed(face: &Face) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if face.dialect == "anthropic_messages" {
        headers.insert(HeaderName::from_static("anthropic-version"), ANTHROPIC_VERSION);
    }
    for (name, value) in &face.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    headers
}

fn carried(auth: AuthKind, secret: &str) -> Option<(HeaderName, String)> {
    match auth {
        // A ready token stands in for a signature or a fetched one.
        AuthKind::Bearer | AuthKind::AwsSigv4 | AuthKind::GcpOauth => {
            Some((AUTHORIZATION, format!("Bearer {secret}")))
        }
        AuthKind::XApiKey => Some((HeaderName::from_static("x-api-key"), secret.to_owned())),
        AuthKind::XGoogApiKey => {
            Some((HeaderName::from_static("x-goog-api-key"), secret.to_owned()))
        }
        AuthKind::ApiKey => Some((HeaderName::from_static("api-key"), secret.to_owned())),
        AuthKind::None => None,
    }
}
