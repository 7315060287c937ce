//! Calls that are no conversations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sim::{Dialect, Provider, fnv1a};
use tokio::io::AsyncWriteExt;

use crate::client::{Seen, body, path, provider, question, request, send};

const KEY: &str = "authorization: Bearer sk-0123456789\r\nx-goog-api-key: k-0123456789\r\n";

async fn post(provider: &Provider, path: &str, body: &Value) -> Seen {
    send(provider, &request(path, KEY, body.to_string().as_bytes())).await
}

#[tokio::test(start_paused = true)]
async fn an_embedding_is_the_same_numbers_in_every_spelling() {
    let provider = provider();
    let asking = |format: &str| {
        json!({ "model": "e", "input": ["one", "two"], "dimensions": 16,
            "encoding_format": format })
    };
    let floats = post(&provider, "/v1/embeddings", &asking("float")).await.json();
    let packed = post(&provider, "/v1/embeddings", &asking("base64")).await.json();
    let bytes = STANDARD.decode(packed["data"][1]["embedding"].as_str().unwrap()).unwrap();
    let read: Vec<Value> = bytes
        .chunks(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .map(|n| n.to_string().parse::<f64>().unwrap().into())
        .collect();
    assert_eq!(floats["data"][1]["embedding"], Value::from(read.clone()));
    let cohere = json!({ "model": "e", "texts": ["two"], "input_type": "search_query",
        "output_dimension": 16 });
    let cohere = post(&provider, "/v2/embed", &cohere).await.json();
    assert_eq!(cohere["embeddings"]["float"][0], Value::from(read.clone()));
    let google = json!({ "content": { "parts": [{ "text": "two" }] }, "outputDimensionality": 16 });
    let google = post(&provider, "/v1beta/models/e:embedContent", &google).await.json();
    assert_eq!(google["embedding"]["values"], Value::from(read.clone()));
    let voyage = json!({ "model": "e", "input": "two", "output_dimension": 16 });
    let voyage = post(&provider, "/voyage/v1/embeddings", &voyage).await.json();
    assert_eq!(voyage["data"][0]["embedding"], Value::from(read));
    assert_eq!(provider.sim().bill().input_tokens, 2 + 2 + 1 + 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn vendors_refuse_embeddings_that_are_not_theirs() {
    let provider = provider();
    let seen = post(&provider, "/v2/embed", &json!({ "model": "e", "texts": ["a"] })).await;
    assert_eq!(seen.status, 400);
    assert!(seen.json()["message"].as_str().unwrap().contains("input_type"));
    let foreign = json!({ "model": "e", "input": "a", "dimensions": 4 });
    let seen = post(&provider, "/voyage/v1/embeddings", &foreign).await;
    assert!(seen.json()["detail"].is_string());
    let keyless = request("/v1/embeddings", "", b"{}");
    assert_eq!(send(&provider, &keyless).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn documents_are_ranked_by_the_words_of_the_query() {
    let asking = json!({ "model": "r", "query": "scale", "documents": ["a pond", "a scale"] });
    let cohere = post(&provider(), "/v2/rerank", &asking).await.json();
    assert_eq!(cohere["results"][0]["index"], 1);
    assert_eq!(cohere["meta"]["billed_units"]["search_units"], 1);
    let voyage = post(&provider(), "/voyage/v1/rerank", &asking).await.json();
    assert_eq!(voyage["data"][0]["relevance_score"], cohere["results"][0]["relevance_score"]);
}

#[tokio::test(start_paused = true)]
async fn counted_tokens_are_those_the_conversation_costs() {
    let provider = provider();
    for (dialect, place, count) in [
        (Dialect::Anthropic, "/v1/messages/count_tokens", "/input_tokens"),
        (Dialect::Gemini, "/v1beta/models/m:countTokens", "/totalTokens"),
    ] {
        let asking = question(dialect, "m", false);
        let counted = post(&provider, place, &asking).await.json();
        assert_eq!(provider.sim().bill().rows.back().unwrap().cost_nanousd, 0);
        send(&provider, &body(dialect, "m", false, &asking)).await;
        let billed = provider.sim().bill().rows.back().unwrap().input_tokens;
        assert_eq!(counted.pointer(count), Some(&json!(billed)), "{dialect:?}");
    }
    let seen = post(&provider, "/v1/moderations", &json!({ "input": "hate" })).await.json();
    assert_eq!(seen["results"][0]["flagged"], true);
}

#[tokio::test(start_paused = true)]
async fn faults_strike_plain_calls_too() {
    let asking = json!({ "model": "m-fault-f13", "input": "a" });
    let seen = post(&provider(), "/v1/embeddings", &asking).await;
    assert_eq!((seen.status, seen.header("retry-after")), (429, Some("7")));
    let asking = json!({ "model": "m-fault-f19", "query": "a", "documents": ["a"] });
    assert_eq!(post(&provider(), "/v2/rerank", &asking).await.status, 503);
}

/// A form with a model, a purpose and a file.
fn form(file: &[u8]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in [("model", "m"), ("purpose", "batch")] {
        let part = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}");
        body.extend_from_slice(part.as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    let head = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--x--\r\n");
    (format!("{KEY}content-type: multipart/form-data; boundary=x\r\n"), body)
}

#[tokio::test(start_paused = true)]
async fn uploads_are_described_by_what_arrived() {
    let (headers, form) = form(&[0xFF; 1_000]);
    let seen =
        send(&provider(), &request("/v1/audio/transcriptions", &headers, &form)).await.json();
    assert_eq!(seen["text"], "Heard 1000 bytes.");
    assert_eq!(seen["sim"]["body_hash"], format!("{:016x}", fnv1a(&form)));
    assert_eq!(seen["sim"]["body_bytes"], form.len());
    let asking = json!({ "model": "tts", "input": "three words here", "voice": "alloy" });
    let seen = post(&provider(), "/v1/audio/speech", &asking).await;
    assert_eq!(seen.header("content-type"), Some("audio/mpeg"));
    assert_eq!(seen.body.len(), 3 * 480);
}

#[tokio::test(start_paused = true)]
async fn files_come_back_to_the_byte_and_make_batches() {
    let provider = provider();
    let lines = b"{\"a\":1}\n{\"b\":\"\xF0\x9F\x8C\x89\"}\n";
    let (headers, form) = form(lines);
    let file = send(&provider, &request("/v1/files", &headers, &form)).await.json();
    let id = file["id"].as_str().unwrap();
    let at = |path: &str| format!("GET /v1/{path} HTTP/1.1\r\n{KEY}\r\n").into_bytes();
    assert_eq!(send(&provider, &at(&format!("files/{id}/content"))).await.body, lines);
    let asking = json!({ "input_file_id": id, "endpoint": "/v1/chat/completions",
        "completion_window": "24h" });
    let batch = post(&provider, "/v1/batches", &asking).await.json();
    assert_eq!(batch["request_counts"]["total"], 2);
    let batch = format!("batches/{}", batch["id"].as_str().unwrap());
    assert_eq!(send(&provider, &at(&batch)).await.json()["status"], "completed");
    assert_eq!(send(&provider, &at("files/file-none")).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_seen_arriving_before_it_ends() {
    let (mut client, server) = sim::memory::pipe();
    let provider = provider();
    let sim = provider.sim().clone();
    tokio::spawn(async move { provider.serve_link(server).await });
    let asking = question(Dialect::OpenAi, "m", false).to_string();
    let bytes = request(&path(Dialect::OpenAi, "m", false), KEY, asking.as_bytes());
    let (half, _) = bytes.split_at(bytes.len() - 20);
    client.write_all(&half[..10]).await.unwrap();
    tokio::task::yield_now().await;
    client.write_all(&half[10..]).await.unwrap();
    while sim.received_bytes() < half.len() as u64 - 10 {
        tokio::task::yield_now().await;
    }
    assert!(sim.journal().is_empty(), "the request has not ended");
}

#[tokio::test(start_paused = true)]
async fn every_token_is_a_new_one_and_is_in_the_journal() {
    let provider = provider();
    let form = b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c";
    let grant = || request("/token", "", form);
    let first = send(&provider, &grant()).await.json();
    let second = send(&provider, &grant()).await.json();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(3_599)));
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(provider.sim().journal().iter().filter(|entry| entry.path == "/token").count(), 2);
    let bad = request("/token", "", b"grant_type=password");
    let refused = send(&provider, &bad).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (400, Some("unsupported_grant_type"))
    );
}
