//! What holds for any order of reserving and settling.

use std::sync::Arc;

use catalog::Money;
use ledger::journal::Memory;
use ledger::{Kind, Ledger, Settlement};
use proptest::prelude::*;

use crate::sample::{claim, delivered};

/// One step of a history: reserve a bound, or settle the n-th open permit at a cost.
#[derive(Debug, Clone)]
enum Step {
    Reserve(i64),
    Settle(usize, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (-5..1_000_000_i64).prop_map(Step::Reserve),
        (any::<usize>(), -5..2_000_000_i64).prop_map(|(nth, cost)| Step::Settle(nth, cost)),
    ]
}

proptest! {
    #[test]
    fn reserved_is_always_the_sum_of_open_bounds_and_ends_at_zero(
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let journal = Arc::new(Memory::default());
        let ledger = Ledger::unlimited(journal.clone());
        let mut open = Vec::new();
        let mut spent = 0;
        for (id, step) in (0_u128..).zip(steps) {
            match step {
                Step::Reserve(bound) => open.push(ledger.reserve(claim(id, bound)).unwrap()),
                Step::Settle(nth, cost) if !open.is_empty() => {
                    let permit = open.swap_remove(nth % open.len());
                    spent += ledger.settle(permit, delivered(cost, 1)).cost.as_nanousd();
                }
                Step::Settle(..) => {}
            }
            let bounds: i64 = open.iter().map(|p| p.claim().bound.as_nanousd().max(0)).sum();
            let totals = ledger.totals();
            prop_assert_eq!(totals.reserved.as_nanousd(), bounds);
            prop_assert_eq!(totals.settled.as_nanousd(), spent);
            prop_assert_eq!(totals.open_permits, open.len() as u64);
        }
        for permit in open {
            ledger.settle(permit, Settlement::released(0));
        }
        let booked: i64 = journal.entries().iter().map(|entry| entry.cost.as_nanousd()).sum();
        let totals = ledger.totals();
        prop_assert_eq!(totals.reserved, Money::ZERO);
        prop_assert_eq!(totals.open_permits, 0);
        prop_assert_eq!(totals.settled.as_nanousd(), booked);
    }
}

#[test]
fn a_cost_above_the_reserve_is_booked_in_full_and_flagged() {
    let ledger = Ledger::unlimited(Arc::new(Memory::default()));
    let permit = ledger.reserve(claim(1, 500)).unwrap();
    let entry = ledger.settle(permit, delivered(501, 1));
    assert!(entry.overrun);
    assert_eq!(entry.cost.as_nanousd(), 501);
    assert_eq!(ledger.totals().settled.as_nanousd(), 501);
}

#[test]
fn an_output_above_its_limit_is_an_overrun_even_where_the_money_suffices() {
    let ledger = Ledger::unlimited(Arc::new(Memory::default()));
    let within = ledger.reserve(claim(1, 500)).unwrap();
    let beyond = ledger.reserve(claim(2, 500)).unwrap();
    assert!(!ledger.settle(within, delivered(500, 100)).overrun);
    assert!(ledger.settle(beyond, delivered(500, 101)).overrun);
}

#[test]
fn a_dropped_permit_stays_visible_and_its_money_stays_reserved() {
    let ledger = Ledger::unlimited(Arc::new(Memory::default()));
    drop(ledger.reserve(claim(1, 700)).unwrap());
    assert_eq!(ledger.totals().open_permits, 1);
    assert_eq!(ledger.totals().reserved.as_nanousd(), 700);
}

#[test]
fn a_release_costs_nothing_and_is_still_a_row() {
    let journal = Arc::new(Memory::default());
    let ledger = Ledger::unlimited(journal.clone());
    let permit = ledger.reserve(claim(9, 700)).unwrap();
    let entry = ledger.settle(permit, Settlement::released(42));
    assert_eq!((entry.kind, entry.cost, entry.at_unix_ms), (Kind::Released, Money::ZERO, 42));
    assert_eq!(journal.entries(), [entry]);
}

#[test]
fn a_reservation_that_cannot_be_counted_is_refused_and_reserves_nothing() {
    let ledger = Ledger::unlimited(Arc::new(Memory::default()));
    let first = ledger.reserve(claim(1, i64::MAX)).unwrap();
    assert!(ledger.reserve(claim(2, 1)).is_err());
    assert_eq!(ledger.totals().open_permits, 1);
    ledger.settle(first, Settlement::released(0));
    assert_eq!(ledger.totals().reserved, Money::ZERO);
}
