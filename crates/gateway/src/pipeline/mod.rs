//! The life of a request: eight steps, eight files, one function that fits a screen.
//!
//! accept, admit, plan, recall, attempt, relay, settle, tell. Values are passed from step to step;
//! there is no bag of extensions and no state below [`Core`]. The other files here are what the
//! steps work on: the exchange, the lanes, lapses, the state that outlives a configuration.

pub mod accept;
pub mod admit;
pub mod plan;
pub mod recall;
pub mod attempt;
pub mod relay;
pub mod settle;
pub mod tell;

pub mod speech;
pub mod exchange;
pub mod lanes;
pub mod proof;
pub mod credentials;
pub mod sites;
pub mod state;
pub mod compose;
pub mod fire;
pub mod feed;
pub mod lapse;
pub mod resume;
pub mod passage;
pub mod upload;
pub mod form;
pub mod reply;
pub mod array;
pub mod leftover;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::Response;
use ledger::Ledger;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout_at;

use crate::telemetry::Telemetry;
use crate::upstream::Upstream;
use crate::world::World;
use accept::Inbound;
use attempt::Crossing;
use exchange::{Exchange, Open};
use lanes::Snapshot;
use plan::Plan;
use reply::Body;
use state::States;

use crate::failure::Failure;

/// What every request works with.
pub struct Core {
    /// The configuration in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// Breakers, cooldowns, latencies.
    pub states: Arc<States>,
    /// The client towards providers.
    pub upstream: Upstream,
    /// Who may spend how much.
    pub ledger: Ledger,
    /// Logs and metrics.
    pub telemetry: Arc<Telemetry>,
    /// Time and chance.
    pub world: World,
    /// The queue of exchanges whose client went away.
    pub abandoned: UnboundedSender<Box<Exchange>>,
}

/// Carries one request across.
pub async fn cross(core: Arc<Core>, inbound: Inbound) -> Response<Body> {
    let door = inbound.door;
    let mut open = match accept::accept(&core, inbound).await {
        Ok(open) => open,
        Err(early) => return reply::early(&core, door, early),
    };
    core.states.active.begin();
    let plan = match weigh(&core, &mut open) {
        Ok(plan) => plan,
        Err(failure) => return relay::refuse(&core, open, failure),
    };
    let (streams, array) = (open.streams(), open.said.array);
    let early = open.arrived + plan.early_headers_after();
    let mut crossing = Crossing::start(Arc::clone(&core), open, plan);
    if !streams {
        let (open, result) = crossing.await;
        return relay::respond(core, open, result);
    }
    match timeout_at(early, &mut crossing).await {
        Ok((open, result)) => relay::respond(core, open, result),
        Err(_) => relay::early(core, door, array, crossing),
    }
}

/// The steps before anything is sent: who asks, what it may cost, where it could go.
fn weigh(core: &Core, open: &mut Open) -> Result<Plan, Failure> {
    admit::admit(core, open)?;
    recall::recall(open)?;
    plan::plan(core, open)
}
