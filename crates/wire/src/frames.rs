//! How a streamed answer is cut into events, whichever way its dialect does it.
//!
//! Most dialects send server-sent events; Bedrock sends Amazon's binary event stream. Both give the
//! same [`Frame`]: the raw bytes, the event's name and its data. A reader of events never knows
//! which of the two it was.

use bytes::Bytes;

use crate::eventstream;
use crate::sse::{self, EventTooLarge, Frame};

/// How a dialect's streams are cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `text/event-stream`.
    Sse,
    /// `application/vnd.amazon.eventstream`.
    EventStream,
}

impl Framing {
    /// The media type that such streams are sent as.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }
}

/// Why a stream cannot be cut into frames any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A frame is longer than the bound.
    TooLarge {
        /// The bound in bytes.
        limit: usize,
    },
    /// The bytes are no frame: a checksum or a length is wrong.
    Corrupt,
}

impl From<EventTooLarge> for FrameError {
    fn from(error: EventTooLarge) -> Self {
        Self::TooLarge { limit: error.limit }
    }
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::TooLarge { limit } => EventTooLarge { limit }.fmt(f),
            Self::Corrupt => f.write_str("a frame of the stream is corrupt"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Cuts a byte stream into frames.
#[derive(Debug)]
pub enum Framer {
    /// Server-sent events.
    Sse(sse::Framer),
    /// Amazon's binary event stream.
    EventStream(eventstream::Framer),
}

impl Framer {
    /// A framer that refuses frames longer than `max_event_bytes`.
    #[must_use]
    pub fn new(framing: Framing, max_event_bytes: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Framer::new(max_event_bytes)),
            Framing::EventStream => Self::EventStream(eventstream::Framer::new(max_event_bytes)),
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: Bytes) {
        match self {
            Self::Sse(framer) => framer.push(bytes),
            Self::EventStream(framer) => framer.push(bytes),
        }
    }

    /// The next whole frame; `None` until more bytes come.
    ///
    /// # Errors
    /// When a frame is longer than the bound, or its bytes are no frame at all.
    #[expect(clippy::should_implement_trait, reason = "more may follow after `None`")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        match self {
            Self::Sse(framer) => framer.next().map_err(FrameError::from),
            Self::EventStream(framer) => framer.next(),
        }
    }

    /// What is left when the stream has ended.
    pub fn finish(&mut self) -> Option<Frame> {
        match self {
            Self::Sse(framer) => framer.finish(),
            Self::EventStream(framer) => framer.finish(),
        }
    }
}
