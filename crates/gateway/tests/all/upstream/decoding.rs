//! Compressed and over-long answers.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use gateway::upstream::{BodyFailure, SendFailure};
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::support::{answering_once, origin, read, send, upstream};

const MIB: u64 = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An answer in chunks of the given length.
fn answer(coding: &str, body: &[u8], chunk: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    for piece in body.chunks(chunk) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

async fn decode(
    coding: &str,
    body: &[u8],
    chunk: usize,
    limit: u64,
) -> Result<Vec<u8>, BodyFailure> {
    let client = upstream(answering_once(answer(coding, body, chunk)));
    let response = send(&client, &origin()).await.unwrap().decoded(limit).unwrap();
    let described = response.headers.contains_key("content-encoding");
    assert_eq!(described, coding == "identity", "the field must go with the coding");
    read(response).await
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_compressed_comes_out_wherever_it_was_cut(
        body in proptest::collection::vec(any::<u8>(), 0..5_000),
        repeat in 1_usize..20,
        chunk in 1_usize..3_000,
    ) {
        let body = body.repeat(repeat);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let codings =
            [("gzip", gzip(&body)), ("Deflate", zlib(&body)), ("deflate", bare_deflate(&body))];
        for (coding, packed) in codings {
            let decoded = runtime.block_on(decode(coding, &packed, chunk, u64::MAX));
            prop_assert_eq!(decoded.as_ref(), Ok(&body));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn several_gzip_members_are_one_body() {
    let packed = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(decode("gzip", &packed, 7, u64::MAX).await.unwrap(), b"one two");
}

#[tokio::test(start_paused = true)]
async fn a_bomb_is_given_up_early() {
    let zeros = vec![0; 64 * 1024 * 1024];
    for (coding, packed) in [("gzip", gzip(&zeros)), ("deflate", zlib(&zeros))] {
        let client = upstream(answering_once(answer(coding, &packed, 4096)));
        let mut response = send(&client, &origin()).await.unwrap().decoded(u64::MAX).unwrap();
        let mut produced = 0;
        let end = loop {
            match response.body.next().await {
                Some(Ok(chunk)) => produced += chunk.len() as u64,
                end => break end,
            }
        };
        assert_eq!(end, Some(Err(BodyFailure::TooLarge)));
        assert!(produced <= 2 * MIB, "{produced}");
        assert_eq!(response.body.next().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn small_bodies_may_compress_well() {
    let zeros = vec![0; 900 * 1024];
    assert_eq!(decode("gzip", &gzip(&zeros), 4096, u64::MAX).await.unwrap(), zeros);
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_for_every_coding() {
    let body = [7; 2_000];
    for (coding, packed) in
        [("identity", body.to_vec()), ("gzip", gzip(&body)), ("deflate", zlib(&body))]
    {
        assert_eq!(decode(coding, &packed, 100, 2_000).await.unwrap(), body);
        assert_eq!(decode(coding, &packed, 100, 1_999).await, Err(BodyFailure::TooLarge));
    }
}

#[tokio::test(start_paused = true)]
async fn an_announced_length_beyond_the_limit_is_not_waited_for() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    let response = send(&upstream(answering_once(head)), &origin()).await.unwrap();
    assert_eq!(read(response.decoded(1_000).unwrap()).await, Err(BodyFailure::TooLarge));
}

#[tokio::test(start_paused = true)]
async fn broken_and_truncated_compression_is_seen() {
    let body: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for (coding, packed) in
        [("gzip", gzip(&body)), ("deflate", zlib(&body)), ("deflate", bare_deflate(&body))]
    {
        let cut = &packed[..packed.len() - 1];
        assert_eq!(decode(coding, cut, 64, u64::MAX).await, Err(BodyFailure::Encoding), "cut");
    }
    for coding in ["gzip", "deflate"] {
        let failed = decode(coding, &[0xff; 64], 64, u64::MAX).await;
        assert_eq!(failed, Err(BodyFailure::Encoding));
    }
    assert_eq!(decode("gzip", b"", 64, u64::MAX).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn codings_nobody_asked_for_are_bad_headers() {
    for coding in ["br", "zstd", "gzip, gzip", "gzip\r\ncontent-encoding: gzip"] {
        let client = upstream(answering_once(answer(coding, b"x", 1)));
        let response = send(&client, &origin()).await.unwrap();
        assert_eq!(response.decoded(MIB).err(), Some(SendFailure::BadHeaders), "{coding}");
    }
}
