//! AWS's binary event stream: a prelude, headers, a payload, and two checksums.
//!
//! Layout of a message (the event stream encoding of AWS's SDK documentation), big endian: total
//! length, headers' length, CRC-32 of these eight bytes, headers, payload, CRC-32 of all before.
//! A header is a length-prefixed name, a type (7: text) and a length-prefixed value.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Crc;

/// The content type of such a stream.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// Lengths and checksum before the headers.
const PRELUDE: usize = 12;

/// The checksum at the end.
const TRAILER: usize = 4;

/// An event named `name` with a JSON payload.
pub(crate) fn event(name: &str, payload: &str) -> Bytes {
    frame(&[(":event-type", name), (":message-type", "event")], payload)
}

/// An exception, which ends the stream.
pub(crate) fn exception(name: &str, payload: &str) -> Bytes {
    frame(&[(":exception-type", name), (":message-type", "exception")], payload)
}

fn frame(kinds: &[(&str, &str)], payload: &str) -> Bytes {
    let mut headers = BytesMut::new();
    for (name, value) in kinds.iter().chain(&[(":content-type", "application/json")]) {
        headers.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.put_slice(name.as_bytes());
        headers.put_u8(TEXT);
        headers.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        headers.put_slice(value.as_bytes());
    }
    let mut frame = prelude(headers.len(), payload.len());
    frame.put_slice(&headers);
    frame.put_slice(payload.as_bytes());
    let sum = crc(&frame);
    frame.put_u32(sum);
    frame.freeze()
}

/// The beginning of a message, with the checksum of its lengths.
pub(crate) fn prelude(headers: usize, payload: usize) -> BytesMut {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut frame = BytesMut::with_capacity(PRELUDE + headers + TRAILER);
    frame.put_u32(length(PRELUDE + headers + payload + TRAILER));
    frame.put_u32(length(headers));
    let sum = crc(&frame);
    frame.put_u32(sum);
    frame
}

/// The same message with a checksum that does not fit.
pub(crate) fn corrupt(frame: &[u8]) -> Bytes {
    let mut frame = BytesMut::from(frame);
    if let Some(last) = frame.last_mut() {
        *last ^= 0xFF;
    }
    frame.freeze()
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_length_and_sums_to_its_trailer() {
        let frame = event("messageStart", r#"{"role":"assistant"}"#);
        let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        assert_eq!(number(0) as usize, frame.len());
        assert_eq!(number(8), crc(&frame[..8]));
        assert_eq!(number(frame.len() - 4), crc(&frame[..frame.len() - 4]));
        // CRC-32 of "123456789" by the catalogue of checksums.
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }
}
