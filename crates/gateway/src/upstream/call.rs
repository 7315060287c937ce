//! A request as the caller builds it, and as it goes on the wire.
//!
//! The body is a list of segments that are sent as they are: a spliced request is slices of the
//! client's own bytes around a few patches, and it is never copied together. The framing (length,
//! host, hop-by-hop fields) is ours alone, so nothing a caller passes on can change where one
//! message ends and the next begins.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
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
}

impl Call {
    /// The HTTP/1.1 form: origin-form target and a `host` field.
    pub(super) fn into_http1(
        self,
        host: &HeaderValue,
        progress: &Arc<Progress>,
    ) -> Result<Request<Segments>, SendFailure> {
        let uri = Uri::from(path(self.path_and_query)?);
        let mut request = request(self.method, uri, self.headers, self.body, progress);
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
        Ok(request(self.method, uri, self.headers, self.body, progress))
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
    body: Vec<Bytes>,
    progress: &Arc<Progress>,
) -> Request<Segments> {
    for name in OURS {
        headers.remove(name);
    }
    let body = Segments::new(body, progress);
    // Other methods carry no length when they carry no body; hyper adds it when there is one.
    if body.left == 0 && [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

/// A request body made of ready segments. It tells the exchange when the last one was taken.
pub(super) struct Segments {
    segments: vec::IntoIter<Bytes>,
    left: u64,
    progress: Arc<Progress>,
}

impl Segments {
    fn new(segments: Vec<Bytes>, progress: &Arc<Progress>) -> Self {
        let left = segments.iter().map(|segment| segment.len() as u64).sum();
        if left == 0 {
            progress.body_taken();
        }
        Self { segments: segments.into_iter(), left, progress: Arc::clone(progress) }
    }
}

impl Body for Segments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(segment) = self.segments.find(|segment| !segment.is_empty()) else {
            return Poll::Ready(None);
        };
        self.left = self.left.saturating_sub(segment.len() as u64);
        if self.left == 0 {
            self.progress.body_taken();
        }
        Poll::Ready(Some(Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
