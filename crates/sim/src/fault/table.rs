//! The fault table itself: one row each, in order.
//!
//! The last columns say what the simulated provider charges for such a request and how the fault is
//! played. Billing is the worst a fair provider could do: a request refused before any work costs
//! nothing, one that failed inside costs its input, a cut stream costs what was sent.

use super::{Fault, How, bodies, refusals, streams, transport};
use crate::answer::UsageManner;
use crate::reply::Billing::{self, Input, Nothing, Sent, Usage};
use crate::text::Script;

const fn row(
    id: &'static str,
    name: &'static str,
    doc: &'static str,
    variants: &'static [&'static str],
    billing: Billing,
    how: How,
) -> Fault {
    Fault { id, name, doc, variants, billing, how }
}

/// A row that only changes what is sent.
macro_rules! shape {
    ($shape:expr) => {
        How::Bend { manner: |_, _| {}, shape: $shape }
    };
}

/// A row that only changes what is said.
macro_rules! manner {
    ($manner:expr) => {
        How::Bend { manner: $manner, shape: |_, _| {} }
    };
}

/// Every fault, in order.
#[rustfmt::skip]
pub static FAULTS: &[Fault] = &[
    row("f01", "connect refused", "Nothing listens.",
        &[], Nothing, How::Listener),
    row("f02", "connect black hole", "The backlog is full, SYNs get no answer.",
        &[], Nothing, How::Listener),
    row("f03", "no such name", "The name server says NXDOMAIN.",
        &[], Nothing, How::Listener),
    row("f04", "name server hangs", "The name server never answers.",
        &[], Nothing, How::Listener),
    row("f05", "bad TLS", "A certificate that cannot be trusted, or no TLS at all.",
        &["expired", "wrong-host", "self-signed", "plaintext"], Nothing, How::Listener),
    row("f06", "TLS stalls", "The handshake is never answered.",
        &[], Nothing, How::Listener),
    row("f07", "reset at once", "TCP reset; asked for by a request, after the request was read.",
        &[], Input, How::Instead(transport::reset)),
    row("f08", "accept and hang", "Not one byte is sent.",
        &[], Input, How::Instead(transport::hang)),
    row("f09", "headers by the byte", "One byte a second (parameter: the pause).",
        &[], Usage, shape!(transport::trickle)),
    row("f10", "headers, then silence", "200 and a content type, no body.",
        &[], Input, shape!(transport::silence_after_head)),
    row("f11", "pings only", "Role chunk and pings for 6 s (parameter: seconds), then the answer.",
        &[], Usage, shape!(transport::pings)),
    row("f12", "late first token", "First content after 4.9 s (parameter: the time).",
        &[], Usage, shape!(transport::late_token)),
    row("f13", "429 with Retry-After", "Retry-After 7 (parameter: seconds), RetryInfo too.",
        &[], Nothing, How::Instead(refusals::rate_limited)),
    row("f14", "429 with a date", "Retry-After as an HTTP date 7 s ahead (parameter: seconds).",
        &[], Nothing, How::Instead(refusals::rate_limited_until)),
    row("f15", "429 without Retry-After", "A bare rate limit.",
        &[], Nothing, How::Instead(refusals::rate_limited_bare)),
    row("f16", "quota exhausted",
        "The vendor's own: insufficient_quota, spend limit, daily quota; or one by variant.",
        &["credit", "spend", "daily", "payment"], Nothing, How::Instead(refusals::quota)),
    row("f17", "bad credential", "401, or 403.",
        &["403"], Nothing, How::Instead(refusals::credential)),
    row("f18", "server error", "500, or 502 with HTML, or 504.",
        &["502", "504"], Input, How::Instead(refusals::server_error)),
    row("f19", "overloaded", "503, or 529; Anthropic always 529 unless 503 is asked for.",
        &["503", "529"], Nothing, How::Instead(refusals::overloaded)),
    row("f20", "three 502, then healthy",
        "By provider and model (parameter: how many).", &[], Input,
        How::Sequence(|before, call, _| (before < u64::from(call.count(3))).then_some("f18-502"))),
    row("f21", "cut after 40 tokens", "End of file (parameter: tokens).",
        &[], Sent, shape!(streams::cut)),
    row("f22", "reset after 40 tokens", "TCP reset (parameter: tokens).",
        &[], Sent, shape!(streams::reset)),
    row("f23", "stall after 20 tokens", "Silence (parameter: tokens).",
        &[], Sent, shape!(streams::stall)),
    row("f24", "cut before content", "End of file after the role chunk.",
        &[], Input, shape!(streams::cut_before_content)),
    row("f25", "error in the stream",
        "First event, or after 20 tokens (parameter: the error's status, 500).",
        &["first", "after"], Sent, shape!(streams::error_event)),
    row("f26", "one bad event", "An event of broken JSON after 20 tokens.",
        &[], Usage, shape!(streams::bad_event)),
    row("f27", "byte by byte",
        "Every byte is a write of its own, with wide characters.", &[], Usage,
        How::Bend { manner: |_, m| m.script = Script::Wide, shape: transport::byte_by_byte }),
    row("f28", "SSE peculiarities", "CRLF, CR, no space, BOM, comments, split data, in one stream.",
        &[], Usage, shape!(streams::peculiar)),
    row("f29", "no end mark", "The finish reason comes, `[DONE]` or message_stop does not.",
        &[], Usage, shape!(streams::no_end)),
    row("f30", "no usage", "Usage is not told.",
        &[], Usage, manner!(|_, manner| manner.usage = UsageManner::Absent)),
    row("f31", "absurd usage", "Told twice, decreasing, negative, or 2^63 (the plain one).",
        &["twice", "decreasing", "negative", "huge"], Usage, manner!(streams::absurd_usage)),
    row("f32", "max_tokens ignored", "Says and charges twice what was allowed.",
        &[], Usage, manner!(|_, manner| manner.overrun = true)),
    row("f33", "error inside 200", "Status 200, the body an error.",
        &[], Input, How::Instead(bodies::error_in_200)),
    row("f34", "broken JSON", "Status 200, JSON that ends too early.",
        &[], Input, How::Instead(bodies::broken_json)),
    row("f35", "truncated body", "Content-Length is longer than the body.",
        &[], Input, How::Instead(bodies::truncated)),
    row("f36", "captive page", "200 text/html.",
        &[], Input, How::Instead(bodies::captive_page)),
    row("f37", "the other form", "JSON where a stream was asked for, and the reverse.",
        &[], Usage, manner!(|_, manner| manner.flip_stream = true)),
    row("f38", "empty answer",
        "No byte of body; no choices; or choices without content.", &["choices", "content"], Input,
        How::Bend { manner: bodies::empty_content, shape: bodies::empty }),
    row("f39", "100 MiB answer", "One JSON body of 100 MiB (parameter: MiB).",
        &[], Input, shape!(bodies::huge)),
    row("f40", "endless stream", "A token a second, for ever (parameter: the pause).",
        &[], Sent, shape!(streams::endless)),
    row("f41", "endless line", "A line of 64 MiB (parameter: MiB), first or after 20 tokens.",
        &["first", "after"], Sent, shape!(streams::long_line)),
    row("f42", "bad headers",
        "A header of 1 MiB; a thousand headers; a NUL; a lone CR that smuggles a header.",
        &["big", "many", "bytes", "inject"], Input, shape!(transport::bad_headers)),
    row("f43", "redirect", "302, 301 or 307 to a metadata address.",
        &["301", "302", "307"], Nothing, How::Instead(bodies::redirect)),
    row("f44", "1xx flood", "A hundred informational heads first (parameter: how many).",
        &[], Nothing, shape!(transport::informational)),
    row("f45", "gzip bomb", "1 MiB of gzip that becomes 1 GiB.",
        &[], Input, shape!(bodies::gzip_bomb)),
    row("f46", "keep-alive race", "Healthy; closed (or reset) at the next first byte.",
        &["reset"], Usage, shape!(transport::trap)),
    row("f47", "HTTP/2 ends",
        "GOAWAY before this stream, REFUSED_STREAM, or INTERNAL_ERROR; on HTTP/1 end of file.",
        &["goaway", "refused", "internal"], Nothing, How::Instead(transport::http2_end)),
    row("f48", "early 413", "Refused before the body was read.",
        &[], Nothing, How::Instead(refusals::too_large)),
    row("f49", "context too long", "400 in the vendor's words.",
        &[], Nothing, How::Instead(refusals::context_length)),
    row("f50", "content filter",
        "The vendor's refusal; Azure's; or a 200 that ends for it.", &["azure", "finish"], Nothing,
        How::Bend { manner: refusals::filtered, shape: refusals::content_filter }),
    row("f51", "dead", "Every request is reset.",
        &[], Input, How::Instead(transport::reset)),
    row("f52", "every other fails",
        "500 for half of the requests by seeded coin (parameter: per cent).", &[], Input,
        How::Sequence(|_, call, chance| chance.strikes(call.count(50)).then_some("f18"))),
];
