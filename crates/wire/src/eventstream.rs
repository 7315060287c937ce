//! Amazon's binary event stream, as bytes: finds the messages of a stream and keeps their raw bytes.
//!
//! A message is a prelude (its whole length, the length of its headers, a CRC-32 of those two),
//! headers, a payload and a CRC-32 of everything before. This module cuts by the prelude, whose
//! checksum is verified before its length is believed; the rest is read by Amazon's own library.
//! The raw bytes of all frames laid end to end are the bytes that came in, and the place of the
//! chunk boundaries never changes the frames. After one bad message nothing more can be found, so
//! the framer stays failed. An unfinished message at the end of a stream is no frame: half a
//! binary message means nothing to anybody.
//!
//! Not done here: JSON, and the meaning of events.

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{Bytes, BytesMut};

use crate::frames::FrameError;
use crate::sse::{Frame, FrameKind};

/// Whole length, headers' length and their checksum, four bytes each, big-endian.
const PRELUDE: usize = 12;
/// A message without headers and payload: the prelude and the message's checksum.
const SMALLEST: usize = PRELUDE + 4;

/// Cuts a byte stream into messages.
#[derive(Debug)]
pub struct Framer {
    max_event_bytes: usize,
    buffer: BytesMut,
    failed: Option<FrameError>,
}

impl Framer {
    /// A framer that refuses messages longer than `max_event_bytes`.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self { max_event_bytes, buffer: BytesMut::new(), failed: None }
    }

    /// Adds bytes of the stream. Take the frames out with [`Framer::next`] until it gives `None`.
    pub fn push(&mut self, bytes: Bytes) {
        if self.failed.is_some() {
            return;
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::from(bytes);
        } else {
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// The next whole message, if one has arrived.
    ///
    /// # Errors
    /// When a message is longer than the bound or fails its checksums; again at every further call.
    #[expect(clippy::should_implement_trait, reason = "an iterator would hide that more may come")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        self.cut().inspect_err(|failed| {
            self.failed = Some(*failed);
            self.buffer = BytesMut::new();
        })
    }

    /// Forgets an unfinished message at the end of the stream.
    pub fn finish(&mut self) -> Option<Frame> {
        self.buffer = BytesMut::new();
        None
    }

    fn cut(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(length) = message_length(&self.buffer, self.max_event_bytes)? else {
            return Ok(None);
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        read(self.buffer.split_to(length).freeze()).map(Some)
    }
}

/// The whole length that the prelude tells, once the prelude is there.
fn message_length(buffer: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some((lengths, rest)) = buffer.split_first_chunk::<8>() else { return Ok(None) };
    let Some((told, _)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    if crc32fast::hash(lengths) != u32::from_be_bytes(*told) {
        return Err(FrameError::Corrupt);
    }
    let [a, b, c, d, ..] = *lengths;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match length {
        _ if length < SMALLEST => Err(FrameError::Corrupt),
        _ if length > limit => Err(FrameError::TooLarge { limit }),
        _ => Ok(Some(length)),
    }
}

fn read(raw: Bytes) -> Result<Frame, FrameError> {
    let message = read_message_from(raw.clone()).map_err(|_| FrameError::Corrupt)?;
    let said = |name| text_header(&message, name);
    let event = match said(":message-type").as_deref() {
        Some(b"exception") => said(":exception-type"),
        Some(b"error") => said(":error-code"),
        _ => said(":event-type"),
    };
    Ok(Frame { event, data: message.payload().clone(), kind: FrameKind::Event, raw })
}

fn text_header(message: &Message, name: &str) -> Option<Bytes> {
    let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
    header.value().as_string().ok().map(|text| text.as_bytes().clone())
}

/// Appends one message to `out`: a JSON payload under the name of its event or exception. A name
/// of 64 KiB and more or a payload of 4 GiB and more cannot be written: nothing is appended.
pub fn encode(name: &str, exception: bool, payload: &[u8], out: &mut Vec<u8>) {
    let (name_header, kind) =
        if exception { (":exception-type", "exception") } else { (":event-type", "event") };
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let message = Message::new(Bytes::copy_from_slice(payload))
        .add_header(Header::new(name_header, text(name)))
        .add_header(Header::new(":content-type", text("application/json")))
        .add_header(Header::new(":message-type", text(kind)));
    let from = out.len();
    if write_message_to(&message, out).is_err() {
        out.truncate(from);
    }
}
