//! A request as the caller builds it, and as it goes on the wire.
//!
//! The body is a list of segments that are sent as they are: a spliced request is slices of the
//! client's own bytes around a few patches, and it is never copied together. The framing (length,
//! host, hop-by-hop fields) is ours alone, so nothing a caller passes on can change where one
//! message ends and the next begins.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};

use super::failure::SendFailure;
use super::progress::Progress;

/// The fields that frame a message or belong to one hop (RFC 9110 section 7.6.1): never taken from
/// a caller.
const OURS: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
];

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The target, beginning with `/`.
    pub path_and_query: String,
    /// End-to-end header fields. `host`, lengths and hop-by-hop fields are ignored.
    pub headers: HeaderMap,
    /// The body's segments, in order. `content-length` is their sum.
    pub body: Vec<Bytes>,
    /// What follows the segments and comes while they are sent.
    pub flow: Option<Flow>,
}

/// The part of a body that comes while it is sent. It can be sent once: a call that has one is
/// given a connection of its own and never sent again.
#[derive(Clone)]
pub struct Flow {
    pieces: Arc<Mutex<Option<Pieces>>>,
    length: Option<u64>,
}

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl Flow {
    /// Pieces as they come. `length` is their sum in bytes, where it is known; without it the body
    /// is sent in chunks.
    #[must_use]
    pub fn new(
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        length: Option<u64>,
    ) -> Self {
        Self { pieces: Arc::new(Mutex::new(Some(Box::pin(pieces)))), length }
    }

    fn take(&self) -> Option<Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Call {
    /// The HTTP/1.1 form: origin-form target and a `host` field.
    pub(super) fn into_http1(
        self,
        host: &HeaderValue,
        progress: &Arc<Progress>,
    ) -> Result<Request<Segments>, SendFailure> {
        let uri = Uri::from(path(self.path_and_query)?);
        let mut request = request(self.method, uri, self.headers, (self.body, self.flow), progress);
        request.headers_mut().insert(header::HOST, host.clone());
        Ok(request)
    }

    /// The HTTP/2 form: absolute target, no `host` field.
    pub(super) fn into_http2(
        self,
        scheme: http::uri::Scheme,
        authority: &Authority,
        progress: &Arc<Progress>,
    ) -> Result<Request<Segments>, SendFailure> {
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority.clone())
            .path_and_query(path(self.path_and_query)?)
            .build()
            .map_err(|error| SendFailure::Protocol(error.to_string()))?;
        Ok(request(self.method, uri, self.headers, (self.body, self.flow), progress))
    }
}

fn path(text: String) -> Result<PathAndQuery, SendFailure> {
    if !text.starts_with('/') {
        return Err(SendFailure::Protocol("the path does not begin with a slash".to_owned()));
    }
    PathAndQuery::from_maybe_shared(Bytes::from(text))
        .map_err(|error| SendFailure::Protocol(error.to_string()))
}

fn request(
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: (Vec<Bytes>, Option<Flow>),
    progress: &Arc<Progress>,
) -> Request<Segments> {
    for name in OURS {
        headers.remove(name);
    }
    let body = Segments::new(body, progress);
    // Other methods carry no length when they carry no body; hyper adds it when there is one.
    if body.is_end_stream() && [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

/// Text as one segment of a path or one value of a form: what is neither a letter, a digit, unreserved
/// (RFC 3986 section 2.3) nor among `kept` is written as its bytes.
#[must_use]
pub fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A request body made of ready segments and what comes after them. It tells the exchange when the
/// last piece was taken.
pub(super) struct Segments {
    segments: vec::IntoIter<Bytes>,
    left: u64,
    flow: Option<Pieces>,
    flow_left: Option<u64>,
    progress: Arc<Progress>,
}

impl Segments {
    fn new((segments, flow): (Vec<Bytes>, Option<Flow>), progress: &Arc<Progress>) -> Self {
        let left = segments.iter().map(|segment| segment.len() as u64).sum();
        let flow_left = flow.as_ref().map_or(Some(0), |flow| flow.length);
        let flow = flow.and_then(|flow| flow.take());
        let body = Self {
            segments: segments.into_iter(),
            left,
            flow,
            flow_left,
            progress: Arc::clone(progress),
        };
        if body.is_end_stream() {
            progress.body_taken();
        }
        body
    }

    /// A piece was taken, or there was none.
    fn note(&mut self) {
        if self.is_end_stream() {
            self.progress.body_taken();
        }
    }

    fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(flow) = &mut self.flow else { return Poll::Ready(None) };
        let piece = std::task::ready!(flow.as_mut().poll_next(cx));
        match &piece {
            Some(Ok(bytes)) => {
                self.flow_left = self.flow_left.map(|left| left.saturating_sub(bytes.len() as u64));
            }
            Some(Err(_)) | None => {
                self.flow = None;
                self.note();
            }
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(segment) = self.segments.find(|segment| !segment.is_empty()) else {
            return self.poll_flow(cx);
        };
        self.left = self.left.saturating_sub(segment.len() as u64);
        self.note();
        Poll::Ready(Some(Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.flow.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.flow_left {
            Some(more) => SizeHint::with_exact(self.left + more),
            None => SizeHint::default(),
        }
    }
}
