//! Upstreams without a network, for tests under a paused clock.
//!
//! [`pipe`] is a connection in memory that, unlike tokio's, can be reset: the other end then reads
//! an error instead of an end of file. [`MemoryPeer`] is what stands behind an address: a provider,
//! or one of the ways in which a connection fails before any HTTP. Time is tokio's, so nothing here
//! waits for real under a paused clock.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio_rustls::TlsAcceptor;

use crate::link::{Link, delegate_write};
use crate::sim::Provider;

/// Bytes in flight each way before a writer waits, about a socket's buffer.
const IN_FLIGHT: usize = 64 * 1024;

/// One end of a connection in memory.
#[derive(Debug)]
pub struct End {
    stream: DuplexStream,
    /// Set by this end before it is dropped.
    ours: Arc<AtomicBool>,
    /// Set by the other end.
    theirs: Arc<AtomicBool>,
}

/// A connection in memory.
#[must_use]
pub fn pipe() -> (End, End) {
    let (a, b) = duplex(IN_FLIGHT);
    let (from_a, from_b) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let left = End { stream: a, ours: Arc::clone(&from_a), theirs: Arc::clone(&from_b) };
    (left, End { stream: b, ours: from_b, theirs: from_a })
}

impl End {
    fn inner(&mut self) -> &mut DuplexStream {
        &mut self.stream
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let room = buf.remaining() > 0;
        let read = Pin::new(self.inner()).poll_read(cx, buf);
        let ended = matches!(read, Poll::Ready(Ok(()))) && room && buf.filled().len() == before;
        if ended && self.theirs.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }
}

impl AsyncWrite for End {
    delegate_write!(inner());
}

impl Link for End {
    fn arm_reset(&mut self) {
        self.ours.store(true, Ordering::Release);
    }
}

/// What stands behind an address.
#[derive(Clone)]
pub enum MemoryPeer {
    /// A provider that answers.
    Provider(Provider),
    /// A provider behind TLS.
    Tls(Provider, TlsAcceptor),
    /// F01: the connection is refused.
    Refused,
    /// F02: the connection is never made. F04 too, for a resolver that waits in here.
    BlackHole,
    /// F03: no such name.
    NoSuchName,
    /// F06, F08: the connection is made and nothing is ever sent.
    Stalled,
    /// F05 plaintext: whatever is sent is answered with words that are not TLS.
    NotTls,
    /// F07: the connection is made and reset.
    ResetAtOnce,
}

impl MemoryPeer {
    /// Connects. The serving side runs as a task of its own.
    ///
    /// # Errors
    /// As a real connection attempt would: `ConnectionRefused` for F01, `NotFound` for F03.
    pub async fn connect(&self) -> io::Result<End> {
        let (client, mut server) = pipe();
        match self.clone() {
            Self::Refused => return Err(io::ErrorKind::ConnectionRefused.into()),
            Self::NoSuchName => {
                let error = "failed to lookup address information: no such name";
                return Err(io::Error::new(io::ErrorKind::NotFound, error));
            }
            Self::BlackHole => std::future::pending::<()>().await,
            Self::ResetAtOnce => server.arm_reset(),
            Self::Provider(provider) => {
                tokio::spawn(async move { provider.serve_link(server).await });
            }
            Self::Tls(provider, acceptor) => {
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(server).await {
                        provider.serve_link(stream).await;
                    }
                });
            }
            Self::Stalled => {
                tokio::spawn(swallow(server));
            }
            Self::NotTls => {
                tokio::spawn(speak_plainly(server));
            }
        }
        Ok(client)
    }
}

/// Reads until the client leaves.
async fn swallow(mut end: impl AsyncRead + Unpin) {
    let mut bytes = [0; 1_024];
    while let Ok(1..) = end.read(&mut bytes).await {}
}

async fn speak_plainly(mut end: End) {
    use tokio::io::AsyncWriteExt as _;
    let mut bytes = [0; 1_024];
    if let Ok(1..) = end.read(&mut bytes).await {
        drop(end.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await);
    }
}
