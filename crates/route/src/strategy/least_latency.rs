//! `least_latency`: power of two choices on the peak-EWMA load score.
//!
//! **Why not simply the lowest score.** Every request of every core would pick the same winner until
//! its score catches up, then all would move on together. Taking the better of two at random spreads
//! the load and still avoids the slow ones (Mitzenmacher, "The power of two choices in randomized
//! load balancing", 2001). Only the first place is drawn; the fallbacks behind it are by score.
//!
//! A deployment never measured comes before all others as long as it is idle, so that it gets
//! measured; with a request already out it comes after all measured ones, so that a newcomer is
//! tried by one request and not by everybody until its first answer.

use super::{Candidate, Ranked};
use crate::chance::Chance;

/// The better of two to the front, the rest by score.
pub(super) fn order(ranked: &mut [Ranked], chance: &mut dyn Chance) {
    let winner = better_of_two(ranked, chance);
    ranked.sort_by_key(|one| (Some(one.index) != winner, key(&one.candidate)));
}

/// The index (in the caller's list) of the better of two different ones; ties go to the first drawn.
fn better_of_two(ranked: &[Ranked], chance: &mut dyn Chance) -> Option<usize> {
    let count = ranked.len();
    let first = below(count, chance);
    // The second is drawn from the others: a step of 1..count away, around the end.
    let second = first + 1 + below(count.saturating_sub(1), chance);
    let second = second.checked_rem(count)?;
    let (first, second) = (ranked.get(first)?, ranked.get(second)?);
    let better = if key(&second.candidate) < key(&first.candidate) { second } else { first };
    Some(better.index)
}

fn below(bound: usize, chance: &mut dyn Chance) -> usize {
    usize::try_from(chance.below(bound as u64)).unwrap_or(0)
}

/// Lower is better: idle and unmeasured, then measured by score, then unmeasured by load.
fn key(candidate: &Candidate) -> (u8, u64) {
    match (candidate.latency_score, candidate.outstanding) {
        (0, 0) => (0, 0),
        (0, busy) => (2, u64::from(busy)),
        (score, _) => (1, score),
    }
}
