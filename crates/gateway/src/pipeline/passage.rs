//! Requests that are passed through unread: audio, pictures, files, batches, stored answers.
//!
//! One attempt, and bytes go both ways as they come: an upload is never held in memory, and it
//! cannot be sent twice, so that nothing is retried. It is weighed and booked like any other
//! request: the model is looked for in the body (`upload.rs`), the usage at the end of the answer. A
//! request that names no model goes to the provider that the configuration names for it. The
//! upstream's own status and body reach the client untouched, unless it refuses our credential. The
//! breaker is told nothing: an upload that breaks off may be its client's doing.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::request::Parts;
use http::{HeaderName, Method, Response};
use hyper::body::Incoming;
use memchr::memmem;
use tokio::time::{Instant, timeout_at};
use wire::hub::Usage;

use super::Core;
use super::accept;
use super::admit;
use super::attempt::{claim, record, refused};
use super::exchange::{Attempt, Ending, Open, Said, Shot};
use super::lanes::{Lane, Unresolved};
use super::lapse::{Cause, Lapse};
use super::leftover;
use super::plan;
use super::relay;
use super::reply::{self, Body};
use super::settle;
use super::speech::Speech;
use super::upload::{self, Upload};
use crate::config::Timeouts;
use crate::failure::{Code, Failure};
use crate::upstream::{Call, ResponseBody};

/// Usage stands at the end of an answer; this much of it is kept to find it.
const TAIL: usize = 64 << 10;
/// What of the client's headers goes upstream.
const FORWARDED: [HeaderName; 3] = [CONTENT_TYPE, ACCEPT, RANGE];

/// Passes a request through to `path` of a provider. `said`: what its URL says besides.
pub async fn pass(
    core: Arc<Core>,
    parts: Parts,
    (path, said): (String, Said),
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
    open.said = said;
    match send(&core, &mut open, &parts, &path, body).await {
        Ok(answer) => answered(core, open, &parts.method, answer),
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
    mut body: Incoming,
) -> Result<Answer, Failure> {
    let limit = open.snapshot.config.server.max_body_bytes;
    let weighed = match Upload::begin(parts, path, &mut body, limit).await {
        Ok(upload) => weigh(core, open, path, &upload).map(|lane| (upload, lane)),
        Err(failure) => Err(failure),
    };
    let (upload, (lane, timeouts)) = match weighed {
        Ok(weighed) => weighed,
        Err(failure) => {
            // A body that was too slow has had its time.
            if failure.code != Code::SlowBody {
                leftover::discard(&parts.headers, &mut body, limit).await;
            }
            return Err(failure);
        }
    };
    let broken = upload.broken();
    let call = call(open, &lane, parts, path, upload, body)
        .ok_or_else(|| Failure::new(Code::InternalError))?;
    match exchange(core, open, &lane, call, timeouts).await {
        Ok(response) => Ok(Answer { response, timeouts }),
        Err(lapse) => {
            let broken = broken.get().cloned();
            let lapse = if broken.is_some() { Lapse::new(Cause::ClientGone) } else { lapse };
            settle::lapsed(core, open, 0, &lapse, false);
            Err(broken.unwrap_or_else(|| lapse.into_failure(&open.tried())))
        }
    }
}

/// Finds out what it may cost and where it goes, and takes it into the books.
fn weigh(
    core: &Core,
    open: &mut Open,
    path: &str,
    upload: &Upload,
) -> Result<(Arc<Lane>, Timeouts), Failure> {
    if let Some(model) = &upload.model {
        open.said.model = Some(Arc::from(model.as_str()));
    }
    open.bytes_in = upload.length.unwrap_or(upload.head.len() as u64);
    // What was read of it bounds the input.
    open.body = upload.words();
    if upload::names_model(path) {
        open.peek.prompt_bytes = open.body.len();
        admit::admit(core, open)?;
    }
    let (lane, timeouts) = target(core, open)?;
    begin(core, open, &lane)?;
    Ok((lane, timeouts))
}

/// Where it goes: a deployment of the model, or the provider for what names none.
fn target(core: &Core, open: &mut Open) -> Result<(Arc<Lane>, Timeouts), Failure> {
    // Models that speak or paint are charged in ways that the catalog does not know, and most are
    // not in it: they go where the operator sends what is passed through.
    let unknown = matches!(open.snapshot.resolve(open.model()), Err(Unresolved::Unknown(_)));
    let sent_on = unknown && open.snapshot.config.passthrough.is_some();
    if !open.model().is_empty() && !sent_on {
        let mut plan = plan::plan(core, open)?;
        let first = plan.lanes.pop_front();
        let first = first.ok_or_else(|| Failure::new(Code::AllUpstreamsUnavailable))?;
        return Ok((first.lane, first.timeouts));
    }
    let lane = open.snapshot.passage(open.model());
    let Some(lane) = lane.filter(|lane| lane.face(Speech::Passage).is_some()) else {
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

fn call(
    open: &Open,
    lane: &Lane,
    parts: &Parts,
    path: &str,
    upload: Upload,
    body: Incoming,
) -> Option<Call> {
    let face = lane.face(Speech::Passage)?;
    let credential = open.attempts.first()?.credential;
    let mut headers = face.site.headers.get(credential).or(face.site.headers.first())?.clone();
    headers.remove(CONTENT_TYPE);
    for name in FORWARDED {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let model = Some(&*lane.model).filter(|_| !open.model().is_empty());
    let (body, flow) = upload.into_body(model, body);
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
    let proof = face.site.proof(credential);
    let send = async {
        proof.put_on(core, &shot.permit, &face.site.origin, &mut call).await?;
        let connect = timeouts.connect;
        let sent = core.upstream.send(&shot.permit, &face.site.origin, call, connect, on_sent);
        sent.await.map_err(Lapse::of_send)
    };
    let waited = timeout_at(open.deadline, send).await;
    let response = waited.map_err(|_| Lapse::new(Cause::TotalTimeout))??;
    let status = response.status;
    if status == 401 {
        proof.forget();
    }
    let cause = match status {
        // No client is told that its key is bad when ours is, nor shown it.
        401 | 403 => Some(Cause::Auth),
        300..=399 => Some(Cause::Redirect),
        _ => None,
    };
    if let Some(cause) = cause {
        return Err(Lapse::new(cause).status(status));
    }
    response.decoded(u64::MAX).map_err(Lapse::of_send)
}

/// Hands the answer on while it comes, and books it when it has ended.
fn answered(core: Arc<Core>, mut open: Open, method: &Method, answer: Answer) -> Response<Body> {
    let Answer { response, timeouts } = answer;
    let (status, headers) = (response.status, response.headers.clone());
    settle::committed(&core, &mut open, 0);
    open.release_body();
    let (parts, ()) = reply::passed(&open, status, &headers).into_parts();
    let length = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    if method == Method::HEAD || status == 204 || length == Some(0) {
        // Nobody would ask for a body that is not there.
        relay::finish_reading(Some(response.body));
        finish(&core, open, &Tail::default(), status, None);
        return Response::from_parts(parts, Body::Full(Bytes::new()));
    }
    let pieces = pieces(core, open, response.body, (status, length), timeouts);
    Response::from_parts(parts, Body::Passed(Box::pin(pieces)))
}

/// The answer's body. One that breaks off breaks off for the client as well.
fn pieces(
    core: Arc<Core>,
    mut open: Open,
    mut body: ResponseBody,
    (status, length): (u16, Option<u64>),
    timeouts: Timeouts,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
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
                        yield Ok(piece);
                        return;
                    }
                    yield Ok(piece);
                }
                Ok(None) => break None,
                Ok(Some(Err(failure))) => break Some(Lapse::of_body(failure, Cause::Truncated)),
                Err(_) => break Some(Lapse::new(Cause::ReadIdle)),
            }
        };
        let is_cut = lapse.is_some();
        finish(&core, open, &tail, status, lapse);
        if is_cut {
            yield Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
}

fn finish(core: &Core, mut open: Open, tail: &Tail, status: u16, lapse: Option<Lapse>) {
    let lapse = lapse.or_else(|| of_status(status));
    let Some(lapse) = lapse else {
        // What has no prompt is not charged by the token, unless its answer says so.
        let nothing = (open.peek.prompt_bytes == 0).then(Usage::default);
        if let Some(attempt) = open.attempts.first_mut() {
            attempt.usage = tail.usage().or(nothing);
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
        429 => Cause::RateLimited,
        400..500 => Cause::ClientError,
        502 | 504 => Cause::BadGateway,
        503 | 529 => Cause::Overloaded,
        _ => Cause::Server500,
    };
    Some(Lapse::new(cause).status(status))
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
    fn the_last_usage_counts() {
        let mut tail = Tail::default();
        tail.push(br#"{"usage":null}"#);
        tail.push(&vec![b'x'; 3 * TAIL]);
        tail.push(br#"{"data":[],"usage": {"input_tokens":7,"output_tokens":9,"x":1}}"#);
        let usage = tail.usage().unwrap();
        assert_eq!((usage.input, usage.output), (7, 9));
    }
}
