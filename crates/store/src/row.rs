//! An entry as a row, and back.
//!
//! SQLite's integers are signed: a token count above `i64::MAX` is stored as that maximum, a figure
//! no provider can mean. Money fits exactly.

use catalog::{Money, Usage};
use ledger::{Entry, Kind, Principal, UsageSource};
use rusqlite::{Connection, Row, params};

use crate::error::StoreError;

const INSERT: &str = "insert into entries (
        request_id, attempt, key, team, user, feature, provider, model, kind,
        input, cached_input, cache_write, cache_write_1h, output, reasoning,
        audio_input, audio_output, usage_source, bound_nanousd, cost_nanousd, overrun, at_unix_ms
    ) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
        ?19, ?20, ?21, ?22)";

const SELECT: &str = "select * from entries where at_unix_ms >= ?1 order by id";

/// Adds one row.
pub(crate) fn insert(db: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let Entry { principal, usage, .. } = entry;
    db.prepare_cached(INSERT)?.execute(params![
        entry.request_id.to_be_bytes(),
        entry.attempt,
        principal.key,
        principal.team,
        principal.user,
        principal.feature,
        entry.provider,
        entry.model,
        entry.kind.name(),
        signed(usage.input),
        signed(usage.cached_input),
        signed(usage.cache_write),
        signed(usage.cache_write_1h),
        signed(usage.output),
        signed(usage.reasoning),
        signed(usage.audio_input),
        signed(usage.audio_output),
        entry.usage_source.name(),
        entry.bound.as_nanousd(),
        entry.cost.as_nanousd(),
        entry.overrun,
        entry.at_unix_ms,
    ])?;
    Ok(())
}

/// The rows that ended at or after `since_unix_ms`, in the order they were appended.
pub(crate) fn select(
    db: &Connection,
    since_unix_ms: i64,
    sorted: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<Vec<Entry>, StoreError> {
    let mut statement = db.prepare_cached(SELECT).map_err(&sorted)?;
    let mut rows = statement.query([since_unix_ms]).map_err(&sorted)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(&sorted)? {
        let id = row.get("id").map_err(&sorted)?;
        let kind = Kind::from_name(&text(row, "kind").map_err(&sorted)?)
            .ok_or(StoreError::UnknownRow { id, what: "kind" })?;
        let source = UsageSource::from_name(&text(row, "usage_source").map_err(&sorted)?)
            .ok_or(StoreError::UnknownRow { id, what: "usage source" })?;
        entries.push(entry(row, kind, source).map_err(&sorted)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>, kind: Kind, usage_source: UsageSource) -> rusqlite::Result<Entry> {
    Ok(Entry {
        request_id: u128::from_be_bytes(row.get("request_id")?),
        attempt: row.get("attempt")?,
        principal: Principal {
            key: row.get("key")?,
            team: row.get("team")?,
            user: row.get("user")?,
            feature: row.get("feature")?,
        },
        provider: row.get("provider")?,
        model: row.get("model")?,
        kind,
        usage: usage(row)?,
        usage_source,
        bound: Money::from_nanousd(row.get("bound_nanousd")?),
        cost: Money::from_nanousd(row.get("cost_nanousd")?),
        overrun: row.get("overrun")?,
        at_unix_ms: row.get("at_unix_ms")?,
    })
}

fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    let tokens = |column: &str| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(Usage {
        input: tokens("input")?,
        cached_input: tokens("cached_input")?,
        cache_write: tokens("cache_write")?,
        cache_write_1h: tokens("cache_write_1h")?,
        output: tokens("output")?,
        reasoning: tokens("reasoning")?,
        audio_input: tokens("audio_input")?,
        audio_output: tokens("audio_output")?,
    })
}

fn text(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    row.get(column)
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
