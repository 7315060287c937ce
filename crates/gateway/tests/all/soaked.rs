//! What strange requests by the ten thousand have found; see `soak/`.

use serde_json::{Value, json};

use crate::harness::{Setup, Stage, ask, post};

async fn said(stage: &Stage, method: &str, path: &str, header: &str) -> (u16, String, Value) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut end = stage.dial();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{header}connection: close\r\n\r\n");
    end.write_all(head.as_bytes()).await.unwrap();
    let mut read = String::new();
    end.read_to_string(&mut read).await.unwrap();
    let (head, body) = read.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_lists_of_models_carry_a_request_id() {
    let stage = Stage::new().await;
    for path in ["/v1/models", "/v1/models/solo", "/v1beta/models", "/v1beta/models/solo"] {
        let (status, head, _) = said(&stage, "GET", path, "").await;
        assert_eq!(status, 200, "{path}");
        assert!(head.contains("x-request-id: req_"), "{path}: {head}");
        let (_, head, _) = said(&stage, "GET", path, "x-request-id: mine\r\n").await;
        assert!(head.contains("x-request-id: mine"), "{path}: {head}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_refused_in_the_dialect_of_the_door() {
    let stage = Stage::new().await;
    // A key that Gemini's clients send says nothing where the path says it all.
    let header = "x-goog-api-key: k\r\n";
    for (path, place) in [
        ("/v1/rerank", "/message"),
        ("/v2/rerank", "/message"),
        ("/v2/embed", "/message"),
        ("/v1/embeddings", "/error/code"),
        ("/messages", "/error/type"),
        ("/v1/models/solo:generateContent", "/error/status"),
        ("/openai/v1/responses", "/error/param"),
    ] {
        let (status, _, body) = said(&stage, "PUT", path, header).await;
        assert_eq!(status, 405, "{path}: {body}");
        assert!(body.pointer(place).is_some(), "{path}: {body}");
        let gemini = body.pointer("/error/status").is_some();
        assert_eq!(gemini, path.ends_with(":generateContent"), "{path}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_beside_reranking_is_told_as_reranking_tells_it() {
    let stage = Stage::new().await;
    let (status, _, body) = said(&stage, "GET", "/v1/rerank/", "").await;
    assert_eq!(status, 404);
    assert!(body["message"].is_string(), "{body}");
}

#[tokio::test(start_paused = true)]
async fn vectors_in_a_format_of_coheres_own_reach_coheres_clients() {
    let stage = Setup::dialect("cohere_embed").start().await;
    for types in [json!(["int8"]), json!(["ubinary", "binary"]), json!(["float", "int8"])] {
        let body = json!({"model": "solo", "texts": ["a", "b"], "input_type": "search_query",
            "embedding_types": types});
        let reply = stage.ask(&post("/v2/embed", body)).await;
        assert_eq!(reply.status, 200, "{types}: {}", reply.raw());
        for kind in types.as_array().unwrap() {
            let vectors = &reply.json()["embeddings"][kind.as_str().unwrap()];
            assert_eq!(vectors.as_array().map(Vec::len), Some(2), "{types}: {}", reply.raw());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_as_deep_as_may_be_is_answered_though_the_answer_repeats_it() {
    let stage = Setup::dialect("openai_responses").start().await;
    // The request's own levels are the body, the list, the tool and its parameters.
    let parameters = (4..64).fold(json!({}), |inner, _| json!({ "not": inner }));
    let tool = json!({ "type": "function", "name": "weigh", "parameters": parameters });
    let body = json!({ "model": "solo", "input": "How heavy?", "tools": [tool], "stream": true });
    let reply = stage.ask(&post("/v1/responses", body)).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    assert!(reply.raw().contains("response.completed"), "{}", reply.raw());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_word_does_not_move_into_a_deeper_place() {
    let stage = Setup::dialect("openai_responses").start().await;
    let nested = (2..64).fold(json!({}), |inner, _| json!({ "not": inner }));
    let reply = stage.ask(&ask("solo").with("verbosity", nested)).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    assert_eq!(reply.header("x-weighbridge-dropped-fields"), "verbosity");
}
