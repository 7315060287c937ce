//! One HTTP/2 connection: many exchanges at once, up to the peer's limit.
//!
//! hyper queues a stream beyond MAX_CONCURRENT_STREAMS without a word, and the request waits
//! behind strangers. So streams are counted here, and a full connection is one the pool passes
//! over. The peer's limit is known only inside the driver, which publishes it; until the first
//! answer the configured limit holds.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::Response;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::UpstreamSettings;
use super::body::Lease;
use super::call::{Call, Segments};
use super::failure::{Lost, SendFailure, cause, text};
use super::network::Io;
use super::pool::OriginPool;
use super::progress::{Progress, SentClock, SentWhen};

/// A connection in the pool.
pub(super) struct Http2 {
    sender: http2::SendRequest<Segments>,
    load: Arc<Load>,
}

/// What the pool, the driver and the streams of one connection know together.
struct Load {
    streams: AtomicUsize,
    limit: AtomicUsize,
    retired: AtomicBool,
    answered: AtomicBool,
    born: Instant,
    /// Milliseconds from `born` to the end of the last stream.
    used_ms: AtomicU64,
    driver: AtomicWaker,
    /// The limit was published after the first answer.
    published: Notify,
}

impl Load {
    fn new(limit: usize) -> Self {
        Self {
            streams: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            retired: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            born: Instant::now(),
            used_ms: AtomicU64::new(0),
            driver: AtomicWaker::new(),
            published: Notify::new(),
        }
    }

    /// Called by the driver with the limit it sees; wakes the first answer if that waits for it.
    fn publish(&self, limit: usize) {
        let answered = self.answered.load(Ordering::Acquire);
        self.limit.store(limit, Ordering::Release);
        if answered {
            self.published.notify_one();
        }
    }

    /// Called with each answer. The peer's settings arrived before its first one, so that answer
    /// waits until the driver, which runs at once, has looked at them.
    async fn learn(&self) {
        if !self.answered.swap(true, Ordering::AcqRel) {
            self.driver.wake();
            self.published.notified().await;
        }
    }
}

/// The right to one stream; dropping it frees the place.
pub(super) struct Place(Arc<Load>);

impl Drop for Place {
    fn drop(&mut self) {
        let used = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.used_ms.store(used, Ordering::Release);
        self.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place on a connection, ready for one call.
pub(super) struct Http2Stream {
    sender: http2::SendRequest<Segments>,
    place: Place,
}

impl Http2 {
    pub(super) async fn start(
        io: Box<dyn Io>,
        settings: &UpstreamSettings,
    ) -> Result<Self, SendFailure> {
        let head = u32::try_from(settings.max_head_bytes).unwrap_or(u32::MAX);
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(head)
            .initial_max_send_streams(settings.max_streams)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| SendFailure::Protocol(text(&error)))?;
        let load = Arc::new(Load::new(settings.max_streams));
        let (shared, most) = (Arc::clone(&load), settings.max_streams);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let driven = poll_fn(|cx| {
                shared.driver.register(cx.waker());
                let driven = connection.as_mut().poll(cx);
                let seen = driven.is_pending().then(|| connection.current_max_send_streams());
                shared.publish(seen.unwrap_or(0).min(most));
                driven
            });
            // Its failure reaches the streams that suffer from it.
            let _ = driven.await;
            shared.retired.store(true, Ordering::Release);
            shared.published.notify_one();
        });
        Ok(Self { sender, load })
    }

    /// Whether no further stream may be opened on it.
    pub(super) fn is_retired(&self) -> bool {
        self.load.retired.load(Ordering::Acquire) || self.sender.is_closed()
    }

    /// How long no stream has used it; `None` while one does.
    pub(super) fn unused_for(&self) -> Option<Duration> {
        let used = Duration::from_millis(self.load.used_ms.load(Ordering::Acquire));
        let busy = self.load.streams.load(Ordering::Acquire) > 0;
        (!busy).then(|| self.load.born.elapsed().saturating_sub(used))
    }

    /// Takes a place for one stream, if one is free.
    pub(super) fn take_place(&self) -> Option<Http2Stream> {
        let limit = self.load.limit.load(Ordering::Acquire);
        self.load
            .streams
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |streams| {
                (streams < limit).then_some(streams + 1)
            })
            .ok()?;
        let place = Place(Arc::clone(&self.load));
        Some(Http2Stream { sender: self.sender.clone(), place })
    }
}

impl Http2Stream {
    /// Sends the call and waits for the head. The lease holds the place until the body ends.
    pub(super) async fn exchange<F: FnOnce(Instant)>(
        mut self,
        pool: &Arc<OriginPool>,
        call: Call,
        clock: &mut SentClock<F>,
    ) -> Result<(Response<Incoming>, Lease), Lost> {
        let progress = Progress::new(SentWhen::Taken);
        let request =
            call.into_http2(pool.scheme(), pool.authority(), &progress).map_err(Lost::final_)?;
        let mut response = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            progress.register(cx.waker());
            let answered = response.as_mut().poll(cx);
            if progress.is_sent() {
                clock.stop();
            }
            answered
        });
        let head = match answered.await {
            Ok(head) => head,
            Err(error) => return Err(self.place.lost(error)),
        };
        self.place.0.learn().await;
        Ok((head, Lease::http2(self.place)))
    }
}

impl Place {
    /// What a failed stream means, for the request and for the connection.
    ///
    /// A graceful GOAWAY names the last stream that will be served, and h2 reports it only to
    /// those beyond: they were not processed. Under any other code h2 reports it to all, so nothing
    /// is certain.
    fn lost(&self, error: TrySendError<http::Request<Segments>>) -> Lost {
        let returned = error.message().is_some();
        let error = error.into_error();
        let reason = cause::<h2::Error>(&error);
        let stream_only = reason.is_some_and(h2::Error::is_reset);
        if !stream_only {
            self.0.retired.store(true, Ordering::Release);
        }
        match reason {
            _ if returned => Lost::silent(false),
            Some(h2) if h2.is_remote() && is_refusal(h2) => Lost::refused(),
            Some(h2) if h2.is_io() => Lost::silent(true),
            Some(h2) if h2.is_library() => Lost::final_(SendFailure::BadHeaders),
            Some(_) => Lost::final_(SendFailure::Http2 { refused: false }),
            None if error.is_user() => Lost::final_(SendFailure::Protocol(text(&error))),
            None => Lost::silent(true),
        }
    }
}

fn is_refusal(error: &h2::Error) -> bool {
    match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
        Some(h2::Reason::NO_ERROR) => error.is_go_away(),
        _ => false,
    }
}
