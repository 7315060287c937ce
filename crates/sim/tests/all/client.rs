//! A raw HTTP/1.1 client that believes nothing: it records what came, when, and how it ended.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sim::memory::pipe;
use sim::{Dialect, Provider, ProviderSettings, Sim, SimSettings};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

/// After this long without an end the client leaves.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The message was complete.
    Complete,
    Eof,
    Reset,
    /// The client's patience ran out.
    Left,
}

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) raw: Vec<u8>,
    /// Heads with 1xx before the real one.
    pub(crate) informational: usize,
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
    /// From the request's last byte.
    pub(crate) first_byte: Option<Duration>,
    pub(crate) took: Duration,
    /// Sizes of the reads.
    pub(crate) reads: Vec<usize>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The data of plainly written events.
    pub(crate) fn data(&self) -> Vec<String> {
        let text = self.body_text();
        text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// The payloads of a stream's events or frames.
    pub(crate) fn events(&self) -> Vec<Value> {
        if self.header("content-type") == Some("application/vnd.amazon.eventstream") {
            return self.frames().into_iter().map(|frame| frame.1).collect();
        }
        self.data().iter().filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    /// The frames of a binary stream up to the first bad one: kind and payload.
    pub(crate) fn frames(&self) -> Vec<(String, Value)> {
        let mut rest = self.body.as_slice();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        let mut frames = Vec::new();
        while rest.len() >= 16 {
            let length = number(&rest[..4]) as usize;
            let Some(frame) = rest.get(..length) else { break };
            let mut crc = flate2::Crc::new();
            crc.update(&frame[..length - 4]);
            if crc.sum() != number(&frame[length - 4..]) {
                break;
            }
            let headers = &frame[12..12 + number(&frame[4..8]) as usize];
            let payload = &frame[12 + headers.len()..length - 4];
            let first = &headers[1 + usize::from(headers[0]) + 3..];
            let kind: Vec<u8> = first.iter().copied().take_while(|byte| *byte > 31).collect();
            let payload = serde_json::from_slice(payload).unwrap();
            frames.push((String::from_utf8(kind).unwrap(), payload));
            rest = &rest[length..];
        }
        frames
    }

    /// The text of an answer of any dialect, streamed or not.
    pub(crate) fn text(&self) -> String {
        let streamed = self.header("transfer-encoding").is_some();
        let pieces = if streamed { self.events() } else { vec![self.json()] };
        let places = [
            "/choices/0/text",
            "/output/0/content/0/text",
            "/output/message/content/0/text",
            "/message/content/0/text",
            "/delta/message/content/text",
            "/choices/0/delta/content",
            "/choices/0/message/content",
            "/delta/text",
            "/content/0/text",
            "/candidates/0/content/parts/0/text",
        ];
        let find = |value: &Value| {
            if value["type"] == "response.output_text.delta" {
                return value["delta"].as_str().map(str::to_owned);
            }
            places.iter().find_map(|at| value.pointer(at)?.as_str().map(str::to_owned))
        };
        pieces.iter().filter_map(find).collect()
    }

    pub(crate) fn is_sse(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    pub(crate) fn is_done(&self) -> bool {
        self.body.ends_with(b"data: [DONE]\n\n")
    }
}

pub(crate) fn sim() -> Arc<Sim> {
    Sim::new(SimSettings::default())
}

pub(crate) fn provider() -> Provider {
    sim().default_provider()
}

pub(crate) fn provider_with(change: impl FnOnce(&mut ProviderSettings)) -> Provider {
    let mut settings = ProviderSettings::named("a");
    change(&mut settings);
    sim().provider(settings)
}

/// A plain question in a dialect.
pub(crate) fn question(dialect: Dialect, model: &str, stream: bool) -> Value {
    ask(dialect, model, stream, "What does a weighbridge do?")
}

/// A question in a dialect.
pub(crate) fn ask(dialect: Dialect, model: &str, stream: bool, text: &str) -> Value {
    let messages = json!([{ "role": "user", "content": text }]);
    match dialect {
        Dialect::OpenAi => {
            let mut body = json!({ "model": model, "messages": messages });
            if stream {
                body["stream"] = true.into();
                body["stream_options"] = json!({ "include_usage": true });
            }
            body
        }
        Dialect::Responses => json!({ "model": model, "stream": stream, "input": messages }),
        Dialect::Completions => json!({ "model": model, "stream": stream, "prompt": text,
            "stream_options": { "include_usage": true } }),
        Dialect::Anthropic => json!({ "model": model, "max_tokens": 1_000, "stream": stream,
            "messages": messages }),
        Dialect::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] }),
        Dialect::Bedrock => {
            json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] })
        }
        Dialect::Cohere => json!({ "model": model, "stream": stream, "messages": messages }),
    }
}

pub(crate) fn path(dialect: Dialect, model: &str, stream: bool) -> String {
    match (dialect, stream) {
        (Dialect::OpenAi, _) => "/v1/chat/completions".to_owned(),
        (Dialect::Responses, _) => "/v1/responses".to_owned(),
        (Dialect::Completions, _) => "/v1/completions".to_owned(),
        (Dialect::Anthropic, _) => "/v1/messages".to_owned(),
        (Dialect::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
        (Dialect::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        (Dialect::Bedrock, false) => format!("/model/{model}/converse"),
        (Dialect::Bedrock, true) => format!("/model/{model}/converse-stream"),
        (Dialect::Cohere, _) => "/v2/chat".to_owned(),
    }
}

pub(crate) fn request(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes =
        format!("POST {path} HTTP/1.1\r\nhost: sim\r\n{headers}content-length: {length}\r\n\r\n")
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn key_header(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "x-api-key: sk-0123456789\r\n",
        Dialect::Gemini => "x-goog-api-key: sk-0123456789\r\n",
        _ => "authorization: Bearer sk-0123456789\r\n",
    }
}

/// A question's bytes.
pub(crate) fn asked(dialect: Dialect, model: &str, stream: bool) -> Vec<u8> {
    body(dialect, model, stream, &question(dialect, model, stream))
}

pub(crate) fn body(dialect: Dialect, model: &str, stream: bool, body: &Value) -> Vec<u8> {
    request(&path(dialect, model, stream), key_header(dialect), body.to_string().as_bytes())
}

/// Sends bytes on a fresh connection in memory.
pub(crate) async fn send(provider: &Provider, bytes: &[u8]) -> Seen {
    let (mut client, server) = pipe();
    let provider = provider.clone();
    let served = tokio::spawn(async move { provider.serve_link(server).await });
    let seen = exchange(&mut client, bytes).await;
    drop(client);
    timeout(PATIENCE, served).await.unwrap().unwrap();
    seen
}

/// A streamed OpenAI question to a model.
pub(crate) async fn stream(provider: &Provider, model: &str) -> Seen {
    send(provider, &asked(Dialect::OpenAi, model, true)).await
}

/// A plain OpenAI question to a model.
pub(crate) async fn plain(provider: &Provider, model: &str) -> Seen {
    send(provider, &asked(Dialect::OpenAi, model, false)).await
}

/// Sends bytes and reads one answer.
pub(crate) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut S,
    bytes: &[u8],
) -> Seen {
    let wrote = link.write_all(bytes).await;
    let start = Instant::now();
    let (mut raw, mut reads, mut first_byte) = (Vec::new(), Vec::new(), None);
    let mut buffer = vec![0; 64 * 1024];
    let end = loop {
        if wrote.is_err() {
            break End::Reset;
        }
        let left = PATIENCE.saturating_sub(start.elapsed());
        match timeout(left, link.read(&mut buffer)).await {
            Err(_) => break End::Left,
            Ok(Err(_)) => break End::Reset,
            Ok(Ok(0)) => break End::Eof,
            Ok(Ok(count)) => {
                first_byte.get_or_insert_with(|| start.elapsed());
                raw.extend_from_slice(&buffer[..count]);
                reads.push(count);
                if complete(&raw) {
                    break End::Complete;
                }
            }
        }
    };
    read_back(raw, end, first_byte, start.elapsed(), reads)
}

/// Only looked at when it may be the end, so that large answers are not parsed again and again.
fn complete(raw: &[u8]) -> bool {
    let Some((head, rest, _)) = split_head(raw) else { return false };
    match length_of(&head) {
        Some(length) => rest.len() >= length,
        None => rest.ends_with(b"0\r\n\r\n") && dechunk(rest).1,
    }
}

fn length_of(head: &str) -> Option<usize> {
    let line = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "))?;
    line.parse().ok()
}

/// The real head, what follows, and how many informational heads came before.
fn split_head(raw: &[u8]) -> Option<(String, &[u8], usize)> {
    let (mut rest, mut informational) = (raw, 0);
    loop {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 4..];
        if !head.starts_with("HTTP/1.1 1") {
            return Some((head, rest, informational));
        }
        informational += 1;
    }
}

/// The data of chunks, and whether the last chunk was there.
fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|two| two == b"\r\n") else {
            return (body, false);
        };
        let size = usize::from_str_radix(&String::from_utf8_lossy(&rest[..line]), 16).unwrap();
        let data = &rest[line + 2..];
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&data[..size.min(data.len())]);
        match data.get(size + 2..) {
            Some(after) => rest = after,
            None => return (body, false),
        }
    }
}

fn read_back(
    raw: Vec<u8>,
    end: End,
    first_byte: Option<Duration>,
    took: Duration,
    reads: Vec<usize>,
) -> Seen {
    let (head, body, informational) = match split_head(&raw) {
        Some((head, rest, informational)) => {
            let chunked = head.contains("transfer-encoding: chunked");
            (head.clone(), if chunked { dechunk(rest).0 } else { rest.to_vec() }, informational)
        }
        None => (String::new(), Vec::new(), 0),
    };
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    Seen { raw, informational, status, head, body, end, first_byte, took, reads }
}
