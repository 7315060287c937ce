//! The circuit breaker: after enough failures in a row, stop asking; later, ask once.
//!
//! **Why consecutive.** A failure rate needs a window, a minimum volume and a threshold, and at low
//! traffic none of them means anything. Three counted failures in a row, in the order in which they
//! completed, say "down" within three requests at any traffic, and one success says "not down".
//! A provider that fails every second time stays closed here on purpose: half of its answers are
//! good, and retry and fallback carry the rest.
//!
//! **Why one probe.** An open breaker that lets a crowd through when its time is up hits a provider
//! that has just come back with everything that was held off. One request goes, everyone else still
//! skips, and its result decides.
//!
//! **Why epochs.** Attempts that began before the trip report late: a success among them would close
//! a breaker that is right to be open, a failure would open it again after a good probe. Each ticket
//! carries the epoch it was issued in; every trip, reopening and closing starts a new epoch, and
//! results of another epoch are ignored.
//!
//! **Why a lease.** A probe whose result never arrives must not keep everyone out forever, so the
//! probe slot is lent for `open_for`, after which the next request may probe too. The late probe of
//! the same epoch still counts when it reports: an upstream whose healthy answers take longer than
//! the lease could otherwise never close its breaker. A probe that ends without evidence
//! ([`Verdict::Ignored`]) hands its slot back at once.
//!
//! All state is one 64-bit word changed by compare-and-swap, so there is no moment at which phase,
//! epoch and deadline disagree. Deadlines are kept in whole milliseconds, rounded up.
//!
//! It does not decide what counts as a failure (see `attempt::Class::verdict`), and it does not know
//! what it protects: the caller keeps one for each (provider, region, base URL).

use std::time::Duration;

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::tick::Tick;

/// When to open and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Consecutive counted failures that open the breaker; 0 is taken as 1.
    pub failures: u32,
    /// How long it stays open before a probe, and how long a probe holds its slot; at least 1 ms.
    pub open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 3, open_for: Duration::from_secs(30) }
    }
}

/// Proof that an attempt was admitted; handed back, once, with the attempt's verdict.
#[derive(Debug)]
#[must_use = "an admitted attempt reports its verdict through `Breaker::record`"]
pub struct Ticket {
    epoch: u64,
    /// For a probe, the end of its lease in milliseconds, which tells it from other probes.
    lease: Option<u64>,
}

/// The answer to "may this attempt go there now?".
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// The breaker is closed: go.
    Pass(Ticket),
    /// The breaker is half-open and this attempt is its only probe: go.
    Probe(Ticket),
    /// Skip it.
    Open {
        /// The earliest moment at which the answer can change without a result coming in.
        retry_at: Tick,
    },
}

/// What an attempt says about the health of what it went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// The attempt says nothing: the client left, a limit was hit, the request itself was wrong.
    Ignored,
}

/// A change of state that one recorded verdict caused; at most one caller sees each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Closed to open.
    Opened,
    /// Half-open to closed.
    Closed,
    /// Half-open to open, after a failed probe.
    Reopened,
}

/// The breaker as an observer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everything passes.
    Closed,
    /// A probe is under way, or the next attempt would be one.
    HalfOpen,
    /// Nothing passes.
    Open,
}

/// A lock-free circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    word: AtomicU64,
    failures: AtomicU32,
    open_for_ms: AtomicU64,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            word: AtomicU64::new(Word { phase: Phase::Closed, epoch: 0, payload: 0 }.pack()),
            failures: AtomicU32::new(settings.failures.max(1)),
            open_for_ms: AtomicU64::new(whole_millis(settings.open_for)),
        }
    }

    /// Changes the settings and keeps the state: a reload of the configuration heals nobody. They
    /// apply from the next verdict on; a deadline already set stays.
    pub fn configure(&self, settings: BreakerSettings) {
        self.failures.store(settings.failures.max(1), Ordering::Relaxed);
        self.open_for_ms.store(whole_millis(settings.open_for), Ordering::Relaxed);
    }

    /// Asks to send an attempt. A half-open breaker gives its probe slot to exactly one caller, who
    /// must [`record`](Self::record) it.
    pub fn admit(&self, now: Tick) -> Admission {
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let word = Word::unpack(seen);
            if word.phase == Phase::Closed {
                return Admission::Pass(Ticket { epoch: word.epoch, lease: None });
            }
            if now < word.until() {
                return Admission::Open { retry_at: word.until() };
            }
            let lease = self.deadline(now);
            let probing = Word { phase: Phase::Probing, payload: lease, ..word };
            match self.swap(seen, probing) {
                Ok(()) => {
                    return Admission::Probe(Ticket { epoch: word.epoch, lease: Some(lease) });
                }
                Err(current) => seen = current,
            }
        }
    }

    /// Reports how an admitted attempt ended, and tells the change of state this caused, if any.
    /// Verdicts of an earlier epoch change nothing.
    pub fn record(&self, now: Tick, ticket: Ticket, verdict: Verdict) -> Option<Transition> {
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let word = Word::unpack(seen);
            if word.epoch != ticket.epoch {
                return None;
            }
            let (next, transition) = match verdict {
                Verdict::Success => word.succeeded(),
                Verdict::Failure => self.failed(word, now),
                Verdict::Ignored => word.released(&ticket, now),
            }?;
            match self.swap(seen, next) {
                Ok(()) => return transition,
                Err(current) => seen = current,
            }
        }
    }

    /// When [`admit`](Self::admit) would refuse now, the moment from which it may not; otherwise
    /// nothing. Takes no probe slot, so a plan can ask about lanes it may never use.
    #[must_use]
    pub fn peek(&self, now: Tick) -> Option<Tick> {
        let word = Word::unpack(self.word.load(Ordering::Acquire));
        (word.phase != Phase::Closed && now < word.until()).then(|| word.until())
    }

    /// The state at `now`, for metrics and pages.
    #[must_use]
    pub fn state(&self, now: Tick) -> State {
        let word = Word::unpack(self.word.load(Ordering::Acquire));
        match word.phase {
            Phase::Closed => State::Closed,
            Phase::Open if now < word.until() => State::Open,
            Phase::Open | Phase::Probing => State::HalfOpen,
        }
    }

    fn failed(&self, word: Word, now: Tick) -> Option<Change> {
        let open =
            || Word { phase: Phase::Open, epoch: word.next_epoch(), payload: self.deadline(now) };
        if word.phase != Phase::Closed {
            return Some((open(), Some(Transition::Reopened)));
        }
        let count = word.payload.saturating_add(1).min(PAYLOAD_MAX);
        if count >= u64::from(self.failures.load(Ordering::Relaxed)) {
            return Some((open(), Some(Transition::Opened)));
        }
        Some((Word { payload: count, ..word }, None))
    }

    /// The millisecond at which something that starts now and lasts `open_for` has ended.
    fn deadline(&self, now: Tick) -> u64 {
        let open_for = self.open_for_ms.load(Ordering::Relaxed);
        now.nanos().div_ceil(NANOS_PER_MILLI).saturating_add(open_for).min(PAYLOAD_MAX)
    }

    fn swap(&self, seen: u64, next: Word) -> Result<(), u64> {
        self.word
            .compare_exchange_weak(seen, next.pack(), Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
    }
}

/// A new word and the transition that it means.
type Change = (Word, Option<Transition>);

const NANOS_PER_MILLI: u64 = 1_000_000;

/// 40 bits of milliseconds are 34 years after the zero point of the clock.
const PAYLOAD_BITS: u32 = 40;
const PAYLOAD_MAX: u64 = (1 << PAYLOAD_BITS) - 1;

/// 22 bits: a ticket would have to outlive exactly a multiple of four million trips to be mistaken.
const EPOCH_BITS: u32 = 22;
const EPOCH_MAX: u64 = (1 << EPOCH_BITS) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The payload counts consecutive failures.
    Closed,
    /// The payload is the millisecond at which a probe may go.
    Open,
    /// The payload is the millisecond at which the probe's lease ends.
    Probing,
}

/// The state word, taken apart: phase (2 bits), epoch, payload.
#[derive(Debug, Clone, Copy)]
struct Word {
    phase: Phase,
    epoch: u64,
    payload: u64,
}

impl Word {
    fn pack(self) -> u64 {
        let phase = match self.phase {
            Phase::Closed => 0,
            Phase::Open => 1,
            Phase::Probing => 2,
        };
        (phase << (PAYLOAD_BITS + EPOCH_BITS)) | (self.epoch << PAYLOAD_BITS) | self.payload
    }

    fn unpack(bits: u64) -> Self {
        let phase = match bits >> (PAYLOAD_BITS + EPOCH_BITS) {
            0 => Phase::Closed,
            1 => Phase::Open,
            _ => Phase::Probing,
        };
        let epoch = (bits >> PAYLOAD_BITS) & EPOCH_MAX;
        Self { phase, epoch, payload: bits & PAYLOAD_MAX }
    }

    fn until(self) -> Tick {
        Tick::from_millis(self.payload)
    }

    fn next_epoch(self) -> u64 {
        (self.epoch + 1) & EPOCH_MAX
    }

    fn succeeded(self) -> Option<Change> {
        match self.phase {
            // The common case of a healthy upstream writes nothing to the shared word.
            Phase::Closed if self.payload == 0 => None,
            Phase::Closed => Some((Self { payload: 0, ..self }, None)),
            Phase::Open | Phase::Probing => {
                let closed = Self { phase: Phase::Closed, epoch: self.next_epoch(), payload: 0 };
                Some((closed, Some(Transition::Closed)))
            }
        }
    }

    /// Frees the probe slot, if `ticket` is the probe that holds it.
    fn released(self, ticket: &Ticket, now: Tick) -> Option<Change> {
        let holds = self.phase == Phase::Probing && ticket.lease == Some(self.payload);
        let due = (now.nanos() / NANOS_PER_MILLI).min(self.payload);
        holds.then_some((Self { phase: Phase::Open, payload: due, ..self }, None))
    }
}

fn whole_millis(span: Duration) -> u64 {
    let millis = span.as_nanos().div_ceil(u128::from(NANOS_PER_MILLI));
    u64::try_from(millis).unwrap_or(PAYLOAD_MAX).clamp(1, PAYLOAD_MAX)
}
