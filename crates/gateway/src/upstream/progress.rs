//! What has happened to one exchange so far: taken, written, sent, heard.
//!
//! The driver of a connection runs in its own task, so these facts cross tasks. They are bits of
//! one atomic, set by whoever sees the fact and read by the future that waits for the head. The
//! bits answer three questions: when did the request leave (the caller's timers start there), can
//! the provider have seen any of it, and had it begun to answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::network::Io;

/// hyper has taken the last segment of the body.
const TAKEN: u8 = 1;
/// At least one byte of the request was written.
const WRITTEN: u8 = 1 << 1;
/// All of the request was written and flushed.
const SENT: u8 = 1 << 2;
/// At least one byte of the response was read.
const HEARD: u8 = 1 << 3;
/// More interim responses came than are allowed.
const FLOODED: u8 = 1 << 4;

/// When "sent" is said: HTTP/1.1 sees its own flushes, a stream of HTTP/2 does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentWhen {
    /// The connection was flushed after the last segment was taken.
    Flushed,
    /// The last segment was taken.
    Taken,
}

/// The facts of the exchange that is under way.
#[derive(Debug)]
pub(super) struct Progress {
    bits: AtomicU8,
    informational: AtomicU32,
    sent_when: SentWhen,
    waiting: AtomicWaker,
}

impl Progress {
    pub(super) fn new(sent_when: SentWhen) -> Arc<Self> {
        let waiting = AtomicWaker::new();
        let (bits, informational) = (AtomicU8::new(0), AtomicU32::new(0));
        Arc::new(Self { bits, informational, sent_when, waiting })
    }

    /// Forgets the exchange before this one.
    pub(super) fn begin(&self) {
        self.informational.store(0, Ordering::Release);
        self.bits.store(0, Ordering::Release);
    }

    pub(super) fn body_taken(&self) {
        self.note(TAKEN);
        if self.sent_when == SentWhen::Taken {
            self.note(SENT);
            self.waiting.wake();
        }
    }

    /// Counts an interim response; the one beyond `most` ends the exchange.
    pub(super) fn informational(&self, most: u32) {
        if self.informational.fetch_add(1, Ordering::AcqRel) >= most {
            self.note(FLOODED);
            self.waiting.wake();
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        self.has(SENT)
    }

    pub(super) fn is_written(&self) -> bool {
        self.has(WRITTEN)
    }

    pub(super) fn is_heard(&self) -> bool {
        self.has(HEARD)
    }

    pub(super) fn is_flooded(&self) -> bool {
        self.has(FLOODED)
    }

    /// Wakes this task when the request is sent or the exchange flooded.
    pub(super) fn register(&self, waker: &Waker) {
        self.waiting.register(waker);
    }

    fn flushed(&self) {
        if self.bits.load(Ordering::Acquire) & (TAKEN | SENT) == TAKEN {
            self.note(SENT);
            self.waiting.wake();
        }
    }

    fn has(&self, bit: u8) -> bool {
        self.bits.load(Ordering::Acquire) & bit != 0
    }

    fn note(&self, bit: u8) {
        if !self.has(bit) {
            self.bits.fetch_or(bit, Ordering::AcqRel);
        }
    }
}

/// Tells the caller once when the request was sent, and remembers it.
pub(super) struct SentClock<F> {
    on_sent: Option<F>,
    sent_at: Option<Instant>,
}

impl<F> SentClock<F> {
    pub(super) fn new(on_sent: F) -> Self {
        Self { on_sent: Some(on_sent), sent_at: None }
    }

    pub(super) fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    /// The request is sent again: the time is, the caller's notice is not.
    pub(super) fn restart(&mut self) {
        self.sent_at = None;
    }
}

impl<F: FnOnce(Instant)> SentClock<F> {
    /// The request is on its way, or answered already.
    pub(super) fn stop(&mut self) -> Instant {
        let at = *self.sent_at.get_or_insert_with(Instant::now);
        if let Some(on_sent) = self.on_sent.take() {
            on_sent(at);
        }
        at
    }
}

/// A connection's bytes, watched.
///
/// It also keeps a broken write from hiding an answer: a server that has said 413 and closed makes
/// our next write fail while its answer still waits to be read. Writes to a gone peer therefore
/// vanish, and the read side tells the truth: the answer, or the end of the connection.
pub(super) struct Watched {
    inner: Box<dyn Io>,
    progress: Arc<Progress>,
    peer_gone: bool,
}

impl Watched {
    pub(super) fn new(inner: Box<dyn Io>, progress: Arc<Progress>) -> Self {
        Self { inner, progress, peer_gone: false }
    }

    fn after_write(
        &mut self,
        cx: &Context<'_>,
        len: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(n)) if n > 0 => self.progress.note(WRITTEN),
            Poll::Ready(Err(ref error)) if is_peer_gone(error) => {
                self.peer_gone = true;
                cx.waker().wake_by_ref();
                return Poll::Ready(Ok(len));
            }
            _ => {}
        }
        written
    }
}

fn is_peer_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected].contains(&error.kind())
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.progress.note(HEARD);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.peer_gone {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.after_write(cx, buf.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if self.peer_gone {
            return Poll::Ready(Ok(len));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.after_write(cx, len, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer_gone {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        match flushed {
            Poll::Ready(Ok(())) => self.progress.flushed(),
            Poll::Ready(Err(ref error)) if is_peer_gone(error) => {
                self.peer_gone = true;
                cx.waker().wake_by_ref();
                return Poll::Ready(Ok(()));
            }
            _ => {}
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
