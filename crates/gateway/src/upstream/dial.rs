//! From an origin to a connection that is ready for a request.
//!
//! Addresses are tried in the resolver's order; the next one starts when the one before fails or
//! has been silent for 250 ms (RFC 8305's recommended delay), and the first to connect wins. The
//! forbidden addresses are taken out before, so they are never connected to. The time limit lies
//! with the caller, around all of it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use tokio::time::sleep;

use super::failure::SendFailure;
use super::http1::Http1;
use super::http2::Http2;
use super::network::{Io, Network};
use super::origin::Origin;
use super::{UpstreamSettings, tls};
use crate::config::is_forbidden;

/// RFC 8305 section 5: the recommended delay between connection attempts.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses tried for one name; with the delay above, more would not fit the default timer.
const MAX_ADDRESSES: usize = 8;

/// A fresh connection in the protocol that was agreed on.
pub(super) enum Dialled {
    /// HTTP/1.1: one exchange at a time.
    Http1(Http1),
    /// HTTP/2: many.
    Http2(Http2),
}

/// Makes connections.
pub(super) struct Dialer {
    network: Arc<dyn Network>,
    settings: Arc<UpstreamSettings>,
}

impl Dialer {
    pub(super) fn new(network: Arc<dyn Network>, settings: Arc<UpstreamSettings>) -> Self {
        Self { network, settings }
    }

    /// Connects, shakes hands, and starts the connection's driver.
    pub(super) async fn dial(
        &self,
        origin: &Origin,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Dialled, SendFailure> {
        let addresses = self.addresses(&origin.host, origin.port).await?;
        let io = self.race(addresses).await?;
        let (io, http2) = match tls {
            None => (io, origin.http2),
            Some(config) => {
                let stream = tls::handshake(config, &origin.host, io).await?;
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                (Box::new(stream) as Box<dyn Io>, http2)
            }
        };
        match http2 {
            true => Http2::start(io, &self.settings).await.map(Dialled::Http2),
            false => Http1::start(io, &self.settings).await.map(Dialled::Http1),
        }
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, SendFailure> {
        let mut addresses = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self.network.resolve(host, port).await.map_err(|_error| SendFailure::Dns)?,
        };
        if addresses.is_empty() {
            return Err(SendFailure::Dns);
        }
        addresses.retain(|address| !is_forbidden(address.ip()));
        addresses.truncate(MAX_ADDRESSES);
        match addresses.is_empty() {
            true => Err(SendFailure::ForbiddenAddress),
            false => Ok(addresses),
        }
    }

    async fn race(&self, addresses: Vec<SocketAddr>) -> Result<Box<dyn Io>, SendFailure> {
        let mut waiting = addresses.into_iter();
        let mut running = FuturesUnordered::new();
        let mut last = SendFailure::Refused;
        running.extend(waiting.next().map(|address| self.network.connect(address)));
        loop {
            tokio::select! {
                biased;
                Some(connected) = running.next() => match connected {
                    Ok(io) => return Ok(io),
                    Err(error) => last = connect_failure(&error),
                },
                () = sleep(ATTEMPT_DELAY), if waiting.len() > 0 => {}
                else => return Err(last),
            }
            running.extend(waiting.next().map(|address| self.network.connect(address)));
        }
    }
}

fn connect_failure(error: &io::Error) -> SendFailure {
    match error.kind() {
        io::ErrorKind::TimedOut => SendFailure::ConnectTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            SendFailure::Reset { sent: false }
        }
        _ => SendFailure::Refused,
    }
}
