//! The metrics in Prometheus' text form, fed from the request records.
//!
//! Labels are bounded: models and deployments that only a client has named become `other`,
//! providers come from the configuration. Names and help texts stand in [`Metrics::new`], one line each.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::record::{AttemptRecord, FallbackRecord, RequestRecord};

/// Bucket bounds for whole requests, seconds.
const DURATION_BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0, 180.0, 600.0];
/// Bucket bounds for first tokens and our own decisions, seconds.
const SHORT_BUCKETS: [f64; 14] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];

/// A label value that costs a reference count, not a copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(pub Arc<str>);

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    model: Label,
    provider: Label,
    deployment: Label,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabels {
    provider: Label,
    model: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    provider: Label,
    model: Label,
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    provider: Label,
    model: Label,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FallbackLabels {
    from: Label,
    to: Label,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabels {
    provider: Label,
    region: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

type Seconds = Family<LaneLabels, Histogram, fn() -> Histogram>;

/// All metrics of the gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Seconds,
    ttfts: Seconds,
    errors: Family<ErrorLabels, Counter>,
    tokens: Family<TokenLabels, Counter>,
    costs: Family<LaneLabels, Counter<f64, AtomicU64>>,
    fallbacks: Family<FallbackLabels, Counter>,
    decisions: Histogram,
    cascades: Counter,
    breakers: Family<BreakerLabels, Gauge>,
    reloads: Family<ResultLabels, Counter>,
    /// Requests under way.
    pub in_flight: Gauge,
}

fn duration_histogram() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

fn short_histogram() -> Histogram {
    Histogram::new(SHORT_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every metric.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("weighbridge"),
            requests: Family::default(),
            durations: Family::new_with_constructor(duration_histogram),
            ttfts: Family::new_with_constructor(short_histogram),
            errors: Family::default(),
            tokens: Family::default(),
            costs: Family::default(),
            fallbacks: Family::default(),
            decisions: short_histogram(),
            cascades: Counter::default(),
            breakers: Family::default(),
            reloads: Family::default(),
            in_flight: Gauge::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let r = &mut self.registry;
        r.register(
            "requests",
            "Requests answered, by the status the client saw",
            self.requests.clone(),
        );
        r.register_with_unit(
            "request_duration",
            "Arrival to the end of the answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        r.register_with_unit(
            "time_to_first_token",
            "Arrival to the first content",
            Unit::Seconds,
            self.ttfts.clone(),
        );
        r.register("errors", "Failed attempts by reason", self.errors.clone());
        r.register("tokens", "Tokens booked", self.tokens.clone());
        r.register("cost_usd", "US dollars booked", self.costs.clone());
        r.register("fallbacks", "Steps from one deployment to another", self.fallbacks.clone());
        r.register_with_unit(
            "fallback_decision",
            "Known failure to the next attempt on the wire",
            Unit::Seconds,
            self.decisions.clone(),
        );
        r.register(
            "fallback_cascades",
            "Requests for which every deployment tried failed",
            self.cascades.clone(),
        );
        r.register("breaker_state", "0 closed, 1 half-open, 2 open", self.breakers.clone());
        r.register("config_reloads", "Configuration reloads", self.reloads.clone());
        r.register("requests_in_flight", "Requests under way", self.in_flight.clone());
        self
    }

    /// The text form of `/metrics`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(8 << 10);
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }

    /// Counts a finished request and its attempts.
    pub fn request(&self, record: &RequestRecord) {
        let served = record.attempts.iter().rev().find(|attempt| attempt.outcome == "ok");
        let last = served.or(record.attempts.last());
        let none = || Label(Arc::from("none"));
        let labels = RequestLabels {
            model: Label(Arc::clone(&record.model_label)),
            provider: last.map_or_else(none, |a| Label(Arc::clone(&a.provider))),
            deployment: last.map_or_else(none, |a| Label(a.label(&a.deployment))),
            status: record.status,
        };
        self.requests.get_or_create(&labels).inc();
        if let Some(served) = served {
            let lane = lane_labels(served);
            self.durations.get_or_create(&lane).observe(seconds(record.duration_us));
            if let Some(ttft) = record.ttft_us {
                self.ttfts.get_or_create(&lane).observe(seconds(ttft));
            }
        }
        if record.cascade {
            self.cascades.inc();
        }
        for attempt in &record.attempts {
            self.attempt(attempt);
        }
    }

    fn attempt(&self, attempt: &AttemptRecord) {
        let LaneLabels { provider, model } = lane_labels(attempt);
        if attempt.outcome != "ok" {
            let labels = ErrorLabels {
                provider: provider.clone(),
                model: model.clone(),
                r#type: attempt.outcome,
            };
            self.errors.get_or_create(&labels).inc();
        }
        for (kind, count) in [("input", attempt.input_tokens), ("output", attempt.output_tokens)] {
            if count > 0 {
                let labels = TokenLabels { provider: provider.clone(), model: model.clone(), kind };
                self.tokens.get_or_create(&labels).inc_by(count);
            }
        }
        if attempt.cost_nanousd > 0 {
            let dollars = dollars(attempt.cost_nanousd);
            self.costs.get_or_create(&LaneLabels { provider, model }).inc_by(dollars);
        }
    }

    /// Counts one fallback.
    pub fn fallback(&self, record: &FallbackRecord<'_>) {
        let [from, to] = record.labels.clone().map(Label);
        let labels = FallbackLabels { from, to, reason: record.reason };
        self.fallbacks.get_or_create(&labels).inc();
        if let Some(decision) = record.decision_us {
            self.decisions.observe(seconds(decision));
        }
    }

    /// Shows a breaker's state: 0 closed, 1 half-open, 2 open.
    pub fn breaker(&self, provider: &Arc<str>, region: &Arc<str>, state: i64) {
        let labels = BreakerLabels {
            provider: Label(Arc::clone(provider)),
            region: Label(Arc::clone(region)),
        };
        self.breakers.get_or_create(&labels).set(state);
    }

    /// Counts a reload of the configuration: `ok` or `invalid`.
    pub fn reload(&self, result: &'static str) {
        self.reloads.get_or_create(&ResultLabels { result }).inc();
    }
}

fn lane_labels(attempt: &AttemptRecord) -> LaneLabels {
    LaneLabels {
        provider: Label(Arc::clone(&attempt.provider)),
        model: Label(attempt.label(&attempt.model)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "histograms hold floats")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "shown, never booked: the books are integers")]
fn dollars(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}
