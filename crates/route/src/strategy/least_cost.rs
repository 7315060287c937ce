//! `least_cost`: the cheapest deployment for this very request first.
//!
//! Equals keep the order in which they are written, so that a list of equally priced deployments
//! behaves like `ordered`. The cost is the caller's estimate; this room does no money arithmetic.

use super::Ranked;
use crate::chance::Chance;

/// Sorts by cost, stably.
pub(super) fn order(ranked: &mut [Ranked], _: &mut dyn Chance) {
    ranked.sort_by_key(|one| one.candidate.cost);
}
