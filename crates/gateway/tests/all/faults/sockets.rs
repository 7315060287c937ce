//! The rows that a kernel plays differently from a pipe, over real sockets of the loopback and the
//! real clock. Times are only bounded from below here; the exact ones are held under the paused
//! clock in the other files.

use std::time::Duration;

use sim::net::{black_hole, refused_addr, reset_on_accept, stalled};
use sim::tls::{Authority, CertificateKind};
use sim::{ProviderSettings, Rule};

use crate::harness::{Setup, Stage, ask, simulator};

/// A is at this address.
fn at(url: String) -> Setup {
    Setup { url_a: Some(url), sockets: true, ..Setup::default() }
}

async fn sockets() -> Stage {
    Setup { sockets: true, ..Setup::default() }.start().await
}

/// B answers in A's place, streamed and not.
async fn falls_back(stage: &Stage, reason: &str, attempts: &str, least: Duration) {
    for stream in [false, true] {
        let reply = stage.ask(&ask("pair").streamed(stream)).await;
        reply.assert_from_b(reason, attempts);
        assert!(reply.first_byte >= least, "{:?}", reply.first_byte);
        assert_eq!(stage.asked("a").len(), 0);
    }
    stage.quiet().await;
}

#[tokio::test]
async fn f01_a_port_without_listener_falls_back() {
    let stage = at(format!("http://{}", refused_addr().unwrap())).start().await;
    falls_back(&stage, "connect_refused", "2", Duration::ZERO).await;
    let reply = stage.ask(&ask("solo")).await;
    assert_eq!(reply.error().2, "upstream_connect_failed");
    stage.quiet().await;
    // One for each of the two that fell back; alone, the third was tried twice.
    assert_eq!(stage.strikes("a"), 4);
}

#[tokio::test]
async fn f02_a_full_backlog_falls_back_after_two_seconds() {
    // The backlog is filled by blocking connects, a fifth of a second before the test begins.
    let hole = black_hole().unwrap();
    let stage = at(format!("http://{}", hole.addr)).start().await;
    falls_back(&stage, "connect_timeout", "2", Duration::from_secs(2)).await;
}

#[tokio::test]
async fn f05_a_certificate_that_cannot_be_trusted_falls_back() {
    for kind in [CertificateKind::Expired, CertificateKind::WrongHost, CertificateKind::SelfSigned]
    {
        let (sim, authority) = (simulator(), Authority::new().unwrap());
        let acceptor = authority.acceptor(kind, "127.0.0.1").unwrap();
        let served = sim.provider(ProviderSettings::named("a")).start_tls(acceptor).await.unwrap();
        let setup = Setup {
            sim: Some(sim),
            authority: Some(authority.certificate().to_vec()),
            keys_a: "ca_file: ca.pem".to_owned(),
            ..at(format!("https://{}", served.addr))
        };
        falls_back(&setup.start().await, "tls", "2", Duration::ZERO).await;
    }
}

#[tokio::test]
async fn f05_plain_text_where_tls_should_be_falls_back() {
    let sim = simulator();
    let served = sim.provider(ProviderSettings::named("a")).start().await.unwrap();
    let setup = Setup { sim: Some(sim), ..at(format!("https://{}", served.addr)) };
    falls_back(&setup.start().await, "tls", "2", Duration::ZERO).await;
}

#[tokio::test]
async fn f06_a_handshake_that_stalls_falls_back_after_two_seconds() {
    let silent = stalled().await.unwrap();
    let stage = at(format!("https://{}", silent.addr)).start().await;
    falls_back(&stage, "connect_timeout", "2", Duration::from_secs(2)).await;
}

#[tokio::test]
async fn f07_a_reset_at_once_falls_back() {
    let resetting = reset_on_accept().await.unwrap();
    let stage = at(format!("http://{}", resetting.addr)).start().await;
    falls_back(&stage, "reset", "2", Duration::ZERO).await;
    let kinds: Vec<_> = stage.books.entries().iter().map(|entry| entry.kind.name()).collect();
    assert!(
        kinds.iter().all(|kind| ["released", "uncertain", "final"].contains(kind)),
        "{kinds:?}"
    );
    assert_eq!(stage.strikes("a"), 2);
}

#[tokio::test]
async fn f22_a_reset_after_content_ends_in_an_honest_error() {
    let stage = sockets().await;
    stage.fault("f22");
    let reply = stage.ask(&ask("pair").streamed(true)).await;
    assert_eq!((reply.status, reply.header("x-weighbridge-model")), (200, "a/m"));
    assert_eq!((reply.in_band_error().as_str(), reply.dones()), ("stream_interrupted", 0));
    assert!(!reply.text().is_empty());
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
    assert_eq!(stage.attempts()[0].2, "interrupted");
    assert_eq!(stage.strikes("a"), 1);
}

#[tokio::test]
async fn f27_a_byte_a_segment_gives_the_same_text() {
    let stage = sockets().await;
    stage.fault("f27");
    let streamed = stage.ask(&ask("pair").streamed(true)).await;
    let whole = stage.ask(&ask("pair")).await;
    streamed.assert_complete();
    whole.assert_complete();
    assert_eq!(streamed.text(), whole.text());
    assert!(!whole.text().is_ascii());
    assert_eq!(stage.counts(), (2, 0));
    stage.quiet().await;
}

#[tokio::test]
async fn f35_a_truncated_body_falls_back() {
    let stage = sockets().await;
    stage.fault("f35");
    stage.ask(&ask("pair")).await.assert_from_b("truncated", "2");
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 1);
}

#[tokio::test]
async fn f46_a_connection_that_closes_as_it_is_used_is_replaced_unseen() {
    for fault in ["f46", "f46-reset"] {
        let stage = sockets().await;
        stage.script(vec![Rule::always(fault).at("a").times(3)]);
        for _ in 0..6 {
            let reply = stage.ask(&ask("pair")).await;
            reply.assert_complete();
            assert_eq!(reply.header("x-weighbridge-model"), "a/m");
            assert_eq!(reply.header("x-weighbridge-attempts"), "1");
        }
        assert_eq!(stage.counts(), (6, 0));
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 0);
    }
}

#[tokio::test]
async fn f48_a_413_before_the_body_was_read_is_passed_on() {
    let stage = sockets().await;
    stage.fault("f48");
    let long = "weigh ".repeat(1_000_000);
    let messages = serde_json::json!([{ "role": "user", "content": long }]);
    let big = ask("pair").with("messages", messages).with("user", "f48".into());
    let reply = stage.ask(&big).await;
    assert_eq!(reply.status, 413, "{}", reply.raw());
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 0);
}
