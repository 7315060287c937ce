//! Whom to talk to and how: the key under which connections are pooled.
//!
//! Everything that makes two connections not interchangeable is part of it, trust included: a
//! connection accepted under one set of authorities is never used for a provider that trusts
//! another.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

/// Plain or over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`, default port 80.
    Http,
    /// `https`, default port 443.
    Https,
}

impl Scheme {
    /// The port that needs no mention.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// One server as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// A DNS name or an IP literal, an IPv6 one without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Speak HTTP/2: by prior knowledge on `http`, offered in ALPN (with HTTP/1.1) on `https`.
    pub http2: bool,
    /// Authorities trusted for this origin besides the public ones.
    pub trusted_roots: TrustedRoots,
}

impl Origin {
    /// An HTTP/1.1 origin that trusts the public authorities.
    pub fn new(scheme: Scheme, host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self { scheme, host, port, http2: false, trusted_roots: TrustedRoots::default() }
    }

    /// Host and port as `Host` and `:authority` carry them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port == self.scheme.default_port() {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }
}

/// Certificate authorities in DER, cheap to clone and to compare: the digest is taken once.
#[derive(Debug, Clone, Default)]
pub struct TrustedRoots {
    certificates: Arc<[CertificateDer<'static>]>,
    digest: u64,
}

impl TrustedRoots {
    /// From DER certificates, as read from a `ca_file`. They are parsed when first used.
    pub fn from_der(certificates: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let certificates: Arc<[_]> = certificates.into_iter().map(CertificateDer::from).collect();
        let mut hasher = DefaultHasher::new();
        certificates.hash(&mut hasher);
        Self { certificates, digest: hasher.finish() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

impl PartialEq for TrustedRoots {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.certificates, &other.certificates)
            || (self.digest == other.digest && self.certificates == other.certificates)
    }
}

impl Eq for TrustedRoots {}

impl Hash for TrustedRoots {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Scheme, TrustedRoots};

    #[test]
    fn the_authority_names_only_an_unusual_port_and_brackets_ipv6() {
        let authority = |scheme, host: &str, port| Origin::new(scheme, host, port).authority();
        assert_eq!(authority(Scheme::Https, "api.example", 443), "api.example");
        assert_eq!(authority(Scheme::Http, "api.example", 443), "api.example:443");
        assert_eq!(authority(Scheme::Http, "::1", 8080), "[::1]:8080");
    }

    #[test]
    fn roots_are_equal_by_content() {
        let roots = |byte: u8| TrustedRoots::from_der([vec![byte; 4]]);
        assert_eq!(roots(1), roots(1));
        assert_ne!(roots(1), roots(2));
        assert_ne!(roots(1), TrustedRoots::default());
    }
}
