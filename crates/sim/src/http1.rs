//! A small HTTP/1.1 server end, over any byte stream.
//!
//! It exists because most faults are below HTTP: a real server library would not let us send them.
//! It reads requests strictly enough for a test to trust it (bounded heads, exact bodies) and hands
//! sending to `play`. No pipelining beyond keeping what was read ahead, no upgrades, no trailers.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::ask::Complaint;
use crate::call::early_refusal;
use crate::dialect::Vendor;
use crate::journal::{Ending, Tally};
use crate::link::Link;
use crate::play;
use crate::reply::{After, Reply};
use crate::request::Incoming;
use crate::sim::{Prepared, Provider};

/// More than any client's head.
const LONGEST_HEAD: usize = 256 * 1024;

/// More than any gateway lets through (32 MiB), with room.
const LONGEST_BODY: u64 = 256 << 20;

/// More than any client's headers.
const MOST_HEADERS: usize = 128;

/// How much is read at once.
const READ_SIZE: usize = 16 * 1024;

/// How long, and how much, is still read after an early refusal, so that the client reads it before
/// a reset.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 << 20;

/// One connection.
pub(crate) struct Connection<'a, L> {
    provider: &'a Provider,
    link: L,
    inbox: BytesMut,
    number: u64,
}

struct Head {
    request: Incoming,
    length: Length,
    expects: bool,
    closes: bool,
}

enum Length {
    Known(u64),
    Chunked,
}

/// Why no request came.
enum Stop {
    /// The client left.
    Gone,
    /// What it sent is not HTTP, or too long.
    Bad(u16, &'static str),
    /// It is refused while its body is still coming.
    Early(Box<Prepared>),
}

impl<'a, L: Link> Connection<'a, L> {
    pub(crate) fn new(provider: &'a Provider, link: L, inbox: BytesMut, number: u64) -> Self {
        Self { provider, link, inbox, number }
    }

    /// Serves until one side ends the connection.
    pub(crate) async fn serve(mut self) {
        loop {
            let (prepared, closes) = match self.request().await {
                Ok((request, closes)) => (self.provider.answer(&request), closes),
                Err(Stop::Gone) => return,
                Err(Stop::Early(prepared)) => (*prepared, true),
                Err(Stop::Bad(status, message)) => (refusal(status, message), true),
            };
            let after = prepared.reply.after;
            let ending = self.play(prepared).await;
            match (ending, after) {
                (Ending::Finished, After::KeepAlive) if !closes => {}
                (Ending::Finished, After::Trap { reset }) => return self.spring(reset).await,
                (Ending::Finished, _) => return self.linger().await,
                (Ending::Reset, _) => return self.link.arm_reset(),
                (Ending::Cut, _) => return drop(self.link.shutdown().await),
                _ => return,
            }
        }
    }

    async fn play(&mut self, prepared: Prepared) -> Ending {
        let mut tally = Tally::new(self.provider.sim.settings.journal);
        play::reply(&mut self.link, &mut self.inbox, &prepared.reply, &mut tally).await;
        if let Some(ticket) = &prepared.ticket {
            self.provider.sim.settle(ticket, &tally);
        }
        tally.ending
    }

    /// Waits for the next request's first byte, and is gone.
    async fn spring(mut self, reset: bool) {
        if self.inbox.is_empty() && self.fill().await.is_err() {
            return;
        }
        if reset {
            self.link.arm_reset();
        }
    }

    async fn linger(mut self) {
        drop(self.link.shutdown().await);
        let drain = async {
            let mut drained = 0;
            while drained < LINGER_BYTES && self.fill().await.is_ok() {
                drained += self.inbox.len();
                self.inbox.clear();
            }
            Ok::<_, Stop>(self)
        };
        // Once our end is closed nothing but the client's can follow; a client that never closes is
        // left after a while.
        drop(tokio::time::timeout(LINGER, drain).await);
    }

    async fn fill(&mut self) -> Result<(), Stop> {
        self.inbox.reserve(READ_SIZE);
        match self.link.read_buf(&mut self.inbox).await {
            Ok(0) | Err(_) => Err(Stop::Gone),
            Ok(count) => {
                self.provider.sim.received(count);
                Ok(())
            }
        }
    }

    async fn request(&mut self) -> Result<(Incoming, bool), Stop> {
        let mut head = loop {
            if let Some((head, length)) = self.parse_head()? {
                self.inbox.advance(length);
                break head;
            }
            if self.inbox.len() > LONGEST_HEAD {
                return Err(Stop::Bad(431, "head too long"));
            }
            self.fill().await?;
        };
        if head.expects && self.link.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err() {
            return Err(Stop::Gone);
        }
        head.request.body = match head.length {
            Length::Known(length) => self.known_body(&mut head.request, length).await?,
            Length::Chunked => self.chunked_body().await?,
        };
        Ok((head.request, head.closes))
    }

    fn parse_head(&self) -> Result<Option<(Head, usize)>, Stop> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let length = match parsed.parse(&self.inbox) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Stop::Bad(400, "this is not HTTP")),
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = parsed.headers.iter();
        let request = Incoming {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: parsed.path.unwrap_or_default().to_owned(),
            headers: headers.map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
            body: Bytes::new(),
            connection: self.number,
            protocol: "http/1.1",
        };
        let old = parsed.version == Some(0);
        Ok(Some((Head::of(request, old)?, length)))
    }

    async fn known_body(&mut self, request: &mut Incoming, length: u64) -> Result<Bytes, Stop> {
        let Some(length) = usize::try_from(length).ok().filter(|_| length <= LONGEST_BODY) else {
            return Err(Stop::Bad(413, "body too long"));
        };
        let mut looked = false;
        while self.inbox.len() < length {
            if !looked && !self.inbox.is_empty() {
                looked = true;
                request.body = Bytes::copy_from_slice(&self.inbox);
                if let Some(prepared) = early_refusal(self.provider, request) {
                    return Err(Stop::Early(Box::new(prepared)));
                }
            }
            self.inbox.reserve((length - self.inbox.len()).min(1 << 20));
            self.fill().await?;
        }
        Ok(self.inbox.split_to(length).freeze())
    }

    async fn chunked_body(&mut self) -> Result<Bytes, Stop> {
        let mut body = BytesMut::new();
        loop {
            let (line, size) = self.chunk_size().await?;
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if (body.len() as u64).saturating_add(size as u64) > LONGEST_BODY {
                return Err(Stop::Bad(413, "body too long"));
            }
            self.inbox.advance(line);
            while self.inbox.len() < size + 2 {
                self.fill().await?;
            }
            body.extend_from_slice(&self.inbox.split_to(size));
            if self.inbox.split_to(2).as_ref() != b"\r\n" {
                return Err(Stop::Bad(400, "bad chunk"));
            }
            if size == 0 {
                return Ok(body.freeze());
            }
        }
    }

    async fn chunk_size(&mut self) -> Result<(usize, u64), Stop> {
        loop {
            match httparse::parse_chunk_size(&self.inbox) {
                Ok(httparse::Status::Complete(found)) => return Ok(found),
                Ok(httparse::Status::Partial) if self.inbox.len() < 4_096 => self.fill().await?,
                _ => return Err(Stop::Bad(400, "bad chunk")),
            }
        }
    }
}

impl Head {
    fn of(request: Incoming, old: bool) -> Result<Self, Stop> {
        let has = |name: &str, word: &str| {
            request.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
        };
        let length = if has("transfer-encoding", "chunked") {
            Length::Chunked
        } else {
            let length = request.header("content-length").map(str::parse);
            Length::Known(length.unwrap_or(Ok(0)).map_err(|_| Stop::Bad(400, "bad length"))?)
        };
        let expects = has("expect", "100-continue");
        let closes = has("connection", "close") || (old && !has("connection", "keep-alive"));
        Ok(Self { request, length, expects, closes })
    }
}

fn refusal(status: u16, message: &'static str) -> Prepared {
    let refusal = Vendor::OpenAi.refusal(&Complaint::new(status, message), "0");
    let reply = Reply { after: After::Close, ..refusal };
    Prepared { reply, ticket: None }
}
