//! How fast and how busy a deployment is, from measurements the caller brings.
//!
//! [`PeakEwma`] is the load signal for choosing: a moving average of latency that jumps to any
//! higher value at once and only forgets with time. An average that rises slowly would keep sending
//! requests to an upstream that has just stalled. (The rule is that of Finagle's and linkerd's
//! balancers.) [`Outstanding`] counts requests in flight. [`TtftWindow`] keeps the recent times to
//! first token as a histogram, because a hedge must start at this deployment's own 95th percentile:
//! a fixed delay fires on almost every call of one upstream and on none of another.
//!
//! What to observe is the caller's duty: answers and timeouts, never quick refusals, which would
//! make a broken upstream the fastest of all. Everything is lock-free and approximate where it says
//! so; nothing here is used for accounting.

use std::time::Duration;

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::tick::Tick;

/// A latency average that rises at once and decays exponentially; lock-free.
///
/// One word holds the value in microseconds (32 bits, up to 71 minutes) and the moment of its last
/// change in units of 2^24 ns, about 17 ms (32 bits, 2.2 years after the clock's zero point).
#[derive(Debug)]
pub struct PeakEwma {
    word: AtomicU64,
    decay_ns: u64,
}

impl Default for PeakEwma {
    /// Decays by a factor e in 10 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}

const STAMP_SHIFT: u32 = 24;
const VALUE_BITS: u32 = 32;

impl PeakEwma {
    /// An average without observations, which loses a factor e in every `decay` (at least 1 ms).
    #[must_use]
    pub fn new(decay: Duration) -> Self {
        let decay_ns = u64::try_from(decay.as_nanos()).unwrap_or(u64::MAX).max(1_000_000);
        Self { word: AtomicU64::new(0), decay_ns }
    }

    /// Takes in one measured latency.
    pub fn observe(&self, now: Tick, latency: Duration) {
        let sample = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX).max(1);
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let value = merge(value_of(seen), sample, self.kept(seen, now));
            // A late observer does not turn the clock back.
            let next = pack(value, stamp(now).max(stamp_of(seen)));
            match self.word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(current) => seen = current,
            }
        }
    }

    /// The average at `now` in microseconds, at least 1; 0 when nothing was ever observed. It sinks
    /// while nothing is observed, so that a deployment shunned for a slow answer is tried again.
    #[must_use]
    pub fn latency_us(&self, now: Tick) -> u64 {
        let seen = self.word.load(Ordering::Acquire);
        match value_of(seen) {
            0 => 0,
            value => u64::from(scale(value, self.kept(seen, now)).max(1)),
        }
    }

    /// The load score: latency x (requests in flight + 1); 0 when nothing was ever observed.
    #[must_use]
    pub fn score(&self, now: Tick, outstanding: u32) -> u64 {
        self.latency_us(now).saturating_mul(u64::from(outstanding) + 1)
    }

    /// The share of the old value that is left at `now`, in 0..=1.
    fn kept(&self, seen: u64, now: Tick) -> f64 {
        let age = u64::from(stamp(now).saturating_sub(stamp_of(seen))) << STAMP_SHIFT;
        (-(age as f64) / self.decay_ns as f64).exp()
    }
}

fn stamp(now: Tick) -> u32 {
    u32::try_from(now.nanos() >> STAMP_SHIFT).unwrap_or(u32::MAX)
}

fn pack(value: u32, stamp: u32) -> u64 {
    (u64::from(stamp) << VALUE_BITS) | u64::from(value)
}

fn value_of(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn stamp_of(word: u64) -> u32 {
    u32::try_from(word >> VALUE_BITS).unwrap_or(u32::MAX)
}

/// `value` times a share in 0..=1; float-to-integer casts saturate.
fn scale(value: u32, share: f64) -> u32 {
    (f64::from(value) * share).round() as u32
}

/// The new average: anything lower by its weight, a peak at once.
fn merge(old: u32, sample: u32, kept: f64) -> u32 {
    let mixed = f64::from(old) * kept + f64::from(sample) * (1.0 - kept);
    (mixed.round() as u32).max(sample)
}

/// Requests in flight at one deployment. Begin and end are said explicitly, there is no guard: who
/// began also ends, on every path.
#[derive(Debug)]
pub struct Outstanding {
    count: AtomicU32,
}

impl Default for Outstanding {
    fn default() -> Self {
        Self::new()
    }
}

impl Outstanding {
    /// Nothing in flight.
    #[must_use]
    pub fn new() -> Self {
        Self { count: AtomicU32::new(0) }
    }

    /// One more, and how many there are with it.
    pub fn begin(&self) -> u32 {
        self.count.fetch_add(1, Ordering::AcqRel).saturating_add(1)
    }

    /// One fewer; an end too many is ignored and does not wrap.
    pub fn end(&self) {
        let less = |n: u32| n.checked_sub(1);
        let _ = self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    /// How many there are.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }
}

/// Bucket 0 ends a little above 1 ms; 16 octaves in quarters reach 67 s.
const BUCKETS: usize = 64;
const FIRST_OCTAVE: u32 = 10;
const HALF_NS: u64 = 300 * 1_000_000_000;

/// Below this many samples a 95th percentile is noise: it would be the largest value or nearly so.
const MIN_SAMPLES: u64 = 20;

/// Times to first token of the last five to ten minutes, as a histogram with quarter-octave buckets
/// (a percentile is at most 25 % too high). Two halves of five minutes take turns; a count that
/// races with the turn of a half may be lost, which a percentile does not notice.
#[derive(Debug)]
pub struct TtftWindow {
    halves: [Half; 2],
}

#[derive(Debug)]
struct Half {
    /// The number of the five minutes it holds, plus one; 0 when it was never used.
    period: AtomicU64,
    counts: [AtomicU32; BUCKETS],
}

impl Default for TtftWindow {
    fn default() -> Self {
        Self::new()
    }
}

impl TtftWindow {
    /// An empty window.
    #[must_use]
    pub fn new() -> Self {
        let half = || Half {
            period: AtomicU64::new(0),
            counts: std::array::from_fn(|_| AtomicU32::new(0)),
        };
        Self { halves: [half(), half()] }
    }

    /// Takes in one time to first token.
    pub fn observe(&self, now: Tick, ttft: Duration) {
        let period = period(now);
        let [even, odd] = &self.halves;
        let half = if period.is_multiple_of(2) { even } else { odd };
        half.turn(period);
        if let Some(count) = half.counts.get(bucket(ttft)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The 95th percentile of the window (the upper edge of its bucket), or nothing when there are
    /// fewer than 20 samples.
    #[must_use]
    pub fn p95(&self, now: Tick) -> Option<Duration> {
        let counts = self.counts(period(now));
        let total: u64 = counts.iter().sum();
        if total < MIN_SAMPLES {
            return None;
        }
        let rank = (total * 95).div_ceil(100);
        let mut below = 0;
        let index = counts.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(upper_edge(index))
    }

    /// How long to wait for the first content before hedging: the 95th percentile, not under `floor`.
    #[must_use]
    pub fn hedge_after(&self, now: Tick, floor: Duration) -> Duration {
        self.p95(now).map_or(floor, |p95| p95.max(floor))
    }

    fn counts(&self, period: u64) -> [u64; BUCKETS] {
        let mut sums = [0_u64; BUCKETS];
        let fresh = |half: &&Half| {
            let held = half.period.load(Ordering::Acquire);
            held == period || held + 1 == period
        };
        for half in self.halves.iter().filter(fresh) {
            for (sum, count) in sums.iter_mut().zip(&half.counts) {
                *sum += u64::from(count.load(Ordering::Relaxed));
            }
        }
        sums
    }
}

impl Half {
    /// Empties the half if it still holds an older period; only one caller does.
    fn turn(&self, period: u64) {
        let held = self.period.load(Ordering::Acquire);
        if held >= period {
            return;
        }
        let turned =
            self.period.compare_exchange(held, period, Ordering::AcqRel, Ordering::Acquire);
        if turned.is_ok() {
            self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        }
    }
}

fn period(now: Tick) -> u64 {
    now.nanos() / HALF_NS + 1
}

fn bucket(ttft: Duration) -> usize {
    let us = u64::try_from(ttft.as_micros()).unwrap_or(u64::MAX).max(1 << FIRST_OCTAVE);
    let octave = us.ilog2();
    let quarter = (us >> (octave - 2)) & 3;
    let index = u64::from(octave - FIRST_OCTAVE) * 4 + quarter;
    usize::try_from(index).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

fn upper_edge(bucket: usize) -> Duration {
    let octave = FIRST_OCTAVE as usize + bucket / 4;
    Duration::from_micros((bucket as u64 % 4 + 5) << (octave - 2))
}
