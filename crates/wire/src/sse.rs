//! Server-sent events, as bytes: finds the frames of a stream and keeps their raw bytes.
//!
//! Lines and fields are read as the WHATWG text says: CR, LF or CRLF end a line, a byte order mark
//! at the very start is skipped, one space after the colon is dropped, a line without a colon is
//! a field without a value. The raw bytes of all frames laid end to end are exactly the bytes
//! that came in, so a relay can pass frames on untouched. The place of the chunk boundaries never
//! changes the frames: a blank line ended by CR waits for one more byte, because an LF would
//! still belong to it. Each byte is scanned once for frame ends, however small the chunks are.
//!
//! Not done here: UTF-8, JSON, and the meaning of events.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Cuts a byte stream into SSE frames.
#[derive(Debug)]
pub struct Framer {
    max_event_bytes: usize,
    chunk: Bytes,
    queue: VecDeque<Bytes>,
    carry: BytesMut,
    scan: Scan,
    first: bool,
}

/// One frame: everything up to and including a blank line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Exactly the bytes of the stream, including the blank line that ended the frame.
    pub raw: Bytes,
    /// The event's name, where one was given.
    pub event: Option<Bytes>,
    /// The data; several data lines are joined by LF.
    pub data: Bytes,
    /// Whether there is an event in it at all.
    pub kind: FrameKind,
}

/// Whether a frame carries an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// At least one `data` line: a reader would dispatch it.
    Event,
    /// Nothing but comments, blank lines and fields without data (`id`, `retry`, a lone `event`).
    Comment,
}

/// A frame is longer than the bound. The framer gives nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLarge {
    /// The bound in bytes.
    pub limit: usize,
}

impl std::fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an event of the stream is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for EventTooLarge {}

impl Framer {
    /// A framer that refuses frames longer than `max_event_bytes`.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            chunk: Bytes::new(),
            queue: VecDeque::new(),
            carry: BytesMut::new(),
            scan: Scan::default(),
            first: true,
        }
    }

    /// Adds bytes of the stream. Take the frames out with [`Framer::next`] until it gives `None`.
    pub fn push(&mut self, bytes: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = bytes;
        } else {
            self.queue.push_back(bytes);
        }
    }

    /// The next whole frame, if one has arrived. A frame that lies in one chunk shares its memory.
    ///
    /// # Errors
    /// When a frame, whole or not, is longer than the bound; again at every further call.
    #[expect(clippy::should_implement_trait, reason = "an iterator would hide that more may come")]
    pub fn next(&mut self) -> Result<Option<Frame>, EventTooLarge> {
        loop {
            let Some(end) = self.scan.frame_end(&self.chunk) else {
                self.check_size(self.chunk.len())?;
                let rest = std::mem::take(&mut self.chunk);
                self.carry.extend_from_slice(&rest);
                match self.queue.pop_front() {
                    Some(chunk) => self.chunk = chunk,
                    None => return Ok(None),
                }
                continue;
            };
            self.check_size(end)?;
            let head = self.chunk.split_to(end);
            let raw = self.with_carry(head);
            if self.chunk.is_empty() {
                self.chunk = self.queue.pop_front().unwrap_or_default();
            }
            return Ok(Some(self.read(raw)));
        }
    }

    /// What is left at the end of the stream, as one frame. A reader by the letter would drop it;
    /// providers that forget the last blank line are common enough to be lenient.
    pub fn finish(&mut self) -> Option<Frame> {
        let mut head = std::mem::take(&mut self.chunk);
        while let Some(chunk) = self.queue.pop_front() {
            self.carry.extend_from_slice(&head);
            head = chunk;
        }
        let raw = self.with_carry(head);
        self.scan = Scan { bom: BOM.len(), ..Scan::default() };
        (!raw.is_empty()).then(|| self.read(raw))
    }

    fn check_size(&self, more: usize) -> Result<(), EventTooLarge> {
        if self.carry.len().saturating_add(more) > self.max_event_bytes {
            return Err(EventTooLarge { limit: self.max_event_bytes });
        }
        Ok(())
    }

    fn with_carry(&mut self, head: Bytes) -> Bytes {
        if self.carry.is_empty() {
            return head;
        }
        self.carry.extend_from_slice(&head);
        self.carry.split().freeze()
    }

    fn read(&mut self, raw: Bytes) -> Frame {
        let skip = if self.first && raw.starts_with(&BOM) { BOM.len() } else { 0 };
        self.first = false;
        usual(&raw, skip).unwrap_or_else(|| read_frame(raw, skip))
    }
}

/// Where the search for the end of the current frame stands.
#[derive(Debug)]
struct Scan {
    /// Nothing of the current line has been seen.
    line_empty: bool,
    cr: Cr,
    /// Bytes of the byte order mark seen at the start of the stream; `BOM.len()` once decided.
    bom: usize,
}

/// What the last byte was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cr {
    No,
    /// A CR that ended a line with content.
    AfterLine,
    /// A CR that ended a blank line: the frame is over, but for an LF that may follow.
    AfterBlank,
}

impl Default for Scan {
    fn default() -> Self {
        Self { line_empty: true, cr: Cr::No, bom: 0 }
    }
}

impl Scan {
    /// The offset after the frame that ends in `chunk`, or `None` when all of it was scanned.
    fn frame_end(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = self.skip_bom(chunk);
        while let Some(&byte) = chunk.get(at) {
            match self.cr {
                Cr::AfterBlank => return Some(self.end_at(at + usize::from(byte == b'\n'))),
                Cr::AfterLine => {
                    self.cr = Cr::No;
                    at += usize::from(byte == b'\n');
                }
                Cr::No if self.line_empty && byte == b'\n' => return Some(self.end_at(at + 1)),
                Cr::No if self.line_empty && byte == b'\r' => {
                    self.cr = Cr::AfterBlank;
                    at += 1;
                }
                Cr::No => at = self.line_end(chunk, at)?,
            }
        }
        None
    }

    fn line_end(&mut self, chunk: &[u8], at: usize) -> Option<usize> {
        self.line_empty = false;
        let found = at + memchr::memchr2(b'\n', b'\r', chunk.get(at..)?)?;
        self.line_empty = true;
        self.cr = if chunk.get(found) == Some(&b'\r') { Cr::AfterLine } else { Cr::No };
        Some(found + 1)
    }

    fn end_at(&mut self, end: usize) -> usize {
        self.line_empty = true;
        self.cr = Cr::No;
        end
    }

    fn skip_bom(&mut self, chunk: &[u8]) -> usize {
        let mut at = 0;
        while let (Some(expected), Some(byte)) = (BOM.get(self.bom), chunk.get(at)) {
            if byte == expected {
                self.bom += 1;
                at += 1;
            } else {
                self.line_empty = self.bom == 0;
                self.bom = BOM.len();
            }
        }
        at
    }
}

/// The shape nearly every frame has: one `data: ` line and an empty one, ended by LF.
fn usual(raw: &Bytes, skip: usize) -> Option<Frame> {
    let line = raw.get(skip..)?.strip_prefix(b"data: ")?.strip_suffix(b"\n\n")?;
    if memchr::memchr2(b'\n', b'\r', line).is_some() {
        return None;
    }
    let start = skip + b"data: ".len();
    let data = raw.slice(start..start + line.len());
    Some(Frame { raw: raw.clone(), event: None, data, kind: FrameKind::Event })
}

fn read_frame(raw: Bytes, skip: usize) -> Frame {
    let mut event = None;
    let mut data = Data::None;
    let mut at = skip;
    while at < raw.len() {
        let (end, next) = line_bounds(&raw, at);
        let (name, value) = field(&raw, at, end);
        match name {
            b"data" => data = data.with(value),
            b"event" => event = Some(value),
            _ => {}
        }
        at = next;
    }
    let kind = if matches!(data, Data::None) { FrameKind::Comment } else { FrameKind::Event };
    Frame { event, data: data.into_bytes(), kind, raw }
}

/// The end of the line that starts at `at`, and the start of the next one.
fn line_bounds(raw: &[u8], at: usize) -> (usize, usize) {
    let rest = raw.get(at..).unwrap_or_default();
    let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
        return (raw.len(), raw.len());
    };
    let crlf = rest.get(length) == Some(&b'\r') && rest.get(length + 1) == Some(&b'\n');
    (at + length, at + length + 1 + usize::from(crlf))
}

/// The field's name and value. A comment has an empty name.
fn field(raw: &Bytes, start: usize, end: usize) -> (&[u8], Bytes) {
    let line = raw.get(start..end).unwrap_or_default();
    let Some(colon) = memchr::memchr(b':', line) else {
        return (line, Bytes::new());
    };
    let space = usize::from(line.get(colon + 1) == Some(&b' '));
    (line.get(..colon).unwrap_or_default(), raw.slice(start + colon + 1 + space..end))
}

enum Data {
    None,
    One(Bytes),
    Joined(BytesMut),
}

impl Data {
    fn with(self, line: Bytes) -> Self {
        let mut joined = match self {
            Self::None => return Self::One(line),
            Self::One(first) => BytesMut::from(first.as_ref()),
            Self::Joined(joined) => joined,
        };
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(&line);
        Self::Joined(joined)
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(line) => line,
            Self::Joined(joined) => joined.freeze(),
        }
    }
}
