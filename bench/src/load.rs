//! Making load, and what a load program and its caller tell each other.
//!
//! Requests have *intended* send times, fixed before the first one is sent, and latency counts from
//! those. A server that stalls therefore pays for every request that should have been sent meanwhile,
//! not only for the one that waited. Connections are threads that take the next intended time, so
//! with all of them busy the queue is in front of the server, where it belongs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Said;
use crate::histogram::{Histogram, Quantiles};
use crate::lane::{Exchange, Lane};
use crate::request::Request;

/// Exchanges on each connection before the measured ones.
const WARM_UP: u64 = 3;
/// The measured exchanges stop at the latest this long after the last intended time.
const OVERTIME: Duration = Duration::from_secs(5);
/// Stack of a connection's thread.
const STACK_BYTES: usize = 256 << 10;

/// What to send where, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The program under load.
    pub target: SocketAddr,
    /// The model asked for.
    pub model: String,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// Size of the request body, about.
    pub prompt_bytes: usize,
    /// How requests follow each other.
    pub shape: Shape,
}

/// How requests follow each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// At fixed intended times.
    Open {
        /// Requests a second.
        rate: f64,
        /// How many.
        count: u64,
        /// Connections, which is the most requests at once.
        connections: usize,
    },
    /// One after the other, as many.
    Sequence(u64),
    /// As many streams are opened and left open.
    Hold(usize),
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// Whole answers.
    pub answered: u64,
    /// Requests without one.
    pub failed: u64,
    /// Why the first of those failed.
    pub failure: Option<String>,
    /// Events of all streams.
    pub events: u64,
    /// Intended send time to the last byte.
    pub latency: Quantiles,
    /// Intended send time to the first text.
    pub first_content: Quantiles,
    /// Intended to real send time: how late the load program itself was, or all connections busy.
    pub lag: Quantiles,
}

#[derive(Default)]
struct Tally {
    failed: u64,
    failure: Option<String>,
    events: u64,
    latency: Histogram,
    first_content: Histogram,
    lag: Histogram,
}

impl Tally {
    fn add(&mut self, intended: Instant, sent: Instant, outcome: Said<Exchange>) {
        match outcome {
            Ok(exchange) => {
                self.events += u64::from(exchange.events);
                self.latency.record(exchange.done.saturating_duration_since(intended));
                let first = exchange.first_content.saturating_duration_since(intended);
                self.first_content.record(first);
                self.lag.record(sent.saturating_duration_since(intended));
            }
            Err(said) => {
                self.failed += 1;
                self.failure.get_or_insert(said);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
        self.events += other.events;
        self.latency.merge(&other.latency);
        self.first_content.merge(&other.first_content);
        self.lag.merge(&other.lag);
    }

    fn report(self) -> Report {
        let latency = self.latency.quantiles();
        Report {
            answered: latency.count,
            failed: self.failed,
            failure: self.failure,
            events: self.events,
            latency,
            first_content: self.first_content.quantiles(),
            lag: self.lag.quantiles(),
        }
    }
}

/// Does a job. `ready` is called once, when everything is connected and warm, and may wait.
///
/// # Errors
/// When a thread cannot be started, or what `ready` says.
pub fn run(job: &Job, ready: impl FnOnce() -> Said<()>) -> Said<Report> {
    match job.shape {
        Shape::Open { rate, count, connections } => open_loop(job, rate, count, connections, ready),
        Shape::Sequence(count) => sequence(job, count, ready),
        Shape::Hold(_) => Err("streams are held open by `hold`".into()),
    }
}

struct Timetable {
    interval: Duration,
    count: u64,
    next: AtomicU64,
    begins: OnceLock<Instant>,
    gate: Barrier,
}

fn open_loop(
    job: &Job,
    rate: f64,
    count: u64,
    connections: usize,
    ready: impl FnOnce() -> Said<()>,
) -> Said<Report> {
    let timetable = Timetable {
        interval: Duration::from_secs_f64(1.0 / rate.max(0.001)),
        count,
        next: AtomicU64::new(0),
        begins: OnceLock::new(),
        gate: Barrier::new(connections + 1),
    };
    thread::scope(|scope| {
        let started: Vec<_> = (0..connections as u64)
            .map(|index| {
                let timetable = &timetable;
                let small = thread::Builder::new().stack_size(STACK_BYTES);
                small.spawn_scoped(scope, move || one_connection(job, timetable, index))
            })
            .collect();
        timetable.gate.wait();
        let go = ready();
        timetable.begins.get_or_init(Instant::now);
        timetable.gate.wait();
        let mut sum = Tally::default();
        for thread in started {
            let thread = thread.map_err(|error| format!("no thread: {error}"))?;
            sum.merge(thread.join().map_err(|_| "a connection's thread failed")?);
        }
        go.map(|()| sum.report())
    })
}

fn one_connection(job: &Job, timetable: &Timetable, index: u64) -> Tally {
    let mut request = Request::chat(&job.model, job.stream, job.prompt_bytes);
    let mut lane = Lane::to(job.target);
    for turn in 0..WARM_UP {
        // A failure here shows again in the measured exchanges, and is reported there.
        let _ = lane.exchange(request.numbered(u64::MAX - index * WARM_UP - turn));
    }
    timetable.gate.wait();
    timetable.gate.wait();
    let mut tally = Tally::default();
    let begins = *timetable.begins.get_or_init(Instant::now);
    let last = begins + timetable.interval.mul_f64(timetable.count as f64);
    loop {
        let ticket = timetable.next.fetch_add(1, Ordering::Relaxed);
        let intended = begins + timetable.interval.mul_f64(ticket as f64);
        if ticket >= timetable.count || Instant::now() > last + OVERTIME {
            return tally;
        }
        thread::sleep(intended.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        tally.add(intended, sent, lane.exchange(request.numbered(ticket)));
    }
}

fn sequence(job: &Job, count: u64, ready: impl FnOnce() -> Said<()>) -> Said<Report> {
    let mut request = Request::chat(&job.model, job.stream, job.prompt_bytes);
    let mut lane = Lane::to(job.target);
    let mut tally = Tally::default();
    ready()?;
    for number in 0..count {
        let sent = Instant::now();
        tally.add(sent, sent, lane.exchange(request.numbered(number)));
        if tally.failed > count / 10 {
            break;
        }
    }
    Ok(tally.report())
}

/// Opens streams and returns them open, with how many there should have been in the report.
///
/// # Errors
/// What `ready` says.
pub fn hold(
    job: &Job,
    count: usize,
    ready: impl FnOnce() -> Said<()>,
) -> Said<(Vec<Lane>, Report)> {
    let mut request = Request::chat(&job.model, true, job.prompt_bytes);
    let mut report = Report::default();
    let mut held = Vec::with_capacity(count);
    ready()?;
    for number in 0..count as u64 {
        let mut lane = Lane::to(job.target);
        match lane.open_stream(request.numbered(number)) {
            Ok(()) => held.push(lane),
            Err(said) => {
                report.failed += 1;
                report.failure.get_or_insert(said);
            }
        }
        if report.failed > 10 {
            break;
        }
    }
    report.answered = held.len() as u64;
    Ok((held, report))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers every read with one answer; the given one comes late.
    fn stalling_server(slow: usize, delay: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut buffer = [0; 16 << 10];
            for number in 0.. {
                if socket.read(&mut buffer).unwrap_or(0) == 0 {
                    return;
                }
                if number == slow {
                    thread::sleep(delay);
                }
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            }
        });
        address
    }

    #[test]
    fn a_stall_is_paid_by_every_request_that_was_due_meanwhile() {
        let stall = Duration::from_millis(300);
        let job = Job {
            target: stalling_server(3 + 5, stall),
            model: "m".into(),
            stream: false,
            prompt_bytes: 500,
            shape: Shape::Open { rate: 100.0, count: 50, connections: 1 },
        };
        let report = run(&job, || Ok(())).unwrap();
        assert_eq!((report.answered, report.failed), (50, 0), "{:?}", report.failure);
        // About 30 of the 50 were due during the stall, so even the median has waited.
        assert!(report.latency.p50_us > 10_000.0, "{report:?}");
        assert!(report.latency.max_us >= 300_000.0, "{report:?}");
    }

    #[test]
    fn failures_are_counted_and_told() {
        let job = Job {
            target: "127.0.0.1:1".parse().unwrap(),
            model: "m".into(),
            stream: false,
            prompt_bytes: 500,
            shape: Shape::Open { rate: 1e4, count: 20, connections: 2 },
        };
        let report = run(&job, || Ok(())).unwrap();
        assert_eq!((report.answered, report.failed), (0, 20));
        assert!(report.failure.unwrap().starts_with("connect"));
    }
}
