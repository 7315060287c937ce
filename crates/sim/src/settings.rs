//! What a simulator is built from: seed, latency, prices, lengths.
//!
//! Plain structs with public fields and defaults that mean "at once, at the prices of the fault
//! table ($1 in, $2 out per million tokens), 60 tokens an answer". A provider is one vendor's face
//! of the same simulator; a model row changes a provider's values for the models whose names
//! contain a text. Faults are not set here, see the script.

use std::time::{Duration, SystemTime};

use crate::chance::Chance;

/// Settings of a whole simulator.
#[derive(Debug, Clone)]
pub struct SimSettings {
    /// The seed of every text, delay and coin.
    pub seed: u64,
    /// Whether requests and bill rows are remembered one by one; totals are kept either way.
    pub journal: bool,
    /// How many requests are remembered before the oldest is forgotten.
    pub journal_capacity: usize,
    /// Wall-clock time at the birth of the simulator (for HTTP dates); the system's when `None`. It
    /// advances with the runtime's clock, so a paused clock pauses it too.
    pub wall: Option<SystemTime>,
    /// The provider that answers when no other was named.
    pub provider: ProviderSettings,
}

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            journal: true,
            journal_capacity: 100_000,
            wall: None,
            provider: ProviderSettings::named("sim"),
        }
    }
}

/// One vendor's face.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its name: the first segment of its paths when several share a port, and the name in the
    /// journal.
    pub name: String,
    /// Delays of every model without a row of its own.
    pub profile: Profile,
    /// Prices of every model without a row of its own.
    pub price: Price,
    /// Tokens of an answer when nothing else says.
    pub tokens: u32,
    /// Providers with equal voices (and a common seed) say the same text to the same question.
    pub voice: String,
    /// Rows for particular models; the first whose `contains` occurs in the model's name is used.
    pub models: Vec<ModelSettings>,
}

impl ProviderSettings {
    /// A provider that answers at once with default prices.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            profile: Profile::default(),
            price: Price::default(),
            tokens: 60,
            voice: String::new(),
            models: Vec::new(),
        }
    }

    fn row(&self, model: &str) -> Option<&ModelSettings> {
        self.models.iter().find(|row| model.contains(&row.contains))
    }

    pub(crate) fn profile_of(&self, model: &str) -> Profile {
        self.row(model).and_then(|row| row.profile).unwrap_or(self.profile)
    }

    pub(crate) fn price_of(&self, model: &str) -> Price {
        self.row(model).and_then(|row| row.price).unwrap_or(self.price)
    }

    /// The length of an answer: `sim-N` or `tokens-N` in the model's name, its row, the provider's
    /// default.
    pub(crate) fn tokens_of(&self, model: &str) -> u32 {
        marked_number(model, "tokens-")
            .or_else(|| marked_number(model, "sim-"))
            .or_else(|| self.row(model).and_then(|row| row.tokens))
            .unwrap_or(self.tokens)
    }
}

/// What differs for the models whose name contains a text.
#[derive(Debug, Clone, Default)]
pub struct ModelSettings {
    /// The text looked for in the model's name; also the id listed by `GET /v1/models`.
    pub contains: String,
    /// Its delays.
    pub profile: Option<Profile>,
    /// Its prices.
    pub price: Option<Price>,
    /// Its answer's length in tokens.
    pub tokens: Option<u32>,
}

/// Prices in pico-dollars per token: one dollar per million tokens is 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Input tokens that were not cached.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cached_input: u64,
    /// Output tokens, reasoning among them.
    pub output: u64,
}

impl Default for Price {
    fn default() -> Self {
        Self::per_million(1, 2)
    }
}

impl Price {
    /// Whole dollars per million tokens; cached input costs a tenth of input.
    #[must_use]
    pub const fn per_million(input: u64, output: u64) -> Self {
        Self {
            input: input.saturating_mul(1_000_000),
            cached_input: input.saturating_mul(100_000),
            output: output.saturating_mul(1_000_000),
        }
    }
}

/// The delays of a model.
#[derive(Debug, Clone, Copy, Default)]
pub struct Profile {
    /// From the request's last byte to the answer's first.
    pub ttft: Delay,
    /// Between two tokens.
    pub gap: Delay,
}

/// A distribution of delays.
#[derive(Debug, Clone, Copy, Default)]
pub enum Delay {
    /// None at all.
    #[default]
    Zero,
    /// Always the same.
    Fixed(Duration),
    /// Evenly between two bounds.
    Uniform(Duration, Duration),
    /// Log-normal, given by its median and its 99th percentile.
    LogNormal {
        /// The median.
        p50: Duration,
        /// The 99th percentile; below the median it is taken as the median.
        p99: Duration,
    },
}

/// The 99 % quantile of the standard normal distribution.
const Z99: f64 = 2.326_347_874;

/// No drawn delay is longer than this, whatever the tail says.
const LONGEST: f64 = 3_600.0;

impl Delay {
    pub(crate) fn is_zero(self) -> bool {
        matches!(self, Self::Zero)
    }

    pub(crate) fn draw(self, chance: &mut Chance) -> Duration {
        match self {
            Self::Zero => Duration::ZERO,
            Self::Fixed(delay) => delay,
            Self::Uniform(low, high) => low + high.saturating_sub(low).mul_f64(chance.unit()),
            Self::LogNormal { p50, p99 } => {
                let median = p50.as_secs_f64().max(1e-9);
                let sigma = (p99.as_secs_f64().max(median) / median).ln() / Z99;
                Duration::from_secs_f64((median * (sigma * normal(chance)).exp()).min(LONGEST))
            }
        }
    }
}

/// A standard normal number by the Box-Muller transform.
fn normal(chance: &mut Chance) -> f64 {
    let radius = (-2.0 * chance.unit().ln()).sqrt();
    radius * (std::f64::consts::TAU * chance.unit()).cos()
}

/// The number right after `mark` in a name.
fn marked_number(name: &str, mark: &str) -> Option<u32> {
    let (_, tail) = name.split_once(mark)?;
    let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    tail.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_normal_delay_has_the_stated_median_and_tail() {
        let p50 = Duration::from_millis(200);
        let delay = Delay::LogNormal { p50, p99: Duration::from_millis(900) };
        let mut chance = Chance::new(5);
        let mut drawn: Vec<Duration> = (0..4_000).map(|_| delay.draw(&mut chance)).collect();
        drawn.sort();
        assert!((170..230).contains(&drawn[2_000].as_millis()), "median {:?}", drawn[2_000]);
        assert!((700..1_200).contains(&drawn[3_960].as_millis()), "p99 {:?}", drawn[3_960]);
    }

    #[test]
    fn a_model_name_states_its_length() {
        let provider = ProviderSettings::named("a");
        assert_eq!(provider.tokens_of("sim-17-think"), 17);
        assert_eq!(provider.tokens_of("gpt-4o"), 60);
    }
}
