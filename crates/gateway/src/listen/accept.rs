//! Accepting connections and serving each until it ends or the gateway closes.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::stall::Stall;

/// After a failed accept (no file descriptors left) the loop rests this long.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// When the gate closes, a new connection has this long to send its first request.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; further ones are told that the gateway is overloaded.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// The time a head may take.
    pub head_read: Duration,
    /// How long a client may stop reading.
    pub stalled: Duration,
}

/// What answers requests.
pub trait Answer: Send + Sync + 'static {
    /// What an answer is made of.
    type Body: Body<Data = Bytes, Error = io::Error> + Send + 'static;

    /// Answers one request. `crowded`: more connections are open than there should be.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        crowded: bool,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Opens and closes a listener: the sender says when to close, and sees when all have gone. Once
/// the sender itself is gone, connections are cut.
#[derive(Debug, Clone)]
pub struct Gate {
    closing: watch::Receiver<bool>,
    open: Arc<AtomicUsize>,
}

impl Gate {
    /// A gate and the handle that closes it.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, closing) = watch::channel(false);
        (sender, Self { closing, open: Arc::default() })
    }

    /// Waits until the gate is closing.
    pub async fn closed(&mut self) {
        // A sender that is gone has closed the gate as well.
        let _ = self.closing.wait_for(|closing| *closing).await;
    }

    /// Waits until nothing may go on any longer.
    pub async fn cut(&mut self) {
        while self.closing.changed().await.is_ok() {}
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Accepts until the gate closes. Connections go on until they end by themselves.
///
/// # Errors
/// Never for one connection; only when the listener itself is unusable.
pub async fn serve_listener<A: Answer>(
    listener: TcpListener,
    answer: Arc<A>,
    limits: Limits,
    mut gate: Gate,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gate.closed() => break,
        };
        match accepted {
            Ok((stream, _)) => begin(stream, &answer, limits, &gate),
            Err(error) => rest_after(&error).await,
        }
    }
    while let Some(stream) = last_in(&listener) {
        begin(stream, &answer, limits, &gate);
    }
}

fn begin<A: Answer>(stream: TcpStream, answer: &Arc<A>, limits: Limits, gate: &Gate) {
    // Small frames must leave at once; a failure here only costs latency.
    let _ = stream.set_nodelay(true);
    tokio::spawn(serve_io(stream, Arc::clone(answer), limits, gate.clone()));
}

/// What clients see as connected already waits in the queue; closing it would reset them.
fn last_in(listener: &TcpListener) -> Option<TcpStream> {
    let accepted = listener.accept().now_or_never()?;
    accepted.ok().map(|(stream, _)| stream)
}

async fn rest_after(error: &io::Error) {
    let passing =
        matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !passing {
        tracing::warn!(%error, "accept");
        tokio::time::sleep(ACCEPT_REST).await;
    }
}

/// Waits until the gate is closing and the client has said something, or had its time to: a
/// graceful shutdown ends a connection at once on which nothing was said yet, although its first
/// request may be on the way.
async fn last_word(gate: &mut Gate, spoke: &Notify) {
    gate.closed().await;
    let _ = timeout(LAST_WORD, spoke.notified()).await;
}

/// Serves one connection over any transport.
pub async fn serve_io<A, I>(io: I, answer: Arc<A>, limits: Limits, mut gate: Gate)
where
    A: Answer,
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let seat = Seat(Arc::clone(&gate.open));
    let crowded = seat.0.fetch_add(1, Ordering::Relaxed) >= limits.connections;
    let spoke = Arc::new(Notify::new());
    let speaks = Arc::clone(&spoke);
    let service = service_fn(move |request| {
        speaks.notify_one();
        let answer = Arc::clone(&answer);
        // Boxed, so that an open stream's connection does not keep room for the answering.
        Box::pin(async move { Ok::<_, Infallible>(answer.answer(request, crowded).await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_read)
        .max_buf_size(limits.head_bytes.max(8192))
        .keep_alive(!crowded)
        .serve_connection(TokioIo::new(Stall::new(io, limits.stalled)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = last_word(&mut gate, &spoke) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                // What it was answering is dropped, and settled by the task that sweeps.
                () = gate.cut() => Ok(()),
            }
        }
    };
    drop(seat);
    if let Err(error) = ended {
        tracing::debug!(%error, "connection");
    }
}

/// A connection's place in the count, which is free again even if an answer panics.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
