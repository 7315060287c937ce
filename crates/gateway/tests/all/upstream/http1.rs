//! What one HTTP/1.1 exchange puts on the wire, reports, and cancels.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gateway::upstream::{
    BodyFailure, Call, Io, Network, Origin, Scheme, SendFailure, SystemNetwork,
};
use http::{HeaderValue, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::support::{
    ADDR, CONNECT_TIMEOUT, OK, Pipes, answering, answering_once, call, origin, permit, read,
    request, send, send_call, upstream,
};

#[tokio::test(start_paused = true)]
async fn segments_go_out_in_order_under_one_length_and_the_framing_is_ours() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |mut io, _| {
        let seen = seen.clone();
        async move {
            seen.send(request(&mut io).await.unwrap()).unwrap();
            io.write_all(OK).await.unwrap();
        }
    });
    let mut call = call(&["{\"model\":", "", "\"m\"", "}"]);
    for (name, value) in [("host", "evil"), ("content-length", "1"), ("connection", "close")] {
        call.headers.insert(name, HeaderValue::from_static(value));
    }
    call.headers.insert("authorization", HeaderValue::from_static("Bearer k"));
    let response = send_call(&upstream(net), &origin(), call).await.unwrap();
    assert_eq!((response.status, response.reused_connection), (200, false));
    assert_eq!(read(response).await.unwrap(), b"ok");
    let seen = requests.recv().await.unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let mut head: Vec<&str> = head.lines().collect();
    head[1..].sort_unstable();
    let lines = ["authorization: Bearer k", "content-length: 13", "host: a.test"];
    assert_eq!(head[0], "POST /v1/chat?x=1 HTTP/1.1");
    assert_eq!(head[1..], lines);
    assert_eq!(body, "{\"model\":\"m\"}");
}

#[tokio::test(start_paused = true)]
async fn a_post_without_a_body_says_length_zero_and_a_get_says_nothing() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |mut io, _| {
        let seen = seen.clone();
        async move {
            while let Some(request) = request(&mut io).await {
                seen.send(request).unwrap();
                io.write_all(OK).await.unwrap();
            }
        }
    });
    let client = upstream(net);
    for (method, expected) in [(Method::POST, true), (Method::GET, false)] {
        let response = send_call(&client, &origin(), Call { method, ..call(&[]) }).await.unwrap();
        read(response).await.unwrap();
        assert_eq!(requests.recv().await.unwrap().contains("content-length: 0"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_not_a_path_is_not_sent() {
    for path in ["http://evil/", "/a b", "/a\r\nx: y", ""] {
        let call = Call { path_and_query: path.to_owned(), ..call(&["{}"]) };
        let failed = send_call(&upstream(answering(OK)), &origin(), call).await.err().unwrap();
        assert!(matches!(failed, SendFailure::Protocol(_)), "{path:?}: {failed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_are_answers() {
    let answer =
        b"HTTP/1.1 307 T\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let net = answering(answer);
    let response = send(&upstream(net.clone()), &origin()).await.unwrap();
    assert_eq!(response.status, 307);
    assert_eq!(net.connected().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn sent_is_said_when_the_last_byte_left_and_not_before() {
    let net = Pipes::serving(|mut io, _| async move {
        // The pipe holds 64 KiB, the request 200: it has not left until this wakes.
        sleep(Duration::from_secs(3)).await;
        let mut sink = vec![0; 256 * 1024];
        while io.read(&mut sink).await.unwrap() > 0 {}
    });
    let client = upstream(net);
    let body = vec![Bytes::from(vec![b'x'; 100 * 1024]); 2];
    let (tell, told) = oneshot::channel();
    let permit = permit();
    let origin = origin();
    let began = Instant::now();
    let send =
        client.send(&permit, &origin, Call { body, ..call(&[]) }, CONNECT_TIMEOUT, move |at| {
            tell.send(at).unwrap()
        });
    let _ = timeout(Duration::from_secs(10), send).await;
    let at = told.await.unwrap();
    assert_eq!((at - began).as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_a_silent_provider_closes_the_connection() {
    let (closed, was_closed) = oneshot::channel();
    let closed = std::sync::Mutex::new(Some(closed));
    let net = Pipes::serving(move |mut io, _| {
        let closed = closed.lock().unwrap().take().unwrap();
        async move {
            request(&mut io).await.unwrap();
            assert!(request(&mut io).await.is_none());
            closed.send(Instant::now()).unwrap();
        }
    });
    let client = upstream(net);
    let began = Instant::now();
    assert!(timeout(Duration::from_secs(5), send(&client, &origin())).await.is_err());
    assert!(was_closed.await.unwrap() - began < Duration::from_millis(5_100));
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_a_provider_that_does_not_read_sends_no_more() {
    let (got, mut read) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |mut io, _| {
        let got = got.clone();
        async move {
            sleep(Duration::from_secs(10)).await;
            let mut all = Vec::new();
            io.read_to_end(&mut all).await.unwrap();
            got.send(all.len()).unwrap();
        }
    });
    let client = upstream(net);
    let body = vec![Bytes::from(vec![b'x'; 256 * 1024])];
    let call = Call { body, ..call(&[]) };
    assert!(timeout(Duration::from_secs(5), send_call(&client, &origin(), call)).await.is_err());
    assert_eq!(read.recv().await.unwrap(), 64 * 1024, "only what the pipe held already");
}

#[tokio::test(start_paused = true)]
async fn dropping_a_body_before_its_end_closes_the_connection() {
    let (closed, mut was_closed) = mpsc::unbounded_channel();
    let net = Pipes::serving(move |mut io, _| {
        let closed = closed.clone();
        async move {
            request(&mut io).await.unwrap();
            io.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
            assert!(request(&mut io).await.is_none());
            closed.send(()).unwrap();
        }
    });
    let client = upstream(net.clone());
    let mut response = send(&client, &origin()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "half");
    drop(response);
    timeout(Duration::from_millis(250), was_closed.recv()).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_cut_short_is_truncated_however_it_is_framed() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhalf",
    ] {
        let response = send(&upstream(answering_once(answer)), &origin()).await.unwrap();
        assert_eq!(read(response).await, Err(BodyFailure::Truncated), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_chunk_is_a_protocol_failure() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhalf";
    let response = send(&upstream(answering_once(answer)), &origin()).await.unwrap();
    let failed = read(response).await.unwrap_err();
    assert!(matches!(failed, BodyFailure::Protocol(_)), "{failed:?}");
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_is_returned_though_the_server_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut io, _) = listener.accept().await.unwrap();
            let mut some = [0; 1024];
            io.read_exact(&mut some).await.unwrap();
            io.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig").await.unwrap();
            // Closing with unread bytes resets the connection under the client's writes.
            drop(io);
        }
    });
    let client = upstream(Arc::new(SystemNetwork));
    let origin = Origin::new(Scheme::Http, "127.0.0.1", port);
    for _ in 0..20 {
        let body = vec![Bytes::from(vec![b'x'; 4 * 1024 * 1024])];
        let response = send_call(&client, &origin, Call { body, ..call(&[]) }).await.unwrap();
        assert_eq!(response.status, 413);
        assert!(!response.reused_connection);
        assert_eq!(read(response).await.unwrap(), b"big");
    }
}

/// A connection whose peer answers and closes under a write: the write fails before the answer is
/// read.
#[derive(Default)]
struct AnsweredThenBroken {
    written: usize,
    broken: bool,
    answered: bool,
}

impl AsyncRead for AnsweredThenBroken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.broken {
            return Poll::Pending;
        }
        if !std::mem::replace(&mut self.answered, true) {
            buf.put_slice(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for AnsweredThenBroken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.written > 10_000 {
            self.broken = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = buf.len().min(4096);
        self.written += taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Breaking;

impl Network for Breaking {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async { Ok(vec![ADDR.parse().unwrap()]) })
    }

    fn connect<'a>(&'a self, _: SocketAddr) -> BoxFuture<'a, io::Result<Box<dyn Io>>> {
        Box::pin(async { Ok(Box::new(AnsweredThenBroken::default()) as Box<dyn Io>) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_does_not_hide_the_answer_behind_it() {
    let body = vec![Bytes::from(vec![b'x'; 64 * 1024]); 16];
    let call = Call { body, ..call(&[]) };
    let response = send_call(&upstream(Arc::new(Breaking)), &origin(), call).await.unwrap();
    assert_eq!(response.status, 413);
    assert_eq!(read(response).await.unwrap(), b"big");
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_body_was_read_is_returned_though_the_server_lingers() {
    let net = Pipes::serving(|mut io, _| async move {
        io.read_exact(&mut [0; 1024]).await.unwrap();
        io.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig").await.unwrap();
        std::future::pending::<()>().await;
    });
    let client = upstream(net.clone());
    let began = Instant::now();
    for connections in 1..=2 {
        let body = vec![Bytes::from(vec![b'x'; 1024 * 1024])];
        let response = send_call(&client, &origin(), Call { body, ..call(&[]) }).await.unwrap();
        assert_eq!(response.status, 413);
        assert_eq!(read(response).await.unwrap(), b"big");
        assert_eq!(net.connected().len(), connections);
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "a half-written connection was waited for");
}
