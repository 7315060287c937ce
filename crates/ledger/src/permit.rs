//! Reserve before sending, settle afterwards: the counters and the proof between the two.
//!
//! Why a value and not a flag: the call that contacts a provider takes a [`Permit`], so a path
//! that forgets to reserve does not compile, and settling consumes it, so a path that settles twice
//! does not compile either. There is deliberately no accounting in `Drop`: a permit that is lost
//! stays open in [`Totals::open_permits`] and its amount stays reserved, which over-counts spend
//! and is seen, instead of under-counting it silently.
//!
//! Budgets are not here yet, so nothing is refused for lack of money; the counters are exact all
//! the same. `reserve` adds to the reserved sum before it hands out the permit, and `settle` adds
//! the cost before it takes the reservation away: at no moment does `settled + reserved` show less
//! than has been promised or spent.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::Money;

use crate::claim::Claim;
use crate::entry::{Entry, Settlement};
use crate::journal::Journal;

/// The books of one process.
pub struct Ledger {
    journal: Arc<dyn Journal>,
    reserved: AtomicI64,
    settled: AtomicI64,
    open_permits: AtomicU64,
    backlog: Backlog,
}

/// Proof that the cost of one attempt has been reserved. Give it back with [`Ledger::settle`].
#[derive(Debug)]
#[must_use = "a permit that is not settled keeps its money reserved for ever"]
pub struct Permit {
    claim: Claim,
}

impl Permit {
    /// What was reserved, for whom and where.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }
}

/// Why no permit was given. Nothing is reserved then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A budget in scope has no room for this bound.
    BudgetExceeded,
    /// What would be spent could not be recorded, so it must not be spent.
    LedgerUnavailable,
}

impl Refusal {
    /// The public error code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BudgetExceeded => "budget_exceeded",
            Self::LedgerUnavailable => "ledger_unavailable",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BudgetExceeded => "the budget has no room for this request",
            Self::LedgerUnavailable => "spending cannot be recorded at present",
        })
    }
}

impl std::error::Error for Refusal {}

/// The sums of the books. Each figure is exact; together they are a snapshot only when nothing is
/// in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The bounds of all open permits.
    pub reserved: Money,
    /// The costs of all entries since the process began.
    pub settled: Money,
    /// Permits handed out and not settled.
    pub open_permits: u64,
    /// Entries the journal has not taken yet. Not 0 means that no permit is handed out.
    pub unjournalled: u64,
}

impl Ledger {
    /// Books without budgets: every claim is granted while its entry can be kept.
    #[must_use]
    pub fn unlimited(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            reserved: AtomicI64::new(0),
            settled: AtomicI64::new(0),
            open_permits: AtomicU64::new(0),
            backlog: Backlog::default(),
        }
    }

    /// Reserves the claim's bound.
    ///
    /// # Errors
    /// [`Refusal::LedgerUnavailable`] while the journal cannot keep entries, and
    /// [`Refusal::BudgetExceeded`] where the sum of all reservations could not be counted any more.
    pub fn reserve(&self, claim: Claim) -> Result<Permit, Refusal> {
        self.backlog.drain_into(&*self.journal);
        if self.backlog.is_waiting() || self.journal.ready().is_err() {
            return Err(Refusal::LedgerUnavailable);
        }
        let bound = claim.bound.max(Money::ZERO).as_nanousd();
        self.reserved
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |sum| sum.checked_add(bound))
            .map_err(|_| Refusal::BudgetExceeded)?;
        self.open_permits.fetch_add(1, Ordering::AcqRel);
        Ok(Permit { claim })
    }

    /// Ends a reservation: books the cost, frees the bound, appends the entry and returns it.
    ///
    /// Never fails: an entry that the journal does not take is kept and offered again.
    pub fn settle(&self, permit: Permit, settlement: Settlement) -> Entry {
        let entry = Entry::new(permit.claim, settlement);
        self.backlog.append(&*self.journal, &entry);
        let cost = entry.cost.as_nanousd();
        // The closure never says no, so neither does the update.
        let _ = self.settled.fetch_update(Ordering::AcqRel, Ordering::Acquire, |sum| {
            Some(sum.saturating_add(cost))
        });
        self.reserved.fetch_sub(entry.bound.as_nanousd(), Ordering::AcqRel);
        self.open_permits.fetch_sub(1, Ordering::AcqRel);
        entry
    }

    /// The sums of the books.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            reserved: Money::from_nanousd(self.reserved.load(Ordering::Acquire)),
            settled: Money::from_nanousd(self.settled.load(Ordering::Acquire)),
            open_permits: self.open_permits.load(Ordering::Acquire),
            unjournalled: self.backlog.len(),
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("totals", &self.totals()).finish_non_exhaustive()
    }
}

/// Entries the journal did not take, in order.
///
/// No permit is handed out while one waits, so there are at most as many as there were open
/// permits when the trouble began. The flag keeps the lock off the path of a healthy journal.
#[derive(Default)]
struct Backlog {
    waiting: AtomicBool,
    entries: Mutex<VecDeque<Entry>>,
}

impl Backlog {
    fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire)
    }

    fn len(&self) -> u64 {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(entries.len()).unwrap_or(u64::MAX)
    }

    /// Hands the entry to the journal, or keeps it behind those that wait already.
    fn append(&self, journal: &dyn Journal, entry: &Entry) {
        if !self.is_waiting() && journal.append(entry).is_ok() {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_back(entry.clone());
        self.offer(journal, &mut entries);
    }

    /// Offers what waits once more.
    fn drain_into(&self, journal: &dyn Journal) {
        if self.is_waiting() {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            self.offer(journal, &mut entries);
        }
    }

    fn offer(&self, journal: &dyn Journal, entries: &mut VecDeque<Entry>) {
        while entries.front().is_some_and(|entry| journal.append(entry).is_ok()) {
            entries.pop_front();
        }
        self.waiting.store(!entries.is_empty(), Ordering::Release);
    }
}
