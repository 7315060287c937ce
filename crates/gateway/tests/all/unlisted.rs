//! Models that only a client has named: served at the assumed price, and nothing grows with them.

use std::sync::Arc;

use crate::harness::{Setup, Stage, ask};

async fn assuming() -> Stage {
    let top = "unknown_price: { input: $5, output: $15 }".to_owned();
    Setup { top, ..Setup::default() }.start().await
}

#[tokio::test(start_paused = true)]
async fn an_unlisted_model_is_served_and_is_no_metric_label() {
    let stage = assuming().await;
    let reply = stage.ask(&ask("a/never-heard-of")).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    assert_eq!(reply.header("x-weighbridge-model"), "a/never-heard-of");
    stage.quiet().await;
    assert!(stage.last_request()["cost_nanousd"].as_i64() > Some(0));
    let metrics = stage.metrics();
    assert!(!metrics.contains("never-heard-of"), "{metrics}");
    assert!(metrics.contains("deployment=\"other\""), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn all_unlisted_models_of_a_provider_share_one_state() {
    let stage = assuming().await;
    let snapshot = stage.app.core.snapshot.load();
    let state = |name: &str| Arc::clone(&snapshot.resolve(name).unwrap().lanes[0].0.state);
    assert!(Arc::ptr_eq(&state("a/one"), &state("a/two")));
    assert!(!Arc::ptr_eq(&state("a/one"), &state("b/one")));
    assert!(!Arc::ptr_eq(&state("a/one"), &state("a/m")), "a listed one has its own");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_could_lead_elsewhere_or_fill_memory_is_no_model() {
    let stage = assuming().await;
    let long = "x".repeat(129);
    for model in ["", "../files", "x/../../files", ".", "x//y", "x\ny", &long] {
        let reply = stage.ask(&ask(&format!("a/{model}"))).await;
        assert_eq!(reply.error().0, 404, "{model}: {}", reply.raw());
    }
    assert_eq!(stage.counts(), (0, 0), "nobody was asked");
}
