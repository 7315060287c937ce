//! A provider's credentials as ready request headers.
//!
//! The headers of an upstream request come from here alone: nothing of the client's own headers is
//! passed on, but for the few that `attempt` names.

use catalog::AuthKind;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::lanes::Credential;
use super::state::States;
use crate::config::Provider;

/// The version of Anthropic's API that the dialect speaks.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const AGENT: &str = concat!("weighbridge/", env!("CARGO_PKG_VERSION"));

/// The provider's credentials in order; one without a secret where it needs none.
#[must_use]
pub fn of(provider: &Provider, states: &States) -> Vec<Credential> {
    let secrets = provider.credentials.iter().map(|secret| secret.expose());
    let mut credentials: Vec<Credential> =
        secrets.map(|secret| credential(provider, secret, states)).collect();
    if credentials.is_empty() {
        credentials.push(credential(provider, "", states));
    }
    credentials
}

fn credential(provider: &Provider, secret: &str, states: &States) -> Credential {
    let mut headers = fixed(provider);
    if !secret.is_empty()
        && let Some((name, text)) = carried(provider.auth, secret)
        && let Ok(mut value) = HeaderValue::from_str(&text)
    {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Credential { headers, state: states.credential(&provider.id, secret) }
}

fn fixed(provider: &Provider) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if provider.dialect == "anthropic_messages" {
        headers.insert(HeaderName::from_static("anthropic-version"), ANTHROPIC_VERSION);
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
        AuthKind::None => None,
    }
}
