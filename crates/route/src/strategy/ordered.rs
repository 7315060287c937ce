//! `ordered`: as written. The first deployment is the primary, the others are its fallbacks.
//!
//! The default, because it is the only order an operator can predict without measuring.

use super::Ranked;
use crate::chance::Chance;

/// Leaves the order as it is.
pub(super) fn order(_: &mut [Ranked], _: &mut dyn Chance) {}
