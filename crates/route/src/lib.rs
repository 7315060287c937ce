//! Where to send it next: plans, strategies, breaker, cooldowns, budgets for retries and hedges.
//!
//! The room holds decisions and nothing else. Time comes in as a [`Tick`], chance as a [`Chance`],
//! the fate of an attempt as an [`Outcome`]; what goes out is a value that says what to do. So the
//! whole of it can be simulated faster than the clock, seeded, and checked by properties.
//!
//! # Layout
//!
//! - `tick`, `chance`: the two arguments that replace the clock and the dice.
//! - `breaker`, `cooldown`: who must not be asked now.
//! - `latency`: how fast and how busy each deployment is.
//! - `budget`: how much extra load an outage may cause.
//! - `strategy`: the order of the deployments inside one group.
//! - `plan`: groups and fallbacks laid out as one list of lanes.
//! - `attempt`: after a failed attempt, what next.
//!
//! It does not know HTTP statuses, JSON, keys, prices or configuration files; deployments are plain
//! indices whose meaning is the caller's. The shared state (breakers, counters, windows) is atomic
//! and lock-free, because every request on every core passes through it.

pub mod attempt;
pub mod breaker;
pub mod budget;
pub mod chance;
pub mod cooldown;
pub mod latency;
pub mod plan;
pub mod strategy;
pub mod tick;

mod sync;

pub use attempt::{Choices, Class, Outcome, Policy, Progress, Resend, Step, StopReason};
pub use breaker::{Admission, Breaker, BreakerSettings, State, Ticket, Transition, Verdict};
pub use budget::{HedgeBudget, RetryBudget, RetryToken};
pub use chance::{Chance, SplitMix64};
pub use cooldown::Cooldown;
pub use latency::{Outstanding, PeakEwma, TtftWindow};
pub use plan::{AllUnavailable, Blocked, Entry, Group, Lane, Plan, SkipReason, Skipped};
pub use strategy::{Candidate, STRATEGIES, Strategy};
pub use tick::Tick;

#[cfg(all(test, loom))]
mod interleavings;
