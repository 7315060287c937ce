//! Every interleaving of two or three threads on the lock-free state, explored by loom.
//!
//! Built only with `RUSTFLAGS="--cfg loom" cargo test -p route --lib`. The laws over long sequential
//! histories are checked in `tests/all`; here is what only concurrency can break.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::{
    Admission, Breaker, BreakerSettings, Cooldown, HedgeBudget, RetryBudget, State, Tick, Ticket,
    Transition, Verdict,
};

const AT: Tick = Tick::from_millis(1_000);

fn breaker(failures: u32) -> Arc<Breaker> {
    let open_for = Duration::from_millis(100);
    Arc::new(Breaker::new(BreakerSettings { failures, open_for }))
}

fn passed(breaker: &Breaker) -> Ticket {
    match breaker.admit(AT) {
        Admission::Pass(ticket) => ticket,
        other => panic!("a closed breaker lets pass, not {other:?}"),
    }
}

/// Runs `work` on two threads at once and gives back both results.
fn both<T: Send + 'static>(
    first: impl FnOnce() -> T + Send + 'static,
    second: impl FnOnce() -> T,
) -> (T, T) {
    let other = thread::spawn(first);
    let here = second();
    (other.join().unwrap(), here)
}

#[test]
fn a_due_breaker_gives_out_exactly_one_probe() {
    loom::model(|| {
        let breaker = breaker(1);
        let ticket = passed(&breaker);
        assert_eq!(breaker.record(AT, ticket, Verdict::Failure), Some(Transition::Opened));
        let due = Tick::from_millis(1_100);
        let there = Arc::clone(&breaker);
        let (a, b) = both(move || there.admit(due), || breaker.admit(due));
        let probes = [&a, &b].iter().filter(|a| matches!(a, Admission::Probe(_))).count();
        let refused = [&a, &b].iter().filter(|a| matches!(a, Admission::Open { .. })).count();
        assert_eq!((probes, refused), (1, 1));
    });
}

#[test]
fn concurrent_failures_are_all_counted_and_open_once() {
    loom::model(|| {
        let breaker = breaker(2);
        let (first, second) = (passed(&breaker), passed(&breaker));
        let there = Arc::clone(&breaker);
        let (a, b) = both(
            move || there.record(AT, first, Verdict::Failure),
            || breaker.record(AT, second, Verdict::Failure),
        );
        let opened = [a, b].iter().filter(|t| **t == Some(Transition::Opened)).count();
        assert_eq!(opened, 1);
        assert_eq!(breaker.state(AT), State::Open);
    });
}

#[test]
fn a_success_that_races_with_the_trip_never_closes_it() {
    loom::model(|| {
        let breaker = breaker(1);
        let (good, bad) = (passed(&breaker), passed(&breaker));
        let there = Arc::clone(&breaker);
        let (success, failure) = both(
            move || there.record(AT, good, Verdict::Success),
            || breaker.record(AT, bad, Verdict::Failure),
        );
        assert_eq!((success, failure), (None, Some(Transition::Opened)));
        assert_eq!(breaker.state(AT), State::Open);
    });
}

#[test]
fn two_reports_on_one_outage_make_one_transition() {
    loom::model(|| {
        let breaker = breaker(1);
        let ticket = passed(&breaker);
        let _ = breaker.record(AT, ticket, Verdict::Failure);
        let (due, again) = (Tick::from_millis(1_100), Tick::from_millis(1_200));
        let (Admission::Probe(late), Admission::Probe(fresh)) =
            (breaker.admit(due), breaker.admit(again))
        else {
            panic!("the lease has ended, so both are probes");
        };
        let there = Arc::clone(&breaker);
        let (a, b) = both(
            move || there.record(again, late, Verdict::Success),
            || breaker.record(again, fresh, Verdict::Failure),
        );
        let state = breaker.state(again);
        match (a, b) {
            (Some(Transition::Closed), None) => assert_eq!(state, State::Closed),
            (None, Some(Transition::Reopened)) => assert_eq!(state, State::Open),
            other => panic!("one transition, not {other:?}"),
        }
    });
}

#[test]
fn the_last_retry_token_is_given_out_once() {
    loom::model(|| {
        let budget = Arc::new(RetryBudget::new(1, 0));
        let there = Arc::clone(&budget);
        let (a, b) = both(move || there.try_take(0), || budget.try_take(0));
        assert_eq!(u32::from(a.is_some()) + u32::from(b.is_some()), 1);
        a.into_iter().chain(b).for_each(|token| budget.give_back(token));
        assert_eq!(budget.in_flight(), 0);
    });
}

#[test]
fn no_deposit_is_lost_and_no_hedge_is_spent_twice() {
    loom::model(|| {
        // Half of the requests; half a hedge is there from the start, so two deposits make one and a half.
        let budget = Arc::new(HedgeBudget::new(500_000));
        let there = Arc::clone(&budget);
        let request = |budget: &HedgeBudget| {
            budget.deposit();
            budget.try_take()
        };
        let (a, b) = both(move || request(&there), || request(&budget));
        assert_eq!(u32::from(a) + u32::from(b), 1);
    });
}

#[test]
fn of_two_cooldowns_the_longer_stays() {
    loom::model(|| {
        let cooldown = Arc::new(Cooldown::new());
        let (short, long) = (Tick::from_millis(1_001), Tick::from_millis(1_007));
        let there = Arc::clone(&cooldown);
        let _ = both(move || there.set_until(long), || cooldown.set_until(short));
        assert_eq!(cooldown.active(AT), Some(long));
    });
}
