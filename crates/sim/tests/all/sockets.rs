//! Real sockets: what only a kernel can do, TLS, and the in-memory stand-ins for both.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use sim::net::{NameServer, black_hole, name_server, refused_addr, reset_on_accept, stalled};
use sim::tls::{Authority, CertificateKind};
use sim::{Dialect, MemoryPeer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::client::{End, asked, exchange, provider, send, sim};

/// Long enough for a loopback, short enough for a test.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_listener_serves_and_resets_over_tcp() {
    let sim = sim();
    let running = sim.start().await.unwrap();
    let mut link = TcpStream::connect(running.addr).await.unwrap();
    let seen = exchange(&mut link, &asked(Dialect::OpenAi, "m", true)).await;
    assert!(seen.end == End::Complete && seen.is_done());
    let seen = exchange(&mut link, &asked(Dialect::OpenAi, "m-fault-f22", true)).await;
    assert_eq!(seen.end, End::Reset);
    assert_eq!(seen.text().split(' ').count(), 38, "40 tokens arrived: {}", seen.text());
    drop(running);
    tokio::time::sleep(SOON).await;
    assert_eq!(sim.open_connections(), 0);
}

#[tokio::test]
async fn f01_is_refused_and_f02_is_never_made() {
    let refused = TcpStream::connect(refused_addr().unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let hole = black_hole().unwrap();
    assert!(timeout(SOON, TcpStream::connect(hole.addr)).await.is_err());
}

#[tokio::test]
async fn f06_says_nothing_and_f07_resets() {
    let silent = stalled().await.unwrap();
    let mut link = TcpStream::connect(silent.addr).await.unwrap();
    link.write_all(b"hello").await.unwrap();
    assert!(timeout(SOON, link.read(&mut [0; 8])).await.is_err());
    let running = reset_on_accept().await.unwrap();
    let mut link = TcpStream::connect(running.addr).await.unwrap();
    let ended = timeout(SOON, link.read(&mut [0; 8])).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn f03_knows_no_name_and_f04_does_not_answer() {
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x08upstream\x07invalid\0\0\x01\0\x01";
    for (what, answers) in [(NameServer::NoSuchName, true), (NameServer::Silent, false)] {
        let server = name_server(what).await.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.send_to(question, server.addr).await.unwrap();
        let mut bytes = [0; 512];
        let answer = timeout(SOON, socket.recv(&mut bytes)).await;
        assert_eq!(answer.is_ok(), answers);
        assert!(!answers || bytes[..4] == [0x12, 0x34, 0x81, 0x83]);
    }
}

/// A TLS handshake that trusts one authority only.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    authority: &Authority,
    link: S,
) -> std::io::Result<tokio_rustls::client::TlsStream<S>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate()).unwrap();
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, link).await
}

#[tokio::test]
async fn f05_certificates_are_bad_in_the_stated_way() {
    let authority = Authority::new().unwrap();
    for (kind, word) in [
        (CertificateKind::Good, ""),
        (CertificateKind::Expired, "expired"),
        (CertificateKind::WrongHost, "not valid for name"),
        (CertificateKind::SelfSigned, "UnknownIssuer"),
    ] {
        let acceptor = authority.acceptor(kind, "localhost").unwrap();
        let running = provider().start_tls(acceptor.clone()).await.unwrap();
        let over_tcp = handshake(&authority, TcpStream::connect(running.addr).await.unwrap()).await;
        let peer = MemoryPeer::Tls(provider(), acceptor);
        let in_memory = handshake(&authority, peer.connect().await.unwrap()).await;
        if kind == CertificateKind::Good {
            let seen = exchange(&mut over_tcp.unwrap(), &asked(Dialect::OpenAi, "m", true)).await;
            assert!(seen.is_done());
            let seen = exchange(&mut in_memory.unwrap(), &asked(Dialect::OpenAi, "m", true)).await;
            assert!(seen.is_done());
            continue;
        }
        for error in [over_tcp.err(), in_memory.err()] {
            let text = error.unwrap().to_string();
            assert!(text.contains(word), "{kind:?}: {text}");
        }
    }
}

#[tokio::test]
async fn f05_plaintext_is_not_tls() {
    let authority = Authority::new().unwrap();
    let running = provider().start().await.unwrap();
    let link = TcpStream::connect(running.addr).await.unwrap();
    assert!(handshake(&authority, link).await.is_err());
    let link = MemoryPeer::NotTls.connect().await.unwrap();
    assert!(handshake(&authority, link).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn peers_in_memory_fail_as_the_kernel_would() {
    let kind = async |peer: MemoryPeer| peer.connect().await.err().map(|error| error.kind());
    assert_eq!(kind(MemoryPeer::Refused).await, Some(ErrorKind::ConnectionRefused));
    assert_eq!(kind(MemoryPeer::NoSuchName).await, Some(ErrorKind::NotFound));
    let minute = Duration::from_secs(60);
    assert!(timeout(minute, MemoryPeer::BlackHole.connect()).await.is_err());
    let mut link = MemoryPeer::Stalled.connect().await.unwrap();
    link.write_all(b"hello").await.unwrap();
    assert!(timeout(minute, link.read(&mut [0; 8])).await.is_err());
    let mut link = MemoryPeer::ResetAtOnce.connect().await.unwrap();
    let ended = link.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::ConnectionReset);
    let mut link = MemoryPeer::Provider(provider()).connect().await.unwrap();
    assert!(exchange(&mut link, &asked(Dialect::OpenAi, "m", true)).await.is_done());
}

#[tokio::test(start_paused = true)]
async fn any_split_of_a_request_is_the_same_request() {
    let bytes = asked(Dialect::OpenAi, "m", false);
    let whole = send(&provider(), &bytes).await.text();
    for step in [1, 3, 17] {
        let (mut client, server) = sim::memory::pipe();
        let provider = provider();
        tokio::spawn(async move { provider.serve_link(server).await });
        let (last, rest) = bytes.split_last().unwrap();
        for part in rest.chunks(step) {
            client.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(exchange(&mut client, &[*last]).await.text(), whole);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_not_http_are_refused() {
    for bytes in [&b"\x16\x03\x01\x02\0\x01\0\0\0\0\0\0\0\0\0\0"[..], b"GET / HTTP/9\r\n\r\n"] {
        assert_eq!(send(&provider(), bytes).await.status, 400);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn any_damage_to_a_request_is_answered_or_ended(
        dialect in 0..3_usize,
        changes in proptest::collection::vec((0..400_usize, 0..=255_u8), 1..6),
    ) {
        let dialect = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini][dialect];
        let mut bytes = asked(dialect, "sim-4-think-fault-f21:2", true);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().unwrap();
        let seen = runtime.block_on(async { send(&provider(), &bytes).await });
        proptest::prop_assert!(seen.end != End::Complete || seen.status >= 200);
    }
}
