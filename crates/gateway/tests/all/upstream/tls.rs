//! Who is trusted, and which protocol is agreed on.

use std::sync::Arc;

use gateway::upstream::{Origin, Scheme, SendFailure, TrustedRoots};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::support::{OK, Pipes, failure, read, send, upstream};

const ADDR: &str = "192.0.2.1:443";

struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Authority { der, issuer: Issuer::new(params, key) }
}

/// A TLS server for `name` that offers `protocols`; its connections speak HTTP/1.1 or, where that
/// is agreed on, HTTP/2.
fn server(authority: &Authority, name: &str, protocols: &[&str], expired: bool) -> Arc<Pipes> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let net = Pipes::new().name("a.test", &[ADDR]).serve(ADDR, move |io, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut io) = acceptor.accept(io).await else { return };
            if io.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut server = h2::server::handshake(io).await.unwrap();
                while let Some(Ok((_, mut respond))) = server.accept().await {
                    let head = http::Response::new(());
                    let mut body = respond.send_response(head, false).unwrap();
                    body.send_data(bytes::Bytes::from_static(b"h2"), true).unwrap();
                }
            } else {
                let mut sink = [0; 4096];
                while io.read(&mut sink).await.is_ok_and(|n| n > 0) {
                    io.write_all(OK).await.unwrap();
                }
            }
        }
    });
    Arc::new(net)
}

fn origin(roots: &Authority, http2: bool) -> Origin {
    let trusted_roots = TrustedRoots::from_der([roots.der.clone()]);
    Origin { http2, trusted_roots, ..Origin::new(Scheme::Https, "a.test", 443) }
}

#[tokio::test]
async fn a_configured_authority_is_trusted_and_the_protocol_is_agreed_on() {
    let ca = authority();
    for (http2, offered, body) in [
        (false, &["h2", "http/1.1"][..], "ok"),
        (true, &["h2", "http/1.1"], "h2"),
        (true, &["http/1.1"], "ok"),
        (true, &[], "ok"),
    ] {
        let net = server(&ca, "a.test", offered, false);
        let client = upstream(net.clone());
        for round in 0..3 {
            let response = send(&client, &origin(&ca, http2)).await.unwrap();
            assert_eq!(response.reused_connection, round > 0, "{offered:?}");
            assert_eq!(read(response).await.unwrap(), body.as_bytes());
        }
        assert_eq!(net.connected().len(), 1);
    }
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_tls_failures() {
    let (ca, stranger) = (authority(), authority());
    for (name, net, roots) in [
        ("unknown authority", server(&ca, "a.test", &[], false), &stranger),
        ("another host", server(&ca, "b.test", &[], false), &ca),
        ("expired", server(&ca, "a.test", &[], true), &ca),
    ] {
        let failed = failure(&upstream(net), &origin(roots, false)).await;
        assert!(matches!(failed, SendFailure::Tls(_)), "{name}: {failed:?}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_plain_text_or_hangs_up_is_a_tls_failure() {
    let ca = authority();
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b""] {
        let net = Pipes::new().name("a.test", &[ADDR]).serve(ADDR, move |mut io, _| async move {
            let mut hello = [0; 64];
            io.read_exact(&mut hello).await.unwrap();
            io.write_all(answer).await.unwrap();
        });
        let failed = failure(&upstream(Arc::new(net)), &origin(&ca, false)).await;
        assert!(matches!(failed, SendFailure::Tls(_)), "{failed:?}");
    }
}

#[tokio::test]
async fn a_ca_file_that_is_not_a_certificate_is_a_tls_failure() {
    let ca = Authority { der: b"nonsense".to_vec(), ..authority() };
    let failed = failure(&upstream(Arc::new(Pipes::new())), &origin(&ca, false)).await;
    assert!(matches!(failed, SendFailure::Tls(_)), "{failed:?}");
}
