//! One keep-alive connection to the program under load, with blocking sockets.
//!
//! A thread per connection and the kernel's own wake-ups tell the time of an answer more exactly
//! than an event loop with millisecond timers would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Said;
use crate::answer::Answer;

/// Silence after which an answer is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes asked of the socket at once.
const READ_BYTES: usize = 16 << 10;

/// A connection that is opened when needed and kept while it works.
#[derive(Debug)]
pub struct Lane {
    target: SocketAddr,
    socket: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// How an exchange went.
#[derive(Debug, Clone, Copy)]
pub struct Exchange {
    /// When the first text came.
    pub first_content: Instant,
    /// When the last byte came.
    pub done: Instant,
    /// Events of the stream; 0 of an unstreamed answer.
    pub events: u32,
}

impl Lane {
    /// A lane that is not connected yet.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        Self { target, socket: None, buffer: vec![0; READ_BYTES] }
    }

    /// Sends a request and reads its answer to the end.
    ///
    /// # Errors
    /// When anything but a whole 200 comes back. The connection is given up then.
    pub fn exchange(&mut self, request: &[u8]) -> Said<Exchange> {
        let mut socket = self.send(request)?;
        let mut answer = Answer::default();
        let first_content = self.read_until(&mut socket, &mut answer, Answer::has_content)?;
        let done = self.read_until(&mut socket, &mut answer, Answer::is_done)?;
        if !answer.is_closing() {
            self.socket = Some(socket);
        }
        if answer.status() != 200 {
            return Err(format!("status {}", answer.status()));
        }
        Ok(Exchange { first_content, done, events: answer.events() })
    }

    /// Sends a request, reads up to the first text and leaves the rest unread.
    ///
    /// # Errors
    /// When no text came.
    pub fn open_stream(&mut self, request: &[u8]) -> Said<()> {
        let mut socket = self.send(request)?;
        let mut answer = Answer::default();
        self.read_until(&mut socket, &mut answer, Answer::has_content)?;
        let open = answer.status() == 200 && !answer.is_done();
        self.socket = Some(socket);
        self.buffer = Vec::new();
        open.then_some(()).ok_or_else(|| format!("no open stream, status {}", answer.status()))
    }

    fn send(&mut self, request: &[u8]) -> Said<TcpStream> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(self.target).map_err(|error| format!("connect: {error}"))?,
        };
        socket.write_all(request).map_err(|error| format!("send: {error}"))?;
        Ok(socket)
    }

    /// Reads until the answer is over or has what is asked for; tells when that was.
    fn read_until(
        &mut self,
        socket: &mut TcpStream,
        answer: &mut Answer,
        enough: fn(&Answer) -> bool,
    ) -> Said<Instant> {
        while !enough(answer) && !answer.is_done() {
            let count = socket.read(&mut self.buffer).map_err(|error| format!("read: {error}"))?;
            if count == 0 {
                return Err("the connection ended inside the answer".into());
            }
            answer.feed(self.buffer.get(..count).unwrap_or_default())?;
        }
        Ok(Instant::now())
    }
}

fn connect(target: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&target, PATIENCE)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Fetches a small text: the body of a `GET` answered with 200.
///
/// # Errors
/// When nothing answers, or with another status.
pub fn fetch(target: SocketAddr, path: &str) -> Said<String> {
    let mut socket = connect(target).map_err(|error| error.to_string())?;
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
    socket.write_all(ask.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no head")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        other => Err(format!("status {}", other.unwrap_or("missing"))),
    }
}
