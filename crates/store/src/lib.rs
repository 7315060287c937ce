//! What survives a restart: SQLite behind the ledger's journal.
//!
//! One machine needs no database server: [`Store::open`] makes a directory with one SQLite file and
//! owns it until it is closed. Entries of the ledger are taken into a bounded queue and written by
//! one thread, many to a transaction, so the request path pays for a queue slot and the disk for a
//! few synchronisations a second.
//!
//! Durability is `batched`: an entry is on disk about [`GROUP_WINDOW`] and one synchronisation
//! after it was appended, and what was appended later than that is lost when the machine loses
//! power. [`Store::flush`] waits for the disk where that is not enough.
//!
//! This room stores rows. It knows nothing of routing, of wire formats or of what money is for.

mod error;
mod row;
mod schema;
mod store;
mod writer;

pub use error::StoreError;
pub use store::{QUEUE, Store};
pub use writer::{GROUP_MOST, GROUP_WINDOW, RETRY_AFTER};
