//! The tables, and how a file of an older release becomes one of this release.
//!
//! The version is a row in a table and not SQLite's `user_version`, so that it can be read with any
//! tool and looks the same in every backend. A step is never edited once released; the next one is
//! appended. Steps run in one transaction each, so a crash leaves the version before or after.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::error::StoreError;

/// The steps, from an empty file on. A file of version n has seen the first n.
const STEPS: &[&str] = &[
    // Entries are only ever added; the triggers hold that against every tool that opens the file.
    "create table entries (
        id integer primary key,
        request_id blob not null check (length(request_id) = 16),
        attempt integer not null,
        key text not null,
        team text,
        user text,
        feature text,
        provider text not null,
        model text not null,
        kind text not null,
        input integer not null,
        cached_input integer not null,
        cache_write integer not null,
        cache_write_1h integer not null,
        output integer not null,
        reasoning integer not null,
        audio_input integer not null,
        audio_output integer not null,
        usage_source text not null,
        bound_nanousd integer not null,
        cost_nanousd integer not null,
        overrun integer not null,
        at_unix_ms integer not null
    ) strict;
    create index entries_by_time on entries (at_unix_ms);
    create trigger entries_are_never_changed before update on entries
        begin select raise(abort, 'entries are append-only'); end;
    create trigger entries_are_never_removed before delete on entries
        begin select raise(abort, 'entries are append-only'); end;",
];

/// Brings the database at `path` to this release's version.
///
/// # Errors
/// [`StoreError::NewerSchema`], or what the database says.
pub(crate) fn upgrade(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let sorted = |cause| StoreError::from_sqlite(path, cause);
    let found = version(db).map_err(sorted)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_path_buf(), found, known });
    }
    for (number, step) in (1_i64..).zip(STEPS).filter(|(number, _)| *number > found) {
        run_step(db, number, step).map_err(sorted)?;
    }
    Ok(())
}

/// The version of the file, 0 for an empty one.
fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.execute_batch(
        "create table if not exists schema_version (version integer not null) strict",
    )?;
    let found = db.query_row("select max(version) from schema_version", [], |row| row.get(0));
    Ok(found.optional()?.flatten().unwrap_or(0))
}

fn run_step(db: &mut Connection, number: i64, step: &str) -> rusqlite::Result<()> {
    let step_and_version = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    step_and_version.execute_batch(step)?;
    step_and_version.execute("insert into schema_version (version) values (?1)", [number])?;
    step_and_version.commit()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::{STEPS, upgrade, version};

    #[test]
    fn an_empty_file_gets_every_step_once() {
        let mut db = Connection::open_in_memory().unwrap();
        for _ in 0..2 {
            upgrade(&mut db, Path::new("x.db")).unwrap();
            assert_eq!(version(&db).unwrap(), STEPS.len() as i64);
        }
    }
}
