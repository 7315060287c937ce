//! The breaker: examples for each rule, then a comparison with a model that keeps whole histories.

use std::time::Duration;

use proptest::prelude::*;
use route::{
    Admission, Breaker, BreakerSettings, State, Tick, Ticket, Transition,
    Verdict::{self, Failure, Ignored, Success},
};

fn ms(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings::default())
}

fn ticket(admission: Admission) -> Ticket {
    match admission {
        Admission::Pass(ticket) | Admission::Probe(ticket) => ticket,
        Admission::Open { retry_at } => panic!("refused until {retry_at:?}"),
    }
}

fn probe(admission: Admission) -> Ticket {
    match admission {
        Admission::Probe(ticket) => ticket,
        other => panic!("expected a probe, got {other:?}"),
    }
}

fn refused(admission: Admission) -> Tick {
    match admission {
        Admission::Open { retry_at } => retry_at,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Sends attempts one after the other, and gives the transitions they cause.
fn play(breaker: &Breaker, now: Tick, verdicts: &[Verdict]) -> Vec<Option<Transition>> {
    let one = |verdict: &Verdict| breaker.record(now, ticket(breaker.admit(now)), *verdict);
    verdicts.iter().map(one).collect()
}

/// A breaker that opened at `now`.
fn tripped(now: Tick) -> Breaker {
    let breaker = breaker();
    let _ = play(&breaker, now, &[Failure, Failure, Failure]);
    assert_eq!(breaker.state(now), State::Open);
    breaker
}

#[test]
fn three_failures_in_a_row_open_it() {
    let transitions = play(&breaker(), ms(0), &[Failure, Failure, Failure]);
    assert_eq!(transitions, [None, None, Some(Transition::Opened)]);
}

#[test]
fn a_success_between_failures_keeps_it_closed() {
    let breaker = breaker();
    let _ = play(&breaker, ms(0), &[Failure, Failure, Success, Failure, Failure]);
    assert_eq!(breaker.state(ms(0)), State::Closed);
}

#[test]
fn an_ignored_attempt_neither_counts_nor_interrupts_the_row() {
    let breaker = breaker();
    let transitions = play(&breaker, ms(0), &[Failure, Ignored, Failure, Ignored, Failure]);
    assert_eq!(transitions.last(), Some(&Some(Transition::Opened)));
}

#[test]
fn failures_count_in_the_order_of_completion() {
    let breaker = breaker();
    let [a, b, c, d] = std::array::from_fn(|_| ticket(breaker.admit(ms(0))));
    assert_eq!(breaker.record(ms(1), d, Failure), None);
    assert_eq!(breaker.record(ms(2), c, Failure), None);
    assert_eq!(breaker.record(ms(3), a, Success), None);
    assert_eq!(breaker.record(ms(4), b, Failure), None);
    assert_eq!(breaker.state(ms(4)), State::Closed);
}

#[test]
fn it_stays_open_for_thirty_seconds_to_the_nanosecond() {
    let breaker = tripped(ms(1_000));
    let last = Tick::from_nanos(ms(31_000).nanos() - 1);
    assert_eq!(refused(breaker.admit(last)), ms(31_000));
    assert_eq!(breaker.peek(last), Some(ms(31_000)));
    assert_eq!(breaker.peek(ms(31_000)), None);
    let _ = probe(breaker.admit(ms(31_000)));
}

#[test]
fn one_of_a_hundred_probes_and_its_success_closes() {
    let breaker = tripped(ms(0));
    let due = ms(30_000);
    assert_eq!(breaker.state(due), State::HalfOpen);
    let taken = probe(breaker.admit(due));
    for _ in 0..99 {
        let _ = refused(breaker.admit(due));
    }
    assert_eq!(breaker.state(due), State::HalfOpen);
    assert_eq!(breaker.record(due, taken, Success), Some(Transition::Closed));
    assert!(matches!(breaker.admit(due), Admission::Pass(_)));
}

#[test]
fn a_failed_probe_opens_it_for_another_term() {
    let breaker = tripped(ms(0));
    let taken = probe(breaker.admit(ms(30_000)));
    assert_eq!(breaker.record(ms(31_000), taken, Failure), Some(Transition::Reopened));
    assert_eq!(refused(breaker.admit(ms(60_999))), ms(61_000));
}

#[test]
fn after_closing_it_takes_a_full_row_to_open_again() {
    let breaker = tripped(ms(0));
    let taken = probe(breaker.admit(ms(30_000)));
    let _ = breaker.record(ms(30_000), taken, Success);
    let transitions = play(&breaker, ms(30_001), &[Failure, Failure, Failure]);
    assert_eq!(transitions, [None, None, Some(Transition::Opened)]);
}

#[test]
fn results_from_before_the_trip_change_nothing() {
    for late in [Success, Failure, Ignored] {
        let breaker = breaker();
        let old = ticket(breaker.admit(ms(0)));
        let older = ticket(breaker.admit(ms(0)));
        let _ = play(&breaker, ms(1), &[Failure, Failure, Failure]);
        assert_eq!(breaker.record(ms(2), old, late), None);
        assert_eq!(breaker.peek(ms(2)), Some(ms(30_001)));
        let taken = probe(breaker.admit(ms(30_001)));
        assert_eq!(breaker.record(ms(30_002), older, late), None);
        let _ = refused(breaker.admit(ms(30_002)));
        assert_eq!(breaker.record(ms(30_003), taken, Success), Some(Transition::Closed));
    }
}

#[test]
fn an_ignored_probe_frees_its_slot_at_once() {
    let breaker = tripped(ms(0));
    let taken = probe(breaker.admit(ms(30_000)));
    assert_eq!(breaker.record(ms(30_005), taken, Ignored), None);
    assert_eq!(breaker.peek(ms(30_005)), None);
    let _ = probe(breaker.admit(ms(30_005)));
}

#[test]
fn a_lost_probe_holds_its_slot_for_one_term_only() {
    let breaker = tripped(ms(0));
    let _lost = probe(breaker.admit(ms(30_000)));
    assert_eq!(refused(breaker.admit(ms(59_999))), ms(60_000));
    let _ = probe(breaker.admit(ms(60_000)));
}

#[test]
fn a_probe_slower_than_its_lease_still_closes() {
    let breaker = tripped(ms(0));
    let slow = probe(breaker.admit(ms(30_000)));
    let second = probe(breaker.admit(ms(60_000)));
    assert_eq!(breaker.record(ms(61_000), slow, Success), Some(Transition::Closed));
    assert_eq!(breaker.record(ms(62_000), second, Failure), None);
    assert_eq!(breaker.state(ms(62_000)), State::Closed);
}

#[test]
fn a_probe_past_its_lease_cannot_free_the_slot_of_the_next() {
    let breaker = tripped(ms(0));
    let slow = probe(breaker.admit(ms(30_000)));
    let _second = probe(breaker.admit(ms(60_000)));
    assert_eq!(breaker.record(ms(61_000), slow, Ignored), None);
    let _ = refused(breaker.admit(ms(61_000)));
}

#[test]
fn a_reload_changes_the_rules_and_keeps_the_state() {
    let breaker = tripped(ms(0));
    breaker.configure(BreakerSettings { failures: 1, open_for: Duration::from_secs(1) });
    assert_eq!(breaker.peek(ms(10)), Some(ms(30_000)));
    let taken = probe(breaker.admit(ms(30_000)));
    let _ = breaker.record(ms(30_000), taken, Failure);
    assert_eq!(breaker.peek(ms(30_000)), Some(ms(31_000)));
    let taken = probe(breaker.admit(ms(31_000)));
    let _ = breaker.record(ms(31_000), taken, Success);
    assert_eq!(play(&breaker, ms(31_000), &[Failure]), [Some(Transition::Opened)]);
}

#[test]
fn absurd_settings_and_moments_are_taken_as_the_nearest_sane_ones() {
    let zero = Breaker::new(BreakerSettings { failures: 0, open_for: Duration::ZERO });
    assert_eq!(play(&zero, ms(5), &[Failure]), [Some(Transition::Opened)]);
    assert_eq!(refused(zero.admit(ms(5))), ms(6));
    let endless = Breaker::new(BreakerSettings { failures: 1, open_for: Duration::MAX });
    let _ = play(&endless, Tick::from_nanos(u64::MAX), &[Failure]);
    assert_eq!(endless.state(ms(0)), State::Open);
}

/// What can happen to a breaker; a report picks one of the tickets that are out.
#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    Admit,
    Report(usize, Verdict),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![3 => Just(Failure), 1 => Just(Success), 1 => Just(Ignored)];
    prop_oneof![
        1 => (0_u64..80).prop_map(Event::Wait),
        3 => Just(Event::Admit),
        3 => (any::<usize>(), verdict).prop_map(|(pick, verdict)| Event::Report(pick, verdict)),
    ]
}

/// The rules of the breaker told as a history: terms (closed or not) and who was let in during them.
#[derive(Default)]
struct Model {
    /// Grows with every transition; an attempt belongs to the term in which it was let in.
    term: usize,
    /// Failures in a row in this term.
    row: u32,
    /// Not closed: the moment before which nobody is let in.
    wall: Option<u64>,
    /// The attempt that holds the probe slot.
    prober: Option<usize>,
}

const FAILURES: u32 = 3;
const OPEN_FOR: u64 = 50;

impl Model {
    fn admits(&mut self, attempt: usize, now: u64) -> Result<(), u64> {
        match self.wall {
            Some(wall) if now < wall => return Err(wall),
            Some(_) => {
                self.wall = Some(now + OPEN_FOR);
                self.prober = Some(attempt);
            }
            None => {}
        }
        Ok(())
    }

    fn turn(&mut self, wall: Option<u64>) {
        *self = Self { term: self.term + 1, row: 0, wall, prober: None };
    }

    fn reported(&mut self, attempt: usize, verdict: Verdict, now: u64) -> Option<Transition> {
        match (self.wall.is_some(), verdict) {
            (false, Success) => self.row = 0,
            (false, Failure) => self.row += 1,
            (true, Ignored) if self.prober == Some(attempt) => {
                self.prober = None;
                self.wall = Some(now.min(self.wall.unwrap_or(now)));
            }
            (_, Ignored) => {}
            (true, Success) => {
                self.turn(None);
                return Some(Transition::Closed);
            }
            (true, Failure) => {
                self.turn(Some(now + OPEN_FOR));
                return Some(Transition::Reopened);
            }
        }
        if self.row < FAILURES {
            return None;
        }
        self.turn(Some(now + OPEN_FOR));
        Some(Transition::Opened)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn it_does_what_the_model_does(events in prop::collection::vec(event(), 0..200)) {
        let settings =
            BreakerSettings { failures: FAILURES, open_for: Duration::from_millis(OPEN_FOR) };
        let (breaker, mut model, mut now) = (Breaker::new(settings), Model::default(), 0);
        let mut out = Vec::new();
        for (attempt, event) in events.into_iter().enumerate() {
            match event {
                Event::Wait(millis) => now += millis,
                Event::Admit => {
                    let expected = model.admits(attempt, now);
                    prop_assert_eq!(breaker.peek(ms(now)), expected.err().map(ms));
                    match breaker.admit(ms(now)) {
                        Admission::Open { retry_at } => {
                            prop_assert_eq!(expected, Err(retry_at.nanos() / 1_000_000));
                        }
                        Admission::Pass(ticket) => {
                            prop_assert!(expected.is_ok() && model.prober != Some(attempt));
                            out.push((attempt, model.term, ticket));
                        }
                        Admission::Probe(ticket) => {
                            prop_assert!(expected.is_ok() && model.prober == Some(attempt));
                            out.push((attempt, model.term, ticket));
                        }
                    }
                }
                Event::Report(..) if out.is_empty() => {}
                Event::Report(pick, verdict) => {
                    let (attempt, term, ticket) = out.swap_remove(pick % out.len());
                    let expected = (term == model.term)
                        .then(|| model.reported(attempt, verdict, now))
                        .flatten();
                    prop_assert_eq!(breaker.record(ms(now), ticket, verdict), expected);
                }
            }
        }
    }

    #[test]
    fn rounding_never_lets_anyone_in_early_nor_two_milliseconds_late(
        trip in 0_u64..10_000_000_000, open_for in 1_000_000_u64..10_000_000_000,
    ) {
        let open_for = Duration::from_nanos(open_for);
        let breaker = Breaker::new(BreakerSettings { failures: 1, open_for });
        let trip = Tick::from_nanos(trip);
        let _ = play(&breaker, trip, &[Failure]);
        let retry_at = refused(breaker.admit(trip));
        prop_assert!(retry_at >= trip.after(open_for));
        prop_assert!(retry_at.since(trip) < open_for + Duration::from_millis(2));
    }
}
