//! Opening: what is made, and what is refused with which words.

use std::fs;
use std::path::Path;

use ledger::Journal;
use rusqlite::Connection;
use store::{Store, StoreError};

use crate::sample::entry;

fn refusal(place: &Path) -> StoreError {
    Store::open(place).unwrap_err()
}

#[test]
fn missing_directories_are_made() {
    let place = tempfile::tempdir().unwrap();
    let deep = place.path().join("a/b");
    Store::open(&deep).unwrap().close().unwrap();
    assert!(deep.join("weighbridge.db").is_file());
}

#[test]
fn a_directory_belongs_to_one_store_until_it_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let first = Store::open(place.path()).unwrap();
    let second = refusal(place.path());
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    first.close().unwrap();
    Store::open(place.path()).unwrap().close().unwrap();
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("weighbridge.db");
    let text = "not a database ".repeat(100);
    fs::write(&file, &text).unwrap();
    let error = refusal(place.path());
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let place = tempfile::tempdir().unwrap();
    Store::open(place.path()).unwrap().close().unwrap();
    let db = Connection::open(place.path().join("weighbridge.db")).unwrap();
    db.execute("insert into schema_version (version) values (99)", []).unwrap();
    drop(db);
    let error = refusal(place.path());
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 1, .. }), "{error}");
}

#[test]
fn a_place_that_cannot_be_a_directory_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(&file.join("data"));
    assert!(matches!(error, StoreError::Directory { .. }), "{error}");
    assert!(error.to_string().contains("file"));
}

#[test]
fn what_was_flushed_survives_a_process_that_never_closes() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path()).unwrap();
    for id in 0..10 {
        store.append(&entry(id, 0)).unwrap();
    }
    store.flush().unwrap();

    // What a power cut would leave: the files as they are now, log included.
    let image = tempfile::tempdir().unwrap();
    for name in ["weighbridge.db", "weighbridge.db-wal"] {
        fs::copy(place.path().join(name), image.path().join(name)).unwrap();
    }
    let recovered = Store::open(image.path()).unwrap();
    assert_eq!(recovered.entries(0).unwrap().len(), 10);
    recovered.close().unwrap();
    store.close().unwrap();
}
