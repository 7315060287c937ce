//! What a process costs, from `/proc`: CPU time and resident memory.
//!
//! CPU time is the scheduler's own sum in nanoseconds, per thread (`schedstat`). Threads that ended
//! between two looks are missing there, so the coarse sum of the whole process (`stat`, in ticks of
//! 10 ms) is looked at too and wins when it is clearly larger.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Said;

/// Nanoseconds of one tick in `/proc/PID/stat`; Linux tells 100 a second everywhere.
const TICK_NANOS: u64 = 10_000_000;
/// How much more the coarse sum must be to be believed.
const BELIEVED_NANOS: u64 = 2 * TICK_NANOS;

/// The CPU time a process has used so far.
#[derive(Debug, Clone, Default)]
pub struct Cpu {
    threads: BTreeMap<u32, u64>,
    coarse_nanos: u64,
}

impl Cpu {
    /// Looks at a process.
    ///
    /// # Errors
    /// When it is gone.
    pub fn of(pid: u32) -> Said<Self> {
        let gone = |error: std::io::Error| format!("process {pid}: {error}");
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(gone)?;
        let coarse_nanos = ticks(&stat).ok_or("unreadable /proc/PID/stat")? * TICK_NANOS;
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(gone)?;
        let threads = tasks.flatten().filter_map(|task| thread_nanos(&task.path())).collect();
        Ok(Self { threads, coarse_nanos })
    }

    /// Nanoseconds used since an earlier look.
    #[must_use]
    pub fn nanos_since(&self, earlier: &Self) -> u64 {
        let used = |(id, nanos): (&u32, &u64)| {
            nanos.saturating_sub(earlier.threads.get(id).copied().unwrap_or(0))
        };
        let fine: u64 = self.threads.iter().map(used).sum();
        let coarse = self.coarse_nanos.saturating_sub(earlier.coarse_nanos);
        if coarse > fine + BELIEVED_NANOS { coarse } else { fine }
    }
}

/// `utime` and `stime` in ticks. The name before them may hold anything, hence the last parenthesis.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn thread_nanos(task: &Path) -> Option<(u32, u64)> {
    let id = task.file_name()?.to_str()?.parse().ok()?;
    let text = fs::read_to_string(task.join("schedstat")).ok()?;
    Some((id, text.split_whitespace().next()?.parse().ok()?))
}

/// Resident memory of a process in bytes.
///
/// # Errors
/// When it is gone.
pub fn resident_bytes(pid: u32) -> Said<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|error| format!("process {pid}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("process {pid} has no memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_wild_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 1 2 3 4 30 12 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn new_threads_count_whole_and_known_ones_count_their_difference() {
        let cpu = |threads: &[(u32, u64)], coarse_nanos| Cpu {
            threads: threads.iter().copied().collect(),
            coarse_nanos,
        };
        let earlier = cpu(&[(1, 100), (2, 50)], 0);
        assert_eq!(cpu(&[(1, 150), (3, 7)], TICK_NANOS).nanos_since(&earlier), 57);
        assert_eq!(cpu(&[(1, 150)], 9 * TICK_NANOS).nanos_since(&earlier), 9 * TICK_NANOS);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        let before = Cpu::of(pid).unwrap();
        let mut sum = 1_u64;
        (0..5_000_000_u64).for_each(|n| sum = std::hint::black_box(sum.wrapping_mul(n | 1)));
        assert!(Cpu::of(pid).unwrap().nanos_since(&before) > 0);
        assert!(resident_bytes(pid).unwrap() > 100_000);
    }
}
