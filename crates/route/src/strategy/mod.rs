//! Strategies: in which order the deployments of one group are tried.
//!
//! A strategy sees numbers, not deployments, and gives back a permutation, best first: the first is
//! where the request goes, the rest is the order of fallback. Candidates marked as penalised come
//! last whatever the strategy thinks of them, in the order in which they were given: a good price or
//! a low latency is no reason to ask someone who is known to be in trouble.
//!
//! [`STRATEGIES`] is the list; the configuration checks names against it and the reference page is
//! generated from it. To add one: a file here, a row there.

mod least_busy;
mod least_cost;
mod least_latency;
mod ordered;
mod weighted;

use crate::chance::Chance;

/// What a strategy may know of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Candidate {
    /// The configured weight; 0 means "only when nothing else is left".
    pub weight: u32,
    /// What this request would cost there, in any unit that is the same for all candidates; an
    /// unknown cost is best given as `u64::MAX`.
    pub cost: u64,
    /// `PeakEwma::score`: microseconds times load; 0 when never measured.
    pub latency_score: u64,
    /// Requests in flight there.
    pub outstanding: u32,
    /// Known to be in trouble, yet not ruled out.
    pub penalised: bool,
}

/// A candidate with its place in the caller's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// The place in the caller's list.
    pub index: usize,
    /// What is known of it.
    pub candidate: Candidate,
}

/// Puts candidates in order, best first.
pub type Order = fn(&mut [Ranked], &mut dyn Chance);

/// One row of [`STRATEGIES`].
#[derive(Debug)]
pub struct Strategy {
    /// The name in the configuration.
    pub name: &'static str,
    /// One sentence for the reference page.
    pub doc: &'static str,
    /// The rule itself; it sees only candidates that are not penalised.
    order: Order,
}

/// Every strategy there is. The first is the default.
pub static STRATEGIES: &[Strategy] = &[
    Strategy {
        name: "ordered",
        doc: "The deployments in the order in which they are written.",
        order: ordered::order,
    },
    Strategy {
        name: "weighted",
        doc: "A random order in which each deployment comes first as often as its weight says.",
        order: weighted::order,
    },
    Strategy {
        name: "least_latency",
        doc: "The faster of two picked at random, by recent latency and load; then by latency.",
        order: least_latency::order,
    },
    Strategy {
        name: "least_cost",
        doc: "The cheapest for this request first; equals in the order in which they are written.",
        order: least_cost::order,
    },
    Strategy {
        name: "least_busy",
        doc: "The one with the fewest requests in flight first; equals in random order.",
        order: least_busy::order,
    },
];

impl Strategy {
    /// The strategy of that name, if there is one.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        STRATEGIES.iter().find(|strategy| strategy.name == name)
    }

    /// The indices of `candidates`, best first: a permutation of `0..candidates.len()`.
    #[must_use]
    pub fn rank(&self, candidates: &[Candidate], chance: &mut dyn Chance) -> Vec<usize> {
        let ranked = candidates.iter().enumerate();
        let mut ranked: Vec<Ranked> =
            ranked.map(|(index, &candidate)| Ranked { index, candidate }).collect();
        ranked.sort_by_key(|one| one.candidate.penalised);
        let sound = ranked.partition_point(|one| !one.candidate.penalised);
        if let Some(sound) = ranked.get_mut(..sound) {
            (self.order)(sound, chance);
        }
        ranked.iter().map(|one| one.index).collect()
    }
}
