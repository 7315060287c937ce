//! Gemini's stream without `alt=sse` is one JSON array.

use serde_json::Value;

use super::tongue::{QUESTION, TONGUES};
use crate::harness::{Setup, ask, post};

const PATH: &str = "/v1beta/models/solo:streamGenerateContent";

#[tokio::test(start_paused = true)]
async fn a_gemini_stream_is_an_array_unless_events_are_asked_for() {
    let gemini = TONGUES.iter().find(|tongue| tongue.id == "gemini").unwrap();
    let body = serde_json::json!({ "contents": [{ "parts": [{ "text": QUESTION }] }] });
    for upstream in ["gemini", "openai_chat", "bedrock_converse"] {
        let stage = Setup::dialect(upstream).start().await;
        let events = stage.ask(&post(format!("{PATH}?alt=sse"), body.clone())).await;
        assert!(events.header("content-type").starts_with("text/event-stream"));
        let array = stage.ask(&post(PATH, body.clone())).await;
        assert_eq!(array.header("content-type"), "application/json");
        assert_eq!(array.header("x-weighbridge-model"), "a/m");
        let elements = array.json().as_array().cloned().unwrap();
        assert!(elements.len() > 2, "streamed");
        let text: String = elements.iter().filter_map(text).collect();
        assert_eq!(text, gemini.hear(&events).text, "{upstream}");
        assert_eq!(elements.last().unwrap()["candidates"][0]["finishReason"], "STOP");
        stage.quiet().await;
    }
}

fn text(element: &Value) -> Option<&str> {
    element.pointer("/candidates/0/content/parts/0/text")?.as_str()
}

#[tokio::test(start_paused = true)]
async fn an_array_that_breaks_off_ends_with_the_error_and_is_still_json() {
    let stage = Setup::dialect("gemini").start().await;
    let body = serde_json::json!({ "contents": [{ "parts": [{ "text": QUESTION }] }] });
    stage.fault("f21");
    let array = stage.ask(&post(PATH, body.clone())).await;
    assert_eq!(array.status, 200);
    let elements = array.json().as_array().cloned().unwrap();
    let last = elements.last().unwrap();
    assert!(last["error"]["message"].is_string(), "{last}");
    assert!(elements.iter().all(|one| one.pointer("/candidates/0/finishReason").is_none()));
    stage.fault("f18");
    let refused = stage.ask(&post(PATH, body)).await;
    assert_eq!(refused.status, 502, "{}", refused.raw());
    assert!(refused.json()["error"]["message"].is_string());
    stage.fault("none");
    assert_eq!(stage.ask(&ask("solo")).await.status, 200);
    stage.quiet().await;
}
