//! Faults of the body: F33 to F36, F38, F39, F43, F45.
//!
//! Big bodies are repeated from one small buffer, so that a test of the gateway's memory measures
//! the gateway's.

use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use serde_json::Value;

use super::{FaultCall, Scene};
use crate::answer::Manner;
use crate::ask::Complaint;
use crate::dialect::Dialect;
use crate::reply::{Framing, Kind, Reply, Step};

/// JSON may be padded with spaces without limit.
const SPACES: &[u8] = &[b' '; 64 * 1024];

pub(super) fn error_in_200(scene: &Scene<'_>) -> Reply {
    let complaint = Complaint::new(500, "Provider returned error").code("server_error");
    Reply::json(200, scene.ask.vendor.error(&complaint, scene.id).to_string())
}

pub(super) fn broken_json(_: &Scene<'_>) -> Reply {
    Reply::json(200, r#"{"id":"broken","choices":[{"index":0,"message":{"role":"assis"#)
}

pub(super) fn truncated(_: &Scene<'_>) -> Reply {
    let mut reply = Reply::json(200, r#"{"id":"short","object":"chat.completion","choices":["#);
    reply.framing = Framing::Length(4_096);
    reply.body.push(Step::Cut);
    reply
}

pub(super) fn captive_page(_: &Scene<'_>) -> Reply {
    let page = "<!doctype html><title>Sign in</title><p>captive-page-marker</p>";
    Reply::whole(200, "text/html; charset=utf-8", page, 0)
}

pub(super) fn redirect(scene: &Scene<'_>) -> Reply {
    let status = scene.call.variant.parse().unwrap_or(302);
    Reply::whole(status, "text/plain", "moved", 0)
        .header("location", "http://169.254.169.254/latest/meta-data/")
}

/// Only `f38-content` goes the usual way, without tokens.
pub(super) fn empty_content(call: &FaultCall, manner: &mut Manner) {
    if call.variant == "content" {
        manner.tokens = Some(0);
    }
}

pub(super) fn empty(scene: &Scene<'_>, reply: &mut Reply) {
    match scene.call.variant {
        "content" => {}
        "choices" => no_choices(scene.ask.dialect, reply),
        _ => {
            reply.body.clear();
            if let Framing::Length(length) = &mut reply.framing {
                *length = 0;
            }
        }
    }
}

/// The list that holds the answers, emptied. A stream of frames only loses its contents.
fn no_choices(dialect: Dialect, reply: &mut Reply) {
    reply.body.retain(|step| !step.is(Kind::Token));
    if dialect == Dialect::Responses && reply.is_stream() {
        reply.body.retain(|step| !step.is(Kind::Noise));
    }
    if dialect.is_binary() && reply.is_stream() {
        return;
    }
    for step in &mut reply.body {
        let Step::Send { bytes, .. } = step else { continue };
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (lead, json) = text.split_at(text.find('{').unwrap_or(text.len()));
        let Ok(mut value) = serde_json::from_str::<Value>(json.trim_end()) else { continue };
        let end = json.get(json.trim_end().len()..).unwrap_or_default();
        for place in [dialect.list(), "/response/output"] {
            if let Some(list) = value.pointer_mut(place) {
                *list = Value::Array(Vec::new());
            }
        }
        *bytes = format!("{lead}{value}{end}").into();
    }
    if let (Framing::Length(length), Some(Step::Send { bytes, .. })) =
        (&mut reply.framing, reply.body.first())
    {
        *length = bytes.len() as u64;
    }
}

pub(super) fn huge(scene: &Scene<'_>, reply: &mut Reply) {
    let times = u64::from(scene.call.count(100)) * 16;
    let end = r#"{"error":null,"choices":[]}"#;
    let length = times * SPACES.len() as u64 + end.len() as u64;
    let mut whole = Reply::json(200, end);
    let bytes = Bytes::from_static(SPACES);
    whole.insert(0, vec![Step::Repeat { bytes, times, tokens: 0, every: Duration::ZERO }]);
    whole.framing = Framing::Length(length);
    *reply = Reply { billing: reply.billing, ..whole };
}

pub(super) fn gzip_bomb(_: &Scene<'_>, reply: &mut Reply) {
    static BOMB: OnceLock<Bytes> = OnceLock::new();
    let bomb = BOMB.get_or_init(|| bomb().unwrap_or_default()).clone();
    let whole = Reply::json(200, bomb).header("content-encoding", "gzip");
    *reply = Reply { billing: reply.billing, ..whole };
}

/// A gzip member (RFC 1952) of 1 GiB of spaces: one compressed block of 16 MiB, flushed to a byte
/// boundary and repeated 64 times, so that it is made quickly.
fn bomb() -> std::io::Result<Bytes> {
    const BLOCK: usize = 16 << 20;
    const BLOCKS: usize = 64;
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    let mut crc = Crc::new();
    for _ in 0..BLOCK / SPACES.len() {
        deflate.write_all(SPACES)?;
        crc.update(SPACES);
    }
    deflate.flush()?;
    let block = deflate.get_ref().clone();
    let mut sum = Crc::new();
    let mut bomb = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    for _ in 0..BLOCKS {
        bomb.extend_from_slice(&block);
        sum.combine(&crc);
    }
    bomb.extend_from_slice(&[3, 0]);
    bomb.extend_from_slice(&sum.sum().to_le_bytes());
    bomb.extend_from_slice(&((BLOCK * BLOCKS) as u32).to_le_bytes());
    Ok(bomb.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_bomb_is_small_and_swells() {
        let bomb = bomb().unwrap();
        assert!(bomb.len() < 2 << 20, "{} bytes", bomb.len());
        let mut part = vec![0; 40 << 20];
        flate2::read::GzDecoder::new(bomb.as_ref()).read_exact(&mut part).unwrap();
        assert!(part.iter().all(|byte| *byte == b' '));
    }
}
