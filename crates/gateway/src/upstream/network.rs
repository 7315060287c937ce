//! The network as an argument: names to addresses, addresses to byte streams.
//!
//! It is a trait so that the whole gateway can run over in-memory pipes under a paused clock. It
//! knows nothing of TLS, HTTP, timeouts or which addresses are forbidden; those hold for every
//! network alike and are decided above it.

use std::io;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Where names are looked up and connections come from.
pub trait Network: Send + Sync + 'static {
    /// The addresses of a host, best first. IP literals never come here.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;

    /// A connection to one address.
    fn connect<'a>(&'a self, addr: SocketAddr) -> BoxFuture<'a, io::Result<Box<dyn Io>>>;
}

/// The operating system's resolver and TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn connect<'a>(&'a self, addr: SocketAddr) -> BoxFuture<'a, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(addr).await?;
            // Without it Nagle and delayed acknowledgements add 40 ms to small writes.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }
}
