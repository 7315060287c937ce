//! The plan of one request: its lanes in the order in which they are tried.
//!
//! The requested group comes first, then each of its fallback groups; inside a group the strategy
//! decides. A deployment appears once, at its best place: asking it again under another name would
//! only repeat its failure. A deployment behind an open breaker or in cooldown is left out before
//! anything is sent, so skipping costs no time; it is kept in `skipped` with the reason, because
//! "why was A not asked" is the first question anyone has. When nothing is left, the answer is the
//! earliest moment at which something comes back.
//!
//! Who is blocked and what a candidate looks like is gathered by the caller, at one moment, for all
//! groups. Between plan and attempt the world moves on: the attempt still asks the breaker.

use crate::chance::Chance;
use crate::strategy::{Candidate, Strategy};
use crate::tick::Tick;

/// One deployment of a group, as it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The caller's number for the deployment.
    pub deployment: usize,
    /// What the strategy may know of it.
    pub candidate: Candidate,
    /// Why it must not be asked now, if so.
    pub blocked: Option<Blocked>,
}

/// Why a deployment must not be asked, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// What stands in the way.
    pub reason: SkipReason,
    /// The earliest moment at which it may be asked again.
    pub until: Tick,
}

/// Why a deployment was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Its breaker is open, or half-open with a probe under way.
    BreakerOpen,
    /// It, or every credential for it, is in cooldown.
    CoolingDown,
}

/// The deployments of one group and the strategy that orders them.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// The deployments as configured.
    pub entries: &'a [Entry],
    /// The group's strategy.
    pub strategy: &'static Strategy,
}

/// A place to send the request to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// The caller's number for the deployment.
    pub deployment: usize,
    /// The place of its group in the list given: 0 is the requested group.
    pub group: usize,
}

/// A deployment left out of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The caller's number for the deployment.
    pub deployment: usize,
    /// The place of its group in the list given: 0 is the requested group.
    pub group: usize,
    /// Why it was left out.
    pub reason: SkipReason,
    /// The earliest moment at which it may be asked again.
    pub until: Tick,
}

/// Where to send one request, best first. There is at least one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The lanes in the order in which they are tried.
    pub lanes: Vec<Lane>,
    /// The deployments left out, in the order in which the strategies would have tried them.
    pub skipped: Vec<Skipped>,
}

/// Every deployment is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllUnavailable {
    /// The earliest moment at which one comes back; none if the groups hold no deployment at all.
    pub retry_at: Option<Tick>,
    /// All of them, with the reasons.
    pub skipped: Vec<Skipped>,
}

impl std::fmt::Display for AllUnavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "all {} deployments are unavailable", self.skipped.len())
    }
}

impl std::error::Error for AllUnavailable {}

impl Plan {
    /// Lays out the requested group and then its fallback groups, in the order given.
    ///
    /// # Errors
    /// [`AllUnavailable`] when no deployment of any group may be asked now.
    pub fn build(groups: &[Group<'_>], chance: &mut dyn Chance) -> Result<Self, AllUnavailable> {
        let mut plan = Self { lanes: Vec::new(), skipped: Vec::new() };
        for (number, group) in groups.iter().enumerate() {
            let candidates: Vec<Candidate> = group.entries.iter().map(|e| e.candidate).collect();
            let order = group.strategy.rank(&candidates, chance);
            for entry in order.iter().filter_map(|&index| group.entries.get(index)) {
                plan.place(number, entry);
            }
        }
        if plan.lanes.is_empty() {
            let retry_at = plan.skipped.iter().map(|skipped| skipped.until).min();
            return Err(AllUnavailable { retry_at, skipped: plan.skipped });
        }
        Ok(plan)
    }

    fn place(&mut self, group: usize, entry: &Entry) {
        let deployment = entry.deployment;
        let planned = self.lanes.iter().any(|lane| lane.deployment == deployment);
        if planned || self.skipped.iter().any(|skipped| skipped.deployment == deployment) {
            return;
        }
        match entry.blocked {
            None => self.lanes.push(Lane { deployment, group }),
            Some(Blocked { reason, until }) => {
                self.skipped.push(Skipped { deployment, group, reason, until });
            }
        }
    }
}
