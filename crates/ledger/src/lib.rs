//! Who may spend how much: reservations, permits, entries.
//!
//! The life of an attempt's money has three words. A [`Claim`] says who wants to spend how much at
//! most. [`Ledger::reserve`] turns it into a [`Permit`], the only proof under which an upstream
//! call may be made. [`Ledger::settle`] consumes the permit with a [`Settlement`] and books exactly
//! one [`Entry`]. A permit cannot be copied and settling takes it away, so "each reservation ends
//! at most once" is checked by the compiler; "at least once" is visible in
//! [`Totals::open_permits`], which is 0 whenever nothing is in flight.
//!
//! This room knows no SQL, no HTTP and no clock: time is an argument, and what survives a restart
//! stands behind the [`Journal`] trait. It does not price anything either: costs arrive as money.

mod claim;
mod entry;
pub mod journal;
mod permit;

pub use claim::{Claim, Principal};
pub use entry::{Entry, Kind, Settlement, UsageSource};
pub use journal::{Journal, JournalError};
pub use permit::{Ledger, Permit, Refusal, Totals};
