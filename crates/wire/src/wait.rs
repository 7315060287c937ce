//! Waiting times as providers write them: `34.4s`, `2m59.56s`, `20ms`, "try again in 5 seconds".
//!
//! All results are whole milliseconds, rounded up, so that nobody comes back too early.

/// Words after which an error message names a waiting time.
const ANCHORS: &[&str] = &["try again in ", "retry in ", "retry after ", "available in "];

const UNITS: &[(&str, f64)] = &[
    ("milliseconds", 1.0),
    ("millisecond", 1.0),
    ("ms", 1.0),
    ("seconds", 1_000.0),
    ("second", 1_000.0),
    ("secs", 1_000.0),
    ("sec", 1_000.0),
    ("minutes", 60_000.0),
    ("minute", 60_000.0),
    ("mins", 60_000.0),
    ("min", 60_000.0),
    ("hours", 3_600_000.0),
    ("hour", 3_600_000.0),
    ("days", 86_400_000.0),
    ("day", 86_400_000.0),
    ("s", 1_000.0),
    ("m", 60_000.0),
    ("h", 3_600_000.0),
    ("d", 86_400_000.0),
];

/// Nobody waits longer than this; longer times are taken for nonsense.
const LONGEST_MS: f64 = 32.0 * 86_400_000.0;

/// The waiting time that an error message names.
pub(crate) fn in_message(message: &str) -> Option<u64> {
    let lower = message.to_ascii_lowercase();
    ANCHORS.iter().find_map(|anchor| {
        let at = lower.find(anchor)?;
        duration(lower.get(at + anchor.len()..)?)
    })
}

/// The duration at the start of `text`: numbers with units, the largest first.
pub(crate) fn duration(text: &str) -> Option<u64> {
    let mut rest = text.trim_start();
    let mut total = None;
    while let Some((amount, after)) = step(rest) {
        total = Some(total.unwrap_or(0.0) + amount);
        rest = after;
    }
    total.and_then(milliseconds)
}

/// A number of seconds, as in `Retry-After`.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    milliseconds(text.trim().parse::<f64>().ok()? * 1_000.0)
}

/// A number of milliseconds, rounded up, if it is one that somebody might mean.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked before"
)]
pub(crate) fn milliseconds(amount: f64) -> Option<u64> {
    (0.0..=LONGEST_MS).contains(&amount).then(|| amount.ceil() as u64)
}

fn step(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let number: f64 = text.get(..digits)?.parse().ok()?;
    let rest = text.get(digits..)?.trim_start();
    let (unit, factor) = UNITS.iter().find(|(unit, _)| {
        rest.strip_prefix(unit).is_some_and(|after| !after.starts_with(char::is_alphabetic))
    })?;
    Some((number * factor, rest.get(unit.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_providers_write_them() {
        assert_eq!(duration("34.4s"), Some(34_400));
        assert_eq!(duration("2m59.56s."), Some(179_560));
        assert_eq!(duration("6m0s"), Some(360_000));
        assert_eq!(duration("20ms"), Some(20));
        assert_eq!(duration("2 minutes 3 seconds"), Some(123_000));
        assert_eq!(duration("5 apples"), None);
        assert_eq!(duration("s"), None);
    }

    #[test]
    fn messages_name_a_time_after_known_words_only() {
        assert_eq!(in_message("Please try again in 5.289s. Visit"), Some(5_289));
        assert_eq!(in_message("Please retry after 2 seconds."), Some(2_000));
        assert_eq!(in_message("Limit 5s, used 3s"), None);
        assert_eq!(in_message("retry in a while"), None);
    }

    #[test]
    fn absurd_times_are_no_times() {
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("1e30"), None);
        assert_eq!(seconds("NaN"), None);
        assert_eq!(seconds(" 7 "), Some(7_000));
    }
}
