//! How much extra load failing may cause: budgets for retries and for hedges.
//!
//! **Why budgets and not only a maximum per request.** "At most one retry" doubles the load on an
//! upstream exactly when it fails because of load: every request fails, so every request retries,
//! and the outage feeds itself. A budget is a share of the traffic: a single failing request still
//! gets its retry, a failing upstream gets at most a fifth more. The small floor is there for quiet
//! times, when a fifth of nearly nothing would forbid the only retry that matters.
//!
//! Retries are bounded by what is **in flight**, not by a rate, because in-flight work is what
//! overloads an upstream and because the bound then needs no clock. Hedges are bounded by **count**,
//! because each costs money even when nothing is wrong: every request pays in a small share, a hedge
//! takes out a whole one.
//!
//! Tokens are values, not guards: who took one gives it back on every path. Nothing happens in
//! `Drop`.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Retries and hedges that may run at any load.
const DEFAULT_FLOOR: u32 = 3;

/// Retries and hedges in flight, as a percentage of active requests.
const DEFAULT_PERCENT: u32 = 20;

/// Permission for one retry or hedge in flight.
#[derive(Debug)]
#[must_use = "a token is given back through `RetryBudget::give_back` when the retry has ended"]
pub struct RetryToken(());

/// Bounds the retries and hedges in flight by a share of the active requests; lock-free.
#[derive(Debug)]
pub struct RetryBudget {
    in_flight: AtomicU32,
    floor: AtomicU32,
    percent: AtomicU32,
}

impl Default for RetryBudget {
    /// At most 20 % of the active requests, but always 3.
    fn default() -> Self {
        Self::new(DEFAULT_FLOOR, DEFAULT_PERCENT)
    }
}

impl RetryBudget {
    /// At most `max(floor, percent of the active requests)` at once.
    #[must_use]
    pub fn new(floor: u32, percent: u32) -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            floor: AtomicU32::new(floor),
            percent: AtomicU32::new(percent),
        }
    }

    /// Changes the bounds; tokens already out stay valid.
    pub fn configure(&self, floor: u32, percent: u32) {
        self.floor.store(floor, Ordering::Relaxed);
        self.percent.store(percent, Ordering::Relaxed);
    }

    /// Takes a token if `active` requests in progress (all of them, retrying or not) allow one more.
    pub fn try_take(&self, active: u32) -> Option<RetryToken> {
        let allowed = self.allowed(active);
        let more = |n: u32| (n < allowed).then(|| n.saturating_add(1));
        let taken = self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then_some(RetryToken(()))
    }

    /// Ends the retry or hedge that `token` stood for.
    pub fn give_back(&self, token: RetryToken) {
        let RetryToken(()) = token;
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    /// Retries and hedges in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// How many may be in flight with `active` requests in progress.
    #[must_use]
    pub fn allowed(&self, active: u32) -> u32 {
        let percent = u64::from(self.percent.load(Ordering::Relaxed));
        let share = u64::from(active) * percent / 100;
        u32::try_from(share).unwrap_or(u32::MAX).max(self.floor.load(Ordering::Relaxed))
    }
}

/// One hedge, in millionths.
const WHOLE: u64 = 1_000_000;

/// Hedges that can be saved up while nothing is slow.
const BURST: u64 = 10;

/// A token bucket filled by requests, not by time; lock-free integers.
///
/// After `n` requests at a share of `s`, at most `s * n` hedges have started, rounded up. After a
/// [`configure`](Self::configure) the same holds for the new share plus what was saved before.
#[derive(Debug)]
pub struct HedgeBudget {
    saved: AtomicU64,
    share_ppm: AtomicU32,
}

impl Default for HedgeBudget {
    /// 5 % of the requests.
    fn default() -> Self {
        Self::new(50_000)
    }
}

impl HedgeBudget {
    /// A budget of `max_extra_ppm` hedges for every million requests; 0 forbids hedging, more than a
    /// million is taken as one hedge a request. The first request can already hedge.
    #[must_use]
    pub fn new(max_extra_ppm: u32) -> Self {
        let share = share(max_extra_ppm);
        Self { saved: AtomicU64::new(WHOLE - u64::from(share)), share_ppm: AtomicU32::new(share) }
    }

    /// Changes the share; what is saved stays.
    pub fn configure(&self, max_extra_ppm: u32) {
        self.share_ppm.store(share(max_extra_ppm), Ordering::Relaxed);
    }

    /// Pays in one request's share; called once for each request, before any hedge of it.
    pub fn deposit(&self) {
        let share = u64::from(self.share_ppm.load(Ordering::Relaxed));
        let filled = |saved: u64| {
            let next = saved.saturating_add(share).min(BURST * WHOLE);
            (next != saved).then_some(next)
        };
        let _ = self.saved.fetch_update(Ordering::AcqRel, Ordering::Acquire, filled);
    }

    /// Takes out one hedge; false when the share is used up.
    #[must_use = "a refused hedge must not start"]
    pub fn try_take(&self) -> bool {
        if self.share_ppm.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let spent = |saved: u64| saved.checked_sub(WHOLE);
        self.saved.fetch_update(Ordering::AcqRel, Ordering::Acquire, spent).is_ok()
    }
}

fn share(max_extra_ppm: u32) -> u32 {
    max_extra_ppm.min(1_000_000)
}
