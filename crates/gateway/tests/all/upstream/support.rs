//! A network of in-memory pipes and the few lines every case needs.
//!
//! A server is a closure over one end of a pipe; it is told how many connections came before. The
//! list of addresses that were connected to is kept, so a case can say what must not happen.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gateway::upstream::{
    BodyFailure, Call, Io, Network, Origin, Response, Scheme, SendFailure, Upstream,
    UpstreamSettings,
};
use http::{HeaderMap, Method};
use ledger::{Claim, Ledger, Permit, Principal, journal};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
pub(super) const ADDR: &str = "192.0.2.1:80";

type Serve = Arc<dyn Fn(DuplexStream, usize) -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Clone)]
enum At {
    Refuse,
    Hang,
    Serve(Serve),
}

/// The network under test.
#[derive(Default)]
pub(super) struct Pipes {
    names: HashMap<String, Option<Vec<SocketAddr>>>,
    servers: HashMap<SocketAddr, At>,
    connected: Mutex<Vec<SocketAddr>>,
}

impl Pipes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One server at [`ADDR`].
    pub(super) fn serving<F, T>(serve: F) -> Arc<Self>
    where
        F: Fn(DuplexStream, usize) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        Arc::new(Self::new().name("a.test", &[ADDR]).serve(ADDR, serve))
    }

    pub(super) fn name(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.names.insert(name.to_owned(), Some(addresses));
        self
    }

    /// A name whose lookup never ends.
    pub(super) fn name_hangs(mut self, name: &str) -> Self {
        self.names.insert(name.to_owned(), None);
        self
    }

    pub(super) fn refuse(mut self, address: &str) -> Self {
        self.servers.insert(address.parse().unwrap(), At::Refuse);
        self
    }

    pub(super) fn hang(mut self, address: &str) -> Self {
        self.servers.insert(address.parse().unwrap(), At::Hang);
        self
    }

    pub(super) fn serve<F, T>(mut self, address: &str, serve: F) -> Self
    where
        F: Fn(DuplexStream, usize) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let serve: Serve = Arc::new(move |io, n| Box::pin(serve(io, n)));
        self.servers.insert(address.parse().unwrap(), At::Serve(serve));
        self
    }

    pub(super) fn connected(&self) -> Vec<String> {
        self.connected.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl Network for Pipes {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        _port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            match self.names.get(host) {
                Some(Some(addresses)) => Ok(addresses.clone()),
                Some(None) => pending().await,
                None => Err(io::Error::other("no such name")),
            }
        })
    }

    fn connect<'a>(&'a self, addr: SocketAddr) -> BoxFuture<'a, io::Result<Box<dyn Io>>> {
        let before = {
            let mut connected = self.connected.lock().unwrap();
            connected.push(addr);
            connected.len() - 1
        };
        let at = self.servers.get(&addr).cloned().unwrap_or(At::Refuse);
        Box::pin(async move {
            match at {
                At::Refuse => Err(io::ErrorKind::ConnectionRefused.into()),
                At::Hang => pending().await,
                At::Serve(serve) => {
                    let (ours, theirs) = duplex(64 * 1024);
                    tokio::spawn(serve(theirs, before));
                    Ok(Box::new(ours) as Box<dyn Io>)
                }
            }
        })
    }
}

pub(super) fn upstream(network: Arc<dyn Network>) -> Upstream {
    Upstream::new(network, UpstreamSettings::default())
}

pub(super) fn origin() -> Origin {
    Origin::new(Scheme::Http, "a.test", 80)
}

pub(super) fn permit() -> Permit {
    let claim = Claim {
        request_id: 1,
        attempt: 1,
        principal: Principal::of_key("test"),
        provider: "a".into(),
        model: "m".into(),
        input_bound: 1,
        output_bound: 1,
        bound: catalog::Money::ZERO,
    };
    Ledger::unlimited(Arc::new(journal::Memory::default())).reserve(claim).unwrap()
}

pub(super) fn call(body: &[&'static str]) -> Call {
    Call {
        method: Method::POST,
        path_and_query: "/v1/chat?x=1".to_owned(),
        headers: HeaderMap::new(),
        body: body.iter().map(|segment| Bytes::from_static(segment.as_bytes())).collect(),
        flow: None,
    }
}

pub(super) async fn send(upstream: &Upstream, origin: &Origin) -> Result<Response, SendFailure> {
    send_call(upstream, origin, call(&["{}"])).await
}

pub(super) async fn send_call(
    upstream: &Upstream,
    origin: &Origin,
    call: Call,
) -> Result<Response, SendFailure> {
    upstream.send(&permit(), origin, call, CONNECT_TIMEOUT, |_at| {}).await
}

/// Sends and expects a failure.
pub(super) async fn failure(upstream: &Upstream, origin: &Origin) -> SendFailure {
    send(upstream, origin).await.err().expect("an answer came")
}

/// Reads the body to its end.
pub(super) async fn read(mut response: Response) -> Result<Vec<u8>, BodyFailure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.body.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// Reads one request off the wire: its head and as much body as `content-length` says. `None` at
/// the end of the connection.
pub(super) async fn request(io: &mut DuplexStream) -> Option<String> {
    let mut seen = Vec::new();
    while !is_whole(&seen) {
        let mut byte = [0];
        if io.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        seen.push(byte[0]);
    }
    Some(String::from_utf8(seen).unwrap())
}

fn is_whole(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// A server that answers every request the same way.
pub(super) fn answering(answer: &'static [u8]) -> Arc<Pipes> {
    Pipes::serving(move |mut io, _| async move {
        while request(&mut io).await.is_some() {
            io.write_all(answer).await.unwrap();
        }
    })
}

/// A server that answers one request and closes.
pub(super) fn answering_once(answer: impl Into<Bytes>) -> Arc<Pipes> {
    let answer = answer.into();
    Pipes::serving(move |mut io, _| {
        let answer = answer.clone();
        async move {
            if request(&mut io).await.is_some() {
                // The client may well hang up before it has all.
                let _ = io.write_all(&answer).await;
            }
        }
    })
}
