//! Step 3: model name -> group -> the lanes to try, in order. Deployments behind an open breaker or
//! cooling down are left out, with the reason; ordering and skipping are `route`'s.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use route::{Blocked, Candidate, Entry, SkipReason, Tick};
use tokio::time::Instant;

use super::Core;
use super::exchange::Open;
use super::lanes::{Group, Lane, Snapshot, Unresolved};
use crate::config::Timeouts;
use crate::failure::{Code, Failure};

/// Groups that one request can reach through fallbacks, so that a long chain cannot grow a plan
/// without bound.
const MAX_GROUPS: usize = 16;

/// Where a request may go.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The group its model name means.
    pub group: Arc<Group>,
    /// The lanes in order, each with the clocks of the group it was reached through.
    pub lanes: VecDeque<Planned>,
}

/// A lane of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The deployment.
    pub lane: Arc<Lane>,
    /// The group's clocks with the provider's own over them.
    pub timeouts: Timeouts,
}

impl Plan {
    /// How long a streaming client may wait for its headers.
    #[must_use]
    pub fn early_headers_after(&self) -> Duration {
        self.group.timeouts.early_headers_after
    }
}

/// Plans a request.
///
/// # Errors
/// When the model is not known, has no known price, or nothing of it is available.
pub fn plan(core: &Core, open: &mut Open) -> Result<Plan, Failure> {
    let snapshot = Arc::clone(&open.snapshot);
    let group = snapshot.resolve(open.model()).map_err(|why| unresolved(open.model(), &why))?;
    open.group = Some(Arc::clone(&group));
    if open.asks.timeout.is_none() {
        open.deadline = open.arrived + group.timeouts.total;
    }
    let chain = chain(&snapshot, &group);
    lay_out(core, open, &chain).map(|lanes| Plan { group, lanes })
}

/// The lanes of a group's context or content fallbacks.
#[must_use]
pub fn detour(core: &Core, open: &mut Open, groups: &[usize]) -> VecDeque<Planned> {
    let snapshot = Arc::clone(&open.snapshot);
    let groups: Vec<_> =
        groups.iter().filter_map(|number| snapshot.groups.get(*number)).cloned().collect();
    lay_out(core, open, &groups).unwrap_or_default()
}

/// The failure of a name that could not be resolved.
#[must_use]
pub fn unresolved(name: &str, why: &Unresolved) -> Failure {
    match why {
        Unresolved::PriceUnknown => Failure::because(
            Code::PriceUnknown,
            format!("The price of `{name}` is not known, so its cost cannot be bounded."),
        )
        .on("model"),
        Unresolved::Unknown(near) => {
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!(" Near: {}.", near.join(", "))
            };
            let shown: String = name.chars().take(128).collect();
            Failure::because(
                Code::ModelNotFound,
                format!("There is no model `{shown}` here.{hint}"),
            )
            .on("model")
        }
    }
}

/// The group and its fallbacks, theirs behind them, each once.
fn chain(snapshot: &Snapshot, group: &Arc<Group>) -> Vec<Arc<Group>> {
    let mut chain = vec![Arc::clone(group)];
    let mut next = 0;
    while let Some(current) = chain.get(next).cloned() {
        for fallback in &current.fallbacks {
            let Some(fallback) = snapshot.groups.get(*fallback) else { continue };
            if chain.len() < MAX_GROUPS && !chain.iter().any(|known| Arc::ptr_eq(known, fallback)) {
                chain.push(Arc::clone(fallback));
            }
        }
        next += 1;
    }
    chain
}

fn lay_out(
    core: &Core,
    open: &mut Open,
    groups: &[Arc<Group>],
) -> Result<VecDeque<Planned>, Failure> {
    let now = core.world.tick(Instant::now());
    let mut lanes: Vec<&Arc<Lane>> = Vec::new();
    let entries: Vec<Vec<Entry>> = groups
        .iter()
        .map(|group| {
            let fitting = group.lanes.iter().filter(|(lane, _)| lane.face(open.door).is_some());
            fitting.map(|(lane, weight)| entry(now, &mut lanes, lane, *weight)).collect()
        })
        .collect();
    if lanes.is_empty() {
        return Err(unserved(open));
    }
    let laid: Vec<route::Group<'_>> = entries
        .iter()
        .zip(groups)
        .map(|(entries, group)| route::Group { entries, strategy: group.strategy })
        .collect();
    let (planned, skipped) = match route::Plan::build(&laid, &mut open.chance) {
        Ok(plan) => (plan.lanes, plan.skipped),
        Err(none) => {
            note_skipped(open, &lanes, &none.skipped);
            return Err(unavailable(open, &lanes, now, &none));
        }
    };
    note_skipped(open, &lanes, &skipped);
    open.passed_over = passed_over(groups, &lanes, &planned, &skipped);
    let planned = planned.iter().filter_map(|place| {
        let lane = Arc::clone(lanes.get(place.deployment)?);
        let timeouts = lane.timeouts.over(&groups.get(place.group)?.timeouts);
        Some(Planned { lane, timeouts })
    });
    Ok(planned.collect())
}

/// Nothing of the model's plan serves requests of this kind.
fn unserved(open: &Open) -> Failure {
    let shown: String = open.model().chars().take(128).collect();
    let message = format!("The model `{shown}` serves no {} here.", open.door.purpose());
    Failure::because(Code::InvalidRequest, message).on("model")
}

fn entry<'g>(now: Tick, lanes: &mut Vec<&'g Arc<Lane>>, lane: &'g Arc<Lane>, weight: u32) -> Entry {
    let deployment = lanes.iter().position(|known| Arc::ptr_eq(known, lane)).unwrap_or_else(|| {
        lanes.push(lane);
        lanes.len() - 1
    });
    let outstanding = lane.state.outstanding.get();
    let blocked = blocked(lane, now);
    Entry {
        deployment,
        candidate: Candidate {
            weight,
            cost: lane.typical_cost(),
            latency_score: lane.state.latency.score(now, outstanding),
            outstanding,
            penalised: blocked.is_some(),
        },
        blocked,
    }
}

/// Why a lane must be left out now, if it must.
#[must_use]
pub fn blocked(lane: &Lane, now: Tick) -> Option<Blocked> {
    if let Some(until) = lane.breaker.breaker.peek(now) {
        return Some(Blocked { reason: SkipReason::BreakerOpen, until });
    }
    let cooling = lane.state.cooldown.active(now).or_else(|| credentials_cooling(lane, now));
    cooling.map(|until| Blocked { reason: SkipReason::CoolingDown, until })
}

/// When the first credential comes back, if all are set aside.
fn credentials_cooling(lane: &Lane, now: Tick) -> Option<Tick> {
    let cooling = lane.credentials.iter().map(|credential| credential.state.set_aside(now));
    cooling.collect::<Option<Vec<Tick>>>()?.into_iter().min()
}

/// The first deployment left out that would have come before the first one planned. Among equals
/// (any strategy but `ordered`) nobody comes first.
fn passed_over(
    groups: &[Arc<Group>],
    lanes: &[&Arc<Lane>],
    planned: &[route::Lane],
    skipped: &[route::Skipped],
) -> Option<(Arc<Lane>, &'static str)> {
    let first = planned.first()?;
    let ordered = groups.get(first.group).is_some_and(|group| group.strategy.name == "ordered");
    let before = skipped.iter().find(|skip| {
        let earlier = ordered && skip.group == first.group && skip.deployment < first.deployment;
        skip.group < first.group || earlier
    })?;
    Some((Arc::clone(lanes.get(before.deployment)?), skip_word(before.reason)))
}

fn note_skipped(open: &mut Open, lanes: &[&Arc<Lane>], skipped: &[route::Skipped]) {
    for skip in skipped {
        let Some(lane) = lanes.get(skip.deployment) else { continue };
        open.skipped.push((Arc::clone(&lane.id), skip_word(skip.reason)));
    }
}

fn skip_word(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::BreakerOpen => "breaker_open",
        SkipReason::CoolingDown => "cooling_down",
    }
}

/// Nothing can be tried: a rate limit is passed on as one only if nothing else stands in the way.
fn unavailable(
    open: &Open,
    lanes: &[&Arc<Lane>],
    now: Tick,
    none: &route::AllUnavailable,
) -> Failure {
    let wait = none.retry_at.map_or(Duration::from_secs(1), |at| at.since(now));
    let limited = none.skipped.iter().all(|skip| {
        let lane = lanes.get(skip.deployment);
        skip.reason == SkipReason::CoolingDown && lane.is_some_and(|lane| lane.is_limited(now))
    });
    let code = if limited { Code::RateLimitExceeded } else { Code::AllUpstreamsUnavailable };
    let message =
        format!("{} Skipped: {}.", Code::AllUpstreamsUnavailable.row().sentence, open.tried());
    Failure::because(code, message).retry_after(Some(wait))
}
