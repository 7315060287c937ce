//! Who may spend how much: reservations, permits, entries.
