//! Counts of durations in logarithmic buckets.
//!
//! A power of two is cut into 128 equal parts, so a quantile is off by less than 0.8 % whatever its
//! size, a record is one addition, and merging two histograms is adding them up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bits of a value that are kept.
const KEPT_BITS: u32 = 7;
/// Parts of a power of two.
const PARTS: u64 = 1 << KEPT_BITS;
/// Enough for every `u64`.
const BUCKETS: usize = ((64 - KEPT_BITS as usize) + 1) << KEPT_BITS;

/// Durations, counted by their size in nanoseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    most: u64,
}

/// The figures people ask for, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many durations there were.
    pub count: u64,
    /// The median.
    pub p50_us: f64,
    /// One in ten took longer.
    pub p90_us: f64,
    /// One in a hundred took longer.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, most: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket_of(nanos)) {
            *count += 1;
            self.total += 1;
            self.most = self.most.max(nanos);
        }
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
        self.most = self.most.max(other.most);
    }

    /// The duration in nanoseconds that this share of all durations does not exceed; zero of none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((share * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        found.map_or(0, |bucket| end_of(bucket).min(self.most))
    }

    /// The usual figures.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let micros = |share| self.quantile(share) as f64 / 1e3;
        Quantiles {
            count: self.total,
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            max_us: self.most as f64 / 1e3,
        }
    }
}

fn bucket_of(nanos: u64) -> usize {
    let shift = (63 - (nanos | PARTS).leading_zeros()) - KEPT_BITS;
    let row = if nanos < PARTS { 0 } else { u64::from(shift) + 1 };
    (row * PARTS + ((nanos >> shift) & (PARTS - 1))) as usize
}

/// The largest value of a bucket.
fn end_of(bucket: usize) -> u64 {
    let (row, part) = (bucket as u64 / PARTS, bucket as u64 % PARTS);
    let Some(shift) = row.checked_sub(1) else { return part };
    let start = (PARTS | part) << shift;
    start + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|nanos| histogram.record(Duration::from_nanos(*nanos)));
        histogram
    }

    proptest! {
        #[test]
        fn a_quantile_is_within_a_128th_of_the_exact_one(
            mut values in prop::collection::vec(0_u64..1 << 40, 1..200),
            percent in 1_usize..=100,
        ) {
            let found = of(&values).quantile(percent as f64 / 100.0);
            values.sort_unstable();
            let rank = (percent as f64 / 100.0 * values.len() as f64).ceil() as usize;
            let exact = values[rank.max(1) - 1];
            prop_assert!(found >= exact && found - exact <= exact / 128, "{found} for {exact}");
        }

        #[test]
        fn merging_is_recording_everything_in_one(
            left in prop::collection::vec(any::<u64>(), 0..50),
            right in prop::collection::vec(any::<u64>(), 0..50),
        ) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            prop_assert_eq!(merged.quantiles(), of(&[left, right].concat()).quantiles());
        }
    }

    #[test]
    fn nothing_recorded_is_zero() {
        assert_eq!(Histogram::default().quantiles(), Quantiles::default());
    }
}
