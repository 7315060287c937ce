//! Amounts of money as integers: nano-dollars for sums, pico-dollars for the price of one token.
//!
//! Two units because they round at different places. The cheapest token on sale costs about
//! 10,000 pico-dollars, so a price keeps every published digit; a sum in nano-dollars reaches nine
//! billion dollars in an `i64`. A price becomes a sum in one place only (`Price::cost`), rounded up
//! once. There is no floating point here: decimal text is read digit by digit and refused when it
//! is finer than the unit, never rounded silently.

use std::fmt;
use std::str::FromStr;

/// Decimal places of a dollar that [`Money`] keeps.
const MONEY_PLACES: usize = 9;
/// Decimal places of a dollar per million tokens that [`PicoUsd`] keeps.
const PRICE_PLACES: usize = 6;

/// An amount in nano-dollars (10^-9 USD). May be negative (headroom, corrections), though text that
/// users type may not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount, about 9.2 billion dollars. Sums saturate here.
    pub const MAX: Self = Self(i64::MAX);

    /// This many nano-dollars.
    #[must_use]
    pub const fn from_nanousd(nanousd: i64) -> Self {
        Self(nanousd)
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn as_nanousd(self) -> i64 {
        self.0
    }

    /// The sum, or `None` past the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` past the range.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// The sum, kept within the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, kept within the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Pico-dollars as money: rounded up to the next nano-dollar, saturating at [`Money::MAX`].
    #[must_use]
    pub fn from_picousd_rounded_up(picousd: u128) -> Self {
        i64::try_from(picousd.div_ceil(1000)).map_or(Self::MAX, Self)
    }
}

impl std::iter::Sum for Money {
    /// Saturates at the ends of the range.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl FromStr for Money {
    type Err = AmountError;

    /// Reads dollars: `50`, `$50`, `$0.002`. No sign, no exponent, no separators, nothing finer
    /// than a nano-dollar.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let nanousd = scaled(text, MONEY_PLACES)?;
        i64::try_from(nanousd).map(Self).map_err(|_| AmountError::TooLarge)
    }
}

impl fmt::Display for Money {
    /// Dollars as decimal text with no more digits than needed: `0.000123`, `50`, `-0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write_scaled(f, self.0.unsigned_abs(), MONEY_PLACES)
    }
}

/// The price of one token in pico-dollars (10^-12 USD). One dollar per million tokens is
/// 1,000,000 of these, so every published price is a whole number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct PicoUsd(u64);

impl PicoUsd {
    /// Free of charge.
    pub const ZERO: Self = Self(0);

    /// This many pico-dollars per token.
    #[must_use]
    pub const fn from_picousd(picousd: u64) -> Self {
        Self(picousd)
    }

    /// Reads a published price, dollars per million tokens: `2.50`, `$0.075`.
    ///
    /// # Errors
    /// When the text is no plain decimal number, finer than six places, or out of range.
    pub fn from_usd_per_million(text: &str) -> Result<Self, AmountError> {
        scaled(text, PRICE_PLACES).map(Self)
    }

    /// The price in pico-dollars per token.
    #[must_use]
    pub const fn as_picousd(self) -> u64 {
        self.0
    }

    /// What this many tokens cost, in pico-dollars. Cannot overflow.
    #[must_use]
    pub const fn times(self, tokens: u64) -> u128 {
        (self.0 as u128) * (tokens as u128)
    }
}

impl FromStr for PicoUsd {
    type Err = AmountError;

    /// The same as [`PicoUsd::from_usd_per_million`].
    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::from_usd_per_million(text)
    }
}

impl TryFrom<String> for PicoUsd {
    type Error = AmountError;

    fn try_from(text: String) -> Result<Self, AmountError> {
        Self::from_usd_per_million(&text)
    }
}

impl fmt::Display for PicoUsd {
    /// Dollars per million tokens with no more digits than needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, PRICE_PLACES)
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountError {
    /// Not digits with at most one point between them.
    NotANumber,
    /// It has a minus sign.
    Negative,
    /// It has more than this many decimal places.
    TooFine {
        /// The places that the unit keeps.
        places: usize,
    },
    /// It does not fit the range.
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber => f.write_str("not an amount: write digits like $50 or 0.002"),
            Self::Negative => f.write_str("an amount cannot be negative here"),
            Self::TooFine { places } => write!(f, "more than {places} decimal places"),
            Self::TooLarge => f.write_str("the amount is too large"),
        }
    }
}

impl std::error::Error for AmountError {}

/// Reads decimal text as an integer count of 10^-places.
fn scaled(text: &str, places: usize) -> Result<u64, AmountError> {
    if text.starts_with('-') || text.starts_with("$-") {
        return Err(AmountError::Negative);
    }
    let digits = text.strip_prefix('$').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(AmountError::NotANumber),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return Err(AmountError::NotANumber);
    }
    let fraction = fraction.trim_end_matches('0');
    let Some(missing) = places.checked_sub(fraction.len()) else {
        return Err(AmountError::TooFine { places });
    };
    let padding = std::iter::repeat_n(b'0', missing);
    whole.bytes().chain(fraction.bytes()).chain(padding).try_fold(0_u64, push_digit)
}

/// Appends one ASCII digit to a number.
fn push_digit(number: u64, digit: u8) -> Result<u64, AmountError> {
    number
        .checked_mul(10)
        .and_then(|tens| tens.checked_add(u64::from(digit.saturating_sub(b'0'))))
        .ok_or(AmountError::TooLarge)
}

/// Writes a count of 10^-places as decimal text without trailing zeros.
fn write_scaled(f: &mut fmt::Formatter<'_>, count: u64, places: usize) -> fmt::Result {
    let unit = (0..places).fold(1_u64, |unit, _| unit.saturating_mul(10));
    write!(f, "{}", count / unit)?;
    if count.is_multiple_of(unit) {
        return Ok(());
    }
    let fraction = format!("{:0places$}", count % unit);
    write!(f, ".{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dollars_are_read_with_or_without_their_sign() {
        for (text, nanousd) in [
            ("$50", 50_000_000_000),
            ("50", 50_000_000_000),
            ("$0.002", 2_000_000),
            ("0.000000001", 1),
            ("1.500000000000", 1_500_000_000),
            ("007", 7_000_000_000),
            ("9223372036.854775807", i64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Money::from_nanousd(nanousd)), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for (text, why) in [
            ("", AmountError::NotANumber),
            ("$", AmountError::NotANumber),
            (".5", AmountError::NotANumber),
            ("5.", AmountError::NotANumber),
            ("1.2.3", AmountError::NotANumber),
            ("1e3", AmountError::NotANumber),
            ("1,000", AmountError::NotANumber),
            (" 1", AmountError::NotANumber),
            ("$$1", AmountError::NotANumber),
            ("+1", AmountError::NotANumber),
            ("\u{0661}", AmountError::NotANumber),
            ("-1", AmountError::Negative),
            ("$-1", AmountError::Negative),
            ("0.0000000001", AmountError::TooFine { places: 9 }),
            ("9223372036.854775808", AmountError::TooLarge),
            ("99999999999999999999999", AmountError::TooLarge),
        ] {
            assert_eq!(text.parse::<Money>(), Err(why), "{text}");
        }
    }

    #[test]
    fn money_prints_no_more_digits_than_needed() {
        for (nanousd, text) in [
            (0, "0"),
            (123_000, "0.000123"),
            (50_000_000_000, "50"),
            (-500_000_000, "-0.5"),
            (1, "0.000000001"),
            (i64::MIN, "-9223372036.854775808"),
        ] {
            assert_eq!(Money::from_nanousd(nanousd).to_string(), text);
        }
    }

    #[test]
    fn a_price_per_million_is_exact_per_token() {
        for (text, picousd) in
            [("2.50", 2_500_000), ("$0.075", 75_000), ("0", 0), ("150", 150_000_000)]
        {
            assert_eq!(PicoUsd::from_usd_per_million(text), Ok(PicoUsd::from_picousd(picousd)));
        }
        let too_fine = PicoUsd::from_usd_per_million("0.0000001");
        assert_eq!(too_fine, Err(AmountError::TooFine { places: 6 }));
    }

    #[test]
    fn pico_dollars_round_up_and_never_wrap() {
        for (picousd, nanousd) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (u128::MAX, i64::MAX)] {
            assert_eq!(Money::from_picousd_rounded_up(picousd).as_nanousd(), nanousd);
        }
    }

    proptest! {
        #[test]
        fn money_printed_and_read_again_is_the_same(nanousd in 0..=i64::MAX) {
            let money = Money::from_nanousd(nanousd);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
            prop_assert_eq!(format!("${money}").parse(), Ok(money));
        }

        #[test]
        fn a_price_printed_and_read_again_is_the_same(picousd: u64) {
            let price = PicoUsd::from_picousd(picousd);
            prop_assert_eq!(price.to_string().parse(), Ok(price));
        }

        #[test]
        fn any_text_is_an_amount_or_an_error(text in "\\PC{0,40}") {
            let _ = text.parse::<Money>();
            let _ = PicoUsd::from_usd_per_million(&text);
        }

        #[test]
        fn checked_and_saturating_sums_agree_within_the_range(a: i64, b: i64) {
            let (x, y) = (Money::from_nanousd(a), Money::from_nanousd(b));
            let exact = i128::from(a) + i128::from(b);
            let kept = exact.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            prop_assert_eq!(i128::from(x.saturating_add(y).as_nanousd()), kept);
            prop_assert_eq!(x.checked_add(y).is_some(), kept == exact);
        }
    }
}
