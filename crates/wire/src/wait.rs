//! Waiting times as providers write them: `34.4s`, `2m59.56s`, `20ms`, "try again in 5 seconds".
//!
//! All results are whole milliseconds, rounded up, so that nobody comes back too early.

/// Words after which an error message names a waiting time.
const ANCHORS: &[&str] = &[
    "try again in ",
    "try again after ",
    "retry in ",
    "retry after ",
    "available in ",
    "please wait ",
];

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

/// An RFC 3339 instant such as `2026-11-22T10:00:00.5Z` in milliseconds since 1970.
pub(crate) fn rfc3339_unix_ms(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(['T', 't'])?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    let second: f64 = clock.next()?.parse().ok()?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..61.0).contains(&second);
    if !in_range {
        return None;
    }
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset(zone)?;
    Some(minutes * 60_000 + i64::try_from(milliseconds(second * 1_000.0)?).ok()?)
}

/// Minutes east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let east = hours.parse::<i64>().ok()?.checked_mul(60)? + minutes.parse::<i64>().ok()?;
    let sane = east.abs() < 24 * 60;
    sane.then_some(if zone.starts_with('-') { -east } else { east })
}

/// Days of the Gregorian calendar: years are counted from March, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let before = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5;
    before + day - 1 - DAYS_TO_1970
}

/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_TO_1970: i64 = 719_468;

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
    fn instants_are_read_with_their_zone() {
        assert_eq!(rfc3339_unix_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_unix_ms("2024-02-29T12:00:00.25Z"), Some(1_709_208_000_250));
        assert_eq!(rfc3339_unix_ms("2024-02-29T14:00:00+02:00"), Some(1_709_208_000_000));
        assert_eq!(rfc3339_unix_ms("2024-02-29T11:30:00-00:30"), Some(1_709_208_000_000));
        assert_eq!(rfc3339_unix_ms("2024-13-01T00:00:00Z"), None);
        assert_eq!(rfc3339_unix_ms("soon"), None);
    }

    #[test]
    fn absurd_times_are_no_times() {
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("1e30"), None);
        assert_eq!(seconds("NaN"), None);
        assert_eq!(seconds(" 7 "), Some(7_000));
    }
}
