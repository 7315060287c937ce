//! What survives a restart: SQLite behind the ledger's journal.
