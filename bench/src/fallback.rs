//! How fast a failure becomes the next attempt.
//!
//! Measured twice. From outside: the upstream notes when it answers 503 and when the next request
//! arrives, with one request at a time, so both loopback ways are included. From inside: the
//! gateway's own histogram `weighbridge_fallback_decision_seconds`, against the simulator's fault.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::Said;
use crate::child::Launcher;
use crate::histogram::{Histogram, Quantiles};
use crate::lane::fetch;
use crate::load::{Job, Report, Shape};
use crate::scenario::{FAULT_MODEL, SIM_GROUP};
use crate::subject::Subject;

/// The gateway's histogram of decision times.
pub const METRIC: &str = "weighbridge_fallback_decision_seconds";
/// Size of the requests.
const PROMPT_BYTES: usize = 4 << 10;

/// Decision times.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Decisions {
    /// Between the failed answer leaving the upstream and the next request arriving there.
    pub outside: Quantiles,
    /// By the gateway's own metric, with the simulator's fault.
    pub inside: Option<Inside>,
    /// Requests that were not answered.
    pub failed: u64,
    /// Why the first of those was not.
    pub failure: Option<String>,
}

/// Quantiles out of the metric's buckets, interpolated inside one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Inside {
    /// Decisions counted.
    pub count: u64,
    /// The median, milliseconds.
    pub p50_ms: f64,
    /// One in a hundred took longer, milliseconds.
    pub p99_ms: f64,
}

/// Injects faults one after the other and reads the decision times.
///
/// # Errors
/// When a program is gone or says what cannot be read.
pub fn measure(
    launcher: &Launcher,
    load: &Path,
    subject: &Subject,
    upstream: SocketAddr,
    has_sim: bool,
    faults: u64,
) -> Said<Decisions> {
    fetch(upstream, "/decisions")?;
    let report = inject(launcher, load, subject, FAULT_MODEL, faults)?;
    let outside = from_upstream(&fetch(upstream, "/decisions")?)?;
    let mut decisions =
        Decisions { outside, inside: None, failed: report.failed, failure: report.failure };
    if let (true, Some(admin)) = (has_sim, subject.admin) {
        let before = buckets(&fetch(admin, "/metrics")?);
        let report = inject(launcher, load, subject, SIM_GROUP, faults)?;
        decisions.inside = between(&before, &buckets(&fetch(admin, "/metrics")?));
        decisions.failed += report.failed;
        decisions.failure = decisions.failure.or(report.failure);
    }
    Ok(decisions)
}

fn inject(
    launcher: &Launcher,
    load: &Path,
    subject: &Subject,
    model: &str,
    faults: u64,
) -> Said<Report> {
    let job = Job {
        target: subject.address,
        model: model.to_owned(),
        stream: false,
        prompt_bytes: PROMPT_BYTES,
        shape: Shape::Sequence(faults),
    };
    launcher.load(load, &job)?.report()
}

fn from_upstream(text: &str) -> Said<Quantiles> {
    let nanos: Vec<u64> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut histogram = Histogram::default();
    nanos.into_iter().for_each(|nanos| histogram.record(Duration::from_nanos(nanos)));
    Ok(histogram.quantiles())
}

/// Cumulative counts by upper bound in seconds, summed over all label sets.
fn buckets(metrics: &str) -> Vec<(f64, u64)> {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for (bound, count) in metrics.lines().filter_map(bucket) {
        match buckets.iter_mut().find(|(known, _)| *known == bound) {
            Some((_, sum)) => *sum += count,
            None => buckets.push((bound, count)),
        }
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets
}

fn bucket(line: &str) -> Option<(f64, u64)> {
    let (labels, count) = line.strip_prefix(METRIC)?.strip_prefix("_bucket")?.rsplit_once(' ')?;
    let (_, bound) = labels.split_once("le=\"")?;
    let bound = bound.split('"').next()?;
    let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
    Some((bound, count.parse().ok()?))
}

fn between(before: &[(f64, u64)], after: &[(f64, u64)]) -> Option<Inside> {
    let earlier = |bound: f64| before.iter().find(|(known, _)| *known == bound).map_or(0, |b| b.1);
    let counts: Vec<(f64, u64)> = after
        .iter()
        .map(|(bound, count)| (*bound, count.saturating_sub(earlier(*bound))))
        .collect();
    let count = counts.last()?.1;
    let millis = |share| quantile(&counts, share * count as f64) * 1e3;
    (count > 0).then(|| Inside { count, p50_ms: millis(0.5), p99_ms: millis(0.99) })
}

/// The duration in seconds that `rank` of the counted do not exceed.
fn quantile(counts: &[(f64, u64)], rank: f64) -> f64 {
    let (mut low, mut below) = (0.0, 0);
    for (bound, count) in counts {
        if *count as f64 >= rank && *count > below {
            let share = (rank - below as f64) / (count - below) as f64;
            return if bound.is_finite() { low + (bound - low) * share } else { low };
        }
        (low, below) = (*bound, *count);
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(counts: [u64; 3]) -> String {
        let [a, b, all] = counts;
        format!(
            "# TYPE {METRIC} histogram\n{METRIC}_bucket{{le=\"0.001\"}} {a}\n\
             {METRIC}_bucket{{le=\"0.005\"}} {b}\n{METRIC}_bucket{{le=\"+Inf\"}} {all}\n\
             {METRIC}_sum 1\n{METRIC}_count {all}\nweighbridge_other_bucket{{le=\"0.001\"}} 9\n"
        )
    }

    #[test]
    fn quantiles_come_from_what_was_added_between_two_looks() {
        let (before, after) = (buckets(&metrics([5, 5, 5])), buckets(&metrics([985, 1005, 1005])));
        let inside = between(&before, &after).unwrap();
        assert_eq!(inside.count, 1000);
        assert!((inside.p50_ms - 500.0 / 980.0).abs() < 1e-9, "{inside:?}");
        assert!((inside.p99_ms - 3.0).abs() < 1e-9, "{inside:?}");
    }

    #[test]
    fn no_decision_is_no_figure() {
        let same = buckets(&metrics([5, 5, 5]));
        assert_eq!(between(&same, &same), None);
        assert_eq!(between(&[], &buckets("")), None);
    }
}
