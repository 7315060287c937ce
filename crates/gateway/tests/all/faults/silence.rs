//! F08 to F12: connected, and no content in time.

use std::time::Duration;

use sim::MemoryPeer;

use super::row::{DIALECTS, Row, peer};
use crate::harness::{Place, Setup, ask};

const SILENT: Row = Row {
    reason: "first_token_timeout",
    within: (5_000, 5_100),
    // Without a stream nothing tells the first token, see below.
    unstreamed: false,
    solo: (504, "timeout_error", "first_token_timeout"),
    ..Row::UNCERTAIN
};

#[tokio::test(start_paused = true)]
async fn f08_an_upstream_that_hangs_falls_back_after_five_seconds() {
    Row { fault: "f08", ..SILENT }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f08_a_listener_that_takes_everything_and_says_nothing_falls_back() {
    let place: fn() -> Place = || peer(MemoryPeer::Stalled);
    Row { place: Some(place), dialects: &["openai_chat"], ..SILENT }.check().await;
}

/// An unstreamed answer comes whole, so it gets the minute of the unstreamed read timer.
#[tokio::test(start_paused = true)]
async fn f08_an_unstreamed_call_that_hangs_falls_back_after_a_minute() {
    for fault in ["f08", "f09:60s", "f10"] {
        let group = "upstream_stream: never".to_owned();
        let stage = Setup { group, ..Setup::default() }.start().await;
        stage.fault(fault);
        let reply = stage.ask(&ask("pair")).await;
        assert_eq!((reply.status, reply.header("x-weighbridge-model")), (200, "b/m"));
        assert_eq!(reply.elapsed.as_secs(), 60, "{fault}");
        assert_eq!(stage.attempts()[0].2, "uncertain");
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn f09_headers_that_trickle_fall_back_after_five_seconds() {
    Row { fault: "f09", ..SILENT }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f10_headers_without_a_body_are_never_shown_to_the_client() {
    Row { fault: "f10", ..SILENT }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f11_a_role_and_pings_are_no_first_token() {
    Row { fault: "f11", ..SILENT }.check().await;
}

#[tokio::test(start_paused = true)]
async fn f12_a_first_token_after_four_point_nine_seconds_is_in_time() {
    for dialect in DIALECTS {
        for stream in [false, true] {
            let stage = Setup::dialect(dialect).start().await;
            stage.fault("f12");
            stage.strike("a");
            let reply = stage.ask(&ask("pair").streamed(stream)).await;
            reply.assert_complete();
            assert_eq!(reply.header("x-weighbridge-model"), "a/m");
            assert_eq!(reply.header("x-weighbridge-attempts"), "1");
            assert!(reply.first_byte >= Duration::from_millis(4_900), "{:?}", reply.first_byte);
            assert_eq!(stage.counts(), (1, 0));
            stage.quiet().await;
            assert_eq!(stage.books.entries()[0].kind.name(), "final");
            assert_eq!(stage.books.entries()[0].cost.as_nanousd(), stage.sim.bill().total_nanousd);
            assert_eq!(stage.strikes("a"), 0, "a success resets");
        }
    }
}
