//! Strategies: always a permutation, the penalised last, and each its own rule.

use proptest::prelude::*;
use route::{Candidate, Chance, STRATEGIES, SplitMix64, Strategy as Rule};

fn rank(name: &str, candidates: &[Candidate], seed: u64) -> Vec<usize> {
    Rule::by_name(name).unwrap().rank(candidates, &mut SplitMix64::new(seed))
}

/// How often each candidate comes first in 10,000 draws, in percent.
fn firsts(name: &str, candidates: &[Candidate]) -> Vec<f64> {
    let mut counts = vec![0_u32; candidates.len()];
    let mut seeds = SplitMix64::new(7);
    for _ in 0..10_000 {
        counts[rank(name, candidates, seeds.next_u64())[0]] += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / 100.0).collect()
}

fn near(found: &[f64], expected: &[f64]) {
    let close = |(f, e): (&f64, &f64)| (f - e).abs() < 2.0;
    assert!(found.iter().zip(expected).all(close), "{found:?}, expected {expected:?}");
}

fn weights<const N: usize>(weights: [u32; N]) -> [Candidate; N] {
    weights.map(|weight| Candidate { weight, ..Candidate::default() })
}

fn scores<const N: usize>(scores: [u64; N]) -> [Candidate; N] {
    scores.map(|latency_score| Candidate { latency_score, ..Candidate::default() })
}

#[test]
fn every_row_has_its_own_name_and_is_found_by_it() {
    for row in STRATEGIES {
        assert!(std::ptr::eq(Rule::by_name(row.name).unwrap(), row), "{}", row.name);
        assert!(row.doc.ends_with('.'), "{}", row.name);
    }
    assert!(Rule::by_name("fastest").is_none());
}

#[test]
fn ordered_keeps_the_written_order() {
    assert_eq!(rank("ordered", &weights([1, 9, 5]), 1), [0, 1, 2]);
}

#[test]
fn weighted_puts_each_first_as_often_as_its_weight_says() {
    near(&firsts("weighted", &weights([70, 20, 10])), &[70.0, 20.0, 10.0]);
}

#[test]
fn weighted_shares_the_places_behind_the_first_by_weight_too() {
    let mut seconds = [0_u32; 3];
    for seed in 0..20_000 {
        let order = rank("weighted", &weights([98, 1, 1]), seed);
        seconds[order[1]] += u32::from(order[0] == 0);
    }
    let share = f64::from(seconds[1]) / f64::from(seconds[1] + seconds[2]);
    assert!((0.48..0.52).contains(&share), "{share}");
}

#[test]
fn weight_zero_comes_after_every_positive_weight_in_written_order() {
    for seed in 0..200 {
        let order = rank("weighted", &weights([0, 3, 0, 1]), seed);
        assert_eq!(order[2..], [0, 2]);
    }
    assert_eq!(rank("weighted", &weights([0, 0, 0]), 1), [0, 1, 2]);
}

#[test]
fn least_cost_puts_the_cheapest_first_and_equals_as_written() {
    let costs = [30, 10, u64::MAX, 10].map(|cost| Candidate { cost, ..Candidate::default() });
    assert_eq!(rank("least_cost", &costs, 1), [1, 3, 0, 2]);
}

#[test]
fn least_busy_puts_the_idlest_first_and_draws_among_equals() {
    let busy = [4, 0, 2, 0].map(|outstanding| Candidate { outstanding, ..Candidate::default() });
    near(&firsts("least_busy", &busy), &[0.0, 50.0, 0.0, 50.0]);
    assert_eq!(rank("least_busy", &busy, 1)[2..], [2, 0]);
}

#[test]
fn of_two_the_faster_is_always_first() {
    near(&firsts("least_latency", &scores([900, 100])), &[0.0, 100.0]);
}

#[test]
fn of_four_the_slowest_is_never_first_and_the_fastest_is_in_half_the_draws() {
    // The fastest wins whenever it is drawn: 2 of 4. The others: 4/12, 2/12, 0.
    let expected = [100.0 / 6.0, 50.0, 0.0, 100.0 / 3.0];
    near(&firsts("least_latency", &scores([300, 100, 400, 200])), &expected);
}

#[test]
fn behind_the_first_the_fallbacks_go_by_score() {
    for seed in 0..100 {
        let mut order = rank("least_latency", &scores([300, 100, 400, 200]), seed);
        let first = order.remove(0);
        let expected = [1, 3, 0, 2].into_iter().filter(|index| *index != first);
        assert_eq!(order, expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_newcomer_is_tried_when_idle_and_left_alone_while_it_is_tried() {
    let mut pair = scores([100, 0]);
    near(&firsts("least_latency", &pair), &[0.0, 100.0]);
    pair[1].outstanding = 1;
    near(&firsts("least_latency", &pair), &[100.0, 0.0]);
}

#[test]
fn newcomers_among_themselves_go_by_load() {
    let mut pair = scores([0, 0]);
    (pair[0].outstanding, pair[1].outstanding) = (3, 1);
    near(&firsts("least_latency", &pair), &[0.0, 100.0]);
}

#[test]
fn the_penalised_come_last_in_written_order_however_good_they_are() {
    for row in STRATEGIES {
        let mut three = weights([1, 1, 1]);
        (three[0].penalised, three[1].penalised) = (true, true);
        (three[2].cost, three[2].latency_score, three[2].outstanding) = (9, 9, 9);
        assert_eq!(rank(row.name, &three, 3), [2, 0, 1], "{}", row.name);
    }
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let (weight, latency) = (0_u32..5, prop_oneof![0_u64..5, any::<u64>()]);
    (weight, any::<u64>(), latency, 0_u32..5, any::<bool>()).prop_map(
        |(weight, cost, latency_score, outstanding, penalised)| Candidate {
            weight,
            cost,
            latency_score,
            outstanding,
            penalised,
        },
    )
}

proptest! {
    #[test]
    fn every_strategy_gives_a_permutation_with_the_penalised_last(
        candidates in prop::collection::vec(candidate(), 0..12), seed in any::<u64>(),
    ) {
        for row in STRATEGIES {
            let order = row.rank(&candidates, &mut SplitMix64::new(seed));
            let penalised: Vec<bool> = order.iter().map(|&i| candidates[i].penalised).collect();
            prop_assert!(penalised.is_sorted(), "{}", row.name);
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..candidates.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_draw_stays_below_its_bound(seed in any::<u64>(), bound in any::<u64>()) {
        let drawn = SplitMix64::new(seed).below(bound);
        prop_assert!(drawn < bound || (bound == 0 && drawn == 0));
    }
}
