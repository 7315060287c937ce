//! Whether the gateway may be sent requests, and what an operator should know about it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::pipeline::Core;

/// The state behind `/readyz`.
#[derive(Debug, Default)]
pub struct Health {
    ready: AtomicBool,
    reloads: AtomicU64,
    invalid: Mutex<Vec<String>>,
}

impl Health {
    /// Whether requests are welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Welcomes requests, or asks balancers to send them elsewhere.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// A configuration came into force.
    pub fn reloaded(&self) {
        self.reloads.fetch_add(1, Ordering::Relaxed);
        self.invalid.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A configuration was refused; the old one stays in force.
    pub fn refused(&self, problems: Vec<String>) {
        *self.invalid.lock().unwrap_or_else(PoisonError::into_inner) = problems;
    }

    /// The verbose page.
    #[must_use]
    pub fn page(&self, core: &Core) -> Value {
        let now = core.world.tick(Instant::now());
        let breakers: Vec<Value> = core
            .states
            .breakers()
            .iter()
            .map(|cell| {
                let state = match cell.breaker.state(now) {
                    route::State::Closed => "closed",
                    route::State::HalfOpen => "half-open",
                    route::State::Open => "open",
                };
                json!({ "provider": &*cell.provider, "region": &*cell.region, "breaker": state })
            })
            .collect();
        let totals = core.ledger.totals();
        json!({
            "ready": self.is_ready(),
            "providers": breakers,
            "requests_in_flight": core.states.active.get(),
            "ledger": { "reserved_usd": totals.reserved.to_string(), "settled_usd": totals.settled.to_string(), "open_permits": totals.open_permits },
            "config": {
                "reloads": self.reloads.load(Ordering::Relaxed),
                "problems": *self.invalid.lock().unwrap_or_else(PoisonError::into_inner),
            },
        })
    }
}
