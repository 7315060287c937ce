//! TLS towards providers: one provider of cryptography, public authorities plus configured ones.
//!
//! A rustls configuration is costly to build and holds the session cache, so it is built once per
//! origin's pool, or once for all origins that trust the same authorities. Verification cannot be
//! turned off.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::{SendFailure, text};
use super::network::Io;
use super::origin::{Origin, TrustedRoots};

/// The configurations in use, one per set of authorities and protocol offer. There are as many as
/// different `ca_file`s, so a list is searched; those that no pool holds any more make room.
#[derive(Default)]
pub(super) struct TlsConfigs {
    built: Mutex<Vec<(TrustedRoots, bool, Arc<ClientConfig>)>>,
}

impl TlsConfigs {
    /// The configuration for an origin.
    pub(super) fn of(
        &self,
        origin: &Origin,
        extra: &[CertificateDer<'static>],
    ) -> Result<Arc<ClientConfig>, SendFailure> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let found = built
            .iter()
            .find(|(roots, http2, _)| *http2 == origin.http2 && *roots == origin.trusted_roots);
        if let Some((_, _, config)) = found {
            return Ok(Arc::clone(config));
        }
        let config = build(origin, extra).map_err(|error| SendFailure::Tls(text(&error)))?;
        let config = Arc::new(config);
        built.retain(|(_, _, config)| Arc::strong_count(config) > 1);
        built.push((origin.trusted_roots.clone(), origin.http2, Arc::clone(&config)));
        Ok(config)
    }
}

fn build(
    origin: &Origin,
    extra: &[CertificateDer<'static>],
) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in extra.iter().chain(origin.trusted_roots.certificates()) {
        roots.add(certificate.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match origin.http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    Ok(config)
}

/// Shakes hands over a connection.
pub(super) async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    io: Box<dyn Io>,
) -> Result<TlsStream<Box<dyn Io>>, SendFailure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| SendFailure::Tls(error.to_string()))?;
    TlsConnector::from(config).connect(name, io).await.map_err(|error| failure(&error))
}

fn failure(error: &io::Error) -> SendFailure {
    let reset = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    match reset.contains(&error.kind()) {
        true => SendFailure::Reset { sent: false },
        false => SendFailure::Tls(text(error)),
    }
}
