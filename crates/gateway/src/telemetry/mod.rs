//! What the gateway says about itself: one record a request, told once.
//!
//! The same [`RequestRecord`] writes the log line and the metrics, so the two can never disagree.
//! Nothing outside the pipeline's `tell` step reports per-request facts.

pub mod log;
pub mod metrics;
pub mod record;

use std::sync::Arc;

pub use log::{LogFormat, LogSink};
pub use metrics::Metrics;
pub use record::{AttemptRecord, FallbackRecord, PassedOver, RequestRecord};

/// Where records go.
#[derive(Debug)]
pub struct Telemetry {
    /// Counters and histograms, read by `/metrics`.
    pub metrics: Metrics,
    /// The request log.
    pub log: LogSink,
}

impl Telemetry {
    /// Telemetry that writes its log to `log`.
    #[must_use]
    pub fn new(log: LogSink) -> Arc<Self> {
        Arc::new(Self { metrics: Metrics::new(), log })
    }

    /// Tells everybody about one finished request.
    pub fn tell(&self, record: &RequestRecord) {
        self.metrics.request(record);
        for fallback in record.fallbacks() {
            self.metrics.fallback(&fallback);
            self.log.fallback(&fallback);
        }
        self.log.request(record);
    }
}
