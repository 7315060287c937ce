//! Micro-benches of what happens once per request or once per relayed chunk.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use wire::dialect::{Quirks, find};
use wire::peek::chat;
use wire::splice::{ChatPatches, splice};
use wire::sse::Framer;

fn main() {
    divan::main();
}

/// A chunk as OpenAI sends it, about 250 bytes.
const CHUNK: &str = concat!(
    r#"{"id":"chatcmpl-CYPS1lijGoK8gd9lYzY3r9Sx50nbt","object":"chat.completion.chunk","#,
    r#""created":1762317021,"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_50cad350e4","#,
    r#""choices":[{"index":0,"delta":{"content":" the"},"logprobs":null,"finish_reason":null}]}"#,
);

/// A request of about `bytes` bytes, its text in lines as prose is.
fn request(bytes: usize) -> Bytes {
    let line = "The quick brown fox jumps over the lazy dog and runs away from the hunter.\\n";
    let text = line.repeat(bytes / line.len());
    Bytes::from(format!(
        r#"{{"model":"gpt-4o","stream":true,"temperature":0.7,"max_tokens":256,"messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{text}"}}]}}"#
    ))
}

#[divan::bench(args = [4 * 1024, 200 * 1024])]
fn peek(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = request(bytes);
    bencher.counter(BytesCount::new(body.len())).bench(|| chat(black_box(&body)));
}

#[divan::bench(args = [4 * 1024, 200 * 1024])]
fn serde_json_for_comparison(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = request(bytes);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)));
}

#[divan::bench(args = [4 * 1024, 200 * 1024])]
fn patch(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = request(bytes);
    let Ok(peeked) = chat(&body) else { return };
    let patches = ChatPatches {
        model: Some("gpt-4o-mini"),
        include_usage: true,
        max_tokens: Some(("max_tokens", 128)),
        ..ChatPatches::default()
    };
    bencher.bench(|| splice(&body, &mut patches.edits(black_box(&peeked))));
}

/// 100 frames in one chunk.
#[divan::bench]
fn framer_100_frames(bencher: Bencher<'_, '_>) {
    let stream = Bytes::from(format!("data: {CHUNK}\n\n").repeat(100));
    bencher.counter(BytesCount::new(stream.len())).bench(|| {
        let mut framer = Framer::new(1 << 20);
        framer.push(stream.clone());
        let mut count = 0;
        while let Ok(Some(frame)) = framer.next() {
            count += frame.data.len();
        }
        count
    });
}

#[divan::bench]
fn meter_one_chunk(bencher: Bencher<'_, '_>) {
    let Some(dialect) = find("openai_chat") else { return };
    let mut meter = (dialect.meter)(&Quirks::default());
    bencher
        .counter(BytesCount::new(CHUNK.len()))
        .bench_local(|| meter.event(None, black_box(CHUNK.as_bytes())));
}

/// The part of the meter that is needed in any case.
#[divan::bench]
fn validate_one_chunk(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::new(CHUNK.len()))
        .bench_local(|| wire::peek::validate(black_box(CHUNK.as_bytes())));
}
