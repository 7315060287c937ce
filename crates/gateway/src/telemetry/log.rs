//! The request log: one line a request, one a fallback, on standard error.
//!
//! Lines gather in one buffer and a thread of its own writes them, so a request pays for formatting
//! and no system call. The buffer is bounded: when the reader of standard error stalls, lines are
//! dropped and counted rather than memory growing or requests waiting.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::record::{FallbackRecord, RequestRecord};

/// Lines waiting to be written are bounded to this many bytes.
const BUFFER_BYTES: usize = 8 << 20;
/// The writer gathers lines this long before one write.
const GATHER: Duration = Duration::from_millis(20);

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where lines go.
#[derive(Debug, Clone)]
pub struct LogSink {
    format: LogFormat,
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<u8>>,
    wake: Condvar,
    dropped: AtomicU64,
}

#[derive(Serialize)]
struct Line<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    record: &'a T,
}

impl LogSink {
    /// No request log at all.
    #[must_use]
    pub fn silent() -> Self {
        Self { format: LogFormat::Text, shared: None }
    }

    /// Lines stay in memory until [`LogSink::take`]: for embedding and tests.
    #[must_use]
    pub fn memory(format: LogFormat) -> Self {
        Self { format, shared: Some(Arc::default()) }
    }

    /// Lines go to standard error through a thread of their own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn stderr(format: LogFormat) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("request-log".into())
            .spawn(move || write_lines(&writer))?;
        Ok(Self { format, shared: Some(shared) })
    }

    /// Takes what has gathered, as text.
    #[must_use]
    pub fn take(&self) -> String {
        let Some(shared) = &self.shared else { return String::new() };
        let bytes = std::mem::take(&mut *lock(&shared.lines));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Writes what has gathered at once, from the calling thread: the last thing before an exit.
    pub fn flush(&self) {
        let lines = self.take();
        // Nobody is left to be told when standard error itself is gone.
        let _ = std::io::stderr().write_all(lines.as_bytes());
    }

    /// How many lines were dropped because the reader was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }

    /// Writes the line of one request.
    pub fn request(&self, record: &RequestRecord) {
        self.line(|format, out| match format {
            LogFormat::Json => json_line("request", record, out),
            LogFormat::Text => request_text(record, out),
        });
    }

    /// Writes the line of one fallback.
    pub fn fallback(&self, record: &FallbackRecord<'_>) {
        self.line(|format, out| match format {
            LogFormat::Json => json_line("fallback", record, out),
            LogFormat::Text => fallback_text(record, out),
        });
    }

    fn line(&self, write: impl FnOnce(LogFormat, &mut Vec<u8>)) {
        let Some(shared) = &self.shared else { return };
        let mut lines = lock(&shared.lines);
        if lines.len() >= BUFFER_BYTES {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = lines.is_empty();
        write(self.format, &mut lines);
        drop(lines);
        if was_empty {
            shared.wake.notify_one();
        }
    }
}

fn lock(lines: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_lines(shared: &Shared) {
    let mut batch = Vec::new();
    loop {
        let mut lines = lock(&shared.lines);
        while lines.is_empty() {
            lines = shared.wake.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        drop(lines);
        std::thread::sleep(GATHER);
        std::mem::swap(&mut batch, &mut *lock(&shared.lines));
        // Nobody is left to be told when standard error itself is gone.
        let _ = std::io::stderr().write_all(&batch);
        batch.clear();
        batch.shrink_to(64 << 10);
    }
}

fn json_line<T: Serialize>(event: &'static str, record: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, &Line { event, record }).is_err() {
        out.truncate(start);
        return;
    }
    out.push(b'\n');
}

fn request_text(record: &RequestRecord, out: &mut Vec<u8>) {
    let mut line = String::with_capacity(160);
    let _ = write!(
        line,
        "request {} {} {} -> {} attempts={} {:.1}ms",
        record.request_id,
        record.status,
        record.requested_model,
        record.served_model.as_deref().unwrap_or("-"),
        record.attempts.len(),
        millis(record.duration_us),
    );
    if let Some(ttft) = record.ttft_us {
        let _ = write!(line, " ttft={:.1}ms", millis(ttft));
    }
    let _ = write!(line, " tokens={}+{}", record.input_tokens, record.output_tokens);
    if let Some(code) = record.code {
        let _ = write!(line, " code={code}");
    }
    if record.outcome != "ok" {
        let _ = write!(line, " outcome={}", record.outcome);
    }
    if let Some(cause) = &record.cause {
        let _ = write!(line, " cause={cause:?}");
    }
    line.push('\n');
    out.extend_from_slice(line.as_bytes());
}

fn fallback_text(record: &FallbackRecord<'_>, out: &mut Vec<u8>) {
    let decision = record.decision_us.map_or(0.0, millis);
    let line = format!(
        "fallback {} {} -> {} reason={} attempt={} decision={decision:.2}ms\n",
        record.request_id, record.from, record.to, record.reason, record.attempt,
    );
    out.extend_from_slice(line.as_bytes());
}

#[expect(clippy::cast_precision_loss, reason = "shown to people with one decimal")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
