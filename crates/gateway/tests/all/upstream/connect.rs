//! Names, addresses and the connect timer.

use std::sync::Arc;
use std::time::Duration;

use gateway::upstream::{Origin, Scheme, SendFailure};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::support::{CONNECT_TIMEOUT, OK, Pipes, failure, origin, request, send, upstream};

async fn ok(mut io: tokio::io::DuplexStream, _: usize) {
    while request(&mut io).await.is_some() {
        io.write_all(OK).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_says_so() {
    let net = Pipes::new().name("a.test", &["192.0.2.1:80"]).refuse("192.0.2.1:80");
    assert_eq!(failure(&upstream(Arc::new(net)), &origin()).await, SendFailure::Refused);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_and_an_empty_answer_are_dns_failures() {
    let client = upstream(Arc::new(Pipes::new().name("empty.test", &[])));
    assert_eq!(failure(&client, &origin()).await, SendFailure::Dns);
    let empty = Origin::new(Scheme::Http, "empty.test", 80);
    assert_eq!(failure(&client, &empty).await, SendFailure::Dns);
}

#[tokio::test(start_paused = true)]
async fn every_stall_before_the_connection_is_ready_ends_at_the_same_timer() {
    let stalls = [
        (Pipes::new().name_hangs("a.test"), origin()),
        (Pipes::new().name("a.test", &["192.0.2.1:80"]).hang("192.0.2.1:80"), origin()),
        (
            Pipes::new().name("a.test", &["192.0.2.1:443"]).serve(
                "192.0.2.1:443",
                |io, _| async move {
                    std::future::pending::<()>().await;
                    drop(io);
                },
            ),
            Origin::new(Scheme::Https, "a.test", 443),
        ),
    ];
    for (net, origin) in stalls {
        let began = Instant::now();
        let failed = failure(&upstream(Arc::new(net)), &origin).await;
        assert_eq!(failed, SendFailure::ConnectTimeout);
        assert_eq!(began.elapsed().as_secs(), CONNECT_TIMEOUT.as_secs());
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_at_once_after_a_failure() {
    let net = Pipes::new()
        .name("a.test", &["192.0.2.1:80", "192.0.2.2:80"])
        .refuse("192.0.2.1:80")
        .serve("192.0.2.2:80", ok);
    let net = Arc::new(net);
    let began = Instant::now();
    assert_eq!(send(&upstream(net.clone()), &origin()).await.unwrap().status, 200);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(net.connected(), ["192.0.2.1:80", "192.0.2.2:80"]);
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_beside_a_silent_one() {
    let net = Pipes::new()
        .name("a.test", &["192.0.2.1:80", "192.0.2.2:80"])
        .hang("192.0.2.1:80")
        .serve("192.0.2.2:80", ok);
    let began = Instant::now();
    assert_eq!(send(&upstream(Arc::new(net)), &origin()).await.unwrap().status, 200);
    assert_eq!(began.elapsed().as_millis() / 10, 25);
}

#[tokio::test(start_paused = true)]
async fn forbidden_addresses_are_never_connected_to() {
    let net = Pipes::new()
        .name("a.test", &["169.254.169.254:80", "[fe80::1]:80"])
        .name("mixed.test", &["169.254.169.254:80", "192.0.2.2:80"])
        .serve("169.254.169.254:80", ok)
        .serve("192.0.2.2:80", ok);
    let net = Arc::new(net);
    let client = upstream(net.clone());
    for host in ["a.test", "169.254.169.254", "fd00:ec2::254", "100.100.100.200"] {
        let origin = Origin::new(Scheme::Http, host, 80);
        assert_eq!(failure(&client, &origin).await, SendFailure::ForbiddenAddress, "{host}");
    }
    assert_eq!(net.connected(), [""; 0]);
    let mixed = Origin::new(Scheme::Http, "mixed.test", 80);
    assert_eq!(send(&client, &mixed).await.unwrap().status, 200);
    assert_eq!(net.connected(), ["192.0.2.2:80"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_written_in_a_request_is_refused() {
    let origin = Origin::new(Scheme::Http, "a.test\r\nx: y", 80);
    let failed = failure(&upstream(Arc::new(Pipes::new())), &origin).await;
    assert!(matches!(failed, SendFailure::Protocol(_)), "{failed:?}");
}
