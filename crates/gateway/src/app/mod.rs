//! The program put together: state is made here and handed down; nothing below has any of its own.

pub mod demo;
pub mod explain;
pub mod reload;
pub mod serve;

use std::sync::Arc;

use arc_swap::ArcSwap;
use ledger::{Journal, Ledger};
use tokio::sync::mpsc;

use crate::admin::Admin;
use crate::admin::health::Health;
use crate::config::Config;
use crate::http::router::Data;
use crate::listen::Limits;
use crate::pipeline::lanes::Snapshot;
use crate::pipeline::state::States;
use crate::pipeline::{Core, settle};
use crate::telemetry::Telemetry;
use crate::upstream::{Network, Upstream, UpstreamSettings};
use crate::world::World;

/// What a gateway is made of, apart from its configuration.
pub struct Parts {
    /// The way to providers.
    pub network: Arc<dyn Network>,
    /// Time and chance.
    pub world: World,
    /// Where records go.
    pub telemetry: Arc<Telemetry>,
    /// Where the ledger writes.
    pub journal: Arc<dyn Journal>,
}

/// A gateway ready to serve connections.
#[derive(Clone)]
pub struct App {
    /// The pipeline's state.
    pub core: Arc<Core>,
    /// Whether requests are welcome.
    pub health: Arc<Health>,
}

impl App {
    /// Puts a gateway together and starts its settling task on the current runtime.
    #[must_use]
    pub fn assemble(config: Config, parts: Parts) -> Self {
        let states = States::new(hedge_share(&config));
        let snapshot = Snapshot::build(config, &states);
        let (abandoned, queue) = mpsc::unbounded_channel();
        let core = Arc::new(Core {
            snapshot: ArcSwap::from_pointee(snapshot),
            states,
            upstream: Upstream::new(parts.network, UpstreamSettings::default()),
            ledger: Ledger::unlimited(parts.journal),
            telemetry: parts.telemetry,
            world: parts.world,
            abandoned,
        });
        tokio::spawn(settle::sweep(Arc::clone(&core), queue));
        let health = Arc::<Health>::default();
        health.set_ready(true);
        Self { core, health }
    }

    /// Puts a new configuration in force; requests under way keep theirs.
    pub fn adopt(&self, config: Config) {
        self.core.states.hedges.configure(hedge_share(&config));
        let snapshot = Snapshot::build(config, &self.core.states);
        self.core.snapshot.store(Arc::new(snapshot));
        self.health.reloaded();
    }

    /// What answers on the data listener.
    #[must_use]
    pub fn data(&self) -> Arc<Data> {
        Arc::new(Data(Arc::clone(&self.core)))
    }

    /// What answers on the admin listener.
    #[must_use]
    pub fn admin(&self) -> Arc<Admin> {
        Arc::new(Admin { core: Arc::clone(&self.core), health: Arc::clone(&self.health) })
    }

    /// The bounds of the data listener.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let snapshot = self.core.snapshot.load();
        let server = &snapshot.config.server;
        Limits {
            connections: usize::try_from(server.max_connections).unwrap_or(usize::MAX),
            head_bytes: usize::try_from(server.max_head_bytes).unwrap_or(usize::MAX),
            head_read: server.header_read_timeout,
            stalled: snapshot.config.timeouts.stalled_client,
        }
    }
}

/// The largest share of hedges any group allows: the budget is the whole program's.
fn hedge_share(config: &Config) -> u32 {
    let hedges = config.groups.iter().map(|group| &group.failover.hedge);
    hedges.filter(|hedge| hedge.enabled).map(|hedge| hedge.max_extra_ppm).max().unwrap_or(0)
}
