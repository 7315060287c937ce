//! Step 2: who asks. Reservations of cost are made attempt by attempt, each at its own price, in
//! `attempt`; this step finds the principal they are booked to.

use std::sync::{Arc, LazyLock};

use http::HeaderMap;
use http::header::{AUTHORIZATION, ORIGIN};
use ledger::Principal;

use super::Core;
use super::accept::sanitised;
use super::exchange::Open;
use super::lanes::Snapshot;
use crate::config::{Auth, StaticKey};
use crate::failure::{Code, Failure};

/// Completes the principal with what the request says of itself.
///
/// # Errors
/// When the request names no model.
pub fn admit(_core: &Core, open: &mut Open) -> Result<(), Failure> {
    if open.model().is_empty() {
        let message =
            "The request names no model. Set `model` to a name that GET /v1/models lists.";
        return Err(Failure::because(Code::InvalidRequest, message).on("model"));
    }
    let feature = open.asks.feature.clone();
    let named = open.peek.feature.as_deref().and_then(sanitised);
    open.principal.feature = feature.or(named);
    if let Some(user) = open.asks.user.clone() {
        open.principal.user = Some(user);
    }
    Ok(())
}

/// Everyone, where no keys are asked for.
#[must_use]
pub fn anonymous() -> Principal {
    static NAME: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("anonymous"));
    Principal::of_key(Arc::clone(&NAME))
}

/// Whether a browser sends this for a page that is not from this machine. Anybody's page could
/// otherwise spend the money of whoever runs an open gateway beside the browser.
fn is_foreign_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host =
        origin.to_str().ok().and_then(|text| text.split_once("://")).map_or("", |(_, host)| host);
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let name = name.map_or(host, |(name, _)| name);
    !matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// The principal of the key that the headers carry.
///
/// # Errors
/// When keys are required and none, or an unknown one, was sent.
pub fn principal(snapshot: &Snapshot, headers: &HeaderMap) -> Result<Principal, Failure> {
    let keys = match &snapshot.config.auth {
        Auth::Open if is_foreign_page(headers) => {
            let message =
                "Without keys this gateway takes no requests from web pages of other sites.";
            return Err(Failure::because(Code::PermissionDenied, message));
        }
        Auth::Open => return Ok(anonymous()),
        Auth::Keys(keys) => keys,
    };
    let Some(sent) = sent_key(headers) else {
        let message = "No API key was sent. Send one as `Authorization: Bearer`, `x-api-key`, \
                       `x-goog-api-key` or `api-key`.";
        return Err(Failure::because(Code::InvalidApiKey, message));
    };
    // Every key is compared in full, so that the time taken tells nothing about a near miss.
    let found =
        keys.iter().fold(None, |found, key| if same(key, sent) { Some(key) } else { found });
    let key =
        found.ok_or_else(|| Failure::because(Code::InvalidApiKey, "This API key is not known."))?;
    let mut principal = Principal::of_key(key.name.as_str());
    principal.team = key.team.as_deref().map(Arc::from);
    principal.user = key.user.as_deref().map(Arc::from);
    Ok(principal)
}

fn same(key: &StaticKey, sent: &str) -> bool {
    let (known, sent) = (key.secret.expose().as_bytes(), sent.as_bytes());
    let differences = known.iter().zip(sent).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
    known.len() == sent.len() && std::hint::black_box(differences) == 0
}

fn sent_key(headers: &HeaderMap) -> Option<&str> {
    let bearer =
        headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
    let named = ["x-api-key", "x-goog-api-key", "api-key"];
    bearer
        .or_else(|| named.iter().find_map(|name| headers.get(*name)?.to_str().ok()))
        .filter(|key| !key.is_empty())
}
