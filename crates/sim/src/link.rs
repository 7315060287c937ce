//! Byte streams the simulator can serve on.
//!
//! A [`Link`] is a stream that may know how to be reset rather than closed: TCP by a zero linger,
//! the in-memory pipe by a flag. Streams without that knowledge are served through [`Plain`] and
//! are only dropped. [`Shared`] lets HTTP/2 write one last frame after the protocol's own state is
//! gone.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A byte stream, with the means to end it by a reset.
pub trait Link: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the coming drop a reset instead of an orderly end.
    fn arm_reset(&mut self) {}
}

impl Link for TcpStream {
    fn arm_reset(&mut self) {
        // A socket that cannot be set to linger is gone already.
        let _ = self.set_zero_linger();
    }
}

impl<L: Link> Link for TlsStream<L> {
    fn arm_reset(&mut self) {
        self.get_mut().0.arm_reset();
    }
}

macro_rules! delegate_write {
    ($($inner:tt)+) => {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut *self.$($inner)+).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut *self.$($inner)+).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut *self.$($inner)+).poll_shutdown(cx)
        }
    };
}
pub(crate) use delegate_write;

/// Any other stream.
pub(crate) struct Plain<IO>(pub(crate) IO);

impl<IO> Plain<IO> {
    fn inner(&mut self) -> &mut IO {
        &mut self.0
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Plain<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.inner()).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Plain<IO> {
    delegate_write!(inner());
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send> Link for Plain<IO> {}

/// A link in common ownership, with bytes that were read ahead.
pub(crate) struct Shared<L> {
    ahead: Bytes,
    link: Arc<Mutex<L>>,
}

impl<L> Shared<L> {
    pub(crate) fn new(ahead: Bytes, link: Arc<Mutex<L>>) -> Self {
        Self { ahead, link }
    }

    fn inner(&mut self) -> std::sync::MutexGuard<'_, L> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: AsyncRead + Unpin> AsyncRead for Shared<L> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut *self.inner()).poll_read(cx, buf);
        }
        let taken = self.ahead.len().min(buf.remaining());
        buf.put_slice(self.ahead.get(..taken).unwrap_or_default());
        self.ahead.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<L: AsyncWrite + Unpin> AsyncWrite for Shared<L> {
    delegate_write!(inner());
}
