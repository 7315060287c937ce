//! What the gateway answers itself: counts of tokens, and the models there are.

use serde_json::{Value, json};

use super::tongue::QUESTION;
use crate::harness::{Setup, Stage, get, post};

fn messages(text: &str) -> Value {
    json!({ "model": "solo", "messages": [{ "role": "user", "content": text }] })
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_alike_at_both_doors_and_nothing_is_sent() {
    let stage = Setup::dialect("anthropic_messages").start().await;
    let count = |text: String| {
        let contents = json!([{ "role": "user", "parts": [{ "text": text }] }]);
        let gemini = post("/v1beta/models/solo:countTokens", json!({ "contents": contents }));
        let anthropic = post("/v1/messages/count_tokens", messages(&text));
        let stage = &stage;
        async move {
            let one = stage.ask(&anthropic).await.json()["input_tokens"].as_u64().unwrap();
            let other = stage.ask(&gemini).await.json()["totalTokens"].as_u64().unwrap();
            assert_eq!(one, other);
            one
        }
    };
    let short = count(QUESTION.to_owned()).await;
    assert!((8..30).contains(&short), "{short}");
    assert!(count(QUESTION.repeat(10)).await > 6 * short);
    assert_eq!(stage.counts(), (0, 0));
    assert!(stage.books.entries().is_empty());
    let unknown = post("/v1beta/models/nobody:countTokens", json!({ "contents": [] }));
    let reply = stage.ask(&unknown).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!(404)));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn models_are_listed_in_the_shape_of_who_asks() {
    let stage = Stage::new().await;
    let openai = stage.ask(&get("/v1/models")).await.json();
    let ids = |page: &Value, list: &str, key: &str| -> Vec<String> {
        let rows = page[list].as_array().cloned().unwrap();
        rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
    };
    let known = ids(&openai, "data", "id");
    assert!(known.contains(&"pair".to_owned()) && known.contains(&"a/m".to_owned()));
    assert_eq!(openai["object"], "list");
    let asked = get("/v1/models").header("anthropic-version", "2023-06-01");
    let anthropic = stage.ask(&asked).await.json();
    assert_eq!(ids(&anthropic, "data", "id"), known);
    assert_eq!(
        (&anthropic["has_more"], &anthropic["data"][0]["type"]),
        (&json!(false), &json!("model"))
    );
    let gemini = stage.ask(&get("/v1beta/models")).await.json();
    let named: Vec<String> = known.iter().map(|id| format!("models/{id}")).collect();
    assert_eq!(ids(&gemini, "models", "name"), named);
    for (path, key, id) in [
        ("/v1/models/a/m", "id", "a/m"),
        ("/v1/models/a%2Fm", "id", "a/m"),
        ("/v1beta/models/a/m", "name", "models/a/m"),
    ] {
        assert_eq!(stage.ask(&get(path)).await.json()[key], id, "{path}");
    }
    for path in ["/v1/models/nobody", "/v1beta/models/nobody"] {
        assert_eq!(stage.ask(&get(path)).await.status, 404);
    }
    assert_eq!(stage.counts(), (0, 0));
    stage.quiet().await;
}
