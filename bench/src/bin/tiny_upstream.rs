//! `tiny-upstream LISTEN`: a provider that has its answer ready.
//!
//! It speaks just enough of the OpenAI chat format to be relayed, and costs as little as it can, so
//! that what is measured in front of it is not its own noise. The model's name says what to answer:
//! `bench-EVENTS[-GAPms][-note]`, or `bench-fault` for a 503 at once. `GET /decisions` gives, and
//! forgets, the nanoseconds between each such 503 and the request that came next.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant as Tick, Interval, MissedTickBehavior, interval_at};
use yardstick::Said;
use yardstick::scenario::FAULT_MODEL;

/// One event of a stream, with a delta and a finish reason.
macro_rules! event {
    ($delta:expr, $finish:expr) => {
        concat!(
            "data: ",
            r#"{"id":"chatcmpl-tiny","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":"#,
            $delta,
            r#","logprobs":null,"finish_reason":"#,
            $finish,
            "}]}\n\n"
        )
    };
}

const WHOLE: &str = r#"{"id":"chatcmpl-tiny","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"Weighed, written down, and let pass."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":8,"total_tokens":1008}}"#;
const REFUSAL: &str = r#"{"error":{"message":"The engine is currently overloaded.","type":"server_error","param":null,"code":null}}"#;
const ROLE: &str = event!(r#"{"role":"assistant","content":""}"#, "null");
const TEXT: &str = event!(r#"{"content":" weighed"}"#, "null");
const FINISH: &str = event!("{}", r#""stop""#);
const USAGE: &str = concat!(
    "data: ",
    r#"{"id":"chatcmpl-tiny","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":60,"total_tokens":1060}}"#,
    "\n\n"
);
const DONE: &str = "data: [DONE]\n\n";

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    events: u32,
    gap: Duration,
    stream: bool,
    usage: bool,
    fault: bool,
}

impl Asked {
    /// Read by looking for texts, which is enough for bodies whose author is known.
    fn by(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let model = after(&text, "\"model\":").trim_start().trim_start_matches('"');
        let model = model.split('"').next().unwrap_or_default();
        let mut parts = model.split('-').skip(1);
        let events = parts.next().and_then(|part| part.parse().ok()).unwrap_or(1);
        let gap = parts.next().and_then(|part| part.strip_suffix("ms")?.parse().ok()).unwrap_or(0);
        let is_true = |name| after(&text, name).trim_start().starts_with("true");
        Self {
            events,
            gap: Duration::from_millis(gap),
            stream: is_true("\"stream\":"),
            usage: is_true("\"include_usage\":"),
            fault: model == FAULT_MODEL,
        }
    }
}

fn after<'a>(text: &'a str, name: &str) -> &'a str {
    text.split_once(name).map_or("", |(_, rest)| rest)
}

/// Either one piece, or pieces with gaps: the first at once, then `text` so often, then the end.
struct Reply {
    next: Option<Bytes>,
    left: u32,
    end: Bytes,
    ticks: Option<Interval>,
    begun: bool,
}

impl Reply {
    fn whole(text: &'static str) -> Self {
        let whole = Bytes::from_static(text.as_bytes());
        Self { next: Some(whole), left: 0, end: Bytes::new(), ticks: None, begun: false }
    }

    fn stream(asked: &Asked) -> Self {
        let usage = if asked.usage { USAGE } else { "" };
        let end = [FINISH, usage, DONE].concat();
        if asked.gap.is_zero() {
            let text = TEXT.repeat(asked.events as usize);
            let all = Bytes::from([ROLE, &text, &end].concat());
            return Self { next: Some(all), left: 0, end: Bytes::new(), ticks: None, begun: false };
        }
        let mut ticks = interval_at(Tick::now() + asked.gap, asked.gap);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            next: Some(Bytes::from([ROLE, TEXT].concat())),
            left: asked.events.saturating_sub(1),
            end: Bytes::from(end),
            ticks: Some(ticks),
            begun: false,
        }
    }

    /// The piece after this one.
    fn following(&mut self) -> Option<Bytes> {
        if self.left > 0 {
            self.left -= 1;
            return Some(Bytes::from_static(TEXT.as_bytes()));
        }
        Some(std::mem::take(&mut self.end)).filter(|end| !end.is_empty())
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.next.is_none() {
            return Poll::Ready(None);
        }
        let begun = self.begun;
        if let Some(ticks) = self.ticks.as_mut().filter(|_| begun) {
            ready!(ticks.poll_tick(context));
        }
        self.begun = true;
        let piece = self.next.take();
        self.next = self.following();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.ticks, &self.next) {
            (None, Some(whole)) => SizeHint::with_exact(whole.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

/// When the last 503 left, and how long after each the next request came.
#[derive(Default)]
struct Decisions {
    refused: Option<Instant>,
    nanos: Vec<u64>,
}

async fn answer(
    decisions: Rc<RefCell<Decisions>>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, hyper::Error> {
    let arrived = Instant::now();
    if request.method() == Method::GET {
        let nanos = std::mem::take(&mut decisions.borrow_mut().nanos);
        let text = Bytes::from(format!("{nanos:?}"));
        return Ok(json(200, Reply { next: Some(text), ..Reply::whole("") }));
    }
    let asked = Asked::by(&request.into_body().collect().await?.to_bytes());
    let mut decisions = decisions.borrow_mut();
    if asked.fault {
        decisions.refused = Some(Instant::now());
        return Ok(json(503, Reply::whole(REFUSAL)));
    }
    if let Some(refused) = decisions.refused.take() {
        decisions.nanos.push((arrived - refused).as_nanos() as u64);
    }
    if !asked.stream {
        return Ok(json(200, Reply::whole(WHOLE)));
    }
    let mut response = json(200, Reply::stream(&asked));
    let kind = http::HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

fn json(status: u16, reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn serve(listen: SocketAddr) -> Said<()> {
    let listener = TcpListener::bind(listen).await.map_err(|error| error.to_string())?;
    let decisions = Rc::new(RefCell::new(Decisions::default()));
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        if socket.set_nodelay(true).is_err() {
            continue;
        }
        let decisions = Rc::clone(&decisions);
        let service = service_fn(move |request| answer(Rc::clone(&decisions), request));
        spawn_local(server::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

fn run() -> Said<()> {
    let listen = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let listen = listen.ok_or("usage: tiny-upstream LISTEN (an address)")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, serve(listen))
}

fn main() -> ExitCode {
    let Err(said) = run() else { return ExitCode::SUCCESS };
    // Nobody to tell when this fails too.
    let _ = writeln!(std::io::stderr(), "tiny-upstream: {said}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_says_what_to_answer() {
        let asked = Asked::by(br#"{"model":"bench-60-2ms-note","stream":true}"#);
        let expected = Asked {
            events: 60,
            gap: Duration::from_millis(2),
            stream: true,
            usage: false,
            fault: false,
        };
        assert_eq!(asked, expected);
        assert!(Asked::by(br#"{"stream": false, "model": "bench-fault"}"#).fault);
    }

    #[test]
    fn every_piece_is_json() {
        let events = [ROLE, TEXT, FINISH, USAGE].map(|event| event.strip_prefix("data: ").unwrap());
        for text in [WHOLE, REFUSAL].into_iter().chain(events) {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_has_as_many_pieces_as_asked_for() {
        for (model, pieces) in [("bench-60", 1), ("bench-60-2ms", 61), ("bench-1-2ms", 2)] {
            let asked = Asked::by(format!("{{\"model\":\"{model}\"}}").as_bytes());
            let mut reply = Reply::stream(&asked);
            let mut text = Vec::new();
            let mut count = 0;
            while let Some(frame) = reply.frame().await {
                text.extend_from_slice(&frame.unwrap().into_data().unwrap());
                count += 1;
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(count, pieces, "{model}");
            assert_eq!(text.matches(TEXT).count(), asked.events as usize, "{model}");
            assert!(text.ends_with(DONE), "{model}");
        }
    }
}
