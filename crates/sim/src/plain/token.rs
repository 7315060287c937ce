//! An OAuth 2 token endpoint, as Google's clouds have one (RFC 7523).
//!
//! A form with a signed assertion is exchanged for a bearer token; the signature is not checked,
//! the three parts of the assertion are. Every token is a new one, and every exchange is in the
//! journal.

use serde_json::json;

use super::{Answered, Done, Errand};
use crate::reply::Reply;

/// Seconds a token lives; Google's live so long.
const LIFE: u32 = 3_599;

/// The grants that are known.
const GRANTS: &[&str] =
    &["urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token", "client_credentials"];

pub(super) fn grant(errand: &Errand<'_>) -> Answered {
    let form = String::from_utf8_lossy(&errand.incoming.body).replace("%3A", ":");
    let form = form.replace("%3a", ":");
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let grant = pairs.clone().find(|(key, _)| *key == "grant_type").map(|(_, value)| value);
    if !grant.is_some_and(|grant| GRANTS.contains(&grant)) {
        return Ok(refused("unsupported_grant_type"));
    }
    let assertion = pairs.find(|(key, _)| *key == "assertion").map(|(_, value)| value);
    if assertion.is_some_and(|token| token.split('.').filter(|part| !part.is_empty()).count() != 3)
    {
        return Ok(refused("invalid_grant"));
    }
    let token = format!("ya29.sim-token-{}", errand.id);
    Ok(Done::free(&json!({ "access_token": token, "expires_in": LIFE, "token_type": "Bearer" })))
}

/// Errors have a shape of their own here (RFC 6749, section 5.2).
fn refused(error: &str) -> Done {
    let body = json!({ "error": error, "error_description": "The grant cannot be accepted." });
    Done { reply: Reply::json(400, body.to_string()), ..Done::free(&body) }
}
