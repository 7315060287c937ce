//! Faults of the connection and of time: F07 to F12, F27, F42, F44, F46, F47.
//!
//! They act below the meaning of the answer. Those that need no request at all are played by
//! listeners instead.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;

use super::Scene;
use crate::reply::{After, Billing, Grain, Http2End, Reply, Step};

/// The length of F42's big header.
const BIG_HEADER: usize = 1 << 20;

/// The number of F42's many headers.
const MANY_HEADERS: usize = 1_000;

/// So few informational heads are taken by a careful client, which then gets its answer.
const PATIENT_CLIENT: u32 = 16;

pub(super) fn reset(_: &Scene<'_>) -> Reply {
    Reply::nothing(vec![Step::Reset])
}

pub(super) fn hang(_: &Scene<'_>) -> Reply {
    Reply::nothing(vec![Step::Hang])
}

pub(super) fn trickle(scene: &Scene<'_>, reply: &mut Reply) {
    reply.grain = Grain::Trickle(scene.call.time(Duration::from_secs(1)));
}

pub(super) fn silence_after_head(_: &Scene<'_>, reply: &mut Reply) {
    reply.body = vec![Step::Hang];
}

/// An unstreamed answer cannot ping: it is only late.
pub(super) fn pings(scene: &Scene<'_>, reply: &mut Reply) {
    let seconds = scene.call.count(6);
    let second = Step::Wait(Duration::from_secs(1));
    if !reply.is_stream() {
        reply.before.extend((0..seconds).map(|_| second.clone()));
        return;
    }
    let ping = || scene.ask.dialect.ping();
    let pings = (0..seconds).flat_map(|_| [second.clone(), ping()]).collect();
    reply.insert(reply.first_token(), pings);
}

pub(super) fn late_token(scene: &Scene<'_>, reply: &mut Reply) {
    let wait = Step::Wait(scene.call.time(Duration::from_millis(4_900)));
    if reply.is_stream() {
        reply.insert(reply.first_token(), vec![wait]);
    } else {
        reply.before.push(wait);
    }
}

pub(super) fn byte_by_byte(_: &Scene<'_>, reply: &mut Reply) {
    reply.grain = Grain::ByteChunks;
}

pub(super) fn bad_headers(scene: &Scene<'_>, reply: &mut Reply) {
    let lines = match scene.call.variant {
        "many" => (0..MANY_HEADERS).fold(String::new(), |mut lines, n| {
            let _ = write!(lines, "x-flood-{n}: {n}\r\n");
            lines
        }),
        "bytes" => "x-bad: a\0b\r\nx bad name: 1\r\n".to_owned(),
        "inject" => "x-trace: 1\rset-cookie: injected=1\r\n".to_owned(),
        _ => format!("x-big: {}\r\n", "b".repeat(BIG_HEADER)),
    };
    reply.raw_headers = Bytes::from(lines);
}

pub(super) fn informational(scene: &Scene<'_>, reply: &mut Reply) {
    let head = "HTTP/1.1 103 Early Hints\r\nlink: </sim>; rel=preload\r\n\r\n";
    let times = scene.call.count(100).min(100_000);
    if times <= PATIENT_CLIENT {
        reply.billing = Billing::Usage;
    }
    reply.prelude = Bytes::from(head.repeat(times as usize));
}

pub(super) fn trap(scene: &Scene<'_>, reply: &mut Reply) {
    reply.after = After::Trap { reset: scene.call.variant == "reset" };
}

pub(super) fn http2_end(scene: &Scene<'_>) -> Reply {
    let mut reply = Reply::nothing(vec![Step::Cut]);
    if scene.call.variant == "internal" {
        reply.billing = Billing::Input;
    }
    reply.http2 = Some(match scene.call.variant {
        "refused" => Http2End::Refused,
        "internal" => Http2End::Internal,
        _ => Http2End::GoAway,
    });
    reply
}
