//! A provider's credentials as ready request headers.
//!
//! The headers of an upstream request come from here alone: nothing of the client's own headers is
//! passed on, but for the few that `attempt` names.

use catalog::AuthKind;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::lanes::Credential;
use super::state::States;
use crate::config::{Face, Provider};

/// The version of Anthropic's API that the dialect speaks.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const AGENT: &str = concat!("weighbridge/", env!("CARGO_PKG_VERSION"));

/// The provider's credentials in order; one without a secret where it needs none.
#[must_use]
pub fn of(provider: &Provider, states: &States) -> Vec<Credential> {
    let credential = |secret: &str| Credential {
        secret: secret.to_owned(),
        state: states.credential(&provider.id, secret),
    };
    secrets(provider).map(credential).collect()
}

/// The fixed header fields of a face, once for each credential.
#[must_use]
pub fn headers(provider: &Provider, face: &Face) -> Vec<HeaderMap> {
    secrets(provider).map(|secret| carrying(face, secret)).collect()
}

fn secrets(provider: &Provider) -> impl Iterator<Item = &str> {
    let none = provider.credentials.is_empty().then_some("");
    provider.credentials.iter().map(|secret| secret.expose()).chain(none)
}

fn carrying(face: &Face, secret: &str) -> HeaderMap {
    let mut headers = fixed(face);
    if !secret.is_empty()
        && let Some((name, text)) = carried(face.auth, secret)
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
        AuthKind::Bearer => Some((AUTHORIZATION, format!("Bearer {secret}"))),
        AuthKind::XApiKey => Some((HeaderName::from_static("x-api-key"), secret.to_owned())),
        AuthKind::XGoogApiKey => {
            Some((HeaderName::from_static("x-goog-api-key"), secret.to_owned()))
        }
        AuthKind::ApiKey => Some((HeaderName::from_static("api-key"), secret.to_owned())),
        // Signed when the call is made.
        AuthKind::AwsSigv4 | AuthKind::GcpOauth => None,
        AuthKind::None => None,
    }
}
