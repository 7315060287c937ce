//! The HTTP client towards providers: connect, send, hand the answer back as it arrives.
//!
//! One call is one read from top to bottom: take a connection from the origin's pool or open one
//! (`dial`), put the request on it (`http1`, `http2`), return the head with a body that is
//! still arriving (`body`). Everything is built on hyper's connection-level API with a pool of
//! our own, because only that level tells the three things a gateway must know: whether the
//! request left, whether the peer said anything before it failed, and which connection carried it.
//!
//! # Layout
//! `origin` and `call` are what goes in, `body` and `failure` what comes out; `network`, `address`,
//! `tls` and `dial` make connections; `pool` keeps them; `progress` watches the bytes of one
//! exchange; `decode` unpacks compressed bodies under a bound.
//!
//! What it does not do: it follows no redirect, stores no cookie, retries nothing that a provider
//! may have worked on, and holds no first-token, read or total timer. Those belong to the caller,
//! who drops the future or the body, and with it the exchange.

mod body;
mod call;
mod decode;
mod dial;
mod failure;
mod http1;
mod http2;
mod network;
mod origin;
mod pool;
mod progress;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use ledger::Permit;
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, timeout_at};

pub use body::ResponseBody;
pub use call::{Call, Flow, percent_encoded};
pub use failure::{BodyFailure, SendFailure};
pub use network::{Io, Network, SystemNetwork};
pub use origin::{Origin, Scheme, TrustedRoots};

use dial::Dialer;
use failure::Lost;
use pool::{Connection, OriginPool, Pools};
use progress::SentClock;

/// A request on a pooled connection that fails within this time of being sent met a connection
/// that was closing; the provider cannot have worked on it and sent nothing. A later silence may
/// have cost money, so it is the caller's to judge. One second is several round trips around the
/// globe.
const RACE_WINDOW: Duration = Duration::from_secs(1);

/// The bounds of the client. All have defaults.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// How long an unused connection is kept. Default 60 s, under the idle limit of most servers.
    pub pool_idle: Duration,
    /// Unused HTTP/1.1 connections kept per origin; further ones are closed. Default 256.
    pub max_idle_per_origin: usize,
    /// Bytes of a response head. At least 8 KiB, which is hyper's floor. Default 64 KiB.
    pub max_head_bytes: usize,
    /// Header fields of a response. Default 128.
    pub max_headers: usize,
    /// Interim (1xx) responses before the final one. Default 16.
    pub max_informational: u32,
    /// Concurrent streams on one HTTP/2 connection; the peer's own lower limit wins. Default 100.
    pub max_streams: usize,
    /// Certificate authorities trusted for every origin besides the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            pool_idle: Duration::from_secs(60),
            max_idle_per_origin: 256,
            max_head_bytes: 64 * 1024,
            max_headers: 128,
            max_informational: 16,
            max_streams: 100,
            extra_roots: Vec::new(),
        }
    }
}

/// The client: pools of connections, one per origin. Share it behind an `Arc`.
pub struct Upstream {
    dialer: Dialer,
    pools: Pools,
    pool_races: AtomicU64,
}

/// The head of an answer, and its body still arriving.
pub struct Response {
    /// The status code, 200 to 999. A redirect is an answer like any other.
    pub status: u16,
    /// The header fields as the provider sent them.
    pub headers: HeaderMap,
    /// The body.
    pub body: ResponseBody,
    /// When the last byte of the request was handed to the network, or when the answer came if
    /// that was earlier.
    pub sent_at: Instant,
    /// Whether the request travelled on a connection that had been used before.
    pub reused_connection: bool,
    /// Whether it was sent a second time; see [`Upstream::pool_races`].
    pub resent: bool,
}

impl Response {
    /// Undoes the body's `content-encoding` and bounds its decoded length to `limit` bytes.
    ///
    /// The fields `content-encoding` and `content-length`, which describe the encoded bytes, are
    /// removed when the body was encoded.
    ///
    /// # Errors
    /// [`SendFailure::BadHeaders`] for a coding other than gzip, deflate and identity.
    pub fn decoded(mut self, limit: u64) -> Result<Self, SendFailure> {
        let coding = decode::Coding::of(&self.headers).ok_or(SendFailure::BadHeaders)?;
        if coding != decode::Coding::Identity {
            self.headers.remove(http::header::CONTENT_ENCODING);
            self.headers.remove(http::header::CONTENT_LENGTH);
        }
        self.body.bound(coding, limit);
        Ok(self)
    }
}

impl Upstream {
    /// A client without connections.
    pub fn new(network: Arc<dyn Network>, settings: UpstreamSettings) -> Self {
        let settings = Arc::new(settings);
        Self {
            dialer: Dialer::new(network, Arc::clone(&settings)),
            pools: Pools::new(settings),
            pool_races: AtomicU64::new(0),
        }
    }

    /// Sends one request and waits for the head of its answer.
    ///
    /// The permit proves that the cost was reserved; the caller settles it whatever comes back.
    /// `connect_timeout` covers DNS, TCP, TLS and the HTTP/2 preface together. `on_sent` is called
    /// once, from this future, when the whole request has been handed to the network (or the
    /// answer arrived earlier): the caller's first-token timer starts there. Dropping the future
    /// closes the connection or resets the stream.
    ///
    /// A call whose body comes while it is sent has a new connection and is sent once. Any other
    /// request that met a closing pooled connection, or that an HTTP/2 peer refused unseen, is
    /// sent once more on a new connection; see [`Upstream::pool_races`].
    ///
    /// # Errors
    /// See [`SendFailure`]; each variant says whether the provider can have seen the request.
    pub async fn send(
        &self,
        _permit: &Permit,
        origin: &Origin,
        call: Call,
        connect_timeout: Duration,
        on_sent: impl FnOnce(Instant) + Send,
    ) -> Result<Response, SendFailure> {
        let pool = self.pools.of(origin)?;
        let mut clock = SentClock::new(on_sent);
        let until = Instant::now() + connect_timeout;
        if call.flow.is_some() {
            let connection = within(until, pool.open(&self.dialer)).await?;
            let answered = exchange(&pool, connection, call, false, &mut clock).await;
            return answered.map_err(|lost| lost.failure);
        }
        let (connection, reused) = within(until, pool.checkout(&self.dialer)).await?;
        if !reused && !connection.may_refuse() {
            let lost = |lost: Lost| lost.failure;
            return exchange(&pool, connection, call, false, &mut clock).await.map_err(lost);
        }
        match exchange(&pool, connection, call.clone(), reused, &mut clock).await {
            Err(lost) if lost.never_processed || (reused && is_race(&lost, &clock)) => {}
            other => return other.map_err(|lost| lost.failure),
        }
        self.pool_races.fetch_add(1, Ordering::Relaxed);
        let until = Instant::now() + connect_timeout;
        let connection = within(until, pool.open(&self.dialer)).await?;
        clock.restart();
        let answered = exchange(&pool, connection, call, false, &mut clock).await;
        answered.map(|r| Response { resent: true, ..r }).map_err(|lost| lost.failure)
    }

    /// How many requests were sent a second time because their connection was closing. Monotonic.
    pub fn pool_races(&self) -> u64 {
        self.pool_races.load(Ordering::Relaxed)
    }
}

/// Holds a step of connecting to the deadline of the call.
async fn within<T>(
    until: Instant,
    step: impl Future<Output = Result<T, SendFailure>>,
) -> Result<T, SendFailure> {
    timeout_at(until, step).await.unwrap_or(Err(SendFailure::ConnectTimeout))
}

/// Whether a failure on a reused connection is the keep-alive race.
fn is_race<F>(lost: &Lost, clock: &SentClock<F>) -> bool {
    lost.silent && clock.sent_at().is_none_or(|at| at.elapsed() <= RACE_WINDOW)
}

/// Puts the call on the connection and checks the head that comes back.
async fn exchange<F: FnOnce(Instant)>(
    pool: &Arc<OriginPool>,
    connection: Connection,
    call: Call,
    reused: bool,
    clock: &mut SentClock<F>,
) -> Result<Response, Lost> {
    let (head, lease) = match connection {
        Connection::Http1(connection) => connection.exchange(pool, call, clock).await?,
        Connection::Http2(stream) => stream.exchange(pool, call, clock).await?,
    };
    let sent_at = clock.stop();
    let (parts, incoming) = head.into_parts();
    if parts.headers.len() > pool.settings().max_headers {
        return Err(Lost::final_(SendFailure::BadHeaders));
    }
    if parts.status == http::StatusCode::SWITCHING_PROTOCOLS {
        let text = "the provider switched protocols unasked".to_owned();
        return Err(Lost::final_(SendFailure::Protocol(text)));
    }
    Ok(Response {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: ResponseBody::new(incoming, lease),
        sent_at,
        reused_connection: reused,
        resent: false,
    })
}
