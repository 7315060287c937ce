//! The upstream request of one attempt: which way to talk to the deployment, and in which bytes.
//!
//! Where the deployment speaks the client's own dialect the client's bytes go through, with the few
//! patches that `wire::splice` knows; else the request crosses the hub. A request to another
//! provider than the one planned first carries no seals: they would be refused, or worse, mean
//! something there.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use wire::dialect::{Dialect, Quirks, Target};
use wire::error::{DecodeError, Reported};
use wire::hub::Request;
use wire::plain::PlainDialect;

use super::attempt::Leg;
use super::exchange::{Exchange, Open};
use super::fire::{PlainTalk, Talk};
use super::lanes::{Face, Lane};
use super::lapse::{Cause, Lapse};
use super::proof::Proof;
use super::settle;
use super::speech::Speech;
use crate::upstream::{Call, Origin};

/// Wishes that change what is asked for, and pieces of the prompt itself: a request without them is
/// another request, so that they are never left out silently.
const ESSENTIAL: [&str; 9] = [
    "previous_response_id",
    "conversation",
    "background",
    "prompt",
    "suffix",
    "messages",
    "image_url",
    "input_audio",
    "file",
];

/// A request ready to be sent, and how its answer is to be read.
#[derive(Debug)]
pub struct Composed {
    /// The request.
    pub call: Call,
    /// Where it goes.
    pub origin: Arc<Origin>,
    /// The dialects on both sides.
    pub talk: Talk,
    /// The upstream's peculiarities.
    pub quirks: Quirks,
    /// What else the call must carry.
    pub proof: Arc<Proof>,
}

/// A body with what must be known to read its answer.
struct Written {
    body: Vec<Bytes>,
    path: String,
    talk: Talk,
    same: bool,
}

/// Composes the request of an attempt.
///
/// # Errors
/// The lapse, when the request cannot be said there.
pub fn call(open: &mut Open, leg: &Leg, stream: bool) -> Result<Composed, Lapse> {
    let lane = Arc::clone(&leg.planned.lane);
    let Some(face) = lane.face(open.door) else {
        return Err(Lapse::new(Cause::Inexpressible));
    };
    open.dropped.clear();
    let written = match (open.door, face.site.speech) {
        (Speech::Chat(door), Speech::Chat(upstream)) => {
            conversation(open, leg, face, door, upstream, stream)?
        }
        (Speech::Plain(door), Speech::Plain(upstream)) => plain(open, &lane, face, door, upstream)?,
        _ => return Err(Lapse::new(Cause::Inexpressible)),
    };
    if let Some(field) = unsayable(open) {
        return Err(lossy(&lane, field));
    }
    let mut path_and_query = face.site.target(&lane.model, stream, || written.path);
    if let Some(query) = open.said.query.filter(|_| written.same) {
        path_and_query.push(if path_and_query.contains('?') { '&' } else { '?' });
        path_and_query.push_str(query);
    }
    let headers = headers(open, face, leg.credential, written.same);
    Ok(Composed {
        call: Call {
            method: Method::POST,
            path_and_query,
            headers,
            body: written.body,
            flow: None,
        },
        origin: Arc::clone(&face.site.origin),
        talk: written.talk,
        quirks: face.quirks.clone(),
        proof: face.site.proof(leg.credential),
    })
}

fn conversation(
    open: &mut Open,
    leg: &Leg,
    face: &Face,
    door: &'static Dialect,
    upstream: &'static Dialect,
    stream: bool,
) -> Result<Written, Lapse> {
    let prefill = leg.prefill.as_deref();
    let lane = &leg.planned.lane;
    let foreign = is_foreign(open, lane);
    let fits = || wire::fit::goes_as_it_is(upstream, &face.quirks, &open.body, &open.peek);
    let same = upstream.id == door.id && prefill.is_none() && !foreign && fits();
    let body = if same {
        wire::splice::same_dialect(
            upstream,
            &face.quirks,
            &open.body,
            &open.peek,
            &lane.model,
            stream,
            open.door.asks_usage(),
        )
    } else {
        let target = Target {
            model: &lane.model,
            stream,
            default_max_tokens: lane.max_output,
            quirks: &face.quirks,
            prefill,
        };
        let request = open.request().map_err(not_a_request)?;
        let encoded = (upstream.encode_request)(&told(request, prefill, foreign), &target);
        open.dropped = encoded.dropped;
        vec![Bytes::from(encoded.body)]
    };
    let path = (upstream.path)(&lane.model, stream);
    // An answer that goes on as it came repeats nothing that we would have to know.
    let relayed = upstream.id == door.id && stream == open.streams();
    let asked = if relayed { None } else { open.request().ok().map(Arc::clone) };
    Ok(Written { body, path, talk: Talk::Chat { door, upstream, asked }, same })
}

fn plain(
    open: &mut Open,
    lane: &Lane,
    face: &Face,
    door: &'static PlainDialect,
    upstream: &'static PlainDialect,
) -> Result<Written, Lapse> {
    let ask = open.ask().map_err(not_a_request)?;
    let path = (upstream.path)(&lane.model, &ask);
    let same = upstream.id == door.id;
    let body = if same {
        wire::plain::splice_model(upstream, &open.body, &open.peek, &lane.model)
    } else {
        let encoded = (upstream.encode_ask)(&ask, &lane.model, &face.quirks);
        let encoded = encoded.map_err(|error| not_a_request(&error))?;
        open.dropped = encoded.dropped;
        vec![Bytes::from(encoded.body)]
    };
    let talk = Talk::Plain(Arc::new(PlainTalk { door, upstream, ask }));
    Ok(Written { body, path, talk, same })
}

/// Whether the conversation may hold seals that another provider made: those of the one planned
/// first, which served the turns before.
fn is_foreign(open: &Exchange, lane: &Lane) -> bool {
    let first = open.passed_over.as_ref().map(|(lane, _)| lane);
    // The attempt that is composed stands in the list already, be it the first one.
    let first = first.or(open.attempts.first().map(|attempt| &attempt.lane));
    first.is_some_and(|first| first.provider != lane.provider)
        && SEALS.iter().any(|word| memchr::memmem::find(&open.body, word).is_some())
}

/// The names under which seals are carried, in any dialect.
const SEALS: [&[u8]; 7] = [
    b"\"signature\"",
    b"\"thoughtSignature\"",
    b"\"thought_signature\"",
    b"\"encrypted_content\"",
    b"\"redacted_thinking\"",
    b"\"redactedContent\"",
    b"\"reasoning_details\"",
];

/// The request as it is told to this upstream. What was delivered of a continued answer counts
/// against the output bound.
fn told<'r>(request: &'r Request, prefill: Option<&str>, foreign: bool) -> Cow<'r, Request> {
    let mut request = Cow::Borrowed(request);
    if let (Some(delivered), Some(bound)) = (prefill, request.max_tokens) {
        let left = bound.saturating_sub(settle::counted_output(delivered.len() as u64)).max(1);
        request.to_mut().max_tokens = Some(left);
    }
    if foreign {
        request.to_mut().drop_seals();
    }
    request
}

fn not_a_request(error: &DecodeError) -> Lapse {
    let mut lapse = Lapse::new(Cause::Inexpressible).detail(error.message.clone());
    lapse.reported = Some(Box::new(Reported {
        message: format!("{error}."),
        param: Some(error.path.clone()),
        ..Default::default()
    }));
    lapse
}

/// The first wish left out that may not be: any in strict mode.
fn unsayable(open: &Exchange) -> Option<&'static str> {
    let strict = open.is_strict();
    open.dropped.iter().copied().find(|field| strict || ESSENTIAL.contains(field))
}

fn lossy(lane: &Lane, field: &'static str) -> Lapse {
    let mut lapse = Lapse::new(Cause::Lossy);
    lapse.reported = Some(Box::new(Reported {
        message: format!(
            "`{field}` cannot be passed on to {}, whose API has no such thing.",
            lane.id
        ),
        param: Some(field.to_owned()),
        ..Default::default()
    }));
    lapse
}

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");

fn headers(open: &Exchange, face: &Face, credential: usize, same: bool) -> HeaderMap {
    let headers = face.site.headers.get(credential).or(face.site.headers.first());
    let mut headers = headers.cloned().unwrap_or_default();
    if let Ok(id) = HeaderValue::from_str(&open.id_text) {
        headers.insert(CLIENT_REQUEST_ID, id);
    }
    if same {
        for (name, value) in &open.asks.forwarded {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers
}
