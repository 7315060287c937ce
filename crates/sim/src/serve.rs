//! Serving connections: one, a listener's, a TLS listener's.
//!
//! The protocol is told by the first bytes, so one port speaks HTTP/1.1 and HTTP/2. Dropping the
//! future of a listener drops its connections too, which is how a test kills an upstream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::http1::Connection;
use crate::http2;
use crate::link::{Link, Plain};
use crate::sim::{Provider, Sim};

/// A pause after a failed accept (usually: out of descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

impl Provider {
    /// Serves one connection over any byte stream, until it ends. Resets are only drops; see
    /// [`serve_link`](Self::serve_link).
    pub async fn serve_connection<IO>(&self, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve_link(Plain(io)).await;
    }

    /// Serves one connection over a stream that can be reset, until it ends.
    pub async fn serve_link<L: Link + 'static>(&self, mut link: L) {
        let open = self.sim.connect();
        let mut ahead = BytesMut::with_capacity(16 * 1024);
        loop {
            match link.read_buf(&mut ahead).await {
                Ok(0) | Err(_) => return,
                Ok(_) if http2::may_be_preface(&ahead) => {}
                Ok(_) => break,
            }
        }
        if ahead.starts_with(http2::PREFACE) {
            http2::serve(self, link, ahead.freeze(), open.number).await;
        } else {
            Connection::new(self, link, ahead, open.number).serve().await;
        }
    }

    /// Serves a listener's connections, for ever.
    pub async fn listen(&self, listener: TcpListener) {
        self.accept(listener, None).await;
    }

    /// Serves a listener's connections behind TLS, for ever.
    pub async fn listen_tls(&self, listener: TcpListener, acceptor: TlsAcceptor) {
        self.accept(listener, Some(acceptor)).await;
    }

    async fn accept(&self, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(self.clone(), stream, acceptor.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn connection(provider: Provider, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    match acceptor {
        None => provider.serve_link(stream).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                provider.serve_link(stream).await;
            }
        }
    }
}

impl Sim {
    /// Serves one connection as the provider of the settings.
    pub async fn serve_connection<IO>(self: &Arc<Self>, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.default_provider().serve_connection(io).await;
    }

    /// Serves a listener as the provider of the settings, for ever.
    pub async fn listen(self: &Arc<Self>, listener: TcpListener) {
        self.default_provider().listen(listener).await;
    }

    /// Listens on an address of the loopback with a free port and serves it until the handle is
    /// dropped.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start(self: &Arc<Self>) -> io::Result<crate::net::Running> {
        self.default_provider().start().await
    }
}
