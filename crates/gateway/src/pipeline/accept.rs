//! Step 1: read the body under its bound, find the few fields needed, make the exchange.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};
use wire::peek::{ChatPeek, PeekError};

use super::Core;
use super::exchange::{Asks, Exchange, Open, Said};
use super::lanes::Snapshot;
use super::leftover;
use super::speech::Speech;
use crate::failure::{Code, Failure};

/// A body must keep coming: this long without a byte is too slow.
const BODY_IDLE: Duration = Duration::from_secs(10);
/// Attribution headers are cut to this many bytes, so that no client can fill the log.
const MAX_ATTRIBUTION: usize = 128;
/// The longest timeout a client may ask for.
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

/// A request as it came in.
#[derive(Debug)]
pub struct Inbound {
    /// The dialect of the path it was sent to.
    pub door: Speech,
    /// What else the URL says.
    pub said: Said,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, not yet read.
    pub body: Incoming,
    /// When its head was read.
    pub arrived: Instant,
}

/// A failure before there was an exchange: only the id is known.
#[derive(Debug)]
pub struct Early {
    /// The request's id.
    pub id: Arc<str>,
    /// When it arrived.
    pub arrived: Instant,
    /// What is wrong with it.
    pub failure: Failure,
    /// Whether the connection can carry another request.
    pub usable: bool,
}

/// Reads the request and makes its exchange, not yet admitted.
///
/// # Errors
/// When the body is too large, too slow, encoded, or no JSON request.
pub async fn accept(core: &Core, mut inbound: Inbound) -> Result<Open, Early> {
    let id = core.world.request_id();
    let arrived = inbound.arrived;
    let snapshot = core.snapshot.load_full();
    match read(core, id, &snapshot, &mut inbound).await {
        Ok(exchange) => Ok(Open::new(exchange, core.abandoned.clone())),
        Err(failure) => {
            let limit = snapshot.config.server.max_body_bytes;
            // A body that was too slow has had its time.
            let usable = failure.code != Code::SlowBody
                && leftover::discard(&inbound.headers, &mut inbound.body, limit).await;
            Err(Early { id: id_text(id, &inbound.headers), arrived, failure, usable })
        }
    }
}

/// The exchange of a request whose body is not read here.
///
/// # Errors
/// When its key or its headers are wrong.
pub fn unread(
    core: &Core,
    headers: &HeaderMap,
    door: Speech,
    arrived: Instant,
) -> Result<Open, Box<Early>> {
    let id = core.world.request_id();
    let snapshot = core.snapshot.load_full();
    let entered =
        asks(headers).and_then(|asks| Ok((asks, super::admit::principal(&snapshot, headers)?)));
    let early =
        |failure| Box::new(Early { id: id_text(id, headers), arrived, failure, usable: false });
    let (asks, principal) = entered.map_err(early)?;
    let (said, peek, chance) = (Said::default(), ChatPeek::default(), core.world.chance());
    let mut exchange =
        Exchange::new(id, arrived, snapshot, door, said, Bytes::new(), peek, asks, chance);
    principal_of(&mut exchange, principal);
    exchange.id_text = id_text(id, headers);
    Ok(Open::new(exchange, core.abandoned.clone()))
}

/// An early failure, once the rest of the request is out of the way.
pub async fn discarded(
    core: &Core,
    early: Early,
    headers: &HeaderMap,
    body: &mut Incoming,
) -> Early {
    let limit = core.snapshot.load().config.server.max_body_bytes;
    Early { usable: leftover::discard(headers, body, limit).await, ..early }
}

fn principal_of(exchange: &mut Exchange, principal: ledger::Principal) {
    exchange.principal = principal;
    exchange.principal.feature.clone_from(&exchange.asks.feature);
    if let Some(user) = exchange.asks.user.clone() {
        exchange.principal.user = Some(user);
    }
}

async fn read(
    core: &Core,
    id: u128,
    snapshot: &Arc<Snapshot>,
    inbound: &mut Inbound,
) -> Result<Exchange, Failure> {
    let asks = asks(&inbound.headers)?;
    // Keys are checked before the body is read: nobody unknown may make us hold megabytes.
    let principal = super::admit::principal(snapshot, &inbound.headers)?;
    let limit = snapshot.config.server.max_body_bytes;
    // A body that comes by the drop has no more time than the whole request.
    let until = inbound.arrived + asks.timeout.unwrap_or(snapshot.config.timeouts.total);
    let body = timeout_at(until, body(&inbound.headers, &mut inbound.body, limit)).await;
    let body = body.map_err(|_| Failure::new(Code::SlowBody))??;
    let peek = inbound.door.peek(&body).map_err(|error| not_json(&error))?;
    let mut exchange = Exchange::new(
        id,
        inbound.arrived,
        Arc::clone(snapshot),
        inbound.door,
        inbound.said.clone(),
        body,
        peek,
        asks,
        core.world.chance(),
    );
    exchange.principal = principal;
    exchange.id_text = id_text(id, &inbound.headers);
    Ok(exchange)
}

/// Refuses a body that is compressed.
///
/// # Errors
/// When it is.
pub fn not_encoded(headers: &HeaderMap) -> Result<(), Failure> {
    let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    let encoded = !headers.get_all(CONTENT_ENCODING).iter().all(plain);
    if encoded { Err(Failure::new(Code::UnsupportedEncoding)) } else { Ok(()) }
}

/// Reads a body whole, within its bounds.
///
/// # Errors
/// When it is encoded, too large, too slow, or breaks off.
pub async fn body(headers: &HeaderMap, body: &mut Incoming, limit: u64) -> Result<Bytes, Failure> {
    not_encoded(headers)?;
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(chunk) = next_chunk(body).await? {
        let so_far = first.as_ref().map_or(0, Bytes::len) + rest.len();
        if (so_far + chunk.len()) as u64 > limit {
            return Err(too_large(limit));
        }
        match &first {
            // One chunk is the rule for short requests, and is kept without a copy.
            None => first = Some(chunk),
            Some(_) => {
                if rest.is_empty() {
                    let total = announced.and_then(|length| usize::try_from(length).ok());
                    rest.reserve(total.unwrap_or(so_far + chunk.len()));
                    rest.extend_from_slice(first.as_ref().map_or(&[], |first| &first[..]));
                    first = Some(Bytes::new());
                }
                rest.extend_from_slice(&chunk);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}

/// The next piece of a body.
///
/// # Errors
/// When it is too slow or breaks off.
pub async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = timeout(BODY_IDLE, body.frame()).await;
        match frame.map_err(|_| Failure::new(Code::SlowBody))? {
            None => return Ok(None),
            Some(Err(error)) => {
                let failure = Failure::because(Code::InvalidRequest, "The request body broke off.");
                return Err(failure.caused_by(error.to_string()));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn too_large(limit: u64) -> Failure {
    Failure::because(
        Code::RequestTooLarge,
        format!("The request body is larger than {limit} bytes."),
    )
}

/// Why a body is no request.
#[must_use]
pub fn not_json(error: &PeekError) -> Failure {
    let code = match error {
        PeekError::DuplicateKey { .. } => Code::DuplicateKey,
        PeekError::TooDeep => Code::JsonTooDeep,
        PeekError::WrongType { .. } | PeekError::TooManyFields => Code::InvalidRequest,
        PeekError::InvalidJson { .. } | PeekError::NotAnObject => Code::InvalidJson,
    };
    let failure = Failure::because(code, format!("{error}."));
    match error {
        PeekError::WrongType { field, .. } => failure.on(*field),
        PeekError::DuplicateKey { key } => failure.on(key.clone()),
        _ => failure,
    }
}

/// Client headers that go upstream untouched when the upstream speaks the client's dialect.
const FORWARDED: [&str; 3] = ["anthropic-beta", "anthropic-version", "openai-beta"];

fn asks(headers: &HeaderMap) -> Result<Asks, Failure> {
    let mut forwarded = HeaderMap::new();
    for name in FORWARDED {
        if let Some(value) = headers.get(name) {
            forwarded.insert(HeaderName::from_static(name), value.clone());
        }
    }
    Ok(Asks {
        timeout: client_timeout(headers)?,
        feature: attribution(headers, "x-weighbridge-feature"),
        user: attribution(headers, "x-weighbridge-user"),
        strict: headers.get("x-weighbridge-strict").is_some_and(|value| value == "true"),
        only_if_cached: headers.get(CACHE_CONTROL).is_some_and(only_if_cached),
        forwarded,
    })
}

fn only_if_cached(value: &HeaderValue) -> bool {
    let directives = value.to_str().unwrap_or("").split(',');
    directives.into_iter().any(|directive| directive.trim().eq_ignore_ascii_case("only-if-cached"))
}

fn client_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let Some(value) = headers.get("x-weighbridge-timeout") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| crate::config::duration(text.trim()));
    match parsed {
        Some(asked) if !asked.is_zero() => Ok(Some(asked.min(MAX_TIMEOUT))),
        _ => Err(Failure::because(
            Code::InvalidRequest,
            "The header x-weighbridge-timeout must be a duration such as 500ms, 20s or 2m.",
        )
        .on("x-weighbridge-timeout")),
    }
}

/// The longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// The id that client, log and upstream see: the client's own if it sent a plain one, else ours.
#[must_use]
pub fn id_text(id: u128, headers: &HeaderMap) -> Arc<str> {
    let sent = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let plain = |text: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        (1..=MAX_REQUEST_ID).contains(&text.len()) && text.bytes().all(allowed)
    };
    sent.filter(plain).map_or_else(|| Arc::from(format!("req_{id:032x}")), Arc::from)
}

/// An attribution value: printable, bounded, or not there.
fn attribution(headers: &HeaderMap, name: &str) -> Option<Arc<str>> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    sanitised(text)
}

/// Bounds a client's word about itself.
#[must_use]
pub fn sanitised(text: &str) -> Option<Arc<str>> {
    let cut = text.get(..text.floor_char_boundary(MAX_ATTRIBUTION))?;
    let clean: String = cut.chars().filter(|c| !c.is_control()).collect();
    (!clean.is_empty()).then(|| Arc::from(clean))
}
