//! How an attempt ended, and the append-only row that says so.
//!
//! A [`Settlement`] is what the pipeline knows when an attempt is over; an [`Entry`] is that plus
//! the claim it answers, which is everything a report or an audit of the money ever reads. Entries
//! are never changed: a correction would be a further entry.

use std::sync::Arc;

use catalog::{Money, Usage};

use crate::claim::{Claim, Principal};

/// How the attempt ended, as far as its money is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The answer was delivered whole; this attempt is what the request cost.
    Final,
    /// The provider failed after it may have done billable work.
    Failed,
    /// Nobody can tell whether the provider charged: the request was sent and no answer came.
    Uncertain,
    /// The losing side of a hedge.
    Hedge,
    /// The answer was cut after content had been delivered, by the provider or by the client.
    Interrupted,
    /// Nothing was sent that could cost anything.
    Released,
}

/// Every kind with the name it has in the journal, in reports and in logs.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Final, "final"),
    (Kind::Failed, "failed"),
    (Kind::Uncertain, "uncertain"),
    (Kind::Hedge, "hedge"),
    (Kind::Interrupted, "interrupted"),
    (Kind::Released, "released"),
];

/// Where the token counts of an entry come from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageSource {
    /// The provider told them.
    Provider,
    /// Counted here from the bytes sent and delivered.
    Counted,
    /// Nothing better is known than what had been reserved.
    Reserved,
}

/// Every source with the name it has in the journal, in reports and in logs.
const SOURCES: [(UsageSource, &str); 3] = [
    (UsageSource::Provider, "provider"),
    (UsageSource::Counted, "counted"),
    (UsageSource::Reserved, "reserved"),
];

impl Kind {
    /// The kind's name: `final`, `failed`, `uncertain`, `hedge`, `interrupted` or `released`.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_in(&KINDS, self)
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        named_in(&KINDS, name)
    }

    /// All kinds, in the order of their table.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, _)| *kind)
    }
}

impl UsageSource {
    /// The source's name: `provider`, `counted` or `reserved`.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_in(&SOURCES, self)
    }

    /// The source of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        named_in(&SOURCES, name)
    }

    /// All sources, in the order of their table.
    pub fn all() -> impl Iterator<Item = Self> {
        SOURCES.iter().map(|(source, _)| *source)
    }
}

fn name_in<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(row, _)| *row == value).map_or("", |(_, name)| name)
}

fn named_in<T: Copy>(table: &[(T, &'static str)], name: &str) -> Option<T> {
    table.iter().find(|(_, row)| *row == name).map(|(value, _)| *value)
}

/// What is known about an attempt's cost when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// How it ended.
    pub kind: Kind,
    /// Tokens used.
    pub usage: Usage,
    /// Who says so.
    pub usage_source: UsageSource,
    /// What it cost. A negative cost is taken as zero: no provider pays us.
    pub cost: Money,
    /// When it ended, Unix time in milliseconds.
    pub at_unix_ms: i64,
}

impl Settlement {
    /// The end of an attempt that cost nothing because nothing billable was sent.
    #[must_use]
    pub fn released(at_unix_ms: i64) -> Self {
        Self {
            kind: Kind::Released,
            usage: Usage::default(),
            usage_source: UsageSource::Counted,
            cost: Money::ZERO,
            at_unix_ms,
        }
    }
}

/// One attempt's row in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The request the attempt served.
    pub request_id: u128,
    /// The attempt's number within the request, from 1.
    pub attempt: u32,
    /// Who pays.
    pub principal: Principal,
    /// The provider's id in the catalog.
    pub provider: Arc<str>,
    /// The model's id as that provider knows it.
    pub model: Arc<str>,
    /// How it ended.
    pub kind: Kind,
    /// Tokens used.
    pub usage: Usage,
    /// Who says so.
    pub usage_source: UsageSource,
    /// What had been reserved, zero or more.
    pub bound: Money,
    /// What it cost, zero or more. Booked in full even where it is above the reserved amount.
    pub cost: Money,
    /// The provider charged more than was reserved, or wrote more than it was allowed to.
    pub overrun: bool,
    /// When it ended, Unix time in milliseconds.
    pub at_unix_ms: i64,
}

impl Entry {
    /// The row of a claim that ended so.
    ///
    /// An overrun is a cost above the reserved amount, or an output above the limit that was sent
    /// upstream. The input bound may be an estimate, so an input above it alone is none.
    pub(crate) fn new(claim: Claim, settlement: Settlement) -> Self {
        let bound = claim.bound.max(Money::ZERO);
        let cost = settlement.cost.max(Money::ZERO);
        let overrun = cost > bound || settlement.usage.total_output() > claim.output_bound;
        Self {
            request_id: claim.request_id,
            attempt: claim.attempt,
            principal: claim.principal,
            provider: claim.provider,
            model: claim.model,
            kind: settlement.kind,
            usage: settlement.usage,
            usage_source: settlement.usage_source,
            bound,
            cost,
            overrun,
            at_unix_ms: settlement.at_unix_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, UsageSource};

    #[test]
    fn every_kind_and_source_is_found_again_by_its_name() {
        for kind in Kind::all() {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        for source in UsageSource::all() {
            assert_eq!(UsageSource::from_name(source.name()), Some(source));
        }
        assert_eq!(Kind::from_name("lost"), None);
    }
}
