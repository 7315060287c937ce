//! Step 8: one record of the request, told once to the log, the metrics and whoever listens.

use std::sync::Arc;

use tokio::time::Instant;

use super::Core;
use super::accept::Early;
use super::exchange::{Ending, Exchange};
use super::settle::micros;
use crate::telemetry::{PassedOver, RequestRecord};

/// Model names in records are cut to this many bytes.
const MAX_MODEL_BYTES: usize = 128;

/// Tells the story of an exchange.
pub fn tell(core: &Core, exchange: &Exchange, ending: &Ending) {
    core.telemetry.tell(&record(core, exchange, ending));
}

fn record(core: &Core, exchange: &Exchange, ending: &Ending) -> RequestRecord {
    let now = Instant::now();
    let served = exchange.attempts.iter().rev().find(|attempt| attempt.record.outcome == "ok");
    let sum = |count: fn(&crate::telemetry::AttemptRecord) -> u64| {
        exchange.attempts.iter().map(|attempt| count(&attempt.record)).sum::<u64>()
    };
    let (status, code, cause) = shown(ending);
    RequestRecord {
        request_id: Arc::clone(&exchange.id_text),
        at_unix_ms: core.world.unix_ms(exchange.arrived),
        door: exchange.door.id(),
        requested_model: cut(exchange.model()),
        model_label: label(exchange),
        served_model: served.map(|attempt| Arc::clone(&attempt.lane.id)),
        key: Arc::clone(&exchange.principal.key),
        team: exchange.principal.team.clone(),
        user: exchange.principal.user.clone(),
        feature: exchange.principal.feature.clone(),
        stream: exchange.streams(),
        status,
        code,
        cause,
        outcome: ending.outcome(exchange),
        passed_over: exchange.passed_over.as_ref().map(|(lane, reason)| PassedOver {
            deployment: Arc::clone(&lane.id),
            label: if lane.listed { Arc::clone(&lane.id) } else { Arc::from("other") },
            reason,
        }),
        cascade: is_cascade(exchange, ending),
        ttft_us: exchange
            .first_content
            .map(|at| micros(at.saturating_duration_since(exchange.arrived))),
        duration_us: micros(now.saturating_duration_since(exchange.arrived)),
        bytes_in: exchange.bytes_in,
        bytes_out: exchange.bytes_out,
        input_tokens: sum(|attempt| attempt.input_tokens),
        output_tokens: sum(|attempt| attempt.output_tokens),
        cost_nanousd: exchange.cost_nanousd(),
        malformed_events: exchange.malformed,
        notes: exchange.notes.clone(),
        attempts: exchange.attempts.iter().map(|attempt| attempt.record.clone()).collect(),
    }
}

fn shown(ending: &Ending) -> (u16, Option<&'static str>, Option<String>) {
    match ending {
        Ending::Answered => (200, None, None),
        Ending::Refused(failure) => {
            (failure.status(), Some(failure.code.name()), failure.cause.clone())
        }
        Ending::Interrupted(lapse) => (200, Some(lapse.code.name()), lapse.detail.clone()),
        // The status that nginx made known for a client that closed the connection.
        Ending::Abandoned => (499, None, None),
    }
}

/// Every deployment that could have answered failed, and there was more than one.
fn is_cascade(exchange: &Exchange, ending: &Ending) -> bool {
    let Ending::Refused(failure) = ending else { return false };
    let upstream = failure.code.row().fault != crate::failure::Fault::Client;
    let mut tried: Vec<&Arc<str>> =
        exchange.attempts.iter().map(|attempt| &attempt.lane.id).collect();
    tried.extend(exchange.skipped.iter().map(|(id, _)| id));
    tried.dedup();
    upstream && tried.len() > 1
}

fn cut(name: &str) -> Arc<str> {
    Arc::from(name.get(..name.floor_char_boundary(MAX_MODEL_BYTES)).unwrap_or_default())
}

fn label(exchange: &Exchange) -> Arc<str> {
    if exchange.snapshot.knows(exchange.model()) {
        cut(exchange.model())
    } else {
        Arc::from("other")
    }
}

/// Tells of a request that failed before it had an exchange.
pub fn early(core: &Core, door: &'static str, early: &Early, id: &Arc<str>) {
    let other: Arc<str> = Arc::from("other");
    core.telemetry.tell(&RequestRecord {
        request_id: Arc::clone(id),
        at_unix_ms: core.world.unix_ms(early.arrived),
        door,
        requested_model: Arc::clone(&other),
        model_label: other,
        served_model: None,
        key: Arc::from("unknown"),
        team: None,
        user: None,
        feature: None,
        stream: false,
        status: early.failure.status(),
        code: Some(early.failure.code.name()),
        cause: early.failure.cause.clone(),
        outcome: early.failure.code.name(),
        attempts: Vec::new(),
        passed_over: None,
        cascade: false,
        ttft_us: None,
        duration_us: micros(early.arrived.elapsed()),
        bytes_in: 0,
        bytes_out: 0,
        input_tokens: 0,
        output_tokens: 0,
        cost_nanousd: 0,
        malformed_events: 0,
        notes: Vec::new(),
    });
}

impl Exchange {
    /// The cost of all settled attempts, nano-dollars.
    #[must_use]
    pub fn cost_nanousd(&self) -> i64 {
        self.attempts.iter().fold(0_i64, |sum, a| sum.saturating_add(a.record.cost_nanousd))
    }
}
