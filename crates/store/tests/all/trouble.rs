//! A database that stops taking rows while the store is open.

use std::path::Path;
use std::sync::Arc;

use ledger::{Claim, Journal, JournalError, Ledger, Principal, Refusal, Settlement};
use rusqlite::Connection;
use store::{QUEUE, Store, StoreError};

use crate::sample::entry;

/// Lets every insertion fail, from another connection, as a full disk would.
fn break_database(place: &Path) -> Connection {
    let db = Connection::open(place.join("weighbridge.db")).unwrap();
    db.execute_batch(
        "create trigger broken before insert on entries begin select raise(abort, 'broken'); end",
    )
    .unwrap();
    db
}

fn repair(db: &Connection) {
    db.execute_batch("drop trigger broken").unwrap();
}

/// Flushes until it succeeds; the writer tries again by itself.
fn wait_for_recovery(store: &Store) {
    while store.flush().is_err() {
        std::thread::yield_now();
    }
}

#[test]
fn rows_can_neither_be_changed_nor_removed() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path()).unwrap();
    store.append(&entry(1, 0)).unwrap();
    store.flush().unwrap();
    let db = Connection::open(place.path().join("weighbridge.db")).unwrap();
    for attack in ["update entries set cost_nanousd = 0", "delete from entries"] {
        let refusal = db.execute(attack, []).unwrap_err().to_string();
        assert!(refusal.contains("append-only"), "{refusal}");
    }
    store.close().unwrap();
}

#[test]
fn entries_of_a_failing_disk_are_written_once_when_it_recovers() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path()).unwrap();
    let db = break_database(place.path());
    store.append(&entry(1, 0)).unwrap();
    let error = store.flush().unwrap_err();
    assert!(matches!(error, StoreError::Unwritten { entries: 1, .. }), "{error}");
    assert_eq!(store.ready(), Err(JournalError::Failing));
    store.append(&entry(2, 0)).unwrap();

    repair(&db);
    wait_for_recovery(&store);
    let ids: Vec<u128> = store.entries(0).unwrap().iter().map(|e| e.request_id).collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!(store.ready(), Ok(()));
    store.close().unwrap();
}

#[test]
fn a_full_queue_says_so_and_takes_entries_again_later() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path()).unwrap();
    let db = break_database(place.path());
    // The writer holds this one and takes no further one from the queue until it is written.
    store.append(&entry(0, 0)).unwrap();
    store.flush().unwrap_err();
    let mut taken = 1;
    while store.append(&entry(taken, 0)).is_ok() {
        taken += 1;
    }
    assert_eq!(taken as usize, QUEUE + 1);
    assert_eq!(store.append(&entry(taken, 0)), Err(JournalError::Full));
    repair(&db);
    wait_for_recovery(&store);
    store.append(&entry(taken, 0)).unwrap();
    store.close().unwrap();
    assert_eq!(store.entries(0).unwrap().len() as u128, taken + 1);
}

#[test]
fn closing_on_a_failing_disk_tells_how_many_entries_are_lost() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path()).unwrap();
    let _db = break_database(place.path());
    for id in 0..7 {
        store.append(&entry(id, 0)).unwrap();
    }
    let error = store.close().unwrap_err();
    assert!(matches!(error, StoreError::Unwritten { entries: 7, .. }), "{error}");
    assert!(error.to_string().contains("broken"), "{error}");
}

#[test]
fn a_ledger_gives_no_permit_while_its_disk_fails_and_settles_what_is_open() {
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(place.path()).unwrap());
    let ledger = Ledger::unlimited(store.clone());
    let claim = |request_id| Claim {
        request_id,
        attempt: 1,
        principal: Principal::of_key("anonymous"),
        provider: "openai".into(),
        model: "gpt-4o-mini".into(),
        input_bound: 1,
        output_bound: 1,
        bound: catalog::Money::from_nanousd(5),
    };
    let open = ledger.reserve(claim(1)).unwrap();
    let db = break_database(place.path());
    ledger.settle(open, Settlement::released(0));
    assert!(store.flush().is_err());
    assert_eq!(ledger.reserve(claim(2)).unwrap_err(), Refusal::LedgerUnavailable);

    repair(&db);
    wait_for_recovery(&store);
    ledger.settle(ledger.reserve(claim(3)).unwrap(), Settlement::released(0));
    store.close().unwrap();
    assert_eq!(store.entries(0).unwrap().len(), 2);
    assert_eq!(ledger.totals().open_permits, 0);
}
