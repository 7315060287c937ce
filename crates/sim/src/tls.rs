//! Certificates made at run time: a good one and the bad ones of F05.
//!
//! One authority signs the good, the expired and the wrong-host certificates; a client of a test
//! trusts its certificate and nothing else. Keys live as long as the process. This is no place to
//! take a certificate for production from.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// What kind of certificate a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// Signed by the authority, for the host, in time.
    Good,
    /// Ran out in 2020.
    Expired,
    /// For another host.
    WrongHost,
    /// Signed by itself.
    SelfSigned,
}

/// A certificate that could not be made or used.
#[derive(Debug)]
pub struct TlsError(String);

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl From<rcgen::Error> for TlsError {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

/// A certificate authority for one test run.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Authority {
    /// Makes a new one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, "simulated authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let der = params.self_signed(&key)?.der().clone();
        Ok(Self { issuer: Issuer::new(params, key), der })
    }

    /// The certificate to trust, in DER.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.der.clone()
    }

    /// A TLS server end for `host` (a DNS name or an address) with a certificate of `kind`, that
    /// offers HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// When `host` is no name a certificate can be made for.
    pub fn acceptor(&self, kind: CertificateKind, host: &str) -> Result<TlsAcceptor, TlsError> {
        self.acceptor_for(kind, host, &["h2", "http/1.1"])
    }

    /// The same with a choice of protocols to offer.
    ///
    /// # Errors
    /// As [`acceptor`](Self::acceptor).
    pub fn acceptor_for(
        &self,
        kind: CertificateKind,
        host: &str,
        protocols: &[&str],
    ) -> Result<TlsAcceptor, TlsError> {
        let named = if kind == CertificateKind::WrongHost { "other.invalid" } else { host };
        let mut params = CertificateParams::new(vec![named.to_owned()])?;
        if kind == CertificateKind::Expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate()?;
        let certificate = match kind {
            CertificateKind::SelfSigned => params.self_signed(&key)?,
            _ => params.signed_by(&key, &self.issuer)?,
        };
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], secret)?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
