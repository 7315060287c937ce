//! `null-proxy LISTEN UPSTREAM`: what a proxy costs before it does anything.
//!
//! HTTP/1.1 in, HTTP/1.1 out over kept connections, bodies relayed frame by frame, and no logic: no
//! key, no JSON, no limits, no log, no timers. It runs on one thread, so nothing is paid for sharing
//! either. It is the unit that others are measured in, not a proxy to use.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use yardstick::Said;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Connections to the upstream that nobody uses just now.
struct Pool {
    upstream: SocketAddr,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

impl Pool {
    async fn take(&self) -> Result<SendRequest<Incoming>, Error> {
        loop {
            let Some(mut sender) = self.idle.borrow_mut().pop() else { break };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let socket = TcpStream::connect(self.upstream).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = client::handshake(TokioIo::new(socket)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}

/// An answer's body that gives its connection back when it ends.
struct Relayed {
    body: Incoming,
    sender: Option<SendRequest<Incoming>>,
    pool: Rc<Pool>,
}

impl Relayed {
    fn give_back(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.idle.borrow_mut().push(sender);
        }
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Err(_)) => self.sender = None,
            _ if frame.is_none() || self.body.is_end_stream() => self.give_back(),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn relay(pool: Rc<Pool>, request: Request<Incoming>) -> Result<Response<Relayed>, Error> {
    let mut sender = pool.take().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(head, Relayed { body, sender: Some(sender), pool }))
}

async fn serve(listen: SocketAddr, upstream: SocketAddr) -> Said<()> {
    let listener = TcpListener::bind(listen).await.map_err(|error| error.to_string())?;
    let pool = Rc::new(Pool { upstream, idle: RefCell::default() });
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        if socket.set_nodelay(true).is_err() {
            continue;
        }
        let pool = Rc::clone(&pool);
        let service = service_fn(move |request| relay(Rc::clone(&pool), request));
        spawn_local(server::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

fn run() -> Said<()> {
    let mut args = std::env::args().skip(1);
    let mut address = || args.next().and_then(|text| text.parse().ok());
    let (listen, upstream) =
        address().zip(address()).ok_or("usage: null-proxy LISTEN UPSTREAM (addresses)")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, serve(listen, upstream))
}

fn main() -> ExitCode {
    let Err(said) = run() else { return ExitCode::SUCCESS };
    // Nobody to tell when this fails too.
    let _ = writeln!(std::io::stderr(), "null-proxy: {said}");
    ExitCode::FAILURE
}
