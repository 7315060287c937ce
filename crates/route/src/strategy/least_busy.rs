//! `least_busy`: the fewest requests in flight first.
//!
//! For self-hosted upstreams, where a free slot is worth more than a good average. Equals come in
//! random order: in quiet times all counts are zero, and a stable order would send everything to the
//! first in the list.

use super::Ranked;
use crate::chance::Chance;

/// Shuffles (Fisher and Yates), then sorts by requests in flight, stably.
pub(super) fn order(ranked: &mut [Ranked], chance: &mut dyn Chance) {
    for last in (1..ranked.len()).rev() {
        let other = chance.below(last as u64 + 1);
        ranked.swap(last, usize::try_from(other).unwrap_or(last));
    }
    ranked.sort_by_key(|one| one.candidate.outstanding);
}
