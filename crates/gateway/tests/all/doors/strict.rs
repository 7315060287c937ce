//! What a dialect cannot say is told, or refused where nothing may be left out.

use serde_json::json;

use super::tongue::QUESTION;
use crate::harness::{Ask, Setup, ask, get, post};

fn seeded(model: &str) -> Ask {
    ask(model).with("seed", json!(7)).with("logit_bias", json!({ "50256": -100 }))
}

#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_named_and_in_strict_mode_refused() {
    let stage = Setup::dialect("anthropic_messages").start().await;
    let reply = stage.ask(&seeded("solo")).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    assert_eq!(reply.header("x-weighbridge-dropped-fields"), "seed,logit_bias");
    stage.quiet().await;
    drop(stage);
    let told = (400, "invalid_request_error".to_owned());
    for (setup, strict) in [
        (Setup::dialect("anthropic_messages"), "true"),
        (Setup { top: "strict: true".into(), ..Setup::dialect("anthropic_messages") }, "false"),
        (Setup { group: "strict: true".into(), ..Setup::dialect("anthropic_messages") }, "false"),
    ] {
        let stage = setup.start().await;
        let asked = seeded("solo").header("x-weighbridge-strict", strict);
        let reply = stage.ask(&asked).await;
        let (status, kind, _) = reply.error();
        assert_eq!((status, kind), told, "{}", reply.raw());
        assert_eq!(reply.json()["error"]["param"], "seed");
        assert!(reply.error_message().contains("`seed`"), "{}", reply.raw());
        assert_eq!(stage.counts(), (0, 0));
        let plain = ask("solo").header("x-weighbridge-strict", "true");
        assert_eq!(stage.ask(&plain).await.status, 200);
        stage.quiet().await;
        assert_eq!(stage.strikes("a"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn in_strict_mode_a_deployment_that_can_say_it_is_found() {
    let stage = Setup::dialect("anthropic_messages").start().await;
    let reply = stage.ask(&seeded("pair").header("x-weighbridge-strict", "true")).await;
    reply.assert_complete();
    assert_eq!(reply.header("x-weighbridge-model"), "b/m");
    assert_eq!(reply.header("x-weighbridge-dropped-fields"), "");
    assert_eq!(stage.counts(), (0, 1));
    stage.quiet().await;
    assert_eq!(stage.strikes("a"), 0, "A has done nothing wrong");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_only_its_provider_remembers_is_not_pretended_elsewhere() {
    let stage = Setup::dialect("openai_chat").start().await;
    for (field, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
    ] {
        let body = json!({ "model": "solo", "input": QUESTION, field: value });
        let reply = stage.ask(&post("/v1/responses", body)).await;
        assert_eq!(reply.status, 400, "{field}: {}", reply.raw());
        assert_eq!(reply.json()["error"]["param"], field);
    }
    assert_eq!(stage.counts(), (0, 0));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_stored_response_is_continued_fetched_and_deleted_where_it_is() {
    let stage = Setup::dialect("openai_responses").start().await;
    let ask = |input: &str| post("/v1/responses", json!({ "model": "solo", "input": input }));
    let first = stage.ask(&ask(QUESTION)).await;
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let next = ask("And empty?").with("previous_response_id", id.clone().into());
    let second = stage.ask(&next).await;
    assert_eq!(second.status, 200, "{}", second.raw());
    let (one, two) = (first.json(), second.json());
    assert!(two["usage"]["input_tokens"].as_u64() > one["usage"]["input_tokens"].as_u64());
    let path = format!("/v1/responses/{id}");
    let fetched = stage.ask(&get(&path)).await;
    assert_eq!((fetched.status, &fetched.json()["id"]), (200, &json!(id)), "{}", fetched.raw());
    let delete = Ask { method: http::Method::DELETE, ..get(&path) };
    assert_eq!(stage.ask(&delete).await.json()["deleted"], true);
    assert_eq!(stage.ask(&get(&path)).await.status, 404);
    stage.quiet().await;
    let booked = stage.app.core.ledger.totals().settled.as_nanousd();
    assert_eq!(booked, stage.sim.bill().total_nanousd);
}
