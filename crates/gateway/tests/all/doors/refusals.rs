//! Errors in the words of each door's dialect.

use http::Method;
use serde_json::Value;
use sim::Rule;

use super::tongue::{TONGUES, Tongue, Wish, find};
use crate::harness::{Ask, Reply, Setup};

/// What every error of a dialect has.
const SHAPES: &[(&str, &[&str])] = &[
    ("openai_chat", &["error/type", "error/code", "error/message"]),
    ("azure", &["error/type", "error/code", "error/message"]),
    ("openai_responses", &["error/type", "error/code", "error/message"]),
    ("openai_completions", &["error/type", "error/code", "error/message"]),
    ("anthropic_messages", &["type", "error/type", "error/message", "request_id"]),
    ("gemini", &["error/code", "error/status", "error/message"]),
    ("cohere_v2", &["message"]),
];

#[track_caller]
fn refused(tongue: &Tongue, what: &str, reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{} {what}: {}", tongue.id, reply.raw());
    let (_, shape) = SHAPES.iter().find(|(id, _)| *id == tongue.id).unwrap();
    let body: Value = reply.json();
    for place in *shape {
        let found = find(&body, place);
        let said = found.first().is_some_and(|found| found.is_string() || found.is_number());
        assert!(said, "{} {what}: {place}: {body}", tongue.id);
    }
    assert!(reply.header("x-request-id").starts_with("req_"));
    assert!(!reply.raw().contains("key-of-"), "{}", reply.raw());
}

#[tokio::test(start_paused = true)]
async fn each_door_refuses_in_its_own_words() {
    let auth = "{ keys: [{ name: me, key: \"wb_right\" }] }";
    let top = "server: { max_body: 10KiB }".to_owned();
    let stage = Setup { auth, top, ..Setup::default() }.start().await;
    for tongue in TONGUES {
        let good = tongue.ask("solo", Wish::Whole).header("x-api-key", "wb_right");
        assert_eq!(stage.ask(&good).await.status, 200);
        let broken = good.clone().raw("application/json", "{\"model\": oops");
        let large = good.clone().raw("application/json", vec![b' '; 11 << 10]);
        let nobody = tongue.ask("nobody", Wish::Whole).header("x-api-key", "wb_right");
        let wrong = tongue.ask("solo", Wish::Whole).header("x-api-key", "wb_wrong");
        let get = Ask { method: Method::GET, ..good.clone() };
        for (what, ask, status) in [
            ("broken JSON", broken, 400),
            ("too large", large, 413),
            ("unknown model", nobody, 404),
            ("wrong key", wrong, 401),
            ("wrong method", get, 405),
        ] {
            refused(tongue, what, &stage.ask(&ask).await, status);
        }
    }
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn each_door_tells_an_upstreams_failure_in_its_own_words() {
    for upstream in super::asked::UPSTREAMS {
        let stage = Setup::dialect(upstream).start().await;
        for tongue in TONGUES {
            for (fault, status) in [("f13", 429), ("f18", 502), ("f19", 503), ("f17", 502)] {
                stage.script(vec![Rule::always(fault).at("a")]);
                for wish in [Wish::Whole, Wish::Stream] {
                    let reply = stage.ask(&tongue.ask("solo", wish)).await;
                    refused(tongue, &format!("{fault} of {upstream}"), &reply, status);
                    // Cooldowns and refused keys are forgotten before the next one.
                    tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
                }
            }
        }
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_door_says_within_its_stream_that_it_broke() {
    for upstream in super::asked::UPSTREAMS {
        let stage = Setup::dialect(upstream).start().await;
        for fault in ["f21", "f22", "f25-after"] {
            stage.fault(fault);
            for tongue in TONGUES {
                let reply = stage.ask(&tongue.ask("solo", Wish::Stream)).await;
                let heard = tongue.hear(&reply);
                let place = format!("{fault} {upstream} to {}: {}", tongue.id, reply.raw());
                assert_eq!(reply.status, 200, "{place}");
                // A client of Responses has the text whole only with the end.
                let deltas = reply.raw().contains("response.output_text.delta");
                assert!(!heard.text.is_empty() || deltas, "{place}");
                assert!(
                    !["stop", "end_turn", "STOP", "completed", "COMPLETE"]
                        .contains(&heard.finish.as_str()),
                    "{place}"
                );
                let last = reply.chunks().pop().unwrap_or_default().to_string();
                assert!(last.contains("error") || last.contains("ERROR"), "{place}");
            }
        }
        stage.quiet().await;
    }
}
