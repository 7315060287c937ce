//! What every backend promises. A new backend implements [`Backend`] and adds one line at the end.

use std::path::Path;

use ledger::{Entry, Journal, JournalError};
use proptest::test_runner::{Config, TestRunner};
use store::Store;

use crate::sample::{any_entry, entry};

/// A backend as the suite drives it. `place` is an empty directory that is the backend's own.
trait Backend: Journal + Sized {
    fn open(place: &Path) -> Self;
    fn flush(&self);
    fn close(&self);
    fn entries(&self, since_unix_ms: i64) -> Vec<Entry>;
}

impl Backend for Store {
    fn open(place: &Path) -> Self {
        Self::open(place).unwrap()
    }

    fn flush(&self) {
        self.flush().unwrap();
    }

    fn close(&self) {
        self.close().unwrap();
    }

    fn entries(&self, since_unix_ms: i64) -> Vec<Entry> {
        self.entries(since_unix_ms).unwrap()
    }
}

fn entries_come_back_in_order_after_a_restart<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let written: Vec<Entry> = (0..2500).map(|id| entry(id, 2500 - id as i64)).collect();
    let first = B::open(place.path());
    for entry in &written {
        first.append(entry).unwrap();
    }
    first.close();
    let second = B::open(place.path());
    assert_eq!(second.entries(i64::MIN), written);
    second.append(&entry(9999, 0)).unwrap();
    second.close();
    assert_eq!(B::open(place.path()).entries(i64::MIN).len(), 2501);
}

fn any_entry_comes_back_as_it_was<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let backend = B::open(place.path());
    let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&proptest::collection::vec(any_entry(), 1..40), |written| {
            let before = backend.entries(i64::MIN).len();
            for entry in &written {
                backend.append(entry).unwrap();
            }
            backend.flush();
            assert_eq!(backend.entries(i64::MIN).split_off(before), written);
            Ok(())
        })
        .unwrap();
    backend.close();
}

fn a_flush_covers_all_that_was_appended_before_it<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let backend = B::open(place.path());
    for id in 0..50 {
        backend.append(&entry(id, 0)).unwrap();
        backend.flush();
        assert_eq!(backend.entries(0).len() as u128, id + 1);
    }
    backend.close();
}

fn entries_are_found_by_time<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let backend = B::open(place.path());
    for at in [10, 30, 20] {
        backend.append(&entry(at as u128, at)).unwrap();
    }
    backend.flush();
    let since = |at| backend.entries(at).iter().map(|e| e.at_unix_ms).collect::<Vec<_>>();
    assert_eq!(since(20), [30, 20]);
    assert_eq!(since(31), [0; 0]);
    backend.close();
}

fn token_counts_beyond_the_signed_range_stay_large<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let backend = B::open(place.path());
    let mut absurd = entry(1, 0);
    absurd.usage.output = u64::MAX;
    backend.append(&absurd).unwrap();
    backend.flush();
    assert!(backend.entries(0)[0].usage.output >= i64::MAX.unsigned_abs());
    backend.close();
}

fn many_threads_lose_nothing_and_keep_their_own_order<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let backend = B::open(place.path());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let backend = &backend;
            scope.spawn(move || {
                for turn in 0..500 {
                    backend.append(&entry(turn, thread)).unwrap();
                }
            });
        }
    });
    backend.flush();
    let entries = backend.entries(0);
    for thread in 0..4 {
        let own = entries.iter().filter(|e| e.at_unix_ms == thread).map(|e| e.request_id);
        assert!(own.eq(0..500));
    }
    backend.close();
}

fn a_closed_store_takes_nothing_and_can_be_closed_again<B: Backend>() {
    let place = tempfile::tempdir().unwrap();
    let backend = B::open(place.path());
    backend.append(&entry(1, 0)).unwrap();
    backend.close();
    assert_eq!(backend.append(&entry(2, 0)), Err(JournalError::Closed));
    assert_eq!(backend.ready(), Err(JournalError::Closed));
    backend.close();
    backend.flush();
    assert_eq!(backend.entries(0).len(), 1);
}

/// One test for each promise, in a module of the backend's name.
macro_rules! conforms {
    ($name:ident, $backend:ty, [$($promise:ident),* $(,)?]) => {
        mod $name {
            $(
                #[test]
                fn $promise() {
                    super::$promise::<$backend>();
                }
            )*
        }
    };
}

conforms!(
    sqlite,
    store::Store,
    [
        entries_come_back_in_order_after_a_restart,
        any_entry_comes_back_as_it_was,
        a_flush_covers_all_that_was_appended_before_it,
        entries_are_found_by_time,
        token_counts_beyond_the_signed_range_stay_large,
        many_threads_lose_nothing_and_keep_their_own_order,
        a_closed_store_takes_nothing_and_can_be_closed_again,
    ]
);
