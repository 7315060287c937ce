//! The same replies over HTTP/2.
//!
//! The `h2` crate does the protocol; only GOAWAY before a stream that was already received is
//! beyond it, so the last frame of F47 is written by hand after the protocol's state is dropped. A
//! cut or a reset is RST_STREAM with INTERNAL_ERROR; the faults of HTTP/1's text (raw headers,
//! informational heads, portions) do not exist here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::journal::{Ending, Tally};
use crate::link::{Link, Shared};
use crate::reply::{Http2End, Reply, Step};
use crate::request::Incoming;
use crate::sim::Provider;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// More than any gateway lets through.
const LONGEST_BODY: usize = 256 << 20;

/// What is given to the flow control at once.
const PORTION: usize = 64 * 1024;

/// Serves an HTTP/2 connection whose first bytes were read ahead.
pub(crate) async fn serve<L: Link + 'static>(
    provider: &Provider,
    link: L,
    ahead: Bytes,
    connection: u64,
) {
    let link = Arc::new(Mutex::new(link));
    let Some(last_good) = streams(provider, Arc::clone(&link), ahead, connection).await else {
        return;
    };
    let frame = go_away(last_good);
    let mut raw = Shared::new(Bytes::new(), link);
    if raw.write_all(&frame).await.is_ok() {
        drop(raw.shutdown().await);
    }
}

/// Serves streams until the end, or until one asks for GOAWAY: then the last stream before it.
async fn streams<L: Link + 'static>(
    provider: &Provider,
    link: Arc<Mutex<L>>,
    ahead: Bytes,
    number: u64,
) -> Option<u32> {
    let mut server = h2::server::Builder::new();
    server.initial_window_size(1 << 20).initial_connection_window_size(16 << 20);
    let mut connection = server.handshake::<_, Bytes>(Shared::new(ahead, link)).await.ok()?;
    let (sender, mut asked) = mpsc::unbounded_channel();
    let mut playing = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            last_good = asked.recv() => return last_good,
            accepted = connection.accept() => {
                let (request, respond) = accepted?.ok()?;
                let stream = Stream { provider: provider.clone(), number, sender: sender.clone() };
                playing.spawn(stream.serve(request, respond));
            }
            Some(_) = playing.join_next() => {}
        }
    }
}

/// A GOAWAY frame with NO_ERROR (RFC 9113, section 6.8).
fn go_away(last_good: u32) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&last_good.to_be_bytes());
    frame.extend_from_slice(&0_u32.to_be_bytes());
    frame
}

struct Stream {
    provider: Provider,
    number: u64,
    sender: mpsc::UnboundedSender<u32>,
}

impl Stream {
    async fn serve(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let Some(incoming) = incoming(&self.provider, request, self.number).await else { return };
        let prepared = self.provider.answer(&incoming);
        let mut tally = Tally::new(self.provider.sim.settings.journal);
        tally.ending = match prepared.reply.http2 {
            Some(end) => self.end(end, &mut respond),
            None => play(&prepared.reply, respond, &mut tally).await,
        };
        if let Some(ticket) = &prepared.ticket {
            self.provider.sim.settle(ticket, &tally);
        }
    }

    fn end(&self, end: Http2End, respond: &mut SendResponse<Bytes>) -> Ending {
        match end {
            Http2End::Refused => respond.send_reset(Reason::REFUSED_STREAM),
            Http2End::Internal => respond.send_reset(Reason::INTERNAL_ERROR),
            Http2End::GoAway => {
                let stream = respond.stream_id().as_u32();
                // The loop that listens ends only after this one.
                let _ = self.sender.send(stream.saturating_sub(2));
            }
        }
        Ending::Reset
    }
}

async fn incoming(
    provider: &Provider,
    request: Request<RecvStream>,
    connection: u64,
) -> Option<Incoming> {
    let (head, mut stream) = request.into_parts();
    let mut body = BytesMut::new();
    while let Some(data) = stream.data().await {
        let data = data.ok()?;
        provider.sim.received(data.len());
        drop(stream.flow_control().release_capacity(data.len()));
        body.extend_from_slice(&data);
        if body.len() > LONGEST_BODY {
            return None;
        }
    }
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Some(Incoming {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: head.headers.iter().map(|(k, v)| (k.as_str().to_owned(), text(v))).collect(),
        body: body.freeze(),
        connection,
        protocol: "h2",
    })
}

async fn play(reply: &Reply, mut respond: SendResponse<Bytes>, tally: &mut Tally) -> Ending {
    for step in &reply.before {
        let played = match step {
            Step::Wait(time) => pause(&mut respond, *time).await,
            Step::Hang => pause(&mut respond, Duration::MAX).await,
            _ => Err(Ending::Reset),
        };
        if let Err(ending) = played {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return ending;
        }
    }
    let Some(head) = head(reply) else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Ending::Reset;
    };
    let Ok(mut stream) = respond.send_response(head, false) else { return Ending::ClientGone };
    tally.first_byte = Some(Instant::now());
    for step in &reply.body {
        if let Err(ending) = self::step(&mut stream, step, tally).await {
            stream.send_reset(Reason::INTERNAL_ERROR);
            return ending;
        }
    }
    let ended = stream.send_data(Bytes::new(), true);
    ended.map_or(Ending::ClientGone, |()| Ending::Finished)
}

fn head(reply: &Reply) -> Option<Response<()>> {
    let mut head = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        head = head.header(name.as_ref(), value.as_ref());
    }
    head.body(()).ok()
}

/// Something that says when the client has reset the stream.
trait Resettable {
    fn poll_gone(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()>;
}

impl Resettable for SendResponse<Bytes> {
    fn poll_gone(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        self.poll_reset(cx).map(drop)
    }
}

impl Resettable for SendStream<Bytes> {
    fn poll_gone(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        self.poll_reset(cx).map(drop)
    }
}

/// A century is for ever, and still an instant that exists.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

async fn pause(stream: &mut impl Resettable, time: Duration) -> Result<(), Ending> {
    let end = Instant::now() + time.min(FOR_EVER);
    tokio::select! {
        biased;
        () = sleep_until(end) => Ok(()),
        () = std::future::poll_fn(|cx| stream.poll_gone(cx)) => Err(Ending::ClientGone),
    }
}

async fn step(
    stream: &mut SendStream<Bytes>,
    step: &Step,
    tally: &mut Tally,
) -> Result<(), Ending> {
    match step {
        Step::Send { bytes, tokens, .. } => send(stream, bytes, *tokens, tally).await,
        Step::Repeat { bytes, times, tokens, every } => {
            for _ in 0..*times {
                if !every.is_zero() {
                    pause(stream, *every).await?;
                }
                send(stream, bytes, *tokens, tally).await?;
            }
            Ok(())
        }
        Step::Wait(time) => pause(stream, *time).await,
        Step::Hang => pause(stream, Duration::MAX).await,
        Step::Cut => Err(Ending::Cut),
        Step::Reset => Err(Ending::Reset),
    }
}

async fn send(
    stream: &mut SendStream<Bytes>,
    bytes: &Bytes,
    tokens: u32,
    tally: &mut Tally,
) -> Result<(), Ending> {
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len().min(PORTION));
        let granted = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
        let Some(Ok(room)) = granted else { return Err(Ending::ClientGone) };
        let part = rest.split_to(room.min(rest.len()));
        tally.sent(&part);
        stream.send_data(part, false).map_err(|_| Ending::ClientGone)?;
    }
    tally.tokens = tally.tokens.saturating_add(tokens);
    Ok(())
}

/// Whether these bytes are, or may become, the preface.
pub(crate) fn may_be_preface(bytes: &[u8]) -> bool {
    bytes.len() < PREFACE.len() && PREFACE.starts_with(bytes)
}
