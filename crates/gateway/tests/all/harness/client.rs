//! The client: one request on a connection of its own, and what came back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire::sse::{FrameKind, Framer};

/// A request for an answer.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) body: Value,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Sent instead of `body`, as this type.
    pub(crate) raw: Option<(&'static str, Bytes)>,
}

/// A plain question to a model name.
pub(crate) fn ask(model: &str) -> Ask {
    let question = "How much does the bridge over the river weigh?";
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": question }] });
    post("/v1/chat/completions", body)
}

/// A JSON body for another path.
pub(crate) fn post(path: impl Into<String>, body: Value) -> Ask {
    Ask { body, headers: Vec::new(), method: Method::POST, path: path.into(), raw: None }
}

/// A request without a body.
pub(crate) fn get(path: impl Into<String>) -> Ask {
    Ask { method: Method::GET, ..post(path, Value::Null).raw("text/plain", "") }
}

impl Ask {
    /// Asks for a stream, or does not.
    pub(crate) fn streamed(self, stream: bool) -> Self {
        if stream { self.with("stream", json!(true)) } else { self }
    }

    /// Sets a field of the body.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.body[field] = value;
        self
    }

    /// Sends these bytes.
    pub(crate) fn raw(mut self, kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        self.raw = Some((kind, bytes.into()));
        self
    }

    /// The bytes that are sent.
    pub(crate) fn bytes(&self) -> Bytes {
        let written = || Bytes::from(self.body.to_string());
        self.raw.as_ref().map_or_else(written, |(_, bytes)| bytes.clone())
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// An answer whose head is here and whose body may still come. Dropping it closes the connection.
pub(crate) struct Live {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    asked: Instant,
    head_after: Duration,
    connection: JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Live {
    /// The next bytes of the body; `None` at its end, an error where it broke off.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match self.body.frame().await? {
                Err(error) => return Some(Err(error)),
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn whole(mut self) -> Reply {
        let mut body = BytesMut::new();
        let mut first_byte = None;
        let mut broken = false;
        while let Some(next) = self.next().await {
            first_byte.get_or_insert_with(|| self.asked.elapsed());
            match next {
                Ok(bytes) => body.extend_from_slice(&bytes),
                Err(_) => broken = true,
            }
        }
        Reply {
            status: self.status,
            headers: std::mem::take(&mut self.headers),
            body: body.freeze(),
            broken,
            head_after: self.head_after,
            first_byte: first_byte.unwrap_or_default(),
            elapsed: self.asked.elapsed(),
        }
    }
}

/// Sends over a fresh connection and waits for the answer's head.
pub(crate) async fn send<I>(io: I, ask: &Ask) -> Live
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let asked = Instant::now();
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
    let connection = tokio::spawn(async move { drop(connection.await) });
    let kind = ask.raw.as_ref().map_or("application/json", |(kind, _)| kind);
    let mut request = Request::builder()
        .method(&ask.method)
        .uri(&ask.path)
        .header(HOST, "gateway.test")
        .header(CONTENT_TYPE, kind);
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(ask.bytes())).unwrap();
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Live {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        asked,
        head_after: asked.elapsed(),
        connection,
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The connection ended before the body did.
    pub(crate) broken: bool,
    /// From the question to the head.
    pub(crate) head_after: Duration,
    /// From the question to the first byte of the body.
    pub(crate) first_byte: Duration,
    /// From the question to the last byte.
    pub(crate) elapsed: Duration,
}

impl Reply {
    /// A header's value, "" when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as text.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn is_stream(&self) -> bool {
        self.header("content-type").starts_with("text/event-stream")
    }

    /// The data of the stream's events.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut framer = Framer::new(64 << 20);
        framer.push(self.body.clone());
        let mut frames = Vec::new();
        while let Some(frame) = framer.next().unwrap() {
            frames.push(frame);
        }
        frames.extend(framer.finish());
        let events = frames.iter().filter(|frame| frame.kind == FrameKind::Event);
        events.map(|frame| String::from_utf8_lossy(&frame.data).into_owned()).collect()
    }

    /// The stream's events that are JSON.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        self.events().iter().filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    /// The answer's text, streamed or not.
    pub(crate) fn text(&self) -> String {
        let part = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        if self.is_stream() {
            let pointer = "/choices/0/delta/content";
            return self.chunks().iter().map(|chunk| part(chunk, pointer)).collect();
        }
        part(&self.json(), "/choices/0/message/content")
    }

    /// The finish reason, streamed or not; "" when there is none.
    pub(crate) fn finish_reason(&self) -> String {
        let chunks = if self.is_stream() { self.chunks() } else { vec![self.json()] };
        let mut reasons =
            chunks.iter().filter_map(|c| c.pointer("/choices/0/finish_reason")?.as_str());
        reasons.next_back().unwrap_or_default().to_owned()
    }

    /// How often the stream said `[DONE]`.
    pub(crate) fn dones(&self) -> usize {
        self.events().iter().filter(|data| *data == "[DONE]").count()
    }

    /// Status, type and code of the error that is the whole answer.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let (kind, code) = error_of(&self.json());
        (self.status, kind, code)
    }

    /// The sentence of the error that is the whole answer.
    pub(crate) fn error_message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The code of the error inside the stream; "" when there is none.
    pub(crate) fn in_band_error(&self) -> String {
        let mut errors = self.chunks();
        errors.retain(|chunk| chunk.get("error").is_some());
        errors.last().map(|error| error_of(error).1).unwrap_or_default()
    }

    /// Whether B gave a complete answer in A's place, and the headers say why.
    #[track_caller]
    pub(crate) fn assert_from_b(&self, reason: &str, attempts: &str) {
        assert_eq!(self.status, 200, "{}", self.raw());
        assert_eq!(self.header("x-weighbridge-model"), "b/m");
        assert_eq!(self.header("x-weighbridge-fallback-from"), "a/m");
        assert_eq!(self.header("x-weighbridge-fallback-reason"), reason);
        assert_eq!(self.header("x-weighbridge-attempts"), attempts);
        self.assert_complete();
    }

    /// Whether the answer is complete and says so once.
    #[track_caller]
    pub(crate) fn assert_complete(&self) {
        assert_eq!(self.status, 200, "{}", self.raw());
        assert!(!self.broken, "{}", self.raw());
        assert_eq!(self.finish_reason(), "stop", "{}", self.raw());
        assert_eq!(self.in_band_error(), "");
        if self.is_stream() {
            assert_eq!(self.dones(), 1, "{}", self.raw());
            assert_eq!(self.events().last().map(String::as_str), Some("[DONE]"));
            let role =
                |c: &&Value| c.pointer("/choices/0/delta/role").is_some_and(Value::is_string);
            assert_eq!(self.chunks().iter().filter(role).count(), 1, "one role chunk");
        }
    }
}

fn error_of(value: &Value) -> (String, String) {
    let word = |key: &str| value["error"][key].as_str().unwrap_or_default().to_owned();
    (word("type"), word("code"))
}
