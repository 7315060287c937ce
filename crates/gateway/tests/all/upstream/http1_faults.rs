//! Heads that must not be accepted, and connections that end before one.

use std::sync::Arc;

use gateway::upstream::{Origin, Scheme, SendFailure, SystemNetwork};
use tokio::net::TcpListener;

use super::support::{answering_once, failure, origin, read, send, upstream};

fn with_fields(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nok")
}

#[tokio::test(start_paused = true)]
async fn heads_beyond_the_bounds_or_malformed_are_bad_headers() {
    let long_value = format!("x: {}\r\n", "v".repeat(1024 * 1024));
    let many: String = (0..1_000).map(|n| format!("x{n}: v\r\n")).collect();
    let duplicates: String = (0..200).map(|_| "x: v\r\n").collect();
    for (name, answer) in [
        ("a head of 1 MiB", with_fields(&long_value)),
        ("1,000 fields", with_fields(&many)),
        ("200 fields of one name", with_fields(&duplicates)),
        ("a NUL in a value", with_fields("x: a\0b\r\n")),
        ("a bare CR in a value", with_fields("x: a\rb\r\n")),
        ("a space in a name", with_fields("x y: v\r\n")),
        ("no colon", with_fields("nonsense\r\n")),
        ("two lengths", with_fields("content-length: 3\r\n")),
        ("not HTTP", "SSH-2.0-OpenSSH_9\r\n\r\n".to_owned()),
        ("an impossible status", "HTTP/1.1 99999 No\r\n\r\n".to_owned()),
    ] {
        let failed = failure(&upstream(answering_once(answer)), &origin()).await;
        assert_eq!(failed, SendFailure::BadHeaders, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_within_the_bounds_is_accepted() {
    let many: String = (0..100).map(|n| format!("x{n}: {}\r\n", "v".repeat(500))).collect();
    let response = send(&upstream(answering_once(with_fields(&many))), &origin()).await.unwrap();
    assert_eq!(response.headers.len(), 101);
    assert_eq!(read(response).await.unwrap(), b"ok");
}

#[tokio::test(start_paused = true)]
async fn sixteen_interim_responses_are_borne_and_one_more_is_not() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let answer = |n| interim.repeat(n) + &with_fields("");
    let response = send(&upstream(answering_once(answer(16))), &origin()).await.unwrap();
    assert_eq!(response.status, 200);
    for flood in [answer(17), answer(5_000), "HTTP/1.1 100 Continue\r\n\r\n".repeat(17)] {
        let failed = failure(&upstream(answering_once(flood)), &origin()).await;
        assert_eq!(failed, SendFailure::Informational);
    }
}

#[tokio::test(start_paused = true)]
async fn protocols_are_not_switched() {
    let answer = "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let failed = failure(&upstream(answering_once(answer)), &origin()).await;
    assert!(matches!(failed, SendFailure::Protocol(_)), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_that_ends_before_a_head_is_a_reset_and_not_sent_again() {
    for half in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let net = answering_once(half);
        let client = upstream(net.clone());
        assert_eq!(failure(&client, &origin()).await, SendFailure::Reset { sent: true });
        assert_eq!((net.connected().len(), client.pool_races()), (1, 0));
    }
}

#[tokio::test]
async fn a_server_that_accepts_and_resets_is_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (io, _) = listener.accept().await.unwrap();
            io.set_zero_linger().unwrap();
        }
    });
    let client = upstream(Arc::new(SystemNetwork));
    for _ in 0..20 {
        let failed = failure(&client, &Origin::new(Scheme::Http, "127.0.0.1", port)).await;
        assert!(matches!(failed, SendFailure::Reset { .. }), "{failed:?}");
    }
}
