//! Where providers are and how each way to talk to them is proven: what all deployments of a provider
//! share, resolved once per configuration.
//!
//! A catalog has hundreds of models a provider; headers, origins and proofs are the same for all of
//! them, and a token that is fetched for one is good for the others.

use std::sync::Arc;

use http::HeaderMap;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::credentials;
use super::proof::Proof;
use super::speech::Speech;
use super::state::{CredentialState, States};
use crate::config::{BaseUrl, Face, Provider};
use crate::upstream::{Origin, Scheme, TrustedRoots, percent_encoded};

/// What all deployments of a provider share.
#[derive(Debug)]
pub struct Premises {
    /// The provider's id.
    pub provider: Arc<str>,
    /// The id of the catalog's row it follows, for the table of errors.
    pub vendor: Arc<str>,
    /// Its region, or empty.
    pub region: Arc<str>,
    /// Ways to prove who we are, tried in turn.
    pub credentials: Arc<[Credential]>,
    /// The ways to talk to it, in the order of its faces; `None` for a dialect nobody knows.
    pub sites: Vec<Option<Arc<Site>>>,
}

impl Premises {
    /// Resolves a provider of the configuration.
    #[must_use]
    pub fn of(provider: &Provider, states: &States) -> Self {
        let proofs = credentials::proofs(provider);
        Self {
            provider: Arc::from(provider.id.as_str()),
            vendor: Arc::from(provider.catalog_id.as_deref().unwrap_or(&provider.id)),
            region: Arc::from(provider.region.as_str()),
            credentials: credentials::of(provider, states).into(),
            sites: provider
                .faces
                .iter()
                .map(|face| site(provider, face, &proofs).map(Arc::new))
                .collect(),
        }
    }
}

fn site(provider: &Provider, face: &Face, proofs: &[Arc<Proof>]) -> Option<Site> {
    Some(Site {
        speech: Speech::find(&face.dialect)?,
        origin: Arc::new(origin(provider, &face.base_url)),
        path_prefix: face.base_url.path_prefix.trim_end_matches('/').to_owned(),
        path: face.path.clone(),
        stream_path: face.stream_path.clone(),
        headers: credentials::headers(provider, face),
        proofs: proofs.to_vec(),
    })
}

fn origin(provider: &Provider, base: &BaseUrl) -> Origin {
    let scheme = if base.https { Scheme::Https } else { Scheme::Http };
    let roots = provider.ca_file.as_deref().map(|pem| {
        let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
        TrustedRoots::from_der(certificates.map(|certificate| certificate.to_vec()))
    });
    Origin {
        http2: provider.http2,
        trusted_roots: roots.unwrap_or_default(),
        ..Origin::new(scheme, base.host.clone(), base.port)
    }
}

/// One way to talk to a provider.
#[derive(Debug)]
pub struct Site {
    /// The wire format.
    pub speech: Speech,
    /// Where it is.
    pub origin: Arc<Origin>,
    /// The path before the dialect's own.
    path_prefix: String,
    /// What stands instead of the dialect's own path, unstreamed and streamed.
    path: Option<String>,
    stream_path: Option<String>,
    /// The fixed header fields with each credential, in the order of the lane's credentials.
    pub headers: Vec<HeaderMap>,
    /// What else proves each credential, in the same order.
    pub proofs: Vec<Arc<Proof>>,
}

impl Site {
    /// The target of a request for `model`, given the dialect's own path.
    #[must_use]
    pub fn target(&self, model: &str, stream: bool, own: impl FnOnce() -> String) -> String {
        let instead = if stream { self.stream_path.as_ref() } else { None };
        let path = match instead.or(self.path.as_ref()) {
            Some(template) => template.replace("{model}", &percent_encoded(model, b":@")),
            None => own(),
        };
        format!("{}{path}", self.path_prefix)
    }

    /// What proves a credential besides header fields.
    #[must_use]
    pub fn proof(&self, credential: usize) -> Arc<Proof> {
        self.proofs.get(credential).or(self.proofs.first()).map(Arc::clone).unwrap_or_default()
    }

    /// Another path of the same API.
    #[must_use]
    pub fn beside(&self, path: &str) -> String {
        format!("{}{path}", self.path_prefix)
    }
}

/// One credential.
#[derive(Debug)]
pub struct Credential {
    /// What must never be shown.
    pub secret: String,
    /// Its cooldowns.
    pub state: Arc<CredentialState>,
}

/// A shorter credential is no secret, and may be a word of any sentence.
const MIN_SECRET: usize = 8;

impl Credential {
    /// The secret, if it is one.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        (self.secret.len() >= MIN_SECRET).then_some(&self.secret)
    }
}
