//! The binary framer: checksums, bounds, and its independence of chunk boundaries.

use bytes::Bytes;
use proptest::prelude::*;
use wire::eventstream::encode;
use wire::frames::{FrameError, Framer, Framing};
use wire::sse::{Frame, FrameKind};

/// The frames of a stream given in pieces, and the error that stopped it.
fn frames(chunks: &[&[u8]]) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = Framer::new(Framing::EventStream, 1 << 16);
    let mut out = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        loop {
            match framer.next() {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(error) => return (out, Some(error)),
            }
        }
    }
    assert_eq!(framer.finish(), None);
    (out, None)
}

fn message(name: &str, exception: bool, payload: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(name, exception, payload.as_bytes(), &mut out);
    out
}

#[test]
fn a_message_gives_its_name_its_payload_and_its_bytes() {
    for exception in [false, true] {
        let raw = message("messageStart", exception, r#"{"role":"assistant"}"#);
        let (frames, error) = frames(&[&raw]);
        assert_eq!(error, None);
        let expected = Frame {
            raw: raw.into(),
            event: Some(Bytes::from_static(b"messageStart")),
            data: Bytes::from_static(br#"{"role":"assistant"}"#),
            kind: FrameKind::Event,
        };
        assert_eq!(frames, [expected]);
    }
}

/// The bytes of a message were laid out by hand from the format's description: lengths, CRC-32 of
/// `00 00 00 10 00 00 00 00`, CRC-32 of the twelve bytes before.
#[test]
fn the_smallest_message_is_read() {
    let raw = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
    let (frames, error) = frames(&[&raw]);
    assert_eq!(error, None);
    assert_eq!((frames[0].event.clone(), frames[0].data.len()), (None, 0));
}

#[test]
fn any_flipped_bit_is_noticed() {
    let raw = message("metadata", false, "{}");
    for at in 0..raw.len() {
        for bit in 0..8 {
            let mut bad = raw.clone();
            bad[at] ^= 1 << bit;
            assert_eq!(frames(&[&bad]), (vec![], Some(FrameError::Corrupt)), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_message_beyond_the_bound_is_refused_at_its_prelude() {
    let raw = message("a", false, &"x".repeat(200));
    let mut framer = Framer::new(Framing::EventStream, 100);
    framer.push(Bytes::copy_from_slice(&raw[..12]));
    let refused = Err(FrameError::TooLarge { limit: 100 });
    assert_eq!(framer.next(), refused);
    framer.push(Bytes::copy_from_slice(&raw[12..]));
    assert_eq!(framer.next(), refused);
}

#[test]
fn text_instead_of_messages_is_corrupt() {
    let page = b"<html><body>Bad gateway</body></html>";
    assert_eq!(frames(&[page]), (vec![], Some(FrameError::Corrupt)));
}

#[test]
fn an_unfinished_message_is_no_frame() {
    let raw = message("a", false, "{}");
    assert_eq!(frames(&[&raw[..raw.len() - 1]]), (vec![], None));
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => ("[a-zA-Z:]{0,20}", any::<bool>(), ".{0,40}")
            .prop_map(|(name, exception, payload)| message(&name, exception, &payload)),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A message with true checksums around headers that may be nonsense.
fn sealed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = (headers.len() + payload.len() + 16) as u32;
    let mut raw = length.to_be_bytes().to_vec();
    raw.extend((headers.len() as u32).to_be_bytes());
    raw.extend(crc32fast::hash(&raw).to_be_bytes());
    raw.extend(headers);
    raw.extend(payload);
    raw.extend(crc32fast::hash(&raw).to_be_bytes());
    raw
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        stream in stream(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let whole = frames(&[&stream]);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&frames(&pieces), &whole);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&frames(&bytes), &whole);
    }

    #[test]
    fn raw_bytes_of_all_frames_are_the_stream(
        messages in proptest::collection::vec(("[a-z]{1,9}", any::<bool>(), ".{0,30}"), 0..6),
    ) {
        let stream: Vec<u8> =
            messages.iter().flat_map(|(name, bad, payload)| message(name, *bad, payload)).collect();
        let (frames, error) = frames(&[&stream]);
        prop_assert_eq!(error, None);
        prop_assert_eq!(frames.len(), messages.len());
        let raw: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
        prop_assert_eq!(raw, stream);
    }

    #[test]
    fn headers_of_any_bytes_give_a_frame_or_an_error(
        headers in proptest::collection::vec(any::<u8>(), 0..40),
        payload in proptest::collection::vec(any::<u8>(), 0..10),
    ) {
        let (frames, error) = frames(&[&sealed(&headers, &payload)]);
        prop_assert_eq!(frames.len(), usize::from(error.is_none()));
    }
}
