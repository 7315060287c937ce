//! Many threads on one set of books.

use std::sync::Arc;

use catalog::Money;
use ledger::Ledger;
use ledger::journal::Memory;

use crate::sample::{claim, delivered};

#[test]
fn sums_are_exact_after_many_threads_reserved_and_settled() {
    let journal = Arc::new(Memory::default());
    let ledger = Ledger::unlimited(journal.clone());
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let ledger = &ledger;
            scope.spawn(move || {
                for turn in 0..500 {
                    let permit = ledger.reserve(claim(thread * 1000 + turn, 30)).unwrap();
                    ledger.settle(permit, delivered(7, 1));
                }
            });
        }
    });
    let totals = ledger.totals();
    assert_eq!(totals.reserved, Money::ZERO);
    assert_eq!(totals.settled.as_nanousd(), 4 * 500 * 7);
    assert_eq!(journal.entries().len(), 4 * 500);
}
