//! Streams that share a connection, are refused, reset, or left behind by a GOAWAY.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway::upstream::{Origin, SendFailure};
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::support::{Pipes, call, failure, origin, read, send, send_call, upstream};

type Server = Connection<DuplexStream, Bytes>;
type Stream = (Request<RecvStream>, SendResponse<Bytes>);

fn h2_origin() -> Origin {
    Origin { http2: true, ..origin() }
}

async fn handshake(io: DuplexStream) -> Server {
    h2::server::handshake(io).await.unwrap()
}

async fn accept(server: &mut Server) -> Option<Stream> {
    server.accept().await?.ok()
}

fn answer(respond: &mut SendResponse<Bytes>) {
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::from_static(b"ok"), true).unwrap();
}

async fn answer_all(mut server: Server) {
    while let Some((_, mut respond)) = accept(&mut server).await {
        answer(&mut respond);
    }
}

/// A network whose first connection does `first` and whose others answer.
fn first_then_answers<F, T>(first: F) -> Arc<Pipes>
where
    F: Fn(Server) -> T + Copy + Send + Sync + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    Pipes::serving(move |io, before| async move {
        let server = handshake(io).await;
        match before {
            0 => first(server).await,
            _ => answer_all(server).await,
        }
    })
}

#[tokio::test(start_paused = true)]
async fn requests_share_a_connection_and_carry_their_target() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |io, _| {
        let seen = seen.clone();
        async move {
            let mut server = handshake(io).await;
            while let Some((request, mut respond)) = accept(&mut server).await {
                let (head, mut body) = request.into_parts();
                answer(&mut respond);
                let seen = seen.clone();
                tokio::spawn(async move {
                    let body = body.data().await.unwrap().unwrap();
                    seen.send((head.uri.to_string(), head.headers, body)).unwrap();
                });
            }
        }
    });
    let client = upstream(net.clone());
    let origin = h2_origin();
    let (a, b, c) =
        tokio::join!(send(&client, &origin), send(&client, &origin), send(&client, &origin));
    for response in [a, b, c] {
        let response = response.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(read(response).await.unwrap(), b"ok");
    }
    assert!(send(&client, &origin).await.unwrap().reused_connection);
    assert_eq!(net.connected().len(), 1);
    let (uri, headers, body) = requests.recv().await.unwrap();
    assert_eq!((uri.as_str(), &*body), ("http://a.test/v1/chat?x=1", &b"{}"[..]));
    assert_eq!(headers.get("content-length").unwrap(), "2");
    assert!(!headers.contains_key("host"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_sent_once_more_on_a_new_connection() {
    let net = first_then_answers(|mut server| async move {
        while let Some((_, mut respond)) = accept(&mut server).await {
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    });
    let client = upstream(net.clone());
    let response = send(&client, &h2_origin()).await.unwrap();
    assert_eq!(read(response).await.unwrap(), b"ok");
    assert_eq!((net.connected().len(), client.pool_races()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_refused_twice_is_refused() {
    let net = Pipes::serving(|io, _| async move {
        let mut server = handshake(io).await;
        while let Some((_, mut respond)) = accept(&mut server).await {
            respond.send_reset(Reason::REFUSED_STREAM);
        }
    });
    let client = upstream(net.clone());
    let failed = failure(&client, &h2_origin()).await;
    assert_eq!(failed, SendFailure::Http2 { refused: true });
    assert_eq!(net.connected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_reset_for_another_reason_is_not_sent_again() {
    let net = first_then_answers(|mut server| async move {
        while let Some((_, mut respond)) = accept(&mut server).await {
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    });
    let client = upstream(net.clone());
    let failed = failure(&client, &h2_origin()).await;
    assert_eq!(failed, SendFailure::Http2 { refused: false });
    assert_eq!((net.connected().len(), client.pool_races()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_goaway_that_leaves_the_stream_out_sends_it_to_a_new_connection() {
    // Frames by hand: the h2 server would serve the stream it has seen.
    let net = Pipes::serving(|io, before| async move {
        match before {
            0 => goaway_by_hand(io).await,
            _ => answer_all(handshake(io).await).await,
        }
    });
    let client = upstream(net.clone());
    let response = send(&client, &h2_origin()).await.unwrap();
    assert_eq!(read(response).await.unwrap(), b"ok");
    assert_eq!((net.connected().len(), client.pool_races()), (2, 1));
    assert_eq!(send(&client, &h2_origin()).await.unwrap().status, 200);
    assert_eq!(net.connected().len(), 2, "the connection that said goodbye was used");
}

/// Says that no stream will be served, once a request is under way, and lingers.
async fn goaway_by_hand(mut io: DuplexStream) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const SETTINGS_ACK: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
    const GOAWAY_NONE_SERVED: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    io.write_all(&[SETTINGS, SETTINGS_ACK].concat()).await.unwrap();
    let mut preface = [0; 24];
    io.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        io.read_exact(&mut vec![0; length]).await.unwrap();
        let is_headers = head[3] == 1;
        if is_headers {
            break;
        }
    }
    io.write_all(&GOAWAY_NONE_SERVED).await.unwrap();
    let mut sink = Vec::new();
    let _ = io.read_to_end(&mut sink).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_connection_is_passed_over() {
    let net = Pipes::serving(|io, _| async move {
        // The limit is said after the first request was sent.
        sleep(Duration::from_millis(100)).await;
        let mut server: Server =
            h2::server::Builder::new().max_concurrent_streams(1).handshake(io).await.unwrap();
        while let Some((_, mut respond)) = accept(&mut server).await {
            tokio::spawn(async move {
                sleep(Duration::from_secs(1)).await;
                answer(&mut respond);
            });
        }
    });
    let client = upstream(net.clone());
    let origin = h2_origin();
    // The first answer brings the peer's limit with it.
    read(send(&client, &origin).await.unwrap()).await.unwrap();
    let (a, b) = tokio::join!(
        timeout(Duration::from_millis(1_500), send(&client, &origin)),
        timeout(Duration::from_millis(1_500), send(&client, &origin)),
    );
    assert_eq!(a.unwrap().unwrap().status, 200);
    assert_eq!(b.unwrap().unwrap().status, 200);
    assert_eq!(net.connected().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_body_or_an_unanswered_call_resets_its_stream_alone() {
    let (reset, mut was_reset) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |io, _| {
        let reset = reset.clone();
        async move {
            let mut server = handshake(io).await;
            let mut streams = 0;
            while let Some((_, mut respond)) = accept(&mut server).await {
                streams += 1;
                let (reset, nth) = (reset.clone(), streams);
                tokio::spawn(async move {
                    let reason = match nth {
                        1 => {
                            let head = Response::new(());
                            let mut body = respond.send_response(head, false).unwrap();
                            body.send_data(Bytes::from_static(b"half"), false).unwrap();
                            std::future::poll_fn(|cx| body.poll_reset(cx)).await
                        }
                        2 => std::future::poll_fn(|cx| respond.poll_reset(cx)).await,
                        _ => return answer(&mut respond),
                    };
                    reset.send(reason.unwrap()).unwrap();
                });
            }
        }
    });
    let client = upstream(net.clone());
    let origin = h2_origin();
    let mut response = send(&client, &origin).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "half");
    drop(response);
    assert_eq!(was_reset.recv().await.unwrap(), Reason::CANCEL);
    assert!(timeout(Duration::from_secs(5), send(&client, &origin)).await.is_err());
    assert_eq!(was_reset.recv().await.unwrap(), Reason::CANCEL);
    let response = send(&client, &origin).await.unwrap();
    assert!(response.reused_connection);
    assert_eq!(read(response).await.unwrap(), b"ok");
}

#[tokio::test(start_paused = true)]
async fn a_head_beyond_the_bounds_is_bad_headers() {
    for fields in [(1, 200 * 1024), (1_000, 1)] {
        let net = Pipes::serving(move |io, _| async move {
            let mut server = handshake(io).await;
            while let Some((_, mut respond)) = accept(&mut server).await {
                let mut head = Response::builder();
                for n in 0..fields.0 {
                    head = head.header(format!("x{n}"), "v".repeat(fields.1));
                }
                // A client that has had enough may have reset the stream.
                let _ = respond.send_response(head.body(()).unwrap(), true);
            }
        });
        let failed = failure(&upstream(net), &h2_origin()).await;
        assert_eq!(failed, SendFailure::BadHeaders, "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unused_connection_is_closed_after_its_time() {
    let (closed, mut was_closed) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |io, _| {
        let closed = closed.clone();
        async move {
            answer_all(handshake(io).await).await;
            closed.send(tokio::time::Instant::now()).unwrap();
        }
    });
    let client = upstream(net);
    let began = tokio::time::Instant::now();
    read(send_call(&client, &h2_origin(), call(&["{}"])).await.unwrap()).await.unwrap();
    let closed_at = was_closed.recv().await.unwrap();
    assert_eq!((closed_at - began).as_secs(), 60);
}
