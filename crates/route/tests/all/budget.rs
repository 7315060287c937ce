//! Budgets: a fifth of what is active, and one hedge in twenty requests.

use proptest::prelude::*;
use route::{HedgeBudget, RetryBudget};

#[test]
fn three_retries_run_at_any_load() {
    let budget = RetryBudget::default();
    let tokens: Vec<_> = (0..5).filter_map(|_| budget.try_take(1)).collect();
    assert_eq!(tokens.len(), 3);
}

#[test]
fn a_fifth_of_the_active_requests_may_retry() {
    let budget = RetryBudget::default();
    let tokens: Vec<_> = (0..1_000).filter_map(|_| budget.try_take(1_000)).collect();
    assert_eq!(tokens.len(), 200);
    assert!(budget.try_take(1_004).is_none());
    assert!(budget.try_take(1_005).is_some());
}

#[test]
fn a_token_given_back_can_be_taken_again() {
    let budget = RetryBudget::new(1, 0);
    let token = budget.try_take(0).unwrap();
    assert!(budget.try_take(0).is_none());
    budget.give_back(token);
    assert_eq!(budget.in_flight(), 0);
    assert!(budget.try_take(0).is_some());
}

#[test]
fn the_first_request_may_hedge_and_the_second_may_not() {
    let budget = HedgeBudget::default();
    budget.deposit();
    assert!(budget.try_take());
    budget.deposit();
    assert!(!budget.try_take());
}

#[test]
fn five_percent_of_forty_requests_are_two_hedges() {
    let budget = HedgeBudget::default();
    let hedged = (0..40).filter(|_| {
        budget.deposit();
        budget.try_take()
    });
    assert_eq!(hedged.count(), 2);
}

#[test]
fn a_share_of_zero_forbids_hedging() {
    let budget = HedgeBudget::new(0);
    budget.deposit();
    assert!(!budget.try_take());
}

#[test]
fn a_quiet_hour_saves_up_ten_hedges_and_no_more() {
    let budget = HedgeBudget::default();
    (0..10_000).for_each(|_| budget.deposit());
    assert_eq!((0..100).filter(|_| budget.try_take()).count(), 10);
}

proptest! {
    #[test]
    fn retries_in_flight_never_pass_the_bound(
        steps in prop::collection::vec((any::<bool>(), 0_u32..200), 0..300),
    ) {
        let (budget, mut held) = (RetryBudget::default(), Vec::new());
        for (take, active) in steps {
            if !take {
                held.pop().into_iter().for_each(|token| budget.give_back(token));
            } else if let Some(token) = budget.try_take(active) {
                held.push(token);
                prop_assert!(held.len() <= usize::max(3, active as usize / 5));
            }
            prop_assert_eq!(budget.in_flight() as usize, held.len());
        }
    }

    #[test]
    fn hedges_never_pass_their_share_of_the_requests_rounded_up(
        ppm in 1_u32..=1_000_000, wants in prop::collection::vec(any::<bool>(), 1..2_000),
    ) {
        let (budget, mut hedges) = (HedgeBudget::new(ppm), 0_u64);
        for (request, want) in wants.into_iter().enumerate() {
            budget.deposit();
            hedges += u64::from(want && budget.try_take());
            let share = (request as u64 + 1) * u64::from(ppm);
            prop_assert!(hedges <= share.div_ceil(1_000_000));
        }
    }
}
