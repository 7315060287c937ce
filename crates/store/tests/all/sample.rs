//! Entries to store.

use catalog::{Money, Usage};
use ledger::{Entry, Kind, Principal, UsageSource};
use proptest::prelude::*;

/// A plain entry with that request id, ended at that time.
pub(crate) fn entry(request_id: u128, at_unix_ms: i64) -> Entry {
    Entry {
        request_id,
        attempt: 1,
        principal: Principal::of_key("anonymous"),
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        kind: Kind::Final,
        usage: Usage { input: 10, output: 5, ..Usage::default() },
        usage_source: UsageSource::Provider,
        bound: Money::from_nanousd(900),
        cost: Money::from_nanousd(700),
        overrun: false,
        at_unix_ms,
    }
}

/// Any entry a ledger can make, with token counts that fit a signed integer.
pub(crate) fn any_entry() -> impl Strategy<Value = Entry> {
    let name = || "\\PC{0,12}".prop_map(|text: String| text.into());
    let tokens = || 0..=i64::MAX.unsigned_abs();
    let who = (name(), [0; 3].map(|_| proptest::option::of(name())));
    let what = (name(), name(), 0..6_usize, 0..3_usize, any::<bool>());
    let numbers = (any::<u128>(), any::<u32>(), any::<i64>(), 0..=i64::MAX, 0..=i64::MAX);
    (who, what, numbers, [0; 8].map(|_| tokens())).prop_map(|(who, what, numbers, tokens)| {
        let [input, cached_input, cache_write, cache_write_1h] =
            [tokens[0], tokens[1], tokens[2], tokens[3]];
        let [output, reasoning, audio_input, audio_output] =
            [tokens[4], tokens[5], tokens[6], tokens[7]];
        let [team, user, feature] = who.1;
        Entry {
            request_id: numbers.0,
            attempt: numbers.1,
            principal: Principal { key: who.0, team, user, feature },
            provider: what.0,
            model: what.1,
            kind: Kind::all().nth(what.2).unwrap(),
            usage: Usage {
                input,
                cached_input,
                cache_write,
                cache_write_1h,
                output,
                reasoning,
                audio_input,
                audio_output,
            },
            usage_source: UsageSource::all().nth(what.3).unwrap(),
            bound: Money::from_nanousd(numbers.3),
            cost: Money::from_nanousd(numbers.4),
            overrun: what.4,
            at_unix_ms: numbers.2,
        }
    })
}
