//! `weighted`: a random permutation, drawn without replacement in proportion to the weights.
//!
//! Each place is drawn by weight from those left, so the traffic of a failed deployment spreads over
//! the others as their weights say, instead of all of it falling on the next in the list. Weight 0
//! never comes before a positive weight; among themselves such candidates keep their order.
//! Quadratic in the size of a group, which is a handful.

use super::Ranked;
use crate::chance::Chance;

/// Draws the candidates place by place.
pub(super) fn order(mut rest: &mut [Ranked], chance: &mut dyn Chance) {
    while let Some(pick) = draw(rest, chance) {
        let Some(through_pick) = rest.get_mut(..=pick) else { return };
        through_pick.rotate_right(1);
        let Some((_, others)) = rest.split_first_mut() else { return };
        rest = others;
    }
}

/// The index of one candidate drawn by weight; none when no weight is left.
fn draw(rest: &[Ranked], chance: &mut dyn Chance) -> Option<usize> {
    let weight = |one: &Ranked| u64::from(one.candidate.weight);
    let total: u64 = rest.iter().map(weight).sum();
    let mut point = (total > 0).then(|| chance.below(total))?;
    rest.iter().position(|one| {
        let hit = point < weight(one);
        point = point.saturating_sub(weight(one));
        hit
    })
}
