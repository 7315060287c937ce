//! The body of a request that is passed through: looked at no further than its model.
//!
//! Forms flow on as they come, from the field `model` on or from where nobody looks for it any
//! longer. Every other body is small and is read whole as JSON, whatever it calls itself: a request
//! whose model were not seen would cross unweighed.

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use hyper::body::Incoming;
use wire::peek::ChatPeek;
use wire::splice::{ChatPatches, splice};

use super::accept;
use super::form::{Finder, Sight};
use crate::failure::{Code, Failure};
use crate::upstream::Flow;

/// A form's model is looked for this far where it may be missing.
const SNIFFED: usize = 64 << 10;
/// The largest upload: OpenAI takes files of 512 MB (its reference, "Upload file").
const MAX_UPLOAD: u64 = 1 << 30;
/// Paths under which a request names its model, and costs by it.
const PRICED: [&str; 2] = ["/audio/", "/images/"];

/// Whether a request under `path` must name its model.
#[must_use]
pub fn names_model(path: &str) -> bool {
    PRICED.iter().any(|priced| path.starts_with(priced))
}

/// A body, read up to its model.
#[derive(Debug)]
pub struct Upload {
    /// What was read.
    pub head: Bytes,
    /// The model it names.
    pub model: Option<String>,
    /// Its length in bytes, where it is known.
    pub length: Option<u64>,
    place: Place,
    flows: bool,
    /// Why the rest did not come, if it did not.
    broken: Arc<OnceLock<Failure>>,
}

/// Where the upstream's name of the model is put.
#[derive(Debug)]
enum Place {
    Json(Box<ChatPeek>),
    Form(Range<usize>),
    Nowhere,
}

impl Upload {
    /// Reads as much of a body as must be known. At most `limit` bytes are held.
    ///
    /// # Errors
    /// When it is encoded, too large, too slow, breaks off, or is neither a form nor JSON.
    pub async fn begin(
        parts: &Parts,
        path: &str,
        body: &mut Incoming,
        limit: u64,
    ) -> Result<Self, Failure> {
        accept::not_encoded(&parts.headers)?;
        let field = |name| parts.headers.get(name).and_then(|text| text.to_str().ok());
        let length = field(&CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let Some(finder) = Finder::of(field(&CONTENT_TYPE).unwrap_or_default()) else {
            return Self::json(accept::body(&parts.headers, body, limit).await?);
        };
        if length.is_some_and(|length: u64| length > MAX_UPLOAD) {
            let message = format!("An upload may have at most {MAX_UPLOAD} bytes.");
            return Err(Failure::because(Code::RequestTooLarge, message));
        }
        // Some clients write the file before the model.
        let bound = if names_model(path) { limit } else { SNIFFED as u64 };
        let (head, sight) = sniff(body, finder, bound).await?;
        let found = match sight {
            Sight::Found(range) => Some(range),
            Sight::Unseen | Sight::Absent => None,
        };
        let named = |range: &Range<usize>| std::str::from_utf8(head.get(range.clone())?).ok();
        let model = found.as_ref().and_then(named).map(str::to_owned);
        let place = found.map_or(Place::Nowhere, Place::Form);
        Ok(Self { head, model, length, place, flows: true, broken: Arc::default() })
    }

    fn json(head: Bytes) -> Result<Self, Failure> {
        let (mut model, mut place) = (None, Place::Nowhere);
        if !head.is_empty() {
            let peek = wire::peek::chat(&head).map_err(|error| accept::not_json(&error))?;
            model = peek.model.as_ref().map(|model| model.value.clone());
            place = Place::Json(Box::new(peek));
        }
        let length = Some(head.len() as u64);
        Ok(Self { head, model, length, place, flows: false, broken: Arc::default() })
    }

    /// What may be input by the byte: all of a JSON body, and a form's fields, but not its files.
    #[must_use]
    pub fn words(&self) -> Bytes {
        let fields = if self.flows { SNIFFED } else { self.head.len() };
        self.head.slice(..fields.min(self.head.len()))
    }

    /// Where it is told why the rest of the body did not come.
    #[must_use]
    pub fn broken(&self) -> Arc<OnceLock<Failure>> {
        Arc::clone(&self.broken)
    }

    /// The body with the upstream's name of the model, where one was asked for.
    #[must_use]
    pub fn into_body(self, model: Option<&str>, rest: Incoming) -> (Vec<Bytes>, Option<Flow>) {
        let left = self.length.map(|length| length.saturating_sub(self.head.len() as u64));
        let head = match (self.place, model) {
            (Place::Json(peek), Some(_)) => {
                let patches = ChatPatches { model, ..ChatPatches::default() };
                splice(&self.head, &mut patches.edits(&peek))
            }
            (Place::Form(range), Some(model)) => {
                let name = Bytes::copy_from_slice(model.as_bytes());
                vec![self.head.slice(..range.start), name, self.head.slice(range.end..)]
            }
            _ => vec![self.head],
        };
        (head, self.flows.then(|| Flow::new(uploaded(rest, self.broken), left)))
    }
}

/// The beginning of a form, up to its model if that comes soon.
async fn sniff(
    body: &mut Incoming,
    mut finder: Finder,
    bound: u64,
) -> Result<(Bytes, Sight), Failure> {
    let mut head = BytesMut::new();
    loop {
        let sight = finder.look(&head);
        if sight != Sight::Unseen || head.len() as u64 >= bound {
            return Ok((head.freeze(), sight));
        }
        match accept::next_chunk(body).await? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => return Ok((head.freeze(), Sight::Absent)),
        }
    }
}

/// The rest of an upload as it comes, within its bounds.
fn uploaded(
    mut body: Incoming,
    broken: Arc<OnceLock<Failure>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    async_stream::stream! {
        let mut left = MAX_UPLOAD;
        loop {
            let failure = match accept::next_chunk(&mut body).await {
                Ok(None) => return,
                Ok(Some(piece)) => match left.checked_sub(piece.len() as u64) {
                    Some(rest) => {
                        left = rest;
                        yield Ok(piece);
                        continue;
                    }
                    None => Failure::new(Code::RequestTooLarge),
                },
                Err(failure) => failure,
            };
            let _ = broken.set(failure);
            yield Err(io::ErrorKind::ConnectionAborted.into());
            return;
        }
    }
}
