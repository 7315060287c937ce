//! F30 to F32: usage that is missing, absurd, or more than was reserved.

use serde_json::{Value, json};

use super::row::{DIALECTS, TEXTUAL};
use crate::harness::{Setup, Stage, ask};

/// Asks A and returns the note and the only row of the books.
async fn booked(stage: &Stage, stream: bool) -> (Value, ledger::Entry) {
    let reply = stage.ask(&ask("pair").streamed(stream)).await;
    reply.assert_complete();
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 0);
    let entries = stage.books.entries();
    assert_eq!((entries.len(), entries[0].kind.name()), (1, "final"));
    (stage.last_request()["notes"].clone(), entries[0].clone())
}

/// Counted here: something, but no more than had been reserved.
fn assert_counted_here(entry: &ledger::Entry) {
    assert_eq!(entry.usage_source.name(), "counted");
    assert!(entry.usage.input > 0 && entry.usage.output > 0, "{entry:?}");
    assert!(entry.cost.as_nanousd() > 0 && entry.cost <= entry.bound, "{entry:?}");
}

#[tokio::test(start_paused = true)]
async fn f30_usage_that_is_not_told_is_counted_here() {
    for dialect in DIALECTS {
        for stream in [true, false] {
            println!("{dialect} stream={stream}");
            let stage = Setup::dialect(dialect).start().await;
            stage.fault("f30");
            stage.strike("a");
            let (notes, entry) = booked(&stage, stream).await;
            assert_eq!(notes, json!(["usage_missing"]));
            assert_counted_here(&entry);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f31_absurd_usage_is_not_believed() {
    for fault in ["f31-negative", "f31-huge"] {
        for dialect in DIALECTS {
            for stream in [true, false] {
                println!("{fault} {dialect} stream={stream}");
                let stage = Setup::dialect(dialect).start().await;
                stage.fault(fault);
                stage.strike("a");
                let (notes, entry) = booked(&stage, stream).await;
                assert_eq!(notes, json!(["usage_invalid"]));
                assert_counted_here(&entry);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f31_of_usage_told_twice_the_last_is_booked() {
    for fault in ["f31-twice", "f31-decreasing"] {
        for dialect in TEXTUAL {
            for stream in [true, false] {
                println!("{fault} {dialect} stream={stream}");
                let stage = Setup::dialect(dialect).start().await;
                stage.fault(fault);
                stage.strike("a");
                let (_, entry) = booked(&stage, stream).await;
                assert_eq!(entry.usage_source.name(), "provider");
                assert_eq!(entry.cost.as_nanousd(), stage.sim.bill().total_nanousd);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f32_usage_above_the_reservation_is_booked_in_full_and_flagged() {
    for dialect in DIALECTS {
        for stream in [true, false] {
            println!("{dialect} stream={stream}");
            let stage = Setup::dialect(dialect).start().await;
            stage.fault("f32");
            let question = ask("pair").streamed(stream).with("max_tokens", json!(1_000));
            let reply = stage.ask(&question).await;
            assert_eq!(reply.status, 200);
            stage.quiet().await;
            let entry = stage.books.entries().pop().unwrap();
            assert!(entry.overrun && entry.cost > entry.bound, "{entry:?}");
            assert_eq!(entry.cost.as_nanousd(), stage.sim.bill().total_nanousd);
            assert_eq!(stage.last_request()["notes"], json!(["overrun"]));
        }
    }
}
