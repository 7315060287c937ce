//! Latency and load: peaks at once, forgetting with time, percentiles within their bucket.

use std::time::Duration;

use proptest::prelude::*;
use route::{Outstanding, PeakEwma, Tick, TtftWindow};

fn s(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1_000)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn an_average_without_observations_is_zero() {
    assert_eq!(PeakEwma::default().score(s(100), 7), 0);
}

#[test]
fn a_peak_is_taken_at_once() {
    let ewma = PeakEwma::default();
    ewma.observe(s(1), ms(100));
    ewma.observe(s(1), ms(3_000));
    assert_eq!(ewma.latency_us(s(1)), 3_000_000);
}

#[test]
fn a_lower_value_counts_only_as_time_passes() {
    let ewma = PeakEwma::default();
    ewma.observe(s(1), ms(3_000));
    ewma.observe(s(1), ms(100));
    assert_eq!(ewma.latency_us(s(1)), 3_000_000);
    ewma.observe(s(11), ms(100));
    let expected = 3_000_000.0 / std::f64::consts::E + 100_000.0 * (1.0 - (-1.0_f64).exp());
    let error = (ewma.latency_us(s(11)) as f64 - expected).abs();
    assert!(error < expected * 0.005, "{error} of {expected}");
}

#[test]
fn it_sinks_while_nothing_is_observed_and_never_becomes_unknown() {
    let ewma = PeakEwma::default();
    ewma.observe(s(0), ms(1_000));
    let sunk = ewma.latency_us(s(10));
    assert!((365_000..371_000).contains(&sunk), "{sunk}");
    assert_eq!(ewma.latency_us(s(1_000_000)), 1);
}

#[test]
fn an_observer_with_an_older_clock_does_not_turn_it_back() {
    let ewma = PeakEwma::default();
    ewma.observe(s(100), ms(1_000));
    ewma.observe(s(50), ms(10));
    assert_eq!(ewma.latency_us(s(100)), 1_000_000);
}

#[test]
fn the_score_grows_with_the_load() {
    let ewma = PeakEwma::default();
    ewma.observe(s(0), ms(2));
    assert_eq!([ewma.score(s(0), 0), ewma.score(s(0), 4)], [2_000, 10_000]);
}

#[test]
fn an_end_too_many_does_not_wrap() {
    let outstanding = Outstanding::new();
    assert_eq!([outstanding.begin(), outstanding.begin()], [1, 2]);
    outstanding.end();
    assert_eq!(outstanding.get(), 1);
    outstanding.end();
    outstanding.end();
    assert_eq!(outstanding.get(), 0);
}

#[test]
fn twenty_samples_make_a_percentile_and_nineteen_do_not() {
    let window = TtftWindow::new();
    (0..19).for_each(|_| window.observe(s(1), ms(800)));
    assert_eq!(window.p95(s(1)), None);
    assert_eq!(window.hedge_after(s(1), ms(500)), ms(500));
    window.observe(s(1), ms(800));
    assert!(window.hedge_after(s(1), ms(500)) >= ms(800));
}

#[test]
fn the_floor_holds_when_the_upstream_is_quick() {
    let window = TtftWindow::new();
    (0..100).for_each(|_| window.observe(s(1), ms(30)));
    assert_eq!(window.hedge_after(s(1), ms(500)), ms(500));
}

#[test]
fn the_window_forgets_after_five_to_ten_minutes() {
    let window = TtftWindow::new();
    (0..100).for_each(|_| window.observe(s(299), ms(20_000)));
    assert!(window.p95(s(599)).is_some());
    assert_eq!(window.p95(s(600)), None);
    (0..100).for_each(|_| window.observe(s(601), ms(100)));
    assert!(window.p95(s(601)).is_some_and(|p95| p95 < ms(130)));
}

#[test]
fn extreme_values_stay_in_the_window() {
    let window = TtftWindow::new();
    let end = Tick::from_nanos(u64::MAX);
    (0..50).for_each(|_| window.observe(end, Duration::ZERO));
    assert!(window.p95(end).is_some_and(|p95| p95 < ms(2)));
    (0..50).for_each(|_| window.observe(end, Duration::MAX));
    assert!(window.p95(end).is_some_and(|p95| p95 > ms(60_000)));
}

proptest! {
    #[test]
    fn an_average_stays_between_its_least_and_greatest_sample(
        samples in prop::collection::vec((0_u64..5_000, 1_u64..100_000_000), 1..50),
    ) {
        let (ewma, mut now) = (PeakEwma::default(), Tick::ZERO);
        for &(wait, us) in &samples {
            now = now.after(ms(wait));
            ewma.observe(now, Duration::from_micros(us));
        }
        let least = samples.iter().map(|s| s.1).min().unwrap();
        let greatest = samples.iter().map(|s| s.1).max().unwrap();
        let last = samples.last().unwrap().1;
        let average = ewma.latency_us(now);
        prop_assert!((least..=greatest).contains(&average) && average >= last);
    }

    #[test]
    fn the_percentile_is_not_below_the_true_one_and_at_most_a_quarter_above(
        mut us in prop::collection::vec(1_100_u64..60_000_000, 20..300),
    ) {
        let window = TtftWindow::new();
        us.iter().for_each(|&us| window.observe(s(1), Duration::from_micros(us)));
        us.sort_unstable();
        let exact = us[(us.len() * 95).div_ceil(100) - 1];
        let p95 = window.p95(s(1)).unwrap().as_micros() as u64;
        prop_assert!(p95 > exact && p95 <= exact + exact / 4 + 1, "{} for {}", p95, exact);
    }
}
