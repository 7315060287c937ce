//! What passes through unread: sound, pictures, files, batches.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use sim::{Rule, fnv1a};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::harness::{Ask, Setup, Stage, get, post};

const KIND: &str = "multipart/form-data; boundary=scale";

/// A form with a model before its file.
fn form(model: &str, content: &[u8]) -> Vec<u8> {
    let field = |name: &str, value: &str| {
        format!("--scale\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let mut form = field("model", model).into_bytes();
    form.extend(field("purpose", "batch").into_bytes());
    form.extend_from_slice(
        b"--scale\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
          Content-Type: audio/wav\r\n\r\n",
    );
    form.extend_from_slice(content);
    form.extend_from_slice(b"\r\n--scale--\r\n");
    form
}

/// The books and the bill are even.
async fn even(stage: &Stage) {
    stage.quiet().await;
    let settled = stage.app.core.ledger.totals().settled.as_nanousd();
    assert_eq!(settled, stage.sim.bill().total_nanousd);
}

#[tokio::test(start_paused = true)]
async fn speech_comes_back_as_the_bytes_it_is() {
    let stage = Stage::new().await;
    let body = json!({ "model": "solo", "input": "How heavy?", "voice": "alloy" });
    let reply = stage.ask(&post("/v1/audio/speech", body)).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "audio/mpeg"));
    stage.quiet().await;
    let got = stage.asked("a").pop().unwrap();
    assert_eq!((got.model.as_str(), got.sent_hash), ("m", fnv1a(&reply.body)));
    assert_eq!(got.bytes_sent, reply.body.len() as u64);
    assert_eq!(stage.books.entries().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_transcriptions_form_goes_on_byte_by_byte_but_for_the_model() {
    let stage = Stage::new().await;
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let asked = post("/v1/audio/transcriptions", Value::Null).raw(KIND, form("solo", &content));
    let reply = stage.ask(&asked).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    let told = &reply.json()["sim"];
    let sent = form("m", &content);
    assert_eq!(told["body_bytes"], sent.len());
    assert_eq!(told["body_hash"], format!("{:016x}", fnv1a(&sent)));
    assert_eq!(told["content_type"], KIND);
    even(&stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_picture_is_drawn_and_booked() {
    let stage = Stage::new().await;
    let body = json!({ "model": "solo", "prompt": "a weighbridge", "n": 2 });
    let reply = stage.ask(&post("/v1/images/generations", body)).await;
    assert_eq!(reply.json()["data"].as_array().map(Vec::len), Some(2), "{}", reply.raw());
    even(&stage).await;
    assert!(stage.books.entries()[0].cost.as_nanousd() > 0);
    assert_eq!(stage.last_request()["served_model"], "a/m");
}

#[tokio::test(start_paused = true)]
async fn a_file_is_kept_listed_batched_and_deleted() {
    let stage = Stage::new().await;
    let lines = b"{\"custom_id\":\"1\"}\n{\"custom_id\":\"2\"}\n";
    let upload = post("/v1/files", Value::Null).raw(KIND, form("solo", lines));
    let file = stage.ask(&upload).await.json();
    let id = file["id"].as_str().unwrap_or_else(|| panic!("{file}")).to_owned();
    let path = format!("/v1/files/{id}");
    assert_eq!(stage.ask(&get(&path)).await.json()["bytes"], lines.len());
    let content = stage.ask(&get(format!("{path}/content"))).await;
    assert_eq!(&content.body[..], lines);
    let list = stage.ask(&get("/v1/files?limit=9")).await.json();
    assert_eq!(list["data"][0]["id"], id);
    let body = json!({ "input_file_id": id, "endpoint": "/v1/chat/completions",
        "completion_window": "24h" });
    let batch = stage.ask(&post("/v1/batches", body)).await.json();
    assert_eq!(batch["request_counts"]["total"], 2, "{batch}");
    let delete = Ask { method: Method::DELETE, ..get(&path) };
    assert_eq!(stage.ask(&delete).await.json()["deleted"], true);
    let gone = stage.ask(&get(&path)).await;
    assert_eq!(gone.status, 404);
    assert!(gone.raw().contains(&id), "the provider's own words");
    even(&stage).await;
    assert!(stage.asked("b").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_refusal_passes_through() {
    let stage = Stage::new().await;
    for (fault, status) in [("f13", 429), ("f18", 500), ("f19", 503)] {
        stage.script(vec![Rule::always(fault).at("a")]);
        let body = json!({ "model": "solo", "input": "How heavy?", "voice": "alloy" });
        let reply = stage.ask(&post("/v1/audio/speech", body)).await;
        assert_eq!(reply.status, status, "{}", reply.raw());
        assert!(reply.json()["error"]["message"].is_string());
        stage.quiet().await;
        assert_ne!(stage.books.entries().last().unwrap().kind.name(), "final");
        sleep(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_names_its_model_behind_the_file_is_weighed_by_it() {
    let stage = Stage::new().await;
    let part = |head: &str, content: &str| {
        format!("--scale\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    let decoy = part("name=\"model\"", "cheap").replacen("--scale", "", 1).repeat(2_000);
    let form = |model: &str| {
        let file = part("name=\"file\"; filename=\"model\"", &decoy);
        format!("{file}{}--scale--\r\n", part("name=\"model\"", model))
    };
    let asked = post("/v1/audio/transcriptions", Value::Null).raw(KIND, form("solo"));
    let told = stage.ask(&asked).await.json();
    assert_eq!(told["sim"]["body_hash"], format!("{:016x}", fnv1a(form("m").as_bytes())), "{told}");
    even(&stage).await;
    assert!(stage.books.entries()[0].cost.as_nanousd() > 0);
}

#[tokio::test(start_paused = true)]
async fn what_costs_and_names_no_model_is_not_passed_through() {
    let stage = Stage::new().await;
    let nameless = form("solo", b"x").to_vec();
    let nameless = String::from_utf8(nameless).unwrap().replace("\"model\"", "\"modes\"");
    for (path, kind, body) in [
        ("/v1/audio/speech", "application/json", json!({ "input": "How heavy?" }).to_string()),
        ("/v1/audio/speech", "text/plain", json!({ "input": "How heavy?" }).to_string()),
        ("/v1/audio/speech", "text/plain", "How heavy?".to_owned()),
        ("/v1/audio/transcriptions", KIND, nameless),
        ("/v1/images/generations", "text/json", String::new()),
    ] {
        let reply = stage.ask(&post(path, Value::Null).raw(kind, body)).await;
        assert_eq!(reply.status, 400, "{path} {kind} {}", reply.raw());
    }
    let zipped = post("/v1/files", Value::Null).raw(KIND, form("solo", b"x"));
    assert_eq!(stage.ask(&zipped.header("content-encoding", "gzip")).await.status, 415);
    assert_eq!(stage.counts(), (0, 0));
    let named = json!({ "model": "solo", "input": "How heavy?" }).to_string();
    let named = post("/v1/audio/speech", Value::Null).raw("text/plain", named);
    assert_eq!(stage.ask(&named).await.status, 200);
    stage.quiet().await;
    assert!(stage.books.entries()[0].cost.as_nanousd() > 0, "its text is counted at least");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_only_the_named_provider_knows_goes_there() {
    let body = json!({ "model": "tts-9", "input": "How heavy?", "voice": "alloy" });
    let ask = post("/v1/audio/speech", body);
    let stage = Stage::new().await;
    assert_eq!(stage.ask(&ask).await.status, 404);
    assert_eq!(stage.counts(), (0, 0));
    let setup = Setup { top: "passthrough: b".to_owned(), ..Setup::default() };
    let stage = setup.start().await;
    let reply = stage.ask(&ask).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    assert_eq!(stage.asked("b").pop().unwrap().model, "tts-9");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_in_the_path_is_the_model_of_what_is_passed_through() {
    let stage = Stage::new().await;
    let path = "/openai/deployments/solo/audio/speech?api-version=2024-10-21";
    let reply = stage.ask(&post(path, json!({ "input": "How heavy?" }))).await;
    assert_eq!(reply.status, 200, "{}", reply.raw());
    assert_eq!(stage.asked("a").pop().unwrap().model, "m");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn our_own_refused_credential_is_not_shown_to_the_client() {
    let stage = Stage::with_fault("f17").await;
    let body = json!({ "model": "solo", "input": "How heavy?", "voice": "alloy" });
    let reply = stage.ask(&post("/v1/audio/speech", body)).await;
    assert_eq!((reply.status, reply.error().2.as_str()), (502, "upstream_auth_failed"));
    assert!(!reply.raw().contains("Incorrect API key"), "{}", reply.raw());
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_breaks_off_for_the_client() {
    let stage = Stage::with_fault("f22").await;
    let body = json!({ "model": "solo", "input": "How heavy is it? ".repeat(100) });
    let reply = stage.ask(&post("/v1/audio/speech", body)).await;
    assert_eq!(reply.status, 200);
    assert!(reply.broken && !reply.body.is_empty(), "{} bytes", reply.body.len());
    stage.quiet().await;
    assert_eq!(stage.books.entries()[0].kind.name(), "interrupted");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_body_is_booked_as_answered() {
    let stage = Stage::new().await;
    let head = Ask { method: Method::HEAD, ..get("/v1/files") };
    let reply = stage.ask(&head).await;
    assert!(reply.body.is_empty());
    stage.quiet().await;
    assert_ne!(stage.last_request()["outcome"], "client_gone");
}

#[tokio::test(start_paused = true)]
async fn without_a_provider_for_it_the_client_is_told() {
    let dialect_b = "gemini";
    let stage = Setup { dialect_b, ..Setup::dialect("anthropic_messages") }.start().await;
    let reply = stage.ask(&get("/v1/files")).await;
    assert_eq!((reply.status, reply.error().2.as_str()), (404, "unknown_path"));
    assert!(reply.error_message().contains("passthrough"), "{}", reply.raw());
    let body = json!({ "model": "solo", "input": "How heavy?", "voice": "alloy" });
    let reply = stage.ask(&post("/v1/audio/speech", body)).await;
    assert_eq!(reply.status, 400, "{}", reply.raw());
    assert_eq!(stage.counts(), (0, 0));
    stage.quiet().await;
}

/// The head of an upload of this many bytes, and its first part.
fn beginning(length: usize) -> (Bytes, Bytes) {
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: g\r\ncontent-type: {KIND}\r\n\
         content-length: {length}\r\n\r\n"
    );
    (Bytes::from(head), Bytes::from(form("solo", b"")))
}

#[tokio::test(start_paused = true)]
async fn an_upload_flows_on_while_it_still_comes_and_stops_when_the_client_leaves() {
    const WHOLE: usize = 64 << 20;
    let stage = Stage::new().await;
    let mut end = stage.dial();
    let (head, form) = beginning(WHOLE);
    end.write_all(&head).await.unwrap();
    end.write_all(&form[..form.len() - 15]).await.unwrap();
    let piece = vec![7; 1 << 20];
    for sent in 1..=16_u64 {
        end.write_all(&piece).await.unwrap();
        sleep(Duration::from_millis(20)).await;
        let received = stage.sim.received_bytes();
        // The rest is in pipes and in hand: some of 64 KiB each.
        assert!(received + (1 << 20) > sent << 20, "{received} of {sent} MiB");
    }
    assert!(stage.asked("a").is_empty(), "the request is not whole yet");
    drop(end);
    stage.quiet().await;
    assert_eq!(stage.sim.open_connections(), 0, "its connection cannot be used again");
}
