//! What an attempt asks for before it is sent: who spends, where, and how much at most.
//!
//! All names are shared text (`Arc<str>`): the snapshot of the configuration owns them, and a claim
//! costs a few reference counts instead of allocations.

use std::sync::Arc;

use catalog::Money;

/// Who a request is made for. Every budget, limit and report is keyed by these names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The id of the virtual key (never the secret itself), or `anonymous`.
    pub key: Arc<str>,
    /// The team the key belongs to.
    pub team: Option<Arc<str>>,
    /// The person or end user behind the request.
    pub user: Option<Arc<str>>,
    /// The attribution tag of the calling code path.
    pub feature: Option<Arc<str>>,
}

impl Principal {
    /// A principal known by its key alone.
    #[must_use]
    pub fn of_key(key: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), team: None, user: None, feature: None }
    }
}

/// The most one attempt may cost, and on whose account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The request this attempt serves, the same for all its attempts.
    pub request_id: u128,
    /// The attempt's number within the request, from 1.
    pub attempt: u32,
    /// Who pays.
    pub principal: Principal,
    /// The provider's id in the catalog.
    pub provider: Arc<str>,
    /// The model's id as that provider knows it.
    pub model: Arc<str>,
    /// Upper bound of the input, in tokens.
    pub input_bound: u64,
    /// Upper bound of the output, in tokens; the same number is sent upstream as the limit.
    pub output_bound: u64,
    /// Upper bound of the cost. A negative bound is taken as zero.
    pub bound: Money,
}
