//! What outlives a configuration: breakers, cooldowns, load and latency, shared by key.
//!
//! A reload asks here first, so unchanged providers keep their state. Keys are never removed: their
//! number is bounded by the providers and models an operator ever configured in one run. Models that
//! only a client has named share one key a provider.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use route::{
    Breaker, BreakerSettings, Cooldown, HedgeBudget, Outstanding, PeakEwma, RetryBudget, Tick,
    TtftWindow,
};

use crate::config::Provider;

/// Latencies lose their weight over this time.
const LATENCY_DECAY: Duration = Duration::from_secs(10);
/// Retries and hedges together stay under this share of active requests...
const RETRY_PERCENT: u32 = 20;
/// ...but this many are always allowed.
const RETRY_FLOOR: u32 = 3;

/// Load, latency and cooldown of one deployment.
#[derive(Debug)]
pub struct LaneState {
    /// Requests under way.
    pub outstanding: Outstanding,
    /// How fast it answers, peaks weighing most.
    pub latency: PeakEwma,
    /// Its recent first-token times.
    pub ttft: TtftWindow,
    /// Until when it is set aside after a rate limit.
    pub cooldown: Cooldown,
    turn: AtomicUsize,
}

impl LaneState {
    /// Whose turn it is among `count` credentials.
    #[must_use]
    pub fn next_credential(&self, count: usize) -> usize {
        if count < 2 { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) % count }
    }
}

/// Until when a credential is set aside.
#[derive(Debug, Default)]
pub struct CredentialState {
    /// Until when its rate limit lasts.
    pub limited: Cooldown,
    /// Until when it is left alone after a refusal, or after its quota was used up.
    pub refused: Cooldown,
}

impl CredentialState {
    /// Until when it is set aside, if it is.
    #[must_use]
    pub fn set_aside(&self, now: Tick) -> Option<Tick> {
        self.limited.active(now).max(self.refused.active(now))
    }
}

/// A breaker with the labels it is shown under.
#[derive(Debug)]
pub struct BreakerCell {
    /// The breaker.
    pub breaker: Breaker,
    /// The provider's id.
    pub provider: Arc<str>,
    /// Its region, or empty.
    pub region: Arc<str>,
}

/// All lasting state.
#[derive(Debug)]
pub struct States {
    lanes: Mutex<HashMap<Arc<str>, Arc<LaneState>>>,
    breakers: Mutex<HashMap<String, Arc<BreakerCell>>>,
    credentials: Mutex<HashMap<u64, Arc<CredentialState>>>,
    /// Requests under way, and how many retries and hedges they may cause.
    pub active: Outstanding,
    /// The budget of retries and hedges.
    pub retries: RetryBudget,
    /// The budget of hedges alone.
    pub hedges: HedgeBudget,
}

impl States {
    /// No state yet. `hedge_ppm`: hedges per million requests.
    #[must_use]
    pub fn new(hedge_ppm: u32) -> Arc<Self> {
        Arc::new(Self {
            lanes: Mutex::default(),
            breakers: Mutex::default(),
            credentials: Mutex::default(),
            active: Outstanding::new(),
            retries: RetryBudget::new(RETRY_FLOOR, RETRY_PERCENT),
            hedges: HedgeBudget::new(hedge_ppm),
        })
    }

    /// The state of a deployment.
    #[must_use]
    pub fn lane(&self, id: &Arc<str>) -> Arc<LaneState> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let state = lanes.entry(Arc::clone(id)).or_insert_with(|| {
            Arc::new(LaneState {
                outstanding: Outstanding::new(),
                latency: PeakEwma::new(LATENCY_DECAY),
                ttft: TtftWindow::new(),
                cooldown: Cooldown::new(),
                turn: AtomicUsize::new(0),
            })
        });
        Arc::clone(state)
    }

    /// The breaker of a provider's region and address, under these settings from now on.
    #[must_use]
    pub fn breaker(
        &self,
        provider: &Provider,
        settings: crate::config::Breaker,
    ) -> Arc<BreakerCell> {
        let settings = BreakerSettings { failures: settings.failures, open_for: settings.open_for };
        let key = format!(
            "{} {} {:?}",
            provider.id,
            provider.region,
            provider.usual().map(|face| &face.base_url)
        );
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = breakers.entry(key).or_insert_with(|| {
            Arc::new(BreakerCell {
                breaker: Breaker::new(settings),
                provider: Arc::from(provider.id.as_str()),
                region: Arc::from(provider.region.as_str()),
            })
        });
        cell.breaker.configure(settings);
        Arc::clone(cell)
    }

    /// Every breaker, for the gauges and the health page.
    #[must_use]
    pub fn breakers(&self) -> Vec<Arc<BreakerCell>> {
        let breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.values().cloned().collect()
    }

    /// The state of a credential, found by a hash so that no second copy of the secret is kept.
    #[must_use]
    pub fn credential(&self, provider: &str, secret: &str) -> Arc<CredentialState> {
        let mut hasher = std::hash::DefaultHasher::new();
        (provider, secret).hash(&mut hasher);
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(credentials.entry(hasher.finish()).or_default())
    }
}
