//! Connections kept per origin.
//!
//! HTTP/1.1 connections wait in a stack: the one used last is the one least likely to have been
//! closed, and those at the bottom age out. HTTP/2 connections are shared until full, then another
//! one is opened. The lock is held for a few instructions and never across an await; connections
//! that are found dead are dropped after it is released.
//!
//! One task per origin closes what has aged, and only while there is something to age. The pool
//! does not know requests, and it limits only what waits: how many connections are in use at once
//! is decided by those who admit requests.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use http::HeaderValue;
use http::uri::Authority;
use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until};

use super::UpstreamSettings;
use super::dial::{Dialer, Dialled};
use super::failure::SendFailure;
use super::http1::Http1;
use super::http2::{Http2, Http2Stream};
use super::origin::{Origin, Scheme};
use super::tls::TlsConfigs;

/// All pools.
pub(super) struct Pools {
    settings: Arc<UpstreamSettings>,
    tls: TlsConfigs,
    pools: RwLock<HashMap<Origin, Arc<OriginPool>>>,
}

impl Pools {
    pub(super) fn new(settings: Arc<UpstreamSettings>) -> Self {
        Self { settings, tls: TlsConfigs::default(), pools: RwLock::default() }
    }

    /// The origin's pool. A new one displaces those that hold nothing and that nobody uses, so
    /// origins of former configurations do not pile up.
    pub(super) fn of(&self, origin: &Origin) -> Result<Arc<OriginPool>, SendFailure> {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(origin) {
            return Ok(Arc::clone(pool));
        }
        drop(pools);
        let tls = match origin.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(self.tls.of(origin, &self.settings.extra_roots)?),
        };
        let pool = Arc::new(OriginPool::new(origin, tls, Arc::clone(&self.settings))?);
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|_, pool| pool.is_wanted());
        Ok(Arc::clone(pools.entry(origin.clone()).or_insert(pool)))
    }
}

/// A connection for one call.
pub(super) enum Connection {
    Http1(Http1),
    Http2(Http2Stream),
}

impl Connection {
    /// Whether the peer may refuse a request on it although it is new.
    pub(super) fn may_refuse(&self) -> bool {
        matches!(self, Self::Http2(_))
    }
}

/// The connections of one origin.
pub(super) struct OriginPool {
    origin: Origin,
    host: HeaderValue,
    authority: Authority,
    tls: Option<Arc<ClientConfig>>,
    settings: Arc<UpstreamSettings>,
    kept: Mutex<Kept>,
    /// Held while a connection is opened that others can share, so that a burst opens one.
    opening: tokio::sync::Mutex<()>,
    /// The origin offered to share and then agreed on HTTP/1.1.
    only_http1: AtomicBool,
}

#[derive(Default)]
struct Kept {
    idle: VecDeque<(Http1, Instant)>,
    shared: Vec<Http2>,
    sweeping: bool,
}

enum Found {
    Idle(Http1),
    Place(Http2Stream),
    Nothing,
}

impl OriginPool {
    fn new(
        origin: &Origin,
        tls: Option<Arc<ClientConfig>>,
        settings: Arc<UpstreamSettings>,
    ) -> Result<Self, SendFailure> {
        let text = origin.authority();
        let unfit = || SendFailure::Protocol("the host name is not valid in a request".to_owned());
        Ok(Self {
            origin: origin.clone(),
            host: HeaderValue::from_str(&text).map_err(|_| unfit())?,
            authority: Authority::from_maybe_shared(text).map_err(|_| unfit())?,
            tls,
            settings,
            kept: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            only_http1: AtomicBool::new(false),
        })
    }

    pub(super) fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(super) fn scheme(&self) -> http::uri::Scheme {
        match self.origin.scheme {
            Scheme::Http => http::uri::Scheme::HTTP,
            Scheme::Https => http::uri::Scheme::HTTPS,
        }
    }

    /// A connection, and whether it had been used before.
    pub(super) async fn checkout(
        self: &Arc<Self>,
        dialer: &Dialer,
    ) -> Result<(Connection, bool), SendFailure> {
        if let Some(connection) = self.reuse().await {
            return Ok((connection, true));
        }
        if !self.origin.http2 || self.only_http1.load(Ordering::Acquire) {
            return Ok((self.open(dialer).await?, false));
        }
        let _opening = self.opening.lock().await;
        if let Some(connection) = self.reuse().await {
            return Ok((connection, true));
        }
        Ok((self.open(dialer).await?, false))
    }

    /// A new connection, whatever is kept.
    pub(super) async fn open(self: &Arc<Self>, dialer: &Dialer) -> Result<Connection, SendFailure> {
        match dialer.dial(&self.origin, self.tls.clone()).await? {
            Dialled::Http1(connection) => {
                self.only_http1.store(true, Ordering::Release);
                Ok(Connection::Http1(connection))
            }
            Dialled::Http2(connection) => {
                let none = || SendFailure::Protocol("the peer allows no streams".to_owned());
                let stream = connection.take_place().ok_or_else(none)?;
                let mut kept = self.lock();
                kept.shared.push(connection);
                self.sweep(&mut kept);
                Ok(Connection::Http2(stream))
            }
        }
    }

    /// Keeps a connection whose exchange has ended.
    pub(super) fn put(self: &Arc<Self>, connection: Http1) {
        if connection.is_closed() || !connection.is_sent() {
            return;
        }
        let mut kept = self.lock();
        kept.idle.push_back((connection, Instant::now()));
        let surplus = match kept.idle.len() > self.settings.max_idle_per_origin {
            true => kept.idle.pop_front(),
            false => None,
        };
        self.sweep(&mut kept);
        drop(kept);
        drop(surplus);
    }

    async fn reuse(&self) -> Option<Connection> {
        loop {
            let found = self.find();
            match found {
                Found::Place(stream) => return Some(Connection::Http2(stream)),
                Found::Idle(mut connection) => {
                    if connection.make_ready().await {
                        return Some(Connection::Http1(connection));
                    }
                }
                Found::Nothing => return None,
            }
        }
    }

    fn find(&self) -> Found {
        let mut kept = self.lock();
        kept.shared.retain(|connection| !connection.is_retired());
        if let Some(stream) = kept.shared.iter().find_map(Http2::take_place) {
            return Found::Place(stream);
        }
        kept.idle.pop_back().map_or(Found::Nothing, |(connection, _)| Found::Idle(connection))
    }

    /// Whether it holds a connection, or somebody uses it.
    fn is_wanted(self: &Arc<Self>) -> bool {
        let kept = self.lock();
        let holds = !kept.idle.is_empty() || !kept.shared.is_empty();
        holds || Arc::strong_count(self) > 1 || Arc::weak_count(self) > 0
    }

    /// Starts the task that closes what ages, unless it runs.
    fn sweep(self: &Arc<Self>, kept: &mut Kept) {
        if !kept.sweeping {
            kept.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self), Instant::now() + self.settings.pool_idle));
        }
    }

    /// Drops what has been unused too long, and says when to look again.
    fn drop_aged(&self, now: Instant) -> Option<Instant> {
        let idle = self.settings.pool_idle;
        let mut kept = self.lock();
        let fresh = kept.idle.partition_point(|(_, since)| *since + idle <= now);
        let aged: Vec<_> = kept.idle.drain(..fresh).collect();
        kept.shared.retain(|connection| {
            !connection.is_retired() && connection.unused_for().is_none_or(|unused| unused < idle)
        });
        let first = kept.idle.front().map(|(_, since)| *since + idle);
        let shared = kept.shared.iter().map(|connection| {
            now + idle.saturating_sub(connection.unused_for().unwrap_or_default())
        });
        let next = first.into_iter().chain(shared).min();
        kept.sweeping = next.is_some();
        drop(kept);
        drop(aged);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<OriginPool>, first: Instant) {
    let mut next = Some(first);
    while let Some(at) = next {
        sleep_until(at).await;
        next = pool.upgrade().and_then(|pool| pool.drop_aged(Instant::now()));
    }
}
