//! A reply as a list of steps.
//!
//! Everything the simulator sends, healthy or not, is a [`Reply`]: what happens before the head,
//! the head, and the steps of the body. A fault is a function that changes this list, so that
//! HTTP/1 and HTTP/2 play the same score and no fault needs a server of its own. This file knows no
//! dialect and does no IO.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

/// What a piece of a body is, so that faults can aim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first event of a stream, without content.
    Opening,
    /// Content the client waits for.
    Token,
    /// The event that says why the answer ended.
    Closing,
    /// An event that only states usage.
    Usage,
    /// The event that ends the stream.
    Done,
    /// A whole unstreamed body.
    Whole,
    /// Anything else: pings, block borders, comments.
    Noise,
}

/// One step of a reply.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Wait(Duration),
    Send {
        bytes: Bytes,
        kind: Kind,
        tokens: u32,
    },
    /// The same bytes again and again, each time after a pause.
    Repeat {
        bytes: Bytes,
        times: u64,
        tokens: u32,
        every: Duration,
    },
    /// End of file where more was promised.
    Cut,
    /// A TCP reset (on HTTP/2: RST_STREAM with INTERNAL_ERROR).
    Reset,
    /// Silence until the client leaves.
    Hang,
}

impl Step {
    pub(crate) fn send(kind: Kind, tokens: u32, bytes: impl Into<Bytes>) -> Self {
        Self::Send { bytes: bytes.into(), kind, tokens }
    }

    pub(crate) fn noise(bytes: impl Into<Bytes>) -> Self {
        Self::send(Kind::Noise, 0, bytes)
    }

    pub(crate) fn is(&self, wanted: Kind) -> bool {
        matches!(self, Self::Send { kind, .. } if *kind == wanted)
    }
}

/// How the length of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Content-Length`, true or not.
    Length(u64),
    Chunked,
}

/// In what portions bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grain {
    /// One write per step.
    Step,
    /// Every byte of the body is its own chunk and its own write.
    ByteChunks,
    /// Every byte of head and body is its own write, after a pause.
    Trickle(Duration),
}

/// What becomes of the connection after the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    KeepAlive,
    /// Closed, after what the client still sends was read.
    Close,
    /// Kept, and closed (or reset) at the first byte of the next request.
    Trap {
        reset: bool,
    },
}

/// How an HTTP/2 stream ends instead of being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http2End {
    GoAway,
    Refused,
    Internal,
}

/// What the simulated provider charges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Billing {
    Nothing,
    /// The input, as a provider might after a failure of its own.
    Input,
    /// The input and the tokens really sent.
    Sent,
    /// The whole answer as reported; only what was sent when the client left or the stream was cut.
    Usage,
}

pub(crate) type Header = (Cow<'static, str>, Cow<'static, str>);

/// A whole reply.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) before: Vec<Step>,
    /// Raw bytes before the status line, such as informational heads.
    pub(crate) prelude: Bytes,
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    /// Raw header lines, sent as they are.
    pub(crate) raw_headers: Bytes,
    pub(crate) framing: Framing,
    pub(crate) body: Vec<Step>,
    pub(crate) grain: Grain,
    pub(crate) after: After,
    pub(crate) http2: Option<Http2End>,
    pub(crate) billing: Billing,
}

impl Reply {
    fn new(status: u16, content_type: &'static str, framing: Framing, body: Vec<Step>) -> Self {
        Self {
            before: Vec::new(),
            prelude: Bytes::new(),
            status,
            headers: vec![(Cow::Borrowed("content-type"), Cow::Borrowed(content_type))],
            raw_headers: Bytes::new(),
            framing,
            body,
            grain: Grain::Step,
            after: After::KeepAlive,
            http2: None,
            billing: Billing::Nothing,
        }
    }

    /// A body of known length.
    pub(crate) fn whole(
        status: u16,
        content_type: &'static str,
        body: impl Into<Bytes>,
        tokens: u32,
    ) -> Self {
        let bytes = body.into();
        let framing = Framing::Length(bytes.len() as u64);
        let body = vec![Step::Send { bytes, kind: Kind::Whole, tokens }];
        Self::new(status, content_type, framing, body)
    }

    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::whole(status, "application/json", body, 0)
    }

    /// A body that comes piece by piece.
    pub(crate) fn stream(content_type: &'static str, body: Vec<Step>) -> Self {
        Self::new(200, content_type, Framing::Chunked, body)
    }

    /// No reply at all: the steps are all that happens.
    pub(crate) fn nothing(before: Vec<Step>) -> Self {
        Self { before, ..Self::json(200, Bytes::new()) }
    }

    pub(crate) fn header(
        mut self,
        name: &'static str,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.framing == Framing::Chunked
    }

    /// The place right after the step in which the `count`-th token was sent; the end when there
    /// are fewer.
    pub(crate) fn after_tokens(&self, count: u32) -> usize {
        let mut sent = 0_u32;
        for (at, step) in self.body.iter().enumerate() {
            if sent >= count {
                return at;
            }
            if let Step::Send { tokens, .. } = step {
                sent = sent.saturating_add(*tokens);
            }
        }
        self.body.len()
    }

    /// The place of the first content.
    pub(crate) fn first_token(&self) -> usize {
        let found = self.body.iter().position(|step| step.is(Kind::Token) || step.is(Kind::Whole));
        found.unwrap_or(self.body.len())
    }

    /// Ends the body after `count` tokens with `last`. A whole body is cut in its middle.
    pub(crate) fn end_after(&mut self, count: u32, last: Step) {
        if self.is_stream() {
            let at = self.after_tokens(count);
            self.body.truncate(at);
        } else {
            self.body = self.body.iter().map(first_half).collect();
        }
        self.body.push(last);
    }

    /// Inserts steps before place `at`.
    pub(crate) fn insert(&mut self, at: usize, steps: Vec<Step>) {
        let at = at.min(self.body.len());
        self.body.splice(at..at, steps);
    }
}

fn first_half(step: &Step) -> Step {
    match step {
        Step::Send { bytes, kind, tokens } => {
            Step::Send { bytes: bytes.slice(..bytes.len() / 2), kind: *kind, tokens: tokens / 2 }
        }
        other => other.clone(),
    }
}
