//! The embedded store as its users see it: open, append, flush, read, close.
//!
//! Appending touches a lock for reading, one queue slot and one counter. It never waits: a full
//! queue or a failing disk is an answer, not a pause. Opening, flushing, reading and closing do
//! wait for the disk and have no place on an asynchronous thread.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ledger::{Entry, Journal, JournalError};
use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::writer::{Progress, Writer};
use crate::{row, schema};

/// How many entries may wait for the writer: what a busy gateway produces in about half a second,
/// some 2 MB.
pub const QUEUE: usize = 8192;

/// The database within the data directory.
const DATABASE: &str = "weighbridge.db";
/// The file whose lock says that the directory is taken. The database's own locks would keep
/// readers such as the usage report out as well.
const LOCK: &str = "weighbridge.lock";

/// How long a statement waits for another process that has the database open, for example a backup.
const BUSY: Duration = Duration::from_secs(1);

/// An open data directory with its writer thread.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    queue: RwLock<Option<SyncSender<Entry>>>,
    progress: Arc<Progress>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store in `data_dir`, making the directory and the database where they are missing,
    /// and starts its writer.
    ///
    /// # Errors
    /// The directory cannot be used, another process has it, or its database is damaged, foreign or
    /// of a newer release.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let lock = take(data_dir)?;
        let path = data_dir.join(DATABASE);
        let db = open_database(&path)?;
        let (sender, inbox) = mpsc::sync_channel(QUEUE);
        let progress = Arc::new(Progress::default());
        let writer =
            Writer { db, path: path.clone(), inbox, progress: Arc::clone(&progress), lock };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|cause| StoreError::Directory { path: path.clone(), cause })?;
        Ok(Self {
            path,
            queue: RwLock::new(Some(sender)),
            progress,
            writer: Mutex::new(Some(thread)),
        })
    }

    /// Waits until every entry appended before this call is on disk.
    ///
    /// # Errors
    /// [`StoreError::Unwritten`] when writing fails at present. The entries are kept and tried
    /// again, unless the store was closed.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.progress.wait_for_all()
    }

    /// Takes no more entries, writes what was taken, and gives the directory up. Closing again
    /// changes nothing and gives the same answer.
    ///
    /// # Errors
    /// [`StoreError::Unwritten`] with the number of entries that are lost.
    pub fn close(&self) -> Result<(), StoreError> {
        self.progress.closing.store(true, Ordering::Release);
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A writer that panicked has left its count behind, and that is what the answer is made of.
        let panicked = writer.take().is_some_and(|thread| thread.join().is_err());
        if panicked {
            self.progress.ended();
        }
        self.progress.wait_for_all()
    }

    /// The entries on disk that ended at or after `since_unix_ms` (Unix time in milliseconds), in
    /// the order they were appended. All of them are held in memory. Entries appended a moment ago
    /// are there after [`Store::flush`].
    ///
    /// # Errors
    /// The database cannot be read, or holds a row this program does not understand.
    pub fn entries(&self, since_unix_ms: i64) -> Result<Vec<Entry>, StoreError> {
        let sorted = |cause| StoreError::from_sqlite(&self.path, cause);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags).map_err(sorted)?;
        db.busy_timeout(BUSY).map_err(sorted)?;
        row::select(&db, since_unix_ms, sorted)
    }
}

impl Journal for Store {
    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let sender = queue.as_ref().ok_or(JournalError::Closed)?;
        sender.try_send(entry.clone()).map_err(|error| match error {
            TrySendError::Full(_) => JournalError::Full,
            TrySendError::Disconnected(_) => JournalError::Closed,
        })?;
        self.progress.appended.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn ready(&self) -> Result<(), JournalError> {
        if self.progress.closing.load(Ordering::Acquire) {
            return Err(JournalError::Closed);
        }
        if self.progress.failing.load(Ordering::Acquire) {
            return Err(JournalError::Failing);
        }
        Ok(())
    }
}

/// Makes the directory and takes it for this process; it is free again when the file is closed,
/// also by a crash.
fn take(data_dir: &Path) -> Result<File, StoreError> {
    let unusable = |path: &Path, cause| StoreError::Directory { path: path.to_path_buf(), cause };
    fs::create_dir_all(data_dir).map_err(|cause| unusable(data_dir, cause))?;
    let path = data_dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|cause| unusable(&path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: data_dir.to_path_buf() }),
        Err(TryLockError::Error(cause)) => Err(unusable(&path, cause)),
    }
}

/// Opens the database for writing and brings it to this release's schema.
fn open_database(path: &Path) -> Result<Connection, StoreError> {
    let sorted = |cause| StoreError::from_sqlite(path, cause);
    let mut db = Connection::open(path).map_err(sorted)?;
    db.busy_timeout(BUSY).map_err(sorted)?;
    // `full` synchronises the log with every commit, so a written group survives a power cut; with
    // the write-ahead log readers never wait for the writer.
    db.execute_batch("pragma journal_mode = wal; pragma synchronous = full;").map_err(sorted)?;
    schema::upgrade(&mut db, path)?;
    Ok(db)
}
