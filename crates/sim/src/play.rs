//! Sending a reply over HTTP/1.1, step by step.
//!
//! One write per step: the head goes with the first piece of body and the end mark with the last,
//! and nothing is written late, since every pause flushes first. While it waits it also reads, so
//! that a client that leaves is noticed at once.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use crate::journal::{Ending, Tally};
use crate::link::Link;
use crate::reply::{After, Framing, Grain, Reply, Step};

/// What a client may send ahead while it is answered.
const LONGEST_AHEAD: usize = 1 << 20;

/// Before a reset the bytes sent are given this long to be read: a reset may overtake them.
const RESET_GRACE: Duration = Duration::from_millis(10);

/// Plays `reply` and says in `tally` what was really sent and how it ended.
pub(crate) async fn reply<L: Link>(
    link: &mut L,
    inbox: &mut BytesMut,
    reply: &Reply,
    tally: &mut Tally,
) {
    let chunked = reply.framing == Framing::Chunked;
    let out = Vec::with_capacity(1_024);
    let mut player = Player {
        link,
        inbox,
        out,
        tokens: 0,
        fresh_head: false,
        grain: reply.grain,
        chunked,
        tally,
    };
    let ending = player.run(reply).await.err().unwrap_or(Ending::Finished);
    tally.ending = ending;
}

struct Player<'a, L> {
    link: &'a mut L,
    inbox: &'a mut BytesMut,
    out: Vec<u8>,
    /// Tokens in `out`.
    tokens: u32,
    /// `out` holds the head alone.
    fresh_head: bool,
    grain: Grain,
    chunked: bool,
    tally: &'a mut Tally,
}

type Played = Result<(), Ending>;

impl<L: Link> Player<'_, L> {
    async fn run(&mut self, reply: &Reply) -> Played {
        for step in &reply.before {
            self.step(step).await?;
        }
        self.out = head(reply);
        self.fresh_head = true;
        for step in &reply.body {
            self.step(step).await?;
        }
        if self.chunked {
            self.out.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await
    }

    async fn step(&mut self, step: &Step) -> Played {
        if let Step::Send { bytes, tokens, .. } = step {
            return self.send(bytes, *tokens).await;
        }
        if let Step::Repeat { bytes, times, tokens, every } = step {
            return self.repeat(bytes, *times, *tokens, *every).await;
        }
        self.flush().await?;
        match step {
            Step::Wait(time) => self.pause(*time).await,
            Step::Cut => Err(Ending::Cut),
            Step::Reset => {
                self.pause(if self.tally.first_byte.is_some() {
                    RESET_GRACE
                } else {
                    Duration::ZERO
                })
                .await?;
                Err(Ending::Reset)
            }
            Step::Hang | Step::Send { .. } | Step::Repeat { .. } => self.hang().await,
        }
    }

    async fn send(&mut self, bytes: &Bytes, tokens: u32) -> Played {
        if bytes.is_empty() {
            return Ok(());
        }
        if !std::mem::take(&mut self.fresh_head) || self.grain != Grain::Step {
            self.flush().await?;
        }
        self.tokens = tokens;
        self.tally.sent(bytes);
        if self.grain == Grain::ByteChunks && self.chunked {
            return self.send_bytes(bytes).await;
        }
        if self.chunked {
            self.out.extend_from_slice(chunk_size(bytes.len()).as_bytes());
        }
        self.out.extend_from_slice(bytes);
        if self.chunked {
            self.out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    async fn send_bytes(&mut self, bytes: &Bytes) -> Played {
        for byte in bytes {
            self.out.extend_from_slice(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
            self.flush().await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn repeat(&mut self, bytes: &Bytes, times: u64, tokens: u32, every: Duration) -> Played {
        for _ in 0..times {
            if !every.is_zero() {
                self.flush().await?;
                self.pause(every).await?;
            }
            self.send(bytes, tokens).await?;
        }
        Ok(())
    }

    /// Writes what is due.
    async fn flush(&mut self) -> Played {
        self.fresh_head = false;
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        self.tally.first_byte.get_or_insert_with(Instant::now);
        match self.grain {
            Grain::Step | Grain::ByteChunks if self.grain == Grain::Step || self.chunked => {
                self.write(&out).await?;
            }
            Grain::Trickle(pause) => {
                for byte in &out {
                    self.write(&[*byte]).await?;
                    self.pause(pause).await?;
                }
            }
            _ => {
                for byte in &out {
                    self.write(&[*byte]).await?;
                    tokio::task::yield_now().await;
                }
            }
        }
        self.tally.tokens = self.tally.tokens.saturating_add(std::mem::take(&mut self.tokens));
        self.out = out;
        self.out.clear();
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Played {
        let written = self.link.write_all(bytes).await;
        let flushed = if written.is_ok() { self.link.flush().await } else { written };
        flushed.map_err(|_| Ending::ClientGone)
    }

    /// Waits, and notices a client that leaves meanwhile.
    async fn pause(&mut self, time: Duration) -> Played {
        let end = Instant::now() + time;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(end) => return Ok(()),
                listened = self.listen() => listened?,
            }
        }
    }

    async fn hang(&mut self) -> Played {
        loop {
            self.listen().await?;
        }
    }

    async fn listen(&mut self) -> Played {
        if self.inbox.len() > LONGEST_AHEAD {
            std::future::pending::<()>().await;
        }
        self.inbox.reserve(1_024);
        match self.link.read_buf(self.inbox).await {
            Ok(0) | Err(_) => Err(Ending::ClientGone),
            Ok(_) => Ok(()),
        }
    }
}

fn chunk_size(length: usize) -> String {
    format!("{length:x}\r\n")
}

/// Reasons of statuses that the `http` crate does not know.
fn reason(status: u16) -> &'static str {
    let known =
        http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.unwrap_or(if status == 529 { "Overloaded" } else { "Unknown" })
}

fn head(reply: &Reply) -> Vec<u8> {
    let mut head = String::with_capacity(256);
    let _ = write!(head, "HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = match reply.framing {
        Framing::Length(length) => write!(head, "content-length: {length}\r\n"),
        Framing::Chunked => write!(head, "transfer-encoding: chunked\r\n"),
    };
    if reply.after == After::Close {
        head.push_str("connection: close\r\n");
    }
    let mut bytes =
        Vec::with_capacity(reply.prelude.len() + reply.raw_headers.len() + head.len() + 1_024);
    for part in [&reply.prelude, head.as_bytes(), &reply.raw_headers, b"\r\n".as_slice()] {
        bytes.extend_from_slice(part);
    }
    bytes
}
