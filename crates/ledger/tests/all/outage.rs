//! A journal that stops taking entries: nothing is lost, nothing new is promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::journal::Memory;
use ledger::{Entry, Journal, JournalError, Ledger, Refusal};

use crate::sample::{claim, delivered};

/// Takes entries only while it is up. It does not announce its trouble, like a queue that fills.
#[derive(Default)]
struct Flaky {
    down: AtomicBool,
    kept: Memory,
}

impl Journal for Flaky {
    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        if self.down.load(Ordering::Acquire) {
            return Err(JournalError::Full);
        }
        self.kept.append(entry)
    }

    fn ready(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

#[test]
fn entries_of_an_outage_are_kept_in_order_and_permits_wait_for_it_to_end() {
    let journal = Arc::new(Flaky::default());
    let ledger = Ledger::unlimited(journal.clone());
    let permits: Vec<_> = (0..5).map(|id| ledger.reserve(claim(id, 100)).unwrap()).collect();

    journal.down.store(true, Ordering::Release);
    for permit in permits {
        ledger.settle(permit, delivered(10, 1));
    }
    assert_eq!(ledger.totals().unjournalled, 5);
    assert_eq!(ledger.totals().settled.as_nanousd(), 50);
    assert_eq!(ledger.reserve(claim(6, 100)).unwrap_err(), Refusal::LedgerUnavailable);
    assert!(journal.kept.entries().is_empty());

    journal.down.store(false, Ordering::Release);
    let permit = ledger.reserve(claim(5, 100)).unwrap();
    ledger.settle(permit, delivered(10, 1));
    let ids: Vec<u128> = journal.kept.entries().iter().map(|entry| entry.request_id).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
    assert_eq!(ledger.totals().unjournalled, 0);
}

/// A journal that knows it cannot write.
struct Failing;

impl Journal for Failing {
    fn append(&self, _: &Entry) -> Result<(), JournalError> {
        Err(JournalError::Failing)
    }

    fn ready(&self) -> Result<(), JournalError> {
        Err(JournalError::Failing)
    }
}

#[test]
fn no_permit_is_given_while_the_journal_says_it_cannot_write() {
    let ledger = Ledger::unlimited(Arc::new(Failing));
    let refusal = ledger.reserve(claim(1, 100)).unwrap_err();
    assert_eq!(refusal.code(), "ledger_unavailable");
    assert_eq!(ledger.totals().reserved.as_nanousd(), 0);
}
