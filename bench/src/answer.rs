//! Reading an HTTP/1.1 answer as it comes, and looking for content in its event stream.
//!
//! The reader is fed whatever a socket gave and keeps no body: it counts `data:` events and notes
//! when the first one with text has passed. It reads what the measured programs send (lengths and
//! chunked bodies) and refuses the rest; it does not check JSON.

use crate::Said;

/// The longest head that is read.
const MOST_HEAD_BYTES: usize = 64 << 10;
/// A line of an event stream is looked at up to here.
const MOST_LINE_BYTES: usize = 64 << 10;
/// How a delta with text looks, up to its text.
const TEXT: &[u8] = b"\"content\":\"";

/// An answer being read.
#[derive(Debug, Default)]
pub struct Answer {
    state: State,
    head: Vec<u8>,
    status: u16,
    closing: bool,
    events: Option<Events>,
    body_bytes: u64,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Sized(u64),
    ChunkSize(u64),
    ChunkNote(u64),
    Chunk(u64),
    ChunkEnd,
    Trailer(usize),
    Done,
}

/// What was seen of an event stream.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    count: u32,
    has_content: bool,
}

impl Answer {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are not HTTP, or of a kind that is not read.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Said<()> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.state {
                State::Head => {
                    self.head.push(first);
                    bytes = rest;
                    if self.head.ends_with(b"\r\n\r\n") {
                        self.read_head()?;
                    } else if self.head.len() > MOST_HEAD_BYTES {
                        return Err("the head of the answer has no end".into());
                    }
                }
                State::Sized(left) => bytes = self.take(bytes, left, State::Sized, State::Done),
                State::Chunk(left) => bytes = self.take(bytes, left, State::Chunk, State::ChunkEnd),
                State::Done => return Err("bytes after the end of the answer".into()),
                _ => {
                    self.frame(first)?;
                    bytes = rest;
                }
            }
        }
        Ok(())
    }

    /// Takes body bytes; `left` of them come before the state after.
    fn take<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        more: fn(u64) -> State,
        after: State,
    ) -> &'a [u8] {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (body, rest) = bytes.split_at(most);
        self.body_bytes += most as u64;
        if let Some(events) = &mut self.events {
            events.read(body);
        }
        let left = left - most as u64;
        self.state = if left == 0 { after } else { more(left) };
        rest
    }

    /// One byte of the frame around chunks.
    fn frame(&mut self, byte: u8) -> Said<()> {
        let next = match (&self.state, byte) {
            (State::ChunkSize(0) | State::ChunkNote(0), b'\n') => State::Trailer(0),
            (State::ChunkSize(size) | State::ChunkNote(size), b'\n') => State::Chunk(*size),
            (State::ChunkSize(size), b'\r' | b';' | b' ') => State::ChunkNote(*size),
            (State::ChunkNote(size), _) => State::ChunkNote(*size),
            (State::ChunkSize(size), digit) => State::ChunkSize(longer(*size, digit)?),
            (State::ChunkEnd, b'\n') => State::ChunkSize(0),
            (State::ChunkEnd, _) => State::ChunkEnd,
            (State::Trailer(0), b'\n') => State::Done,
            (State::Trailer(_), b'\n') => State::Trailer(0),
            (State::Trailer(length), b'\r') => State::Trailer(*length),
            (State::Trailer(length), _) => State::Trailer(length + 1),
            _ => State::Done,
        };
        self.state = next;
        Ok(())
    }

    fn read_head(&mut self) -> Said<()> {
        let head = String::from_utf8_lossy(&self.head).to_ascii_lowercase();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        self.status = status.and_then(|code| code.parse().ok()).ok_or("no status line")?;
        let mut length = None;
        let mut chunked = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match (name, value.trim()) {
                ("content-length", value) => length = value.parse().ok(),
                ("transfer-encoding", value) => chunked = value.ends_with("chunked"),
                ("connection", value) => self.closing = value == "close",
                ("content-type", value) if value.starts_with("text/event-stream") => {
                    self.events = Some(Events::default());
                }
                _ => {}
            }
        }
        self.state = match (chunked, length) {
            (true, _) => State::ChunkSize(0),
            (false, Some(0)) => State::Done,
            (false, Some(length)) => State::Sized(length),
            (false, None) => return Err("the answer has neither a length nor chunks".into()),
        };
        Ok(())
    }

    /// Whether the answer is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether some text of the answer has come. Of an unstreamed one: whether its body began.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.events.as_ref().map_or(self.body_bytes > 0, |events| events.has_content)
    }

    /// Whether the connection may not be used again.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// The status code; zero before the head is complete.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// How many `data:` events have come, the closing `[DONE]` not counted.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.events.as_ref().map_or(0, |events| events.count)
    }
}

fn longer(size: u64, digit: u8) -> Said<u64> {
    let digit = char::from(digit).to_digit(16).ok_or("a chunk size that is no number")?;
    let size = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
    size.ok_or_else(|| "a chunk size beyond all measure".into())
}

impl Events {
    fn read(&mut self, body: &[u8]) {
        for piece in body.split_inclusive(|byte| *byte == b'\n') {
            let room = MOST_LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        if let Some(data) = self.line.strip_prefix(b"data:") {
            let is_event = !data.trim_ascii().starts_with(b"[DONE]");
            self.count += u32::from(is_event);
            self.has_content = self.has_content || has_text(data);
        }
        self.line.clear();
    }
}

/// Whether a delta carries text that is not empty.
fn has_text(data: &[u8]) -> bool {
    let mut windows = data.windows(TEXT.len() + 1);
    windows.any(|window| window.starts_with(TEXT) && window.last() != Some(&b'"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
        Transfer-Encoding: chunked\r\n\r\n\
        10\r\ndata: {\"choices\"\r\n1b;note\r\n:[{\"delta\":{\"content\":\"\"}}]\r\n3\r\n}\n\n\r\n\
        1d\r\ndata: {\"content\":\"hello\"}\n\n:\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\nx-note: 1\r\n\r\n";

    fn read(pieces: &[&[u8]]) -> Answer {
        let mut answer = Answer::default();
        pieces.iter().for_each(|piece| answer.feed(piece).unwrap());
        answer
    }

    #[test]
    fn an_event_stream_is_counted_to_its_end() {
        let answer = read(&[STREAM]);
        assert!(answer.is_done() && answer.has_content());
        assert_eq!((answer.status(), answer.events()), (200, 2));
    }

    #[test]
    fn an_empty_delta_is_no_content() {
        assert!(!has_text(br#" {"delta":{"role":"assistant","content":""}}"#));
        assert!(has_text(br#" {"delta":{"content":" a"}}"#));
    }

    #[test]
    fn a_body_with_a_length_ends_with_it() {
        let answer =
            read(&[b"HTTP/1.1 503 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"]);
        assert!(answer.is_done() && answer.is_closing());
        assert_eq!((answer.status(), answer.events()), (503, 0));
    }

    proptest! {
        #[test]
        fn any_split_reads_the_same(cut in 0..STREAM.len(), second in 0..STREAM.len()) {
            let (low, high) = (cut.min(second), cut.max(second));
            let answer = read(&[&STREAM[..low], &STREAM[low..high], &STREAM[high..]]);
            prop_assert!(answer.is_done() && answer.has_content());
            prop_assert_eq!(answer.events(), 2);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut answer = Answer::default();
            let begun = answer.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            prop_assert!(begun.is_ok());
            let _ = answer.feed(&bytes);
        }
    }
}
