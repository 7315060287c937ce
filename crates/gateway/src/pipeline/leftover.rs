//! What is left of a request's body when the answer is already known.
//!
//! A connection that is closed while bytes of the client are still unread or under way is reset,
//! and a reset can overtake the answer: the client then sees a broken connection where a 401 was
//! sent, and tries again. So the rest of the body is read and thrown away, as much as any request
//! may have and not for long. Where it does not end by then, the answer says that the connection
//! closes.

use std::time::Duration;

use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

/// A refused client gets this long to finish its request. Clients send what they have at once; who
/// needs longer is told by a closed connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Throws away the rest of `body`, at most `limit` bytes. Returns whether it ended, so that the
/// connection can carry another request.
pub async fn discard(headers: &HeaderMap, body: &mut Incoming, limit: u64) -> bool {
    // Such a client sends nothing until it is asked to.
    if headers.contains_key(EXPECT) {
        return body.is_end_stream();
    }
    timeout(PATIENCE, read_away(body, limit)).await.unwrap_or(false)
}

async fn read_away(body: &mut Incoming, limit: u64) -> bool {
    let mut left = limit;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = left.checked_sub(length) else { return false };
        left = rest;
    }
    true
}

/// Says that the connection closes after this answer.
pub fn closes<B>(response: &mut Response<B>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
