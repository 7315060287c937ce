//! What the APIs say: bytes and meaning, dialect by dialect.
