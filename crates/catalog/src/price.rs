//! Prices of tokens by class, and what a request costs at them.
//!
//! A class without a price of its own costs what its base class costs: cached and written input
//! like input, one-hour writes like five-minute writes, reasoning like output. Some models charge a
//! whole request at higher rates once its input passes a threshold; those are tiers. The exact cost
//! is a sum of whole pico-dollars, rounded up to nano-dollars once.
//!
//! Not here: discounts for batches and processing tiers, and charges for searches or sandboxes.

use crate::money::{Money, PicoUsd};
use wire::hub::Usage;

/// What a model charges. Rates are pico-dollars per token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    /// Input tokens that come from no cache.
    pub input: PicoUsd,
    /// Input tokens read from the provider's cache; `input` when absent.
    pub cached_input: Option<PicoUsd>,
    /// Input tokens written to the default cache; `input` when absent.
    pub cache_write: Option<PicoUsd>,
    /// Input tokens written to the long-lived cache; `cache_write` when absent.
    pub cache_write_1h: Option<PicoUsd>,
    /// Output tokens.
    pub output: PicoUsd,
    /// Reasoning tokens; `output` when absent.
    pub reasoning: Option<PicoUsd>,
    /// Audio tokens within the input; `input` when absent.
    pub audio_input: Option<PicoUsd>,
    /// Audio tokens within the output; `output` when absent.
    pub audio_output: Option<PicoUsd>,
    /// Image tokens within the input; `input` when absent. Usage does not tell them apart, so they
    /// are charged as input, but bounds count with them.
    pub image_input: Option<PicoUsd>,
    /// Image tokens within the output; `output` when absent. As with `image_input`.
    pub image_output: Option<PicoUsd>,
    /// A fee for every request.
    pub per_request: Money,
    /// Rates of long requests, by rising threshold.
    pub tiers: Vec<Tier>,
}

/// The rates of a request whose whole input is longer than `above` tokens. A class that the tier
/// does not name falls back within the tier as it does in [`Price`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The threshold in input tokens, cached ones included; one more and the tier applies.
    pub above: u64,
    /// Input tokens that come from no cache.
    pub input: PicoUsd,
    /// Input tokens read from the provider's cache.
    pub cached_input: Option<PicoUsd>,
    /// Input tokens written to the default cache.
    pub cache_write: Option<PicoUsd>,
    /// Input tokens written to the long-lived cache.
    pub cache_write_1h: Option<PicoUsd>,
    /// Output tokens.
    pub output: PicoUsd,
    /// Reasoning tokens.
    pub reasoning: Option<PicoUsd>,
}

/// What a request may write to the provider's cache, for its cost's upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheWrites {
    /// Nothing, or the default class, which providers may use unasked.
    Default,
    /// The long-lived class, which the request must ask for.
    Long,
}

/// One rate for every class, defaults filled in.
#[derive(Debug, Clone, Copy)]
struct Rates {
    input: PicoUsd,
    cached_input: PicoUsd,
    cache_write: PicoUsd,
    cache_write_1h: PicoUsd,
    output: PicoUsd,
    reasoning: PicoUsd,
    audio_input: PicoUsd,
    audio_output: PicoUsd,
}

impl Price {
    /// A price with one rate for input and one for output.
    #[must_use]
    pub fn flat(input: PicoUsd, output: PicoUsd) -> Self {
        Self { input, output, ..Self::default() }
    }

    /// What `usage` costs, rounded up to a nano-dollar once; saturates at [`Money::MAX`].
    ///
    /// Audio tokens are taken out of the input and output they are part of, so none is charged
    /// twice.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Money {
        let rates = self.rates(usage.total_input());
        let audio_input = usage.audio_input.min(usage.input);
        let audio_output = usage.audio_output.min(usage.output);
        let charges = [
            (rates.input, usage.input.saturating_sub(audio_input)),
            (rates.audio_input, audio_input),
            (rates.cached_input, usage.cached_input),
            (rates.cache_write, usage.cache_write),
            (rates.cache_write_1h, usage.cache_write_1h),
            (rates.output, usage.output.saturating_sub(audio_output)),
            (rates.audio_output, audio_output),
            (rates.reasoning, usage.reasoning),
        ];
        let picousd =
            charges.iter().fold(0_u128, |sum, (rate, n)| sum.saturating_add(rate.times(*n)));
        Money::from_picousd_rounded_up(picousd).saturating_add(self.per_request)
    }

    /// The most that a request with at most `input` input and `output` output tokens can cost,
    /// whatever classes its tokens turn out to be of.
    #[must_use]
    pub fn bound(&self, input: u64, output: u64, writes: CacheWrites) -> Money {
        let reachable = self.tiers.iter().filter(|tier| input > tier.above);
        let all = std::iter::once(self.base_rates()).chain(reachable.map(|t| self.tier_rates(t)));
        let images = (self.image_input.unwrap_or_default(), self.image_output.unwrap_or_default());
        let least = (images.0.times(input), images.1.times(output));
        let (dearest_in, dearest_out) = all.fold(least, |(most_in, most_out), rates| {
            let (rate_in, rate_out) = rates.dearest(writes);
            (most_in.max(rate_in.times(input)), most_out.max(rate_out.times(output)))
        });
        Money::from_picousd_rounded_up(dearest_in.saturating_add(dearest_out))
            .saturating_add(self.per_request)
    }

    /// The rates for a request with this much input.
    fn rates(&self, total_input: u64) -> Rates {
        self.tiers
            .iter()
            .rev()
            .find(|tier| total_input > tier.above)
            .map_or_else(|| self.base_rates(), |tier| self.tier_rates(tier))
    }

    fn base_rates(&self) -> Rates {
        let cache_write = self.cache_write.unwrap_or(self.input);
        Rates {
            input: self.input,
            cached_input: self.cached_input.unwrap_or(self.input),
            cache_write,
            cache_write_1h: self.cache_write_1h.unwrap_or(cache_write),
            output: self.output,
            reasoning: self.reasoning.unwrap_or(self.output),
            audio_input: self.audio_input.unwrap_or(self.input),
            audio_output: self.audio_output.unwrap_or(self.output),
        }
    }

    /// Audio has no tier prices anywhere: it costs its own rate, or the tier's if that is higher.
    fn tier_rates(&self, tier: &Tier) -> Rates {
        let cache_write = tier.cache_write.unwrap_or(tier.input);
        Rates {
            input: tier.input,
            cached_input: tier.cached_input.unwrap_or(tier.input),
            cache_write,
            cache_write_1h: tier.cache_write_1h.unwrap_or(cache_write),
            output: tier.output,
            reasoning: tier.reasoning.unwrap_or(tier.output),
            audio_input: self.audio_input.map_or(tier.input, |own| own.max(tier.input)),
            audio_output: self.audio_output.map_or(tier.output, |own| own.max(tier.output)),
        }
    }
}

impl Rates {
    /// The highest rate of input and of output.
    fn dearest(&self, writes: CacheWrites) -> (PicoUsd, PicoUsd) {
        let input = self.input.max(self.cached_input).max(self.cache_write).max(self.audio_input);
        let input = match writes {
            CacheWrites::Default => input,
            CacheWrites::Long => input.max(self.cache_write_1h),
        };
        (input, self.output.max(self.reasoning).max(self.audio_output))
    }
}

/// What `usage` costs at `price`; see [`Price::cost`].
#[must_use]
pub fn cost(price: &Price, usage: &Usage) -> Money {
    price.cost(usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> PicoUsd {
        text.parse().unwrap()
    }

    fn claude() -> Price {
        Price {
            cached_input: Some(usd("0.30")),
            cache_write: Some(usd("3.75")),
            cache_write_1h: Some(usd("6")),
            ..Price::flat(usd("3"), usd("15"))
        }
    }

    #[test]
    fn every_class_has_its_own_rate() {
        let usage = Usage {
            input: 1000,
            cached_input: 10_000,
            cache_write: 100,
            cache_write_1h: 10,
            output: 500,
            reasoning: 200,
            ..Usage::default()
        };
        // 3000 + 3000 + 375 + 60 + 7500 + 3000 micro-dollars.
        assert_eq!(claude().cost(&usage).to_string(), "0.016935");
    }

    #[test]
    fn a_long_request_pays_the_tier_for_all_of_its_tokens() {
        let tier = Tier {
            above: 200_000,
            input: usd("2.5"),
            cached_input: None,
            cache_write: None,
            cache_write_1h: None,
            output: usd("15"),
            reasoning: None,
        };
        let price = Price { tiers: vec![tier], ..Price::flat(usd("1.25"), usd("10")) };
        let at = |input| price.cost(&Usage { input, output: 1000, ..Usage::default() });
        assert_eq!(at(200_000).to_string(), "0.26");
        assert_eq!(at(200_001).to_string(), "0.5150025");
    }

    #[test]
    fn audio_tokens_are_charged_once() {
        let price = Price {
            audio_input: Some(usd("32")),
            audio_output: Some(usd("64")),
            ..Price::flat(usd("2.5"), usd("10"))
        };
        let usage =
            Usage { input: 100, audio_input: 40, output: 50, audio_output: 50, ..Usage::default() };
        // 60 x 2.5 + 40 x 32 + 50 x 64 micro-dollars.
        assert_eq!(price.cost(&usage).to_string(), "0.00463");
    }

    #[test]
    fn one_cheap_token_costs_a_whole_nano_dollar() {
        let price = Price::flat(PicoUsd::from_picousd(1), PicoUsd::ZERO);
        assert_eq!(price.cost(&Usage { input: 1, ..Usage::default() }).as_nanousd(), 1);
        assert_eq!(price.cost(&Usage { input: 1001, ..Usage::default() }).as_nanousd(), 2);
    }

    #[test]
    fn the_fee_of_a_request_is_added_once() {
        let price = Price { per_request: "0.01".parse().unwrap(), ..Price::default() };
        assert_eq!(price.cost(&Usage::default()).to_string(), "0.01");
    }

    #[test]
    fn an_absurd_usage_saturates() {
        let price = Price::flat(PicoUsd::from_picousd(u64::MAX), PicoUsd::from_picousd(u64::MAX));
        let usage = Usage { input: u64::MAX, output: u64::MAX, ..Usage::default() };
        assert_eq!(price.cost(&usage), Money::MAX);
        assert_eq!(price.bound(u64::MAX, u64::MAX, CacheWrites::Long), Money::MAX);
    }

    fn rate() -> impl Strategy<Value = PicoUsd> {
        (0..200_000_000_u64).prop_map(PicoUsd::from_picousd)
    }

    prop_compose! {
        fn any_price()(
            input in rate(), output in rate(), cached in proptest::option::of(rate()),
            write in proptest::option::of(rate()), long in proptest::option::of(rate()),
            reasoning in proptest::option::of(rate()), audio in proptest::option::of(rate()),
            above in 0..2_000_000_u64, tier in proptest::option::of((rate(), rate())),
        ) -> Price {
            let tiers = tier.map(|(input, output)| Tier {
                above, input, cached_input: cached, cache_write: write, cache_write_1h: long, output,
                reasoning,
            });
            Price {
                input, output, cached_input: cached, cache_write: write, cache_write_1h: long,
                reasoning, audio_input: audio, audio_output: audio,
                tiers: tiers.into_iter().collect(), ..Price::default()
            }
        }
    }

    prop_compose! {
        fn any_usage()(
            input in 0..1_000_000_u64, cached_input in 0..1_000_000_u64,
            cache_write in 0..1_000_000_u64, cache_write_1h in 0..1_000_000_u64,
            output in 0..1_000_000_u64, reasoning in 0..1_000_000_u64,
            audio_input in 0..1_000_000_u64, audio_output in 0..1_000_000_u64,
        ) -> Usage {
            Usage {
                input, cached_input, cache_write, cache_write_1h, output, reasoning, audio_input,
                audio_output,
            }
        }
    }

    proptest! {
        #[test]
        fn cost_is_the_exact_sum_rounded_up(input in rate(), output in rate(), i: u32, o: u32) {
            let usage = Usage { input: i.into(), output: o.into(), ..Usage::default() };
            let exact = u128::from(input.as_picousd()) * u128::from(i)
                + u128::from(output.as_picousd()) * u128::from(o);
            let nanousd = u128::try_from(Price::flat(input, output).cost(&usage).as_nanousd()).unwrap();
            prop_assert!(nanousd * 1000 >= exact && exact + 1000 > nanousd * 1000);
        }

        #[test]
        fn more_tokens_never_cost_less(input in rate(), output in rate(), usage in any_usage()) {
            let price = Price::flat(input, output);
            let more = Usage { input: usage.input + 1, output: usage.output + 1, ..usage };
            prop_assert!(price.cost(&more) >= price.cost(&usage));
        }

        #[test]
        fn no_usage_within_its_bounds_costs_more_than_the_bound(
            price in any_price(), usage in any_usage()
        ) {
            let bound =
                price.bound(usage.total_input(), usage.total_output(), CacheWrites::Long);
            prop_assert!(price.cost(&usage) <= bound);
        }
    }
}
