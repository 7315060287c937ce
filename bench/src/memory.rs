//! Memory: of a fresh process at rest, and of one with many streams open.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::Said;
use crate::child::Launcher;
use crate::load::{Job, Shape};
use crate::process::resident_bytes;
use crate::scenario::{HELD_MODEL, SHORT_MODEL};
use crate::subject::Subject;

/// Time to come to rest before memory is read.
const REST: Duration = Duration::from_millis(700);
/// Size of the request of each held stream.
const PROMPT_BYTES: usize = 4 << 10;

/// Requests before streams are opened, so that what is loaded once is not counted to them.
const WARM_UP: u64 = 20;

/// Resident memory of one subject.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Memory {
    /// At rest, nothing asked yet, MB of 1,000,000 bytes.
    pub idle_mb: f64,
    /// What each open stream adds, KiB.
    pub stream_kib: f64,
    /// How many streams were open.
    pub streams: u64,
}

/// Reads the memory of a subject that was just started.
///
/// # Errors
/// When it or the load program is gone, or streams do not open.
pub fn of(launcher: &Launcher, load: &Path, subject: &Subject, streams: usize) -> Said<Memory> {
    let pid = subject.pid().ok_or("the upstream itself is not measured")?;
    thread::sleep(REST);
    let idle = resident_bytes(pid)?;
    let job = |model: &str, shape| Job {
        target: subject.address,
        model: model.to_owned(),
        stream: true,
        prompt_bytes: PROMPT_BYTES,
        shape,
    };
    launcher.load(load, &job(SHORT_MODEL, Shape::Sequence(WARM_UP)))?.report()?;
    thread::sleep(REST);
    let warm = resident_bytes(pid)?;
    let mut held = launcher.load(load, &job(HELD_MODEL, Shape::Hold(streams)))?;
    let report = held.report()?;
    if let Some(failure) = report.failure {
        return Err(format!("{} of {streams} streams opened: {failure}", report.answered));
    }
    thread::sleep(REST);
    let open = resident_bytes(pid)?;
    let added = open.saturating_sub(warm) as f64 / 1024.0;
    Ok(Memory {
        idle_mb: idle as f64 / 1e6,
        stream_kib: added / report.answered.max(1) as f64,
        streams: report.answered,
    })
}
