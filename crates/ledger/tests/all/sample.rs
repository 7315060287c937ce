//! Claims and settlements to play with.

use catalog::{Money, Usage};
use ledger::{Claim, Kind, Principal, Settlement, UsageSource};

/// A claim of that many nano-dollars and 100 output tokens.
pub(crate) fn claim(request_id: u128, bound: i64) -> Claim {
    Claim {
        request_id,
        attempt: 1,
        principal: Principal::of_key("anonymous"),
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        input_bound: 100,
        output_bound: 100,
        bound: Money::from_nanousd(bound),
    }
}

/// A delivered answer of that many nano-dollars and output tokens.
pub(crate) fn delivered(cost: i64, output: u64) -> Settlement {
    Settlement {
        kind: Kind::Final,
        usage: Usage { input: 10, output, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Money::from_nanousd(cost),
        at_unix_ms: 1_795_000_000_000,
    }
}
