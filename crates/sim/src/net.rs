//! Upstreams on real sockets, and the faults that only a kernel can play: F01 to F07.
//!
//! Each opens a port of the loopback and lives as long as its handle. A name server for F03 and F04
//! is here as well, for resolvers that can be pointed at one. The black hole is a listener whose
//! backlog was filled by connections of our own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as BlockingStream};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::link::Link;
use crate::sim::Provider;

/// A name that no name server knows (RFC 2606), for F03.
pub const NO_SUCH_NAME: &str = "upstream.invalid";

/// A connection that is not made in this time will not be made: the backlog is full.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// More fillers than any backlog of one needs.
const MOST_FILLERS: usize = 16;

/// A port that is served until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl Provider {
    /// Serves a free port of the loopback.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start(&self) -> io::Result<Running> {
        self.start_on(None).await
    }

    /// Serves a free port of the loopback behind TLS.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start_tls(&self, acceptor: TlsAcceptor) -> io::Result<Running> {
        self.start_on(Some(acceptor)).await
    }

    async fn start_on(&self, acceptor: Option<TlsAcceptor>) -> io::Result<Running> {
        let listener = TcpListener::bind(loopback()).await?;
        let addr = listener.local_addr()?;
        let provider = self.clone();
        let task = tokio::spawn(async move {
            match acceptor {
                Some(acceptor) => provider.listen_tls(listener, acceptor).await,
                None => provider.listen(listener).await,
            }
        });
        Ok(Running { addr, task })
    }
}

/// F01: an address on which nothing listens.
///
/// # Errors
/// When no socket can be had.
pub fn refused_addr() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind(loopback())?.local_addr()
}

/// F02: an address whose SYNs get no answer.
#[derive(Debug)]
pub struct BlackHole {
    /// Where connections are never made.
    pub addr: SocketAddr,
    _listener: TcpListener,
    _fillers: Vec<BlockingStream>,
}

/// F02: a listener whose backlog is full. Blocks its thread for a fifth of a second.
///
/// # Errors
/// When no socket can be had, or the backlog cannot be filled on this system.
pub fn black_hole() -> io::Result<BlackHole> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(loopback())?;
    let listener = socket.listen(1)?;
    let addr = listener.local_addr()?;
    let mut fillers = Vec::new();
    while fillers.len() < MOST_FILLERS {
        match BlockingStream::connect_timeout(&addr, FULL_AFTER) {
            Ok(filler) => fillers.push(filler),
            Err(_) => return Ok(BlackHole { addr, _listener: listener, _fillers: fillers }),
        }
    }
    Err(io::Error::other("the backlog cannot be filled here"))
}

/// F06, F08: connections are accepted and nothing is ever sent.
///
/// # Errors
/// When no socket can be had.
pub async fn stalled() -> io::Result<Running> {
    on_each(|stream| async move {
        let mut stream = stream;
        let mut bytes = [0; 1_024];
        while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut stream, &mut bytes).await {}
    })
    .await
}

/// F07: connections are accepted and reset.
///
/// # Errors
/// When no socket can be had.
pub async fn reset_on_accept() -> io::Result<Running> {
    on_each(|mut stream| async move { stream.arm_reset() }).await
}

async fn on_each<F, Done>(act: F) -> io::Result<Running>
where
    F: Fn(TcpStream) -> Done + Send + 'static,
    Done: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(loopback()).await?;
    let addr = listener.local_addr()?;
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(act(stream));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok(Running { addr, task })
}

/// What a name server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServer {
    /// F03: says that no name exists.
    NoSuchName,
    /// F04: says nothing.
    Silent,
}

/// F03, F04: a name server over UDP.
///
/// # Errors
/// When no socket can be had.
pub async fn name_server(what: NameServer) -> io::Result<Running> {
    let socket = UdpSocket::bind(loopback()).await?;
    let addr = socket.local_addr()?;
    let task = tokio::spawn(async move {
        let mut bytes = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            let question = bytes.get(..length).unwrap_or_default();
            let answer = no_such_name(question).filter(|_| what == NameServer::NoSuchName);
            if let Some(answer) = answer {
                drop(socket.send_to(&answer, from).await);
            }
        }
    });
    Ok(Running { addr, task })
}

/// The question with its header made an answer of NXDOMAIN (RFC 1035, section 4.1.1); additional
/// records are dropped.
fn no_such_name(question: &[u8]) -> Option<Vec<u8>> {
    let (id, rest) = question.split_first_chunk::<2>()?;
    let (_, sections) = rest.split_first_chunk::<10>()?;
    let name = sections.iter().position(|byte| *byte == 0)?;
    let asked = sections.get(..name + 5)?;
    let mut answer = id.to_vec();
    answer.extend_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
    answer.extend_from_slice(asked);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_with_its_own_id_and_name() {
        let mut question = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        question.extend_from_slice(b"\x01a\x07invalid\0\0\x01\0\x01");
        let answer = no_such_name(&question).unwrap();
        assert_eq!(answer[..4], [0xAB, 0xCD, 0x81, 0x83]);
        assert_eq!(answer[12..], question[12..]);
        assert_eq!(no_such_name(&question[..5]), None);
    }
}
