//! The body of an answer while it arrives, and the connection it arrives on.
//!
//! Chunks are hyper's own buffers, passed on without a copy, a channel or a task. The body holds
//! the lease of its connection: when the message is complete the connection goes back to the pool
//! in the same poll that saw the end; when the body is dropped before, the connection is closed or
//! the stream reset, and the provider stops working.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::decode::{Coding, Decoder};
use super::failure::BodyFailure;
use super::http1::Http1;
use super::http2::Place;
use super::pool::OriginPool;

/// How long [`ResponseBody::finish`] waits for the end of a message whose content is over.
const FINISH_WITHIN: Duration = Duration::from_millis(50);

/// What a body holds of its connection.
pub(super) enum Lease {
    /// The connection itself.
    Http1(Http1, Weak<OriginPool>),
    /// A place among the streams.
    Http2(#[expect(dead_code, reason = "held to be dropped")] Place),
}

impl Lease {
    pub(super) fn http1(connection: Http1, pool: &Arc<OriginPool>) -> Self {
        Self::Http1(connection, Arc::downgrade(pool))
    }

    pub(super) fn http2(place: Place) -> Self {
        Self::Http2(place)
    }

    /// The message is complete.
    fn give_back(self) {
        if let Self::Http1(connection, pool) = self
            && let Some(pool) = pool.upgrade()
        {
            pool.put(connection);
        }
    }
}

/// A body, read chunk by chunk. Dropping it before its end cancels the exchange.
pub struct ResponseBody {
    incoming: Incoming,
    /// Gone when the message is complete or has failed.
    lease: Option<Lease>,
    decoder: Option<Decoder>,
    produced: u64,
    limit: u64,
    over: bool,
}

impl ResponseBody {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let lease = Some(lease);
        let mut body =
            Self { incoming, lease, decoder: None, produced: 0, limit: u64::MAX, over: false };
        body.give_back_if_complete();
        body
    }

    /// Bounds the decoded length, and undoes the coding.
    pub(super) fn bound(&mut self, coding: Coding, limit: u64) {
        self.limit = limit;
        self.decoder = Decoder::of(coding);
    }

    /// The next bytes, never empty; `None` once the body is complete. After an error it is over.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyFailure>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`ResponseBody::next`] for callers that poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFailure>>> {
        while !self.over {
            let chunk = match self.decoder.as_mut().map(Decoder::next) {
                Some(Ok(Some(decoded))) => Ok(decoded),
                Some(Err(failure)) => Err(failure),
                Some(Ok(None)) | None => match self.poll_incoming(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => continue,
                    Poll::Ready(Some(chunk)) => chunk,
                },
            };
            let chunk = chunk.and_then(|chunk| self.count(chunk));
            if chunk.is_err() {
                self.over = true;
                self.lease = None;
            }
            return Poll::Ready(Some(chunk));
        }
        Poll::Ready(None)
    }

    /// Says that the caller has all it wants although it has not seen the end, as after a stream's
    /// last event. Waits a moment (50 ms) for the end of the message so that the connection can be
    /// used again; content that still comes closes it.
    pub async fn finish(mut self) {
        // Both ways it is dropped; a complete message has given its connection back before.
        let _ = timeout(FINISH_WITHIN, self.next()).await;
    }

    /// One step of the message: bytes to pass on, or `None` to look again.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFailure>>> {
        // What is announced counts already: no byte of a body that cannot fit is waited for.
        let announced = self.incoming.size_hint().lower();
        if self.decoder.is_none() && self.produced.saturating_add(announced) > self.limit {
            return Poll::Ready(Some(Err(BodyFailure::TooLarge)));
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(BodyFailure::of(&error))));
            }
            Poll::Ready(None) => return Poll::Ready(self.end().err().map(Err)),
        };
        self.give_back_if_complete();
        // Trailers carry nothing that any provider's format defines.
        let data = frame.into_data().unwrap_or_default();
        Poll::Ready(match self.decoder.as_mut() {
            Some(decoder) => {
                decoder.feed(data);
                None
            }
            None => (!data.is_empty()).then_some(Ok(data)),
        })
    }

    fn end(&mut self) -> Result<(), BodyFailure> {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        self.over = true;
        self.decoder.as_mut().map_or(Ok(()), Decoder::end)
    }

    fn count(&mut self, chunk: Bytes) -> Result<Bytes, BodyFailure> {
        self.produced = self.produced.saturating_add(chunk.len() as u64);
        match self.produced > self.limit {
            true => Err(BodyFailure::TooLarge),
            false => Ok(chunk),
        }
    }

    fn give_back_if_complete(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }
}

impl Drop for ResponseBody {
    /// The end of the message may lie in the buffer already: then the connection is kept. Otherwise
    /// the lease is dropped with the body, and the exchange with it.
    fn drop(&mut self) {
        if self.lease.is_some() && !self.over {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            if let Poll::Ready(None) = Pin::new(&mut self.incoming).poll_frame(&mut cx)
                && let Some(lease) = self.lease.take()
            {
                lease.give_back();
            }
        }
    }
}
