//! The framer: the letter of the SSE text, and its independence of chunk boundaries.

use bytes::Bytes;
use proptest::prelude::*;
use wire::sse::{EventTooLarge, Frame, FrameKind, Framer};

fn frames(chunks: &[&[u8]]) -> Vec<Frame> {
    let mut framer = Framer::new(1 << 20);
    let mut out = Vec::new();
    for chunk in chunks {
        framer.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = framer.next().unwrap() {
            out.push(frame);
        }
    }
    out.extend(framer.finish());
    out
}

fn data(stream: &str) -> Vec<String> {
    frames(&[stream.as_bytes()])
        .into_iter()
        .filter(|frame| frame.kind == FrameKind::Event)
        .map(|frame| String::from_utf8(frame.data.to_vec()).unwrap())
        .collect()
}

#[test]
fn lf_cr_and_crlf_end_lines_alike() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!("data: a{end}{end}data: b{end}data: c{end}{end}");
        assert_eq!(data(&stream), ["a", "b\nc"], "{end:?}");
    }
    assert_eq!(data("data: a\r\rdata: b\n\r\ndata: c\r\n\r"), ["a", "b", "c"]);
}

#[test]
fn one_space_after_the_colon_is_dropped_and_no_more() {
    assert_eq!(data("data:x\n\ndata: x\n\ndata:  x\n\ndata\n\n"), ["x", "x", " x", ""]);
}

#[test]
fn a_byte_order_mark_counts_only_at_the_very_start() {
    assert_eq!(data("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"), ["a"]);
}

#[test]
fn names_come_from_the_event_field_and_the_last_one_counts() {
    let frame = frames(&[b"event: one\nevent:two\nid: 1\ndata: x\nretry: 5\n\n"]).remove(0);
    assert_eq!(frame.event.as_deref(), Some(b"two".as_slice()));
    assert_eq!(frame.data.as_ref(), b"x");
}

#[test]
fn comments_blank_lines_and_fields_without_data_are_no_events() {
    let kinds: Vec<_> =
        frames(&[b": keep-alive\n\n\nid: 7\n\nretry: 1\n\nevent: x\n\ndatax: 1\n\n"])
            .into_iter()
            .map(|frame| frame.kind)
            .collect();
    assert_eq!(kinds, [FrameKind::Comment; 6]);
}

#[test]
fn a_frame_in_one_chunk_shares_its_memory() {
    let chunk = Bytes::from_static(b"data: one\n\ndata: two\n\n");
    let mut framer = Framer::new(100);
    framer.push(chunk.clone());
    framer.next().unwrap().unwrap();
    let second = framer.next().unwrap().unwrap();
    assert_eq!(second.data.as_ptr() as usize, chunk.as_ptr() as usize + 17);
    assert_eq!(framer.next(), Ok(None));
}

#[test]
fn a_cr_at_the_end_of_a_chunk_waits_for_its_lf() {
    let mut framer = Framer::new(100);
    framer.push(Bytes::from_static(b"data: a\r\n\r"));
    assert_eq!(framer.next(), Ok(None));
    framer.push(Bytes::from_static(b"\ndata: b"));
    assert_eq!(framer.next().unwrap().unwrap().raw.as_ref(), b"data: a\r\n\r\n");
    assert_eq!(framer.finish().unwrap().data.as_ref(), b"b");
    assert_eq!(framer.finish(), None);
}

#[test]
fn a_frame_beyond_the_bound_is_refused_whole_or_not() {
    let too_large = Err(EventTooLarge { limit: 8 });
    let mut framer = Framer::new(8);
    framer.push(Bytes::from_static(b"data: 12"));
    assert_eq!(framer.next(), Ok(None));
    framer.push(Bytes::from_static(b"3"));
    assert_eq!(framer.next(), too_large);
    let mut framer = Framer::new(8);
    framer.push(Bytes::from_static(b"data:1\n\ndata:12\n\n"));
    assert!(framer.next().unwrap().is_some());
    assert_eq!(framer.next(), too_large);
}

/// Streams dense in the bytes that matter.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"data: x".to_vec()),
        Just(b"data".to_vec()),
        Just(b"event: e".to_vec()),
        Just(b": c".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just(b"\xEF\xBB".to_vec()),
        Just("data: {\"a\":\"\u{1F600}\"}\n\n".as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn raw_bytes_of_all_frames_are_the_stream(stream in stream()) {
        let raw: Vec<u8> = frames(&[&stream]).iter().flat_map(|frame| frame.raw.to_vec()).collect();
        prop_assert_eq!(raw, stream);
    }

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
    fn frames_pushed_ahead_come_out_in_order(stream in stream()) {
        let mut framer = Framer::new(1 << 20);
        for byte in stream.chunks(1) {
            framer.push(Bytes::copy_from_slice(byte));
        }
        let mut out = Vec::new();
        while let Some(frame) = framer.next().unwrap() {
            out.push(frame);
        }
        out.extend(framer.finish());
        prop_assert_eq!(out, frames(&[&stream]));
    }
}
