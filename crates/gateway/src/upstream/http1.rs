//! One HTTP/1.1 connection: one exchange at a time, then back to the pool.
//!
//! The connection's driver is the only task; the exchange runs in the caller's. A connection is
//! owned by whoever uses it, and dropping it ends the driver at once: that is how a caller that
//! gives up cancels the work upstream.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::UpstreamSettings;
use super::body::Lease;
use super::call::{Call, Segments};
use super::failure::{Lost, SendFailure, text};
use super::network::Io;
use super::pool::OriginPool;
use super::progress::{Progress, SentClock, SentWhen, Watched};

/// hyper refuses smaller buffers.
const MIN_HEAD_BYTES: usize = 8 * 1024;

/// How long a pooled connection may take to say that it is ready: its driver only has to be
/// scheduled once after the end of the exchange before.
const READY_WITHIN: Duration = Duration::from_millis(20);

/// A connection that no exchange is using.
pub(super) struct Http1 {
    sender: http1::SendRequest<Segments>,
    progress: Arc<Progress>,
    driver: AbortHandle,
}

impl Drop for Http1 {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http1 {
    pub(super) async fn start(
        io: Box<dyn Io>,
        settings: &UpstreamSettings,
    ) -> Result<Self, SendFailure> {
        let progress = Progress::new(SentWhen::Flushed);
        let io = TokioIo::new(Watched::new(io, Arc::clone(&progress)));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(settings.max_head_bytes.max(MIN_HEAD_BYTES))
            .max_headers(settings.max_headers)
            .handshake(io)
            .await
            .map_err(|error| SendFailure::Protocol(text(&error)))?;
        let driver = tokio::spawn(async move {
            // Its failure reaches the exchange that suffers from it.
            let _ = connection.await;
        });
        Ok(Self { sender, progress, driver: driver.abort_handle() })
    }

    /// Whether the peer has closed it, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether all of the last request was written, without which the connection is of no use.
    pub(super) fn is_sent(&self) -> bool {
        self.progress.is_sent()
    }

    /// Waits for the end of the exchange before, and says whether another one is possible.
    pub(super) async fn make_ready(&mut self) -> bool {
        if self.sender.is_closed() || self.sender.is_ready() {
            return !self.sender.is_closed();
        }
        timeout(READY_WITHIN, self.sender.ready()).await.is_ok_and(|ready| ready.is_ok())
    }

    /// Sends the call and waits for the head. The lease keeps the connection until the body ends.
    pub(super) async fn exchange<F: FnOnce(Instant)>(
        mut self,
        pool: &Arc<OriginPool>,
        call: Call,
        clock: &mut SentClock<F>,
    ) -> Result<(Response<Incoming>, Lease), Lost> {
        self.progress.begin();
        let mut request = call.into_http1(pool.host(), &self.progress).map_err(Lost::final_)?;
        let (counted, most) = (Arc::clone(&self.progress), pool.settings().max_informational);
        hyper::ext::on_informational(&mut request, move |_head| counted.informational(most));
        let progress = Arc::clone(&self.progress);
        let mut response = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            progress.register(cx.waker());
            if progress.is_flooded() {
                return Poll::Ready(Err(Lost::final_(SendFailure::Informational)));
            }
            let answered = response.as_mut().poll(cx).map_err(|error| lost(error, &progress));
            if progress.is_sent() {
                clock.stop();
            }
            answered
        });
        let head = answered.await?;
        Ok((head, Lease::http1(self, pool)))
    }
}

/// What a failed exchange means. The message comes back when none of it was written.
fn lost(error: TrySendError<http::Request<Segments>>, progress: &Progress) -> Lost {
    let returned = error.message().is_some();
    let error = error.into_error();
    if progress.is_flooded() {
        return Lost::final_(SendFailure::Informational);
    }
    if error.is_parse() {
        return Lost::final_(SendFailure::BadHeaders);
    }
    if error.is_user() {
        return Lost::final_(SendFailure::Protocol(text(&error)));
    }
    match progress.is_heard() {
        true => Lost::final_(SendFailure::Reset { sent: true }),
        false => Lost::silent(progress.is_written() && !returned),
    }
}
