//! Names and addresses in memory: what stands behind `a.sim` and `b.sim`.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gateway::upstream::{Io, Network};
use sim::MemoryPeer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

/// What a host name leads to.
#[derive(Clone)]
pub(crate) enum Place {
    /// An address behind which this stands.
    Peer(MemoryPeer),
    /// F03: the name does not exist.
    NoSuchName,
    /// F04: the name server does not answer.
    NameHangs,
    /// Each connection reads one request and sends these pieces, one at a time, then closes.
    Raw(Arc<[Bytes]>),
}

/// The network: each host has one address, in the order of the names (RFC 5737's test net).
pub(crate) struct Hosts {
    places: BTreeMap<String, Place>,
    connected: Mutex<Vec<SocketAddr>>,
}

impl Hosts {
    pub(crate) fn new(places: BTreeMap<String, Place>) -> Self {
        Self { places, connected: Mutex::default() }
    }

    /// How often a host was connected to, successfully or not.
    pub(crate) fn connects(&self, host: &str) -> usize {
        let Some(ip) = self.ip(host) else { return 0 };
        self.connected.lock().unwrap().iter().filter(|addr| addr.ip() == ip).count()
    }

    /// Every address that was connected to.
    pub(crate) fn connected(&self) -> Vec<SocketAddr> {
        self.connected.lock().unwrap().clone()
    }

    fn ip(&self, host: &str) -> Option<IpAddr> {
        let place = self.places.keys().position(|name| name == host)?;
        let last = u8::try_from(place + 1).ok()?;
        Some(Ipv4Addr::new(192, 0, 2, last).into())
    }

    fn behind(&self, ip: IpAddr) -> Option<Place> {
        let name = self.places.keys().find(|name| self.ip(name) == Some(ip))?;
        self.places.get(name).cloned()
    }
}

impl Network for Hosts {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let no_such_name = || io::Error::from(io::ErrorKind::NotFound);
            match self.places.get(host).ok_or_else(no_such_name)? {
                Place::Peer(_) | Place::Raw(_) => {
                    Ok(self.ip(host).map(|ip| (ip, port).into()).into_iter().collect())
                }
                Place::NoSuchName => Err(no_such_name()),
                Place::NameHangs => pending().await,
            }
        })
    }

    fn connect<'a>(&'a self, addr: SocketAddr) -> BoxFuture<'a, io::Result<Box<dyn Io>>> {
        self.connected.lock().unwrap().push(addr);
        Box::pin(async move {
            match self.behind(addr.ip()) {
                Some(Place::Peer(peer)) => Ok(Box::new(peer.connect().await?) as Box<dyn Io>),
                Some(Place::Raw(pieces)) => {
                    let (near, far) = sim::memory::pipe();
                    tokio::spawn(say(far, pieces));
                    Ok(Box::new(near) as Box<dyn Io>)
                }
                _ => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

/// Reads one request with a chunked or measured body, then says the pieces.
async fn say(mut end: sim::memory::End, pieces: Arc<[Bytes]>) {
    let mut read = Vec::new();
    while !is_whole(&read) && matches!(end.read_buf(&mut read).await, Ok(1..)) {}
    for piece in &*pieces {
        if end.write_all(piece).await.is_err() {
            return;
        }
        // The reader sees each piece by itself.
        sleep(Duration::from_millis(1)).await;
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => request.len() >= head.len() + 4 + length,
        None => text.ends_with("0\r\n\r\n"),
    }
}
