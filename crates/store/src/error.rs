//! What can go wrong with the store, worded for the person who starts the gateway.
//!
//! Every text names the path and, where there is one, the way out; the technical cause is the
//! error's source.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store cannot be opened, written or read.
#[derive(Debug)]
pub enum StoreError {
    /// The directory or a file in it cannot be made or opened.
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another process has the store open.
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is there and is no database, or a damaged one.
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A newer release wrote the file.
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// No room is left for more entries.
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A row says something this program does not know.
    UnknownRow {
        /// The number of the row.
        id: i64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Anything else the database says.
    Database {
        /// The file.
        path: PathBuf,
        /// What it says.
        cause: rusqlite::Error,
    },
    /// Entries were taken and are not on disk.
    Unwritten {
        /// How many.
        entries: u64,
        /// Why, as far as known.
        why: String,
    },
}

impl StoreError {
    /// Sorts what SQLite says about the file at `path`.
    pub(crate) fn from_sqlite(path: &Path, cause: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match cause.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::NotADatabase { path }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse { path },
            _ => Self::Database { path, cause },
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, cause } => {
                write!(f, "the data directory cannot be used: {}: {cause}", path.display())
            }
            Self::InUse { path } => write!(
                f,
                "{} is in use by another process; stop it, or choose another data_dir",
                path.display()
            ),
            Self::NotADatabase { path } => write!(
                f,
                "{} is damaged or not a database; move it away, or choose another data_dir",
                path.display()
            ),
            Self::NewerSchema { path, found, known } => write!(
                f,
                "{} was written by a newer release (schema {found}, this program knows {known})",
                path.display()
            ),
            Self::DiskFull { path } => write!(f, "no space is left for {}", path.display()),
            Self::UnknownRow { id, what } => write!(f, "row {id} has an unknown {what}"),
            Self::Database { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Unwritten { entries, why } => write!(f, "{entries} entries not written: {why}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Directory { cause, .. } => Some(cause),
            Self::Database { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::StoreError;

    #[test]
    fn a_full_disk_is_told_from_other_trouble() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch("pragma max_page_count = 4; create table t (b blob);").unwrap();
        let full = db.execute("insert into t values (zeroblob(100000))", []).unwrap_err();
        let other = db.execute("insert into nowhere values (1)", []).unwrap_err();
        let sorted = |cause| StoreError::from_sqlite(Path::new("x.db"), cause);
        assert!(matches!(sorted(full), StoreError::DiskFull { .. }));
        assert!(matches!(sorted(other), StoreError::Database { .. }));
    }
}
