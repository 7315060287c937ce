//! Decides what an upstream's failure means, by the rules of `data/errors.toml`.
//!
//! A provider's own words decide before the status does, because statuses are used loosely: money
//! that ran out comes as 429, an overflowing prompt as 400, 413 or 500, a failure in the middle
//! of a stream as 200. What to do about a class is not decided here.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::dialect;
use crate::error::{Class, Reported};
use crate::wait;

/// How much of a body is searched for words. What matters stands in front.
const SEARCHED_BYTES: usize = 8 * 1024;

/// A failed answer as it came in.
#[derive(Clone, Copy)]
pub struct Sighting<'a> {
    /// The provider's id in the catalog.
    pub provider: &'a str,
    /// The dialect of the body.
    pub dialect: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Looks a response header up by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The body, or as much of it as was read.
    pub body: &'a [u8],
    /// Now, in milliseconds since 1970, for headers that name an instant.
    pub now_unix_ms: i64,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The meaning.
    pub class: Class,
    /// The rule that said so; `None` when no rule fitted and the status alone decided.
    pub rule: Option<&'static str>,
    /// The report in one form.
    pub reported: Reported,
    /// How long to leave the deployment alone, in milliseconds, where the provider says so.
    pub retry_after_ms: Option<u64>,
    /// For [`Class::Quota`]: in how many milliseconds the quota is filled again, where known.
    pub quota_reset_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Table {
    rule: Vec<Rule>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Rule {
    id: String,
    class: Option<Class>,
    provider: Vec<String>,
    status: Vec<u16>,
    words: Vec<String>,
    text: Vec<String>,
    body: Vec<String>,
    not_text: Vec<String>,
}

/// The rules. The tests prove that the file parses; were it broken, statuses alone would decide.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let table: Result<Table, _> = toml::from_str(include_str!("../data/errors.toml"));
    table.map(|table| table.rule).unwrap_or_default()
});

/// The ids of all rules, in the order in which they are tried.
pub fn rule_ids() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.id.as_str())
}

/// Classifies a failed answer.
#[must_use]
pub fn classify(sighting: &Sighting<'_>) -> Verdict {
    let mut reported = report(sighting);
    if reported.kind.is_none() {
        // Bedrock names the exception in a header only.
        let named = (sighting.header)("x-amzn-errortype").and_then(|name| name.split(':').next());
        reported.kind = named.map(str::to_owned);
    }
    let case = Case::new(sighting.provider, sighting.status, &reported, sighting.body);
    let (class, rule) = case.decide();
    let waits = header_wait(sighting);
    let reset = || reset_wait(sighting).filter(|_| sighting.status == 429);
    let retry_after_ms = match class {
        Class::RateLimited => waits.or(reported.retry_after_ms).or_else(reset),
        Class::Overloaded | Class::Server | Class::BadGateway => waits.or(reported.retry_after_ms),
        _ => None,
    };
    let quota_reset_ms = match class {
        Class::Quota => waits.or_else(reset),
        _ => None,
    };
    Verdict { class, rule, reported, retry_after_ms, quota_reset_ms }
}

/// Classifies an error that was reported inside a stream or inside an answer with status 200.
/// `status` is that of the HTTP answer; one named in the report counts instead.
#[must_use]
pub fn classify_reported(
    provider: &str,
    _dialect: &str,
    status: u16,
    reported: &Reported,
) -> (Class, Option<u64>) {
    let status = reported.status.unwrap_or(status);
    let (class, _rule) = Case::new(provider, status, reported, b"").decide();
    let waits =
        matches!(class, Class::RateLimited | Class::Overloaded | Class::Server | Class::BadGateway);
    (class, reported.retry_after_ms.filter(|_| waits))
}

/// Reads the body in its own dialect. Fronts and proxies answer in OpenAI's shape whatever stands
/// behind them, so that is tried where the dialect found nothing.
fn report(sighting: &Sighting<'_>) -> Reported {
    let own = dialect::find(sighting.dialect)
        .map(|dialect| (dialect.decode_error)(sighting.status, sighting.body));
    let mut reported = match own {
        Some(reported) if reported.kind.is_some() || reported.code.is_some() => reported,
        _ => dialect::openai_chat::decode_error(sighting.status, sighting.body),
    };
    if reported.retry_after_ms.is_none() {
        reported.retry_after_ms = wait::in_message(&reported.message);
    }
    reported
}

/// What the rules look at.
struct Case<'a> {
    provider: &'a str,
    status: u16,
    words: [&'a str; 2],
    text: String,
    body: String,
}

impl<'a> Case<'a> {
    fn new(provider: &'a str, status: u16, reported: &'a Reported, body: &[u8]) -> Self {
        let kind = reported.kind.as_deref().unwrap_or_default();
        let code = reported.code.as_deref().unwrap_or_default();
        let head = body.get(..SEARCHED_BYTES).unwrap_or(body);
        Self {
            provider,
            // An error inside an answer with status 200 may name a better one.
            status: if status < 300 { reported.status.unwrap_or(status) } else { status },
            words: [kind, code],
            text: format!("{kind} {code} {}", reported.message).to_lowercase(),
            body: String::from_utf8_lossy(head).to_lowercase(),
        }
    }

    fn decide(&self) -> (Class, Option<&'static str>) {
        let rule = RULES.iter().find(|rule| self.fits(rule));
        match rule.and_then(|rule| Some((rule.class?, rule))) {
            Some((class, rule)) => (class, Some(rule.id.as_str())),
            None => (by_status(self.status), None),
        }
    }

    fn fits(&self, rule: &Rule) -> bool {
        let among = |status: &[u16]| status.is_empty() || status.contains(&self.status);
        let provider =
            || rule.provider.is_empty() || rule.provider.iter().any(|p| p == self.provider);
        among(&rule.status) && provider() && self.says(rule) && !holds(&self.text, &rule.not_text)
    }

    fn says(&self, rule: &Rule) -> bool {
        if rule.words.is_empty() && rule.text.is_empty() && rule.body.is_empty() {
            return true;
        }
        let word = |known: &String| self.words.iter().any(|word| word.eq_ignore_ascii_case(known));
        rule.words.iter().any(word)
            || holds(&self.text, &rule.text)
            || holds(&self.body, &rule.body)
    }
}

fn holds(text: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| matches(text, pattern))
}

/// Whether the pieces of `pattern` between `*` stand in `text` one after the other.
fn matches(text: &str, pattern: &str) -> bool {
    let mut rest = Some(text);
    for piece in pattern.split('*') {
        rest = rest.and_then(|rest| Some(rest.split_once(piece)?.1));
    }
    rest.is_some()
}

/// Where no rule fits: a 4xx is the request's fault, anything else the upstream's.
fn by_status(status: u16) -> Class {
    match status {
        400..500 => Class::InvalidRequest,
        300..400 => Class::BadGateway,
        _ => Class::Server,
    }
}

/// `retry-after-ms`, or `Retry-After` as seconds or as a date.
fn header_wait(sighting: &Sighting<'_>) -> Option<u64> {
    let header = sighting.header;
    let precise = header("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok());
    precise.and_then(wait::milliseconds).or_else(|| {
        let text = header("retry-after")?;
        wait::seconds(text).or_else(|| {
            let date = httpdate::parse_http_date(text).ok()?;
            let since_1970 = date.duration_since(std::time::UNIX_EPOCH).ok()?;
            from_now(i64::try_from(since_1970.as_millis()).ok()?, sighting.now_unix_ms)
        })
    })
}

/// Milliseconds from now to an instant; 0 when it has passed.
fn from_now(instant_unix_ms: i64, now_unix_ms: i64) -> Option<u64> {
    u64::try_from(instant_unix_ms.saturating_sub(now_unix_ms).max(0)).ok()
}

/// Header pairs: what remains, and when it is filled again.
const RESETS: &[(&str, &str)] = &[
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining-input-tokens", "x-ratelimit-reset-input-tokens"),
    ("x-ratelimit-remaining-output-tokens", "x-ratelimit-reset-output-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
];

/// The longest wait until something that is used up is there again.
fn reset_wait(sighting: &Sighting<'_>) -> Option<u64> {
    let header = sighting.header;
    let used_up = |name| header(name).and_then(|text| text.trim().parse::<f64>().ok()) == Some(0.0);
    let waits = RESETS.iter().filter(|(remaining, _)| used_up(remaining));
    waits.filter_map(|(_, reset)| reset_in(header(reset)?, sighting.now_unix_ms)).max()
}

/// A reset as providers write it: a duration, seconds, an epoch in seconds or milliseconds, or an
/// RFC 3339 instant.
fn reset_in(text: &str, now_unix_ms: i64) -> Option<u64> {
    if let Some(instant) = wait::rfc3339_unix_ms(text) {
        return from_now(instant, now_unix_ms);
    }
    match text.trim().parse::<i64>() {
        Ok(ms @ 100_000_000_000..) => from_now(ms, now_unix_ms),
        Ok(seconds @ 1_000_000_000..) => from_now(seconds.saturating_mul(1_000), now_unix_ms),
        _ => wait::seconds(text).or_else(|| wait::duration(text)),
    }
}
