//! Requests that are passed through unread: audio, pictures, files, batches, stored answers.
//!
//! One attempt, and bytes go both ways as they come: an upload is never held in memory, and it
//! cannot be sent twice, so that nothing is retried. It is weighed and booked like any other
//! request: the model is looked for in a JSON body, or at the beginning of a form, the usage at the
//! end of the answer. A request that names no model goes to the provider that the configuration
//! names for it. The upstream's own status and body reach the client untouched.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Response};
use hyper::body::Incoming;
use memchr::memmem;
use tokio::time::{Instant, timeout, timeout_at};
use wire::hub::Usage;
use wire::splice::{ChatPatches, splice};

use super::Core;
use super::accept;
use super::attempt::{claim, record, refused};
use super::exchange::{Attempt, Ending, Open, Said, Shot};
use super::lanes::Lane;
use super::lapse::{Cause, Lapse};
use super::plan;
use super::relay;
use super::reply::{self, Body};
use super::settle;
use super::speech::Speech;
use crate::config::Timeouts;
use crate::failure::{Code, Failure};
use crate::upstream::{Call, Flow, ResponseBody};

/// A form's model must stand within its first bytes.
const SNIFFED: usize = 64 << 10;
/// The largest upload: OpenAI takes files of 512 MB (its reference, "Upload file").
const MAX_UPLOAD: u64 = 1 << 30;
/// An upload must keep coming.
const UPLOAD_IDLE: Duration = Duration::from_secs(30);
/// Usage stands at the end of an answer; this much of it is kept to find it.
const TAIL: usize = 64 << 10;
/// What of the client's headers goes upstream.
const FORWARDED: [HeaderName; 3] = [CONTENT_TYPE, ACCEPT, RANGE];

/// Passes a request through to `path` of a provider.
pub async fn pass(
    core: Arc<Core>,
    parts: Parts,
    path: String,
    mut body: Incoming,
    arrived: Instant,
) -> Response<Body> {
    let mut open = match accept::unread(&core, &parts.headers, Speech::Passage, arrived) {
        Ok(open) => open,
        Err(early) => {
            let early = accept::discarded(&core, *early, &parts.headers, &mut body).await;
            return reply::early(&core, Speech::Passage, early);
        }
    };
    core.states.active.begin();
    match send(&core, &mut open, &parts, &path, body).await {
        Ok(answer) => answered(core, open, answer),
        Err(failure) => relay::refuse(&core, open, failure),
    }
}

/// An answer whose head is here.
struct Answer {
    response: crate::upstream::Response,
    timeouts: Timeouts,
}

async fn send(
    core: &Arc<Core>,
    open: &mut Open,
    parts: &Parts,
    path: &str,
    body: Incoming,
) -> Result<Answer, Failure> {
    let upload = Upload::begin(core, &parts.headers, body).await?;
    if let Some(model) = &upload.model {
        open.said = Said { model: Some(Arc::from(model.value.as_str())), ..Said::default() };
    }
    let (lane, timeouts) = target(core, open)?;
    begin(core, open, &lane)?;
    let call =
        call(open, &lane, parts, path, upload).ok_or_else(|| Failure::new(Code::InternalError))?;
    match exchange(core, open, &lane, call, timeouts).await {
        Ok(response) => Ok(Answer { response, timeouts }),
        Err(lapse) => {
            settle::lapsed(core, open, 0, &lapse, false);
            Err(lapse.into_failure(&open.tried()))
        }
    }
}

/// Where it goes: a deployment of the model, or the provider for what names none.
fn target(core: &Core, open: &mut Open) -> Result<(Arc<Lane>, Timeouts), Failure> {
    if !open.model().is_empty() {
        let mut plan = plan::plan(core, open)?;
        let first = plan.lanes.pop_front();
        let first = first.ok_or_else(|| Failure::new(Code::AllUpstreamsUnavailable))?;
        return Ok((first.lane, first.timeouts));
    }
    let Some(lane) = open.snapshot.passage() else {
        let message = "No configured provider takes such requests. Name one as `passthrough`.";
        return Err(Failure::because(Code::UnknownPath, message));
    };
    Ok((lane, open.snapshot.config.timeouts))
}

/// Reserves the cost and takes the request into the books.
fn begin(core: &Core, open: &mut Open, lane: &Arc<Lane>) -> Result<(), Failure> {
    let permit = core.ledger.reserve(claim(open, lane, 0)).map_err(refused)?;
    lane.state.outstanding.begin();
    let credential = lane.free_credential(core.world.tick(Instant::now()), None).unwrap_or(0);
    open.attempts.push(Attempt {
        lane: Arc::clone(lane),
        credential,
        shot: Some(Arc::new(Shot::new(permit))),
        token: None,
        ticket: None,
        probe: false,
        started: Instant::now(),
        content_bytes: 0,
        usage: None,
        since: None,
        record: record(lane, "first"),
    });
    Ok(())
}

fn call(open: &Open, lane: &Lane, parts: &Parts, path: &str, upload: Upload) -> Option<Call> {
    let face = lane.face(Speech::Passage)?;
    let credential = open.attempts.first()?.credential;
    let mut headers = face.site.headers.get(credential).or(face.site.headers.first())?.clone();
    headers.remove(CONTENT_TYPE);
    for name in FORWARDED {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let (body, flow) = upload.into_body(&lane.model);
    Some(Call {
        method: parts.method.clone(),
        path_and_query: face.site.beside(path),
        headers,
        body,
        flow,
    })
}

/// Sends it and waits for the answer's head; a body that keeps coming is waited for.
async fn exchange(
    core: &Core,
    open: &mut Open,
    lane: &Lane,
    mut call: Call,
    timeouts: Timeouts,
) -> Result<crate::upstream::Response, Lapse> {
    let Some(face) = lane.face(Speech::Passage) else {
        return Err(Lapse::new(Cause::Inexpressible));
    };
    let Some(shot) = open.attempts.first().and_then(|attempt| attempt.shot.clone()) else {
        return Err(Lapse::new(Cause::Inexpressible));
    };
    let on_sent = |at| {
        let _ = shot.sent.set(at);
    };
    let credential = open.attempts.first().map_or(0, |attempt| attempt.credential);
    face.site.proof(credential).put_on(core, &shot.permit, &face.site.origin, &mut call).await?;
    let send = core.upstream.send(&shot.permit, &face.site.origin, call, timeouts.connect, on_sent);
    let waited = timeout_at(open.deadline, send).await;
    let response = waited.map_err(|_| Lapse::new(Cause::TotalTimeout))?.map_err(Lapse::of_send)?;
    if (300..400).contains(&response.status) {
        return Err(Lapse::new(Cause::Redirect).status(response.status));
    }
    response.decoded(u64::MAX).map_err(Lapse::of_send)
}

/// Hands the answer on while it comes, and books it when it has ended.
fn answered(core: Arc<Core>, mut open: Open, answer: Answer) -> Response<Body> {
    settle::committed(&core, &mut open, 0);
    let Answer { response, timeouts } = answer;
    let (status, headers) = (response.status, response.headers.clone());
    let head = reply::passed(&open, status, &headers);
    let length = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    let pieces = pieces(core, open, response.body, (status, length), timeouts);
    let (parts, ()) = head.into_parts();
    Response::from_parts(parts, Body::Stream(Box::pin(pieces)))
}

fn pieces(
    core: Arc<Core>,
    mut open: Open,
    mut body: ResponseBody,
    (status, length): (u16, Option<u64>),
    timeouts: Timeouts,
) -> impl Stream<Item = Bytes> + Send {
    async_stream::stream! {
        let mut tail = Tail::default();
        let mut left = length;
        let lapse = loop {
            let due = (Instant::now() + timeouts.unstreamed_read).min(open.deadline);
            match timeout_at(due, body.next()).await {
                Ok(Some(Ok(piece))) => {
                    open.bytes_out += piece.len() as u64;
                    tail.push(&piece);
                    left = left.map(|left| left.saturating_sub(piece.len() as u64));
                    if left == Some(0) {
                        // Told first: nobody asks for more of an answer whose length is known.
                        finish(&core, open, &tail, status, None);
                        yield piece;
                        return;
                    }
                    yield piece;
                }
                Ok(None) => break None,
                Ok(Some(Err(failure))) => break Some(Lapse::of_body(failure, Cause::Truncated)),
                Err(_) => break Some(Lapse::new(Cause::ReadIdle)),
            }
        };
        finish(&core, open, &tail, status, lapse);
    }
}

fn finish(core: &Core, mut open: Open, tail: &Tail, status: u16, lapse: Option<Lapse>) {
    let lapse = lapse.or_else(|| of_status(status));
    let Some(lapse) = lapse else {
        if let Some(attempt) = open.attempts.first_mut() {
            // Without a word about usage nothing was used that is charged by the token.
            attempt.usage = Some(tail.usage().unwrap_or_default());
        }
        settle::succeeded(core, &mut open, 0);
        settle::finish(core, open, &Ending::Answered);
        return;
    };
    let delivered = (200..300).contains(&status);
    settle::lapsed(core, &mut open, 0, &lapse, delivered);
    settle::finish(core, open, &Ending::Interrupted(lapse));
}

/// What an error status means for the deployment; the client has seen it itself.
fn of_status(status: u16) -> Option<Lapse> {
    let cause = match status {
        200..300 => return None,
        401 | 403 => Cause::Auth,
        429 => Cause::RateLimited,
        400..500 => Cause::ClientError,
        502 | 504 => Cause::BadGateway,
        503 | 529 => Cause::Overloaded,
        _ => Cause::Server500,
    };
    Some(Lapse::new(cause).status(status))
}

/// A request's body, looked at no further than its model.
struct Upload {
    head: Bytes,
    model: Option<Named>,
    rest: Option<(Incoming, Option<u64>)>,
}

/// A model's name, and how to put another in its place.
struct Named {
    value: String,
    place: Place,
}

enum Place {
    Json(Box<wire::peek::ChatPeek>),
    Form(std::ops::Range<usize>),
}

impl Upload {
    async fn begin(core: &Core, headers: &HeaderMap, mut body: Incoming) -> Result<Self, Failure> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > MAX_UPLOAD) {
            let message = format!("An upload may have at most {MAX_UPLOAD} bytes.");
            return Err(Failure::because(Code::RequestTooLarge, message));
        }
        if kind.starts_with("application/json") {
            let limit = core.snapshot.load().config.server.max_body_bytes;
            let head = accept::body(headers, &mut body, limit).await?;
            let model = json_model(&head)?;
            return Ok(Self { head, model, rest: None });
        }
        if !kind.starts_with("multipart/form-data") {
            return Ok(Self { head: Bytes::new(), model: None, rest: Some((body, announced)) });
        }
        let head = sniff(&mut body).await?;
        let model = form_model(&head);
        let rest = announced.map(|length| length.saturating_sub(head.len() as u64));
        Ok(Self { head, model, rest: Some((body, rest)) })
    }

    /// The body with the upstream's name of the model.
    fn into_body(self, model: &str) -> (Vec<Bytes>, Option<Flow>) {
        let head = match self.model.map(|named| named.place) {
            Some(Place::Json(peek)) => {
                let patches = ChatPatches { model: Some(model), ..ChatPatches::default() };
                splice(&self.head, &mut patches.edits(&peek))
            }
            Some(Place::Form(range)) => {
                let name = Bytes::copy_from_slice(model.as_bytes());
                vec![self.head.slice(..range.start), name, self.head.slice(range.end..)]
            }
            None => vec![self.head],
        };
        let flow = self.rest.map(|(body, length)| Flow::new(uploaded(body), length));
        (head, flow)
    }
}

/// The beginning of a form, up to its model if that comes soon.
async fn sniff(body: &mut Incoming) -> Result<Bytes, Failure> {
    let mut head = BytesMut::new();
    while head.len() < SNIFFED && form_model(&head).is_none() {
        match accept::next_chunk(body).await? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => break,
        }
    }
    Ok(head.freeze())
}

/// The field `model` of a form, if it is whole.
fn form_model(head: &[u8]) -> Option<Named> {
    let at = memmem::find(head, b"name=\"model\"")?;
    let begin = at + memmem::find(head.get(at..)?, b"\r\n\r\n")? + 4;
    let end = begin + memmem::find(head.get(begin..)?, b"\r\n")?;
    let value = std::str::from_utf8(head.get(begin..end)?).ok()?.to_owned();
    Some(Named { value, place: Place::Form(begin..end) })
}

fn json_model(body: &Bytes) -> Result<Option<Named>, Failure> {
    if body.is_empty() {
        return Ok(None);
    }
    let peek = wire::peek::chat(body).map_err(|error| accept::not_json(&error))?;
    let value = peek.model.as_ref().map(|model| model.value.clone());
    Ok(value.map(|value| Named { value, place: Place::Json(Box::new(peek)) }))
}

/// The rest of an upload as it comes, within its bounds.
fn uploaded(mut body: Incoming) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut left = MAX_UPLOAD;
        loop {
            let next = timeout(UPLOAD_IDLE, accept::next_chunk(&mut body)).await;
            let piece = match next {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return,
                Ok(Err(_)) => {
                    yield Err(io::ErrorKind::ConnectionAborted.into());
                    return;
                }
                Err(_) => {
                    yield Err(io::ErrorKind::TimedOut.into());
                    return;
                }
            };
            let Some(rest) = left.checked_sub(piece.len() as u64) else {
                yield Err(io::ErrorKind::FileTooLarge.into());
                return;
            };
            left = rest;
            yield Ok(piece);
        }
    }
}

/// The last bytes of an answer.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
        if self.0.len() > 2 * TAIL {
            self.0.drain(..self.0.len() - TAIL);
        }
    }

    /// The last usage told in it.
    fn usage(&self) -> Option<Usage> {
        let at = memmem::rfind(&self.0, b"\"usage\"")?;
        let rest = self.0.get(at + b"\"usage\"".len()..)?;
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let mut values = serde_json::Deserializer::from_slice(rest.get(colon + 1..)?);
        let told = <Told as serde::Deserialize>::deserialize(&mut values).ok()?;
        Some(Usage {
            input: told.input_tokens.or(told.prompt_tokens).unwrap_or(0),
            output: told.output_tokens.or(told.completion_tokens).unwrap_or(0),
            ..Usage::default()
        })
    }
}

/// Usage as OpenAI's interfaces tell it, old names and new.
#[derive(serde::Deserialize)]
struct Told {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_model_is_found_where_it_is_whole() {
        let form = b"--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x";
        let named = form_model(form).unwrap();
        assert_eq!(named.value, "whisper-1");
        for cut in 0..form.len() - 5 {
            assert!(form_model(&form[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn the_last_usage_counts() {
        let mut tail = Tail::default();
        tail.push(br#"{"usage":null}"#);
        tail.push(&vec![b'x'; 3 * TAIL]);
        tail.push(br#"{"data":[],"usage": {"input_tokens":7,"output_tokens":9,"x":1}}"#);
        let usage = tail.usage().unwrap();
        assert_eq!((usage.input, usage.output), (7, 9));
    }
}
