//! Faults inside a stream: F21 to F26, F28 to F31, F40, F41.
//!
//! Where the answer is not streamed the nearest thing happens: a body cut in its middle, an error
//! body, the whole body after the pause.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::{FaultCall, Scene};
use crate::answer::{Manner, UsageManner};
use crate::ask::Complaint;
use crate::dialect::{Dialect, frames};
use crate::reply::{Framing, Kind, Reply, Step};

/// After so many tokens F25, F26 and F41 strike.
const SOME_TOKENS: u32 = 20;

/// What is repeated where much must be sent.
const FILLER: &[u8] = &[b'a'; 64 * 1024];

pub(super) fn cut(scene: &Scene<'_>, reply: &mut Reply) {
    reply.end_after(scene.call.count(40), Step::Cut);
}

pub(super) fn reset(scene: &Scene<'_>, reply: &mut Reply) {
    reply.end_after(scene.call.count(40), Step::Reset);
}

pub(super) fn stall(scene: &Scene<'_>, reply: &mut Reply) {
    reply.end_after(scene.call.count(SOME_TOKENS), Step::Hang);
}

pub(super) fn cut_before_content(_: &Scene<'_>, reply: &mut Reply) {
    let at = reply.first_token();
    reply.body.truncate(at);
    reply.body.push(Step::Cut);
}

pub(super) fn error_event(scene: &Scene<'_>, reply: &mut Reply) {
    let status = u16::try_from(scene.call.count(500)).unwrap_or(500);
    let complaint =
        Complaint::new(status, "The server had an error while processing your request.");
    if !reply.is_stream() {
        let error = scene.ask.vendor.error(&complaint, scene.id).to_string();
        *reply = Reply { billing: reply.billing, ..Reply::json(200, error) };
        return;
    }
    let after = if scene.call.variant == "after" { SOME_TOKENS } else { 0 };
    let place = reply.after_tokens(after);
    reply.body.truncate(place);
    reply.body.extend(scene.ask.dialect.error_events(&complaint, scene.ask, scene.id, place));
}

pub(super) fn bad_event(scene: &Scene<'_>, reply: &mut Reply) {
    if !reply.is_stream() {
        return;
    }
    let event = scene.ask.dialect.broken_event();
    reply.insert(reply.after_tokens(SOME_TOKENS), vec![Step::noise(event)]);
}

/// Drops the end mark.
pub(super) fn no_end(_: &Scene<'_>, reply: &mut Reply) {
    reply.body.retain(|step| !step.is(Kind::Done));
}

pub(super) fn absurd_usage(call: &FaultCall, manner: &mut Manner) {
    manner.usage = match call.variant {
        "twice" => UsageManner::Twice,
        "decreasing" => UsageManner::Decreasing,
        "negative" => UsageManner::Negative,
        _ => UsageManner::Huge,
    };
}

/// The token that is said for ever is the first one of the answer.
pub(super) fn endless(scene: &Scene<'_>, reply: &mut Reply) {
    let at = reply.first_token();
    if let (true, Some(Step::Send { bytes, .. })) = (reply.is_stream(), reply.body.get(at)) {
        let (bytes, every) = (bytes.clone(), scene.call.time(Duration::from_secs(1)));
        reply.body.truncate(at);
        reply.body.push(Step::Repeat { bytes, times: u64::MAX, tokens: 1, every });
    } else {
        reply.body = vec![Step::Hang];
    }
}

pub(super) fn long_line(scene: &Scene<'_>, reply: &mut Reply) {
    let after = if scene.call.variant == "after" { SOME_TOKENS } else { 0 };
    let times = u64::from(scene.call.count(64)) * 16;
    reply.framing = Framing::Chunked;
    let at = if after == 0 { reply.first_token() } else { reply.after_tokens(after) };
    reply.body.truncate(at);
    reply.body.push(Step::noise(if scene.ask.dialect.is_binary() {
        frames::prelude(0, FILLER.len() * usize::try_from(times).unwrap_or(0)).freeze()
    } else {
        Bytes::from_static(b"data: {\"long\":\"")
    }));
    let bytes = Bytes::from_static(FILLER);
    reply.body.push(Step::Repeat { bytes, times, tokens: 0, every: Duration::ZERO });
    reply.body.push(Step::noise(Bytes::from_static(b"\"}\n\n")));
}

/// Writes each event in another legal way of the WHATWG text, six ways in turn.
pub(super) fn peculiar(scene: &Scene<'_>, reply: &mut Reply) {
    if !reply.is_stream() || scene.ask.dialect.is_binary() {
        return;
    }
    let mut turn = 0;
    for step in &mut reply.body {
        if let Step::Send { bytes, .. } = step {
            *bytes = rewrite(bytes, turn, scene.ask.dialect);
            turn += 1;
        }
    }
    if let Some(Step::Send { bytes, .. }) = reply.body.first_mut() {
        *bytes = [b"\xEF\xBB\xBF".as_slice(), bytes].concat().into();
    }
}

fn rewrite(event: &[u8], turn: usize, dialect: Dialect) -> Bytes {
    let text = String::from_utf8_lossy(event);
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    let Some(data) = data else { return Bytes::copy_from_slice(event) };
    let name = text.lines().find_map(|line| line.strip_prefix("event: "));
    let name = name.or((!dialect.names_events() && turn % 6 == 3).then_some("message"));
    let (end, colon) = match turn % 6 {
        0 => ("\r\n", ": "),
        1 => ("\r", ": "),
        2 => ("\n", ":"),
        _ => ("\n", ": "),
    };
    let mut out = BytesMut::with_capacity(event.len() + 64);
    let mut line = |field: &str, value: &str| {
        for part in [field, if field.is_empty() { ":" } else { colon }, value, end] {
            out.put_slice(part.as_bytes());
        }
    };
    if turn % 6 == 3 {
        line("", " a comment, to be ignored");
        line("id", &turn.to_string());
        line("retry", "1000");
    }
    if let Some(name) = name {
        line("event", name);
    }
    match data.strip_prefix('{').filter(|_| turn % 6 == 4) {
        Some(rest) => {
            line("data", "{");
            line("data", rest);
        }
        None => line("data", data),
    }
    if turn % 6 == 5 {
        line("unknown-field", "ignored");
    }
    out.put_slice(end.as_bytes());
    out.freeze()
}
