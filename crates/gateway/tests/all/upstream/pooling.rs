//! Which connection carries the next request, and how long it lives.

use std::sync::Arc;
use std::time::Duration;

use gateway::upstream::{SendFailure, Upstream, UpstreamSettings};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::support::{OK, Pipes, answering, failure, origin, read, request, send, upstream};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_finished_exchange_gives_its_connection_to_the_next() {
    for answer in [OK, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n"] {
        let net = answering(answer);
        let client = upstream(net.clone());
        for round in 0..5 {
            let response = send(&client, &origin()).await.unwrap();
            assert_eq!(response.reused_connection, round > 0);
            read(response).await.unwrap();
        }
        assert_eq!(net.connected().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_byte_of_a_known_length_is_enough() {
    let net = answering(OK);
    let client = upstream(net.clone());
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut response = send(&client, &origin()).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), "ok");
        held.push(response);
    }
    assert_eq!(net.connected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn finish_waits_for_the_end_of_a_message_and_keeps_the_connection() {
    let net = Pipes::serving(|mut io, _| async move {
        while request(&mut io).await.is_some() {
            let (content, end) = CHUNKED.split_at(CHUNKED.len() - 5);
            io.write_all(content).await.unwrap();
            sleep(Duration::from_millis(10)).await;
            io.write_all(end).await.unwrap();
        }
    });
    let client = upstream(net.clone());
    for _ in 0..3 {
        let mut response = send(&client, &origin()).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), "ok");
        response.body.finish().await;
    }
    assert_eq!(net.connected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_have_connections_of_their_own() {
    let net = answering(OK);
    let client = Arc::new(upstream(net.clone()));
    let tasks = [0, 1].map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { send(&client, &origin()).await.unwrap() })
    });
    let [a, b] = tasks;
    for response in [a.await.unwrap(), b.await.unwrap()] {
        assert_eq!(read(response).await.unwrap(), b"ok");
    }
    assert_eq!(net.connected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unused_connection_is_closed_after_its_time() {
    let (closed, mut was_closed) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |mut io, _| {
        let closed = closed.clone();
        async move {
            while request(&mut io).await.is_some() {
                io.write_all(OK).await.unwrap();
            }
            closed.send(Instant::now()).unwrap();
        }
    });
    let client = upstream(net);
    for _ in 0..2 {
        // Used again after 40 s: its time begins anew.
        read(send(&client, &origin()).await.unwrap()).await.unwrap();
        sleep(Duration::from_secs(40)).await;
    }
    let last_use = Instant::now() - Duration::from_secs(40);
    let closed_at = was_closed.recv().await.unwrap();
    assert_eq!((closed_at - last_use).as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_allowed_number_wait() {
    let net = answering(OK);
    let settings = UpstreamSettings { max_idle_per_origin: 1, ..UpstreamSettings::default() };
    let client = Upstream::new(net.clone(), settings);
    let origin = origin();
    for opened in [2, 3] {
        let (a, b) = tokio::join!(send(&client, &origin), send(&client, &origin));
        read(a.unwrap()).await.unwrap();
        read(b.unwrap()).await.unwrap();
        assert_eq!(net.connected().len(), opened);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_the_server_closed_while_it_waited_is_not_used() {
    for goodbye in [OK, b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"] {
        let net = Pipes::serving(move |mut io, _| async move {
            request(&mut io).await.unwrap();
            io.write_all(goodbye).await.unwrap();
        });
        let client = upstream(net.clone());
        for _ in 0..3 {
            read(send(&client, &origin()).await.unwrap()).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((net.connected().len(), client.pool_races()), (3, 0));
    }
}

/// The first connection answers once, and then meets the next request with `race`.
fn racing<F, T>(race: F) -> Arc<Pipes>
where
    F: Fn(tokio::io::DuplexStream) -> T + Copy + Send + Sync + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    Pipes::serving(move |mut io, before| async move {
        request(&mut io).await.unwrap();
        io.write_all(OK).await.unwrap();
        if before == 0 {
            request(&mut io).await.unwrap();
            race(io).await;
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_that_met_a_closing_connection_is_sent_once_more() {
    let net = racing(|io| async move { drop(io) });
    let client = upstream(net.clone());
    read(send(&client, &origin()).await.unwrap()).await.unwrap();
    let response = send(&client, &origin()).await.unwrap();
    assert_eq!((response.status, response.reused_connection), (200, false));
    assert_eq!(read(response).await.unwrap(), b"ok");
    assert_eq!((net.connected().len(), client.pool_races()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_second_sending_is_the_last() {
    let net = Pipes::serving(|mut io, before| async move {
        request(&mut io).await.unwrap();
        if before == 0 {
            io.write_all(OK).await.unwrap();
            request(&mut io).await.unwrap();
        }
    });
    let client = upstream(net.clone());
    read(send(&client, &origin()).await.unwrap()).await.unwrap();
    assert_eq!(failure(&client, &origin()).await, SendFailure::Reset { sent: true });
    assert_eq!((net.connected().len(), client.pool_races()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_thought_before_it_hung_up_is_not_asked_again() {
    let net = racing(|io| async move {
        sleep(Duration::from_secs(3)).await;
        drop(io);
    });
    let client = upstream(net.clone());
    read(send(&client, &origin()).await.unwrap()).await.unwrap();
    assert_eq!(failure(&client, &origin()).await, SendFailure::Reset { sent: true });
    assert_eq!((net.connected().len(), client.pool_races()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_had_begun_to_answer_is_not_asked_again() {
    let net = racing(|mut io| async move { io.write_all(b"HTTP/1.1 2").await.unwrap() });
    let client = upstream(net.clone());
    read(send(&client, &origin()).await.unwrap()).await.unwrap();
    assert_eq!(failure(&client, &origin()).await, SendFailure::Reset { sent: true });
    assert_eq!((net.connected().len(), client.pool_races()), (1, 0));
}
