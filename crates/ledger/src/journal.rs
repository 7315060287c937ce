//! Where entries go to survive: the seam between the books and whatever keeps them.
//!
//! The ledger calls [`Journal::append`] on the request path, so an implementation must not block:
//! it takes the entry into a bounded queue or says no. Saying no loses nothing, because the ledger
//! keeps the entry and offers it again; it only stops handing out permits until the journal takes
//! entries once more.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::entry::Entry;

/// Takes finished entries and keeps them.
pub trait Journal: Send + Sync {
    /// Takes one entry, in the order of the calls. Does not wait for a disk or a network.
    ///
    /// # Errors
    /// The entry was not taken and must be offered again; see [`JournalError`].
    fn append(&self, entry: &Entry) -> Result<(), JournalError>;

    /// Says why entries could not be kept at this moment, without offering one.
    ///
    /// # Errors
    /// As [`Journal::append`] would answer, as far as that is known.
    fn ready(&self) -> Result<(), JournalError>;
}

/// Why a journal did not take an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalError {
    /// Entries come faster than they can be written; offer it again.
    Full,
    /// What was taken so far cannot be written at present, for example because the disk is full.
    Failing,
    /// The journal was closed; nothing will be taken any more.
    Closed,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the journal's queue is full",
            Self::Failing => "the journal cannot write at present",
            Self::Closed => "the journal is closed",
        })
    }
}

impl std::error::Error for JournalError {}

/// A journal in memory, for a program that keeps nothing: tests, the simulator's demo.
///
/// It holds the newest [`Memory::CAPACITY`] entries and forgets older ones, so it cannot grow
/// without bound in a program that runs for days.
#[derive(Debug, Default)]
pub struct Memory {
    entries: Mutex<std::collections::VecDeque<Entry>>,
}

impl Memory {
    /// How many entries are remembered; about 20 MB at the usual length of names.
    pub const CAPACITY: usize = 65_536;

    /// The remembered entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().cloned().collect()
    }
}

impl Journal for Memory {
    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= Self::CAPACITY {
            entries.pop_front();
        }
        entries.push_back(entry.clone());
        Ok(())
    }

    fn ready(&self) -> Result<(), JournalError> {
        Ok(())
    }
}
