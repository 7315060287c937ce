//! The small languages of single values: durations, sizes, percentages, counts, amounts.
//!
//! Pure functions from text to value. The unit is always written; a bare number would leave the
//! reader guessing, so it is refused together with the text that was probably meant.

use std::time::Duration;

use catalog::PicoUsd;

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    pub(super) fn hint(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// How much of a text a message repeats; the rest may be a secret that slipped into the wrong key.
const SHOWN: usize = 40;

/// The text in backquotes, shortened.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).map(printable).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn printable(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

const DURATION_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest duration: ten years. Sums of a few stay far from every clock's end.
const MAX_DURATION_MS: u64 = 3_650 * 86_400_000;

/// `500ms`, `2s`, `1.5s`, `5m`, `1h`, `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = || Wrong::new(format!("{} is not a duration", quoted(text)));
    let (number, unit) = split_unit(text);
    if number.starts_with('-') {
        return Err(Wrong::new("a duration cannot be negative"));
    }
    if unit.is_empty() && number == "0" {
        return Ok(Duration::ZERO);
    }
    if unit.is_empty() && !number.is_empty() {
        return Err(wrong().hint(format!("write the unit: `{number}s` or `{number}ms`")));
    }
    let Some(&(_, scale)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(wrong().hint("write for example `500ms`, `2s`, `5m`, `1h` or `30d`"));
    };
    let ms = scaled(number, scale).ok_or_else(|| wrong().hint("whole milliseconds at least"))?;
    if ms > MAX_DURATION_MS {
        return Err(Wrong::new("a duration is at most `3650d`"));
    }
    Ok(Duration::from_millis(ms))
}

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// `64KiB`, `32MiB`, `1GiB`, `500kB`; a bare number is bytes. In bytes.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    let wrong = || {
        let message = format!("{} is not a size", quoted(text));
        Wrong::new(message).hint("write for example `64KiB`, `32MiB` or `1GiB`")
    };
    let (number, unit) = split_unit(text);
    let unit = if unit.is_empty() { "B" } else { unit };
    let &(_, scale) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    scaled(number, scale).ok_or_else(wrong)
}

/// `5%`, `0.5%`, at most `100%`. In parts per million.
pub(super) fn percentage(text: &str) -> Result<u32, Wrong> {
    let wrong = || Wrong::new(format!("{} is not a percentage", quoted(text)));
    let Some(number) = text.strip_suffix('%') else {
        return Err(wrong().hint(format!("write `{}%`", if text.len() < 8 { text } else { "5" })));
    };
    let ppm = scaled(number.trim_end(), 10_000).ok_or_else(wrong)?;
    match u32::try_from(ppm) {
        Ok(ppm) if ppm <= 1_000_000 => Ok(ppm),
        _ => Err(Wrong::new("a percentage is at most `100%`")),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn count(text: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    let digits = text.replace('_', "");
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    match number.flatten() {
        Some(number) if (least..=most).contains(&number) => Ok(number),
        Some(_) => Err(Wrong::new(format!("{} is not within {least} to {most}", quoted(text)))),
        None => Err(Wrong::new(format!("{} is not a whole number", quoted(text)))),
    }
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => {
            let wrong = Wrong::new(format!("{} is neither `true` nor `false`", quoted(text)));
            Err(match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "1" | "y" => wrong.hint("write `true`"),
                "no" | "off" | "0" | "n" => wrong.hint("write `false`"),
                _ => wrong,
            })
        }
    }
}

/// US dollars per million tokens: `$0.15`, `0.15`.
pub(super) fn token_price(text: &str) -> Result<PicoUsd, Wrong> {
    let amount = text.strip_prefix('$').unwrap_or(text);
    PicoUsd::from_usd_per_million(amount).map_err(|_| {
        let message = format!("{} is not a price per million tokens", quoted(text));
        Wrong::new(message).hint("write for example `$0.15`")
    })
}

/// The number before a unit, and the unit.
fn split_unit(text: &str) -> (&str, &str) {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let end = text.find(|c| !number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    (number, unit.trim_start())
}

/// `number * scale` for a decimal number, if it is a whole number that fits.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let decimals = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    let part = part.checked_mul(scale)?;
    if part % decimals != 0 {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part / decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1.5s", 1_500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_what_to_write() {
        let said = |text: &str| {
            let wrong = duration(text).unwrap_err();
            format!("{}; {}", wrong.message, wrong.suggestion.unwrap_or_default())
        };
        assert_eq!(said("5"), "`5` is not a duration; write the unit: `5s` or `5ms`");
        assert_eq!(said("-2s"), "a duration cannot be negative; ");
        assert_eq!(said("0.5ms"), "`0.5ms` is not a duration; whole milliseconds at least");
        assert!(said("2sec").contains("write for example"));
        assert!(said("").contains("write for example"));
        assert_eq!(said("99999d"), "a duration is at most `3650d`; ");
    }

    #[test]
    fn sizes_and_percentages_are_read_exactly() {
        assert_eq!(size("32MiB"), Ok(32 << 20));
        assert_eq!(size("1.5KiB"), Ok(1536));
        assert_eq!(size("2 GB"), Ok(2_000_000_000));
        assert_eq!(size("77"), Ok(77));
        assert!(size("32Mb").is_err() && size("99999999999GiB").is_err() && size("-1").is_err());
        assert_eq!(percentage("5%"), Ok(50_000));
        assert_eq!(percentage("0.05%"), Ok(500));
        assert_eq!(percentage("100%"), Ok(1_000_000));
        assert!(percentage("101%").is_err() && percentage("5").is_err());
    }

    #[test]
    fn flags_and_counts_refuse_near_misses() {
        assert_eq!(flag("yes").unwrap_err().suggestion.as_deref(), Some("write `true`"));
        assert_eq!(count("1_000", 1, 2_000), Ok(1_000));
        assert!(
            count("0", 1, 9).is_err() && count("-1", 0, 9).is_err() && count("", 0, 9).is_err()
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_value_or_wrong(text in "\\PC{0,30}|[0-9._-]{0,40}(ms|s|d|MiB|%)?") {
            let _ = (duration(&text), size(&text), percentage(&text), token_price(&text));
            let _ = (count(&text, 0, u64::MAX), flag(&text), quoted(&text));
        }

        #[test]
        fn a_duration_of_n_milliseconds_is_n_milliseconds(ms in 0..MAX_DURATION_MS) {
            proptest::prop_assert_eq!(
                duration(&format!("{ms}ms")),
                Ok(Duration::from_millis(ms))
            );
        }
    }
}
