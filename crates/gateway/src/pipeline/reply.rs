//! What goes back to the client: bodies, headers, errors in the client's dialect.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use catalog::Money;
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use wire::error::Problem;

use super::Core;
use super::accept::Early;
use super::array;
use super::exchange::{Attempt, Exchange};
use super::leftover;
use super::speech::Speech;
use super::tell;
use crate::failure::Failure;

/// A response body.
pub enum Body {
    /// Known whole.
    Full(Bytes),
    /// Made piece by piece, as fast as the client reads.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// Passed through as it comes. An error cuts the connection, so that a broken answer is never
    /// taken for a whole one.
    Passed(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(stream) => {
                stream.as_mut().poll_next(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Passed(stream) => {
                stream.as_mut().poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) | Self::Passed(_) => SizeHint::default(),
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A client's own word for a model is told back up to this many bytes.
const MAX_NAME: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MODEL: HeaderName = HeaderName::from_static("x-weighbridge-model");
const REQUESTED: HeaderName = HeaderName::from_static("x-weighbridge-requested-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-weighbridge-attempts");
const FALLBACK_FROM: HeaderName = HeaderName::from_static("x-weighbridge-fallback-from");
const FALLBACK_REASON: HeaderName = HeaderName::from_static("x-weighbridge-fallback-reason");
const DROPPED: HeaderName = HeaderName::from_static("x-weighbridge-dropped-fields");
const COST: HeaderName = HeaderName::from_static("x-weighbridge-cost-usd");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A whole answer.
#[must_use]
pub fn whole(exchange: &Exchange, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Full(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    story(exchange, headers);
    put(headers, COST, &usd(exchange.cost_nanousd()));
    response
}

/// An answer of the gateway's own.
#[must_use]
pub fn json(id: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::Full(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    put(response.headers_mut(), REQUEST_ID, id);
    response
}

/// What of an upstream's head goes on to the client of a request that was passed through.
const PASSED_HEADERS: [HeaderName; 6] = [
    CONTENT_TYPE,
    http::header::CONTENT_LENGTH,
    http::header::CONTENT_DISPOSITION,
    http::header::CONTENT_RANGE,
    http::header::ACCEPT_RANGES,
    RETRY_AFTER,
];

/// The head of an answer that is passed through.
#[must_use]
pub fn passed(exchange: &Exchange, status: u16, upstream: &HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    for name in PASSED_HEADERS {
        if let Some(value) = upstream.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    story(exchange, headers);
    response
}

/// The headers that say what happened to a request so far.
#[must_use]
pub fn told(exchange: &Exchange) -> HeaderMap {
    let mut headers = HeaderMap::new();
    story(exchange, &mut headers);
    headers
}

/// A streamed answer, as events or as one array of them.
#[must_use]
pub fn events(array: bool, stream: Pin<Box<dyn Stream<Item = Bytes> + Send>>) -> Response<Body> {
    let (stream, kind) = if array { (array::of_events(stream), JSON) } else { (stream, EVENTS) };
    let mut response = Response::new(Body::Stream(stream));
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An error in the client's dialect.
#[must_use]
pub fn failure(door: Speech, id: &str, failure: &Failure) -> Response<Body> {
    let body = door.encode_error(&problem(failure, id));
    let mut response = Response::new(Body::Full(Bytes::from(body)));
    *response.status_mut() =
        StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    identify(headers, door, id);
    if let Some(wait) = failure.retry_after {
        let millis = wait.as_millis().max(1);
        put(headers, RETRY_AFTER, &millis.div_ceil(1000).to_string());
        put(headers, RETRY_AFTER_MS, &millis.to_string());
    }
    if let Some(should) = failure.should_retry {
        put(headers, SHOULD_RETRY, if should { "true" } else { "false" });
    }
    response
}

/// An error for an exchange: with the story of its attempts.
#[must_use]
pub fn refusal(exchange: &Exchange, reason: &Failure) -> Response<Body> {
    let mut response = failure(exchange.door, &exchange.id_text, reason);
    story(exchange, response.headers_mut());
    response
}

/// An error before there was an exchange; it is told here, since no other step will.
#[must_use]
pub fn early(core: &Core, door: Speech, early: Early) -> Response<Body> {
    let id = Arc::clone(&early.id);
    tell::early(core, door.id(), &early, &id);
    let mut response = failure(door, &id, &early.failure);
    if !early.usable {
        leftover::closes(&mut response);
    }
    response
}

/// What a failure says, in the form that dialects can write.
#[must_use]
pub fn problem<'f>(failure: &'f Failure, id: &'f str) -> Problem<'f> {
    Problem {
        status: failure.status(),
        kind: failure.code.row().kind,
        code: failure.code.name(),
        message: &failure.public,
        param: failure.param.as_deref(),
        request_id: Some(id),
    }
}

/// The headers that say what happened to a request.
fn story(exchange: &Exchange, headers: &mut HeaderMap) {
    identify(headers, exchange.door, &exchange.id_text);
    let asked = exchange.model();
    if !asked.is_empty() {
        put(
            headers,
            REQUESTED,
            asked.get(..asked.floor_char_boundary(MAX_NAME)).unwrap_or_default(),
        );
    }
    put(headers, ATTEMPTS, &exchange.attempts.len().to_string());
    headers.insert(X_CACHE, HeaderValue::from_static("bypass"));
    let served = exchange.attempts.iter().rev().find(|attempt| attempt.record.outcome == "ok");
    if let Some(served) = served {
        put(headers, MODEL, &served.lane.id);
        // A hedge that lost began after the one that served: nothing was left for it.
        let since = served.started;
        let mut earlier = exchange.attempts.iter().rev().filter(|other| other.started <= since);
        let failed = earlier.find(|other| other.lane.id != served.lane.id);
        if let Some(failed) = failed {
            put(headers, FALLBACK_FROM, &failed.lane.id);
            put(headers, FALLBACK_REASON, failed.record.outcome);
        } else if let Some((lane, reason)) = &exchange.passed_over {
            put(headers, FALLBACK_FROM, &lane.id);
            put(headers, FALLBACK_REASON, reason);
        }
        put(headers, SERVER_TIMING, &timing(exchange));
    }
    if !exchange.dropped.is_empty() {
        put(headers, DROPPED, &exchange.dropped.join(","));
    }
}

/// The request's id, under the name that the door's clients look for as well.
fn identify(headers: &mut HeaderMap, door: Speech, id: &str) {
    put(headers, REQUEST_ID, id);
    if door.id() == "anthropic_messages" {
        put(headers, HeaderName::from_static("request-id"), id);
    }
}

/// The time so far: what the attempts took, and the rest, which is ours.
fn timing(exchange: &Exchange) -> String {
    let all_us = super::settle::micros(exchange.arrived.elapsed());
    let took = |attempt: &Attempt| match attempt.record.duration_us {
        0 => super::settle::micros(attempt.started.elapsed()),
        ended => ended,
    };
    let upstream_us = exchange.attempts.iter().map(took).sum::<u64>().min(all_us);
    let ours = all_us - upstream_us;
    let millis = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
    format!("upstream;dur={}, weighbridge;dur={}", millis(upstream_us), millis(ours))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // A name that no header can hold (a model name with a line break) is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Nano-dollars as decimal text.
#[must_use]
pub fn usd(nanousd: i64) -> String {
    Money::from_nanousd(nanousd).to_string()
}
