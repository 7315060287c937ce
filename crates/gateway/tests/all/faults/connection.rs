//! F01 to F07: no connection, or one that ends at once.

use sim::MemoryPeer;
use sim::tls::{Authority, CertificateKind};

use super::row::{Row, peer};
use crate::harness::{Place, Setup, ask, simulator};

#[tokio::test(start_paused = true)]
async fn f01_a_refused_connection_falls_back_at_once() {
    Row {
        place: Some(|| peer(MemoryPeer::Refused)),
        reason: "connect_refused",
        solo: (502, "upstream_error", "upstream_connect_failed"),
        ..Row::UNSENT
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f02_a_black_hole_falls_back_after_two_seconds() {
    Row {
        place: Some(|| peer(MemoryPeer::BlackHole)),
        reason: "connect_timeout",
        within: (2_000, 2_100),
        solo: (504, "timeout_error", "upstream_connect_timeout"),
        ..Row::UNSENT
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f03_a_name_that_does_not_exist_falls_back() {
    Row {
        place: Some(|| Place::NoSuchName),
        reason: "dns",
        within: (0, 2_000),
        solo: (502, "upstream_error", "upstream_dns_failed"),
        ..Row::UNSENT
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f04_a_name_server_that_hangs_falls_back_after_two_seconds() {
    Row {
        place: Some(|| Place::NameHangs),
        reason: "connect_timeout",
        within: (2_000, 2_100),
        solo: (504, "timeout_error", "upstream_connect_timeout"),
        ..Row::UNSENT
    }
    .check()
    .await;
}

/// A behind TLS with this certificate, its authority trusted.
fn behind_tls(kind: CertificateKind) -> Setup {
    let sim = simulator();
    let authority = Authority::new().unwrap();
    let acceptor = authority.acceptor(kind, "a.sim").unwrap();
    let a = sim.provider(sim::ProviderSettings::named("a"));
    Setup {
        place_a: Some(peer(MemoryPeer::Tls(a, acceptor))),
        authority: Some(authority.certificate().to_vec()),
        ..tls(Some(sim))
    }
}

fn tls(sim: Option<std::sync::Arc<sim::Sim>>) -> Setup {
    let trusted = if sim.is_some() { "ca_file: ca.pem" } else { "" };
    Setup {
        url_a: Some("https://a.sim".to_owned()),
        keys_a: trusted.to_owned(),
        sim,
        ..Setup::default()
    }
}

async fn fails_in_tls(make: impl Fn() -> Setup, within_ms: (u64, u64), code: &str, reason: &str) {
    for stream in [false, true] {
        let stage = make().start().await;
        let reply = stage.ask(&ask("pair").streamed(stream)).await;
        reply.assert_from_b(reason, "2");
        let waited = u64::try_from(reply.first_byte.as_millis()).unwrap();
        assert!((within_ms.0..=within_ms.1).contains(&waited), "{waited} ms");
        let released = ("a/m".to_owned(), reason.to_owned(), "released".to_owned());
        assert_eq!(stage.attempts()[0], released);
        let reply = stage.ask(&ask("solo").streamed(stream)).await;
        assert_eq!(reply.error().2, code);
        assert_eq!(stage.asked("a").len(), 0, "no request crosses a broken handshake");
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 3, "one, and two when alone");
    }
}

#[tokio::test(start_paused = true)]
async fn f05_a_certificate_that_cannot_be_trusted_falls_back() {
    for kind in [CertificateKind::Expired, CertificateKind::WrongHost, CertificateKind::SelfSigned]
    {
        println!("{kind:?}");
        fails_in_tls(|| behind_tls(kind), (0, 50), "upstream_tls_failed", "tls").await;
    }
}

#[tokio::test(start_paused = true)]
async fn f05_plain_text_where_tls_should_be_falls_back() {
    let plain = || Setup { place_a: Some(peer(MemoryPeer::NotTls)), ..tls(None) };
    fails_in_tls(plain, (0, 50), "upstream_tls_failed", "tls").await;
}

#[tokio::test(start_paused = true)]
async fn f05_a_good_certificate_is_no_fault() {
    let stage = behind_tls(CertificateKind::Good).start().await;
    let reply = stage.ask(&ask("pair")).await;
    assert_eq!(reply.header("x-weighbridge-model"), "a/m", "{}", reply.raw());
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f06_a_handshake_that_stalls_falls_back_after_two_seconds() {
    let stalled = || Setup { place_a: Some(peer(MemoryPeer::Stalled)), ..tls(None) };
    fails_in_tls(stalled, (2_000, 2_100), "upstream_connect_timeout", "connect_timeout").await;
}

#[tokio::test(start_paused = true)]
async fn f07_a_reset_before_the_first_byte_falls_back_at_once() {
    Row {
        fault: "f07",
        reason: "reset",
        solo: (502, "upstream_error", "upstream_reset"),
        ..Row::UNCERTAIN
    }
    .check()
    .await;
}

#[tokio::test(start_paused = true)]
async fn f07_a_reset_before_anything_was_sent_costs_nothing() {
    let stage = Setup::a_is(MemoryPeer::ResetAtOnce).start().await;
    let reply = stage.ask(&ask("pair")).await;
    reply.assert_from_b("reset", "2");
    stage.quiet().await;
    let booked = stage.books.entries();
    assert_eq!(booked[0].kind.name(), "released", "{booked:?}");
    assert_eq!(stage.strikes("a"), 1);
}
