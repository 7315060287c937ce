//! The one thread that writes.
//!
//! It sleeps on the queue, and once an entry has come it waits a moment longer *without* looking at
//! the queue: the appends of that moment find nobody to wake, which is most of what an append would
//! otherwise cost. Then everything that has gathered goes into one transaction with one
//! synchronisation of the disk.
//!
//! A group that cannot be written is kept and tried again. Meanwhile the queue fills behind it and
//! the journal says that it is failing, so the ledger stops promising; nothing that was taken is
//! forgotten unless the process ends before the disk recovers, and then [`Progress`] tells how much.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ledger::Entry;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::row;

/// How long entries gather before they are written: at a thousand entries a second, fifty share the
/// price of a transaction, and a killed process loses no more than this.
pub const GROUP_WINDOW: Duration = Duration::from_millis(50);

/// The most entries of one transaction, which bounds its memory and how long a reader may see none
/// of it.
pub const GROUP_MOST: usize = 1024;

/// How long a failing disk is left alone between two tries.
pub const RETRY_AFTER: Duration = Duration::from_millis(200);

/// How far the writer is, as those see it who append and flush.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Entries taken into the queue.
    pub(crate) appended: AtomicU64,
    /// The last try failed.
    pub(crate) failing: AtomicBool,
    /// The store is being closed: a further failure is final.
    pub(crate) closing: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default, Clone)]
struct State {
    /// Entries on disk.
    written: u64,
    /// Why the last try failed.
    trouble: Option<String>,
    /// The writer is gone.
    ended: bool,
}

impl Progress {
    /// Waits until everything appended before this call is on disk.
    ///
    /// # Errors
    /// [`StoreError::Unwritten`] as soon as a try fails, or when the writer ended before.
    pub(crate) fn wait_for_all(&self) -> Result<(), StoreError> {
        let target = self.appended.load(Ordering::Acquire);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self
            .changed
            .wait_while(state, |state| {
                state.written < target && state.trouble.is_none() && !state.ended
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.written >= target {
            return Ok(());
        }
        let why = state.trouble.clone().unwrap_or_else(|| "the writer ended".to_owned());
        Err(StoreError::Unwritten { entries: target - state.written, why })
    }

    fn wrote(&self, entries: usize) {
        self.change(|state| {
            state.written += u64::try_from(entries).unwrap_or(u64::MAX);
            state.trouble = None;
        });
        self.failing.store(false, Ordering::Release);
    }

    fn failed(&self, error: &StoreError) {
        self.failing.store(true, Ordering::Release);
        self.change(|state| state.trouble = Some(error.to_string()));
    }

    /// Says that nothing more will be written.
    pub(crate) fn ended(&self) {
        self.change(|state| state.ended = true);
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// What the thread owns.
pub(crate) struct Writer {
    pub(crate) db: Connection,
    pub(crate) path: PathBuf,
    pub(crate) inbox: Receiver<Entry>,
    pub(crate) progress: Arc<Progress>,
    /// Held while the thread runs: no other process may write.
    pub(crate) lock: File,
}

impl Writer {
    /// Writes until nobody can append any more and everything is on disk, or until a try fails
    /// while the store is being closed.
    pub(crate) fn run(mut self) {
        let mut group = Vec::with_capacity(GROUP_MOST);
        while self.gather(&mut group) && self.write_stubbornly(&mut group) {}
        let Self { db, progress, lock, inbox, .. } = self;
        // In this order: the file is complete before another process may have it.
        drop((inbox, db));
        drop(lock);
        progress.ended();
    }

    /// Waits for entries and takes a group of them; false when there will be none.
    fn gather(&self, group: &mut Vec<Entry>) -> bool {
        let Ok(first) = self.inbox.recv() else { return false };
        group.push(first);
        thread::sleep(GROUP_WINDOW);
        group.extend(self.inbox.try_iter().take(GROUP_MOST - 1));
        true
    }

    /// Tries until the group is on disk; false when it is not and the store is being closed.
    fn write_stubbornly(&mut self, group: &mut Vec<Entry>) -> bool {
        while let Err(error) = self.write(group) {
            self.progress.failed(&error);
            if self.progress.closing.load(Ordering::Acquire) {
                return false;
            }
            thread::sleep(RETRY_AFTER);
        }
        self.progress.wrote(group.drain(..).len());
        true
    }

    /// One transaction: all of the group or nothing.
    fn write(&mut self, group: &[Entry]) -> Result<(), StoreError> {
        let path = &self.path;
        let sorted = |cause| StoreError::from_sqlite(path, cause);
        let transaction = self.db.transaction().map_err(sorted)?;
        for entry in group {
            row::insert(&transaction, entry).map_err(sorted)?;
        }
        transaction.commit().map_err(sorted)
    }
}
