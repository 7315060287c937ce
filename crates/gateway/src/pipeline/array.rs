//! A stream as one JSON array, as Gemini streams to clients that do not ask for events.
//!
//! Each event's data is an element. What keeps the connection alive becomes a line break, which
//! JSON allows anywhere between elements. An error is the last element, as it is the last event of
//! a stream.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use wire::sse::{FrameKind, Framer};

/// Events are made by this program, each far smaller.
const MAX_EVENT_BYTES: usize = 128 << 20;

/// The events' data as the elements of an array.
#[must_use]
pub fn of_events(
    mut events: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
) -> Pin<Box<dyn Stream<Item = Bytes> + Send>> {
    Box::pin(async_stream::stream! {
        let mut framer = Framer::new(MAX_EVENT_BYTES);
        let mut begun = false;
        while let Some(piece) = events.next().await {
            framer.push(piece);
            yield elements(&mut framer, &mut begun);
        }
        yield Bytes::from_static(if begun { b"]" } else { b"[]" });
    })
}

/// The elements of the events that are whole; never empty, so that silence is broken.
fn elements(framer: &mut Framer, begun: &mut bool) -> Bytes {
    let mut out = BytesMut::new();
    while let Ok(Some(frame)) = framer.next() {
        if frame.kind == FrameKind::Event {
            out.extend_from_slice(if *begun { b",\r\n" } else { b"[" });
            out.extend_from_slice(&frame.data);
            *begun = true;
        }
    }
    if out.is_empty() { Bytes::from_static(b"\n") } else { out.freeze() }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::iter;
    use serde_json::{Value, json};

    use super::*;

    async fn read(events: &str, cut: usize) -> Value {
        let (one, other) = events.as_bytes().split_at(cut.min(events.len()));
        let pieces = [Bytes::copy_from_slice(one), Bytes::copy_from_slice(other)];
        let text: Vec<Bytes> = of_events(Box::pin(iter(pieces))).collect().await;
        serde_json::from_slice(&text.concat()).unwrap()
    }

    #[tokio::test]
    async fn wherever_a_stream_is_cut_its_array_is_the_same() {
        let events = ": hello\n\ndata: {\"a\":1}\n\n: still here\n\ndata: {\"b\":2}\n\n: bye\n\n";
        for cut in 0..=events.len() {
            assert_eq!(read(events, cut).await, json!([{ "a": 1 }, { "b": 2 }]), "{cut}");
        }
        assert_eq!(read(": nothing\n\n", 3).await, json!([]));
    }
}
