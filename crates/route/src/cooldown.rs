//! A cooldown: a credential or a rate limit set aside until a known moment.
//!
//! A breaker guesses how long to stay away; a cooldown is told. An answer such as "429, come back in
//! seven seconds" says nothing about the health of the upstream and everything about when to ask
//! again. Several answers may name several moments, and the latest wins: a shorter one that arrives
//! later was computed from the same limit, and asking too early only buys another refusal.
//!
//! It does not know why (rate, quota, credential) nor how long each reason lasts.

use crate::sync::{AtomicU64, Ordering};
use crate::tick::Tick;

/// "Not before" for one credential or deployment; lock-free.
#[derive(Debug)]
pub struct Cooldown {
    until: AtomicU64,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self::new()
    }
}

impl Cooldown {
    /// Not cooling down.
    #[must_use]
    pub fn new() -> Self {
        Self { until: AtomicU64::new(0) }
    }

    /// Sets it aside until `moment`, or longer if it already was.
    pub fn set_until(&self, moment: Tick) {
        self.until.fetch_max(moment.nanos(), Ordering::AcqRel);
    }

    /// While cooling down, the moment at which that ends.
    #[must_use]
    pub fn active(&self, now: Tick) -> Option<Tick> {
        let until = Tick::from_nanos(self.until.load(Ordering::Acquire));
        (now < until).then_some(until)
    }

    /// Ends it now, for instance when an operator has topped up the account.
    pub fn clear(&self) {
        self.until.store(0, Ordering::Release);
    }
}
