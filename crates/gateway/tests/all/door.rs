//! Bad input at the door: each has its answer in OpenAI's error shape, never a 5xx, never a hang.

use std::time::Duration;

use route::{Chance as _, SplitMix64};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::harness::{Setup, Stage};

const GOOD: &str = r#"{"model":"solo","messages":[{"role":"user","content":"How heavy?"}]}"#;

/// What came back before the gateway closed or fell silent.
struct Said {
    status: u16,
    head: String,
    body: String,
}

impl Said {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value)
    }

    fn error(&self) -> Value {
        let whole: Value = serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.head, self.body));
        let error = whole["error"].clone();
        for key in ["message", "type", "param", "code"] {
            assert!(error.get(key).is_some(), "{key} is missing: {}", self.body);
        }
        assert!(self.header("x-request-id").starts_with("req_"), "{}", self.head);
        error
    }
}

/// Sends raw bytes on a fresh connection and reads one answer.
async fn say(stage: &Stage, bytes: &[u8]) -> Said {
    let mut end = stage.dial();
    // A refusal may come, and the connection be closed, before all was written.
    let _ = end.write_all(bytes).await;
    let said = timeout(Duration::from_secs(60), answer(&mut end)).await;
    said.expect("an answer within a minute")
}

async fn answer(end: &mut sim::memory::End) -> Said {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = length.is_some_and(|length| body.len() >= length.parse().unwrap());
            if whole || lower.contains("transfer-encoding") && body.ends_with("0\r\n\r\n") {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return Said { status, head: head.to_owned(), body: body.to_owned() };
            }
        }
        assert!(end.read_buf(&mut read).await.unwrap() > 0, "closed after {text:?}");
    }
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

async fn refused(stage: &Stage, request: &[u8], status: u16, code: &str) -> Said {
    let said = say(stage, request).await;
    let error = said.error();
    assert_eq!((said.status, &error["code"]), (status, &code.into()), "{}", said.body);
    said
}

/// One connection, one bad body, one code.
#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_request_is_told_why() {
    let deep = format!("{{\"model\":\"solo\",\"x\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    let bottomless = format!("{{\"x\":{}", "[".repeat(1 << 20));
    let many: String = (0..5_000).map(|n| format!("\"k{n}\":0,")).collect();
    let rows = [
        ("{\n  \"model\": nope }", "invalid_json", "line 2"),
        ("{\"model\":\"solo\"", "invalid_json", "line 1"),
        ("", "invalid_json", ""),
        ("[1]", "invalid_json", ""),
        ("\"text\"", "invalid_json", ""),
        ("{\"model\":\"solo\"} {}", "invalid_json", ""),
        ("{\"model\":\"solo\",\"model\":\"pair\",\"messages\":[]}", "duplicate_key", "model"),
        (deep.as_str(), "json_too_deep", ""),
        (bottomless.as_str(), "json_too_deep", ""),
        ("{\"model\":7,\"messages\":[]}", "invalid_request", "model"),
        ("{\"model\":\"solo\",\"stream\":\"yes\",\"messages\":[]}", "invalid_request", "stream"),
        ("{\"messages\":[]}", "invalid_request", "model"),
        ("{\"model\":\"\",\"messages\":[]}", "invalid_request", "model"),
    ];
    let stage = Stage::new().await;
    for (body, code, hint) in rows {
        println!("{}", &body[..body.len().min(80)]);
        let said = refused(&stage, &post("", body), 400, code).await;
        let error = said.error();
        assert_eq!(error["type"], "invalid_request_error");
        let told = format!("{} {}", error["message"], error["param"]);
        assert!(told.contains(hint), "{hint}: {told}");
        assert_eq!(stage.last_request()["code"], code);
    }
    let said =
        say(&stage, &post("", &format!("{{{many}\"model\":\"solo\",\"messages\":[]}}"))).await;
    assert!(said.status < 500);
    assert_eq!(stage.counts(), (0, 0), "nothing went upstream");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_place_of_a_mistake_is_named_by_line_and_column() {
    let stage = Stage::new().await;
    let said = refused(&stage, &post("", "{\n\n   oops}"), 400, "invalid_json").await;
    let message = said.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("line 3") && message.contains("column 4"), "{message}");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_bound_is_refused_announced_or_not() {
    let stage =
        Setup { top: "server: { max_body: 10KiB }".into(), ..Setup::default() }.start().await;
    let announced =
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 99999999\r\n\r\n";
    refused(&stage, announced, 413, "request_too_large").await;
    let mut chunked =
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b' '; 0x400]);
        chunked.extend_from_slice(b"\r\n");
    }
    refused(&stage, &chunked, 413, "request_too_large").await;
    let fits = format!("{GOOD}{}", " ".repeat(10 * 1024 - GOOD.len()));
    assert_eq!(say(&stage, &post("", &fits)).await.status, 200);
    refused(&stage, &post("", &format!("{fits} ")), 413, "request_too_large").await;
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_is_refused_and_identity_is_not() {
    let stage = Stage::new().await;
    for coding in ["gzip", "br", "zstd", "gzip, identity"] {
        let request = post(&format!("content-encoding: {coding}\r\n"), GOOD);
        refused(&stage, &request, 415, "unsupported_encoding").await;
    }
    for coding in ["identity", "Identity"] {
        let request = post(&format!("content-encoding: {coding}\r\n"), GOOD);
        assert_eq!(say(&stage, &request).await.status, 200, "{coding}");
    }
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_and_wrong_methods_are_told_apart() {
    let stage = Stage::new().await;
    let get = |method: &str, path: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n").into_bytes()
    };
    for path in [
        "/",
        "/v1",
        "/v1/chat/completion",
        "/v3/chat/completions",
        "/v1/chat/completions/",
        "/../etc/passwd",
        "/v1/models/",
    ] {
        refused(&stage, &get("POST", path), 404, "unknown_path").await;
    }
    for (method, path, allowed) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET"),
    ] {
        let said = refused(&stage, &get(method, path), 405, "method_not_allowed").await;
        assert_eq!(said.header("allow"), allowed);
    }
    refused(&stage, &get("GET", "/v1/models/nobody"), 404, "model_not_found").await;
    assert_eq!(say(&stage, &get("GET", "/v1/models/b%2Fm")).await.status, 200);
    assert_eq!(say(&stage, &get("GET", "/v1/models?limit=3")).await.status, 200);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_required_in_any_of_four_headers_before_the_body_is_read() {
    let auth = "{ keys: [{ name: me, key: \"wb_right\" }] }";
    let stage = Setup { auth, ..Setup::default() }.start().await;
    let wrong = [
        "",
        "authorization: Bearer wb_wrong\r\n",
        "authorization: Bearer wb_righ\r\n",
        "authorization: Basic wb_right\r\n",
        "authorization: Bearer \r\n",
        "x-api-key: \r\n",
        "api-key: wb_rightt\r\n",
    ];
    for headers in wrong {
        let said = refused(&stage, &post(headers, GOOD), 401, "invalid_api_key").await;
        assert_eq!(said.error()["type"], "authentication_error");
        assert!(!said.body.contains("wb_right"));
    }
    for header in [
        "authorization: Bearer",
        "Authorization: bearer",
        "x-api-key:",
        "x-goog-api-key:",
        "api-key:",
    ] {
        let said = say(&stage, &post(&format!("{header} wb_right\r\n"), GOOD)).await;
        assert_eq!(said.status, 200, "{header}: {}", said.body);
    }
    let in_query = GOOD.len();
    let request = format!(
        "POST /v1/chat/completions?key=wb_right HTTP/1.1\r\nhost: g\r\ncontent-length: {in_query}\r\n\r\n{GOOD}"
    );
    refused(&stage, request.as_bytes(), 401, "invalid_api_key").await;
    let unread =
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 5000000\r\n\r\n";
    refused(&stage, unread, 401, "invalid_api_key").await;
    let models = b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n";
    refused(&stage, models, 401, "invalid_api_key").await;
    assert_eq!(stage.last_request()["key"], "unknown");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_is_answered_with_near_names() {
    let stage = Stage::new().await;
    let body = GOOD.replace("solo", "sole");
    let said = refused(&stage, &post("", &body), 404, "model_not_found").await;
    let error = said.error();
    assert_eq!(error["param"], "model");
    assert!(error["message"].as_str().unwrap().contains("solo"), "{error}");
    let strange = GOOD.replace("solo", "\\u0000\\r\\nx-evil: 1");
    let said = refused(&stage, &post("", &strange), 404, "model_not_found").await;
    assert_eq!(said.header("x-evil"), "");
    let long = GOOD.replace("solo", &"m".repeat(100_000));
    let said = refused(&stage, &post("", &long), 404, "model_not_found").await;
    assert!(said.body.len() < 2_000 && said.head.len() < 2_000);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let stage = Stage::new().await;
    let started = Instant::now();
    let request = post("", GOOD);
    let half = &request[..request.len() - 10];
    let said = refused(&stage, half, 408, "request_body_timeout").await;
    assert_eq!(said.header("connection"), "close");
    assert_eq!(started.elapsed().as_secs(), 10);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_by_the_drop_does_not_hold_its_place_for_ever() {
    let stage = Stage::new().await;
    let mut end = stage.dial();
    end.write_all(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 1000000\r\n\r\n",
    )
    .await
    .unwrap();
    let started = Instant::now();
    let (mut read, mut write) = tokio::io::split(end);
    let drip = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(9)).await;
        }
    });
    let mut said = Vec::new();
    timeout(Duration::from_secs(3_600), read.read_buf(&mut said)).await.unwrap().unwrap();
    let text = String::from_utf8(said).unwrap();
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(started.elapsed() <= Duration::from_secs(601), "{:?}", started.elapsed());
    drip.abort();
    let _ = drip.await;
    drop(read);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_within_its_body_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let mut end = stage.dial();
    let request = post("", GOOD);
    end.write_all(&request[..request.len() - 10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(end);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_or_too_slow_is_not_waited_for() {
    let stage = Stage::new().await;
    let head =
        format!("GET /v1/models HTTP/1.1\r\nhost: g\r\nx-big: {}\r\n\r\n", "x".repeat(100 << 10));
    let said = say(&stage, head.as_bytes()).await;
    assert_eq!(said.status, 431);
    let many: String = (0..500).map(|n| format!("x-{n}: 1\r\n")).collect();
    let said =
        say(&stage, format!("GET /v1/models HTTP/1.1\r\nhost: g\r\n{many}\r\n").as_bytes()).await;
    assert_eq!(said.status, 431);
    let mut end = stage.dial();
    end.write_all(b"POST /v1/chat/comp").await.unwrap();
    let started = Instant::now();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(60), end.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(started.elapsed().as_secs(), 10);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn garbage_is_refused_alone_and_behind_a_good_request() {
    let stage = Stage::new().await;
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls hello\r\n\r\n"[..], b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nxxxxxx", b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: -1\r\n\r\n"] {
        let said = say(&stage, garbage).await;
        assert_eq!(said.status, 400, "{}", String::from_utf8_lossy(garbage));
    }
    let mut end = stage.dial();
    let request = [post("", GOOD), b"\x00\x01garbage\r\n\r\n".to_vec()].concat();
    end.write_all(&request).await.unwrap();
    let mut all = Vec::new();
    timeout(Duration::from_secs(60), end.read_to_end(&mut all)).await.unwrap().unwrap();
    let text = String::from_utf8(all).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert_eq!(text.matches("HTTP/1.1 400 ").count(), 1, "{text}");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_to_be_asked_is_asked_only_when_it_is_welcome() {
    let auth = "{ keys: [{ name: me, key: \"wb_right\" }] }";
    let stage = Setup { auth, ..Setup::default() }.start().await;
    let head = |key: &str| {
        let length = GOOD.len();
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\n\
             authorization: Bearer {key}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let said = refused(&stage, head("wb_wrong").as_bytes(), 401, "invalid_api_key").await;
    assert_eq!(said.header("connection"), "close");
    let mut end = stage.dial();
    end.write_all(head("wb_right").as_bytes()).await.unwrap();
    let mut asked = Vec::new();
    end.read_buf(&mut asked).await.unwrap();
    assert_eq!(String::from_utf8(asked).unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    end.write_all(GOOD.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut end).await.status, 200);
    drop(end);
    stage.quiet().await;
}

/// Bodies that are nearly right: bytes of a good one changed, taken out, doubled, by seed.
fn nearly_right(seed: u64) -> Vec<u8> {
    let mut chance = SplitMix64::new(seed);
    let streamed = GOOD.replacen('{', "{\"stream\":true,\"n\":1,\"temperature\":0.5,", 1);
    let mut body = streamed.into_bytes();
    for _ in 0..=chance.below(3) {
        let at = chance.below(body.len() as u64) as usize;
        let upto = (at + chance.below(12) as usize).min(body.len());
        match chance.below(4) {
            0 => body[at] = chance.below(256) as u8,
            1 => drop(body.drain(at..upto)),
            2 => body.extend_from_within(at..upto),
            _ => body.insert(at, b"{}[]\",:0\\"[chance.below(9) as usize]),
        }
    }
    body
}

#[tokio::test(start_paused = true)]
async fn no_body_whatever_is_our_own_mistake() {
    let stage = Stage::new().await;
    let mut answered = 0;
    for seed in 0..1_500 {
        let body = nearly_right(seed);
        let length = body.len();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {length}\r\n\r\n"
        );
        let said = say(&stage, &[head.into_bytes(), body.clone()].concat()).await;
        let shown = String::from_utf8_lossy(&body);
        assert!(said.status < 500, "{shown}: {}", said.body);
        if said.status == 200 {
            answered += 1;
        } else {
            said.error();
        }
    }
    assert!(answered > 50, "{answered} were still right");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn requests_on_one_connection_are_answered_in_order() {
    let stage = Stage::new().await;
    let mut end = stage.dial();
    let bad = post("", "{");
    let last = post("connection: close\r\n", GOOD);
    end.write_all(&[post("", GOOD), bad, last].concat()).await.unwrap();
    let mut all = Vec::new();
    timeout(Duration::from_secs(60), end.read_to_end(&mut all)).await.unwrap().unwrap();
    let text = String::from_utf8(all).unwrap();
    let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).collect();
    assert_eq!(statuses, ["200", "400", "200"]);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_is_told_to_come_back() {
    let top = "server: { max_connections: 2 }".into();
    let stage = Setup { top, ..Setup::default() }.start().await;
    let held = [stage.dial(), stage.dial()];
    tokio::time::sleep(Duration::from_millis(1)).await;
    let said = refused(&stage, &post("", GOOD), 503, "overloaded").await;
    assert_eq!((said.header("retry-after"), said.header("retry-after-ms")), ("1", "500"));
    drop(held);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(say(&stage, &post("", GOOD)).await.status, 200);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_clients_own_timeout_is_read_and_kept() {
    let stage = Stage::with_fault("f08").await;
    for wrong in ["soon", "-1s", "0s", "1e9h", "", "5", "99999999999999999999s"] {
        let request = post(&format!("x-weighbridge-timeout: {wrong}\r\n"), GOOD);
        let said = refused(&stage, &request, 400, "invalid_request").await;
        assert_eq!(said.error()["param"], "x-weighbridge-timeout");
    }
    assert_eq!(stage.counts(), (0, 0));
    let started = Instant::now();
    let said = say(&stage, &post("x-weighbridge-timeout: 1500ms\r\n", GOOD)).await;
    assert_eq!((said.status, &said.error()["code"]), (504, &"request_timeout".into()));
    assert_eq!(started.elapsed().as_millis(), 1_500);
    stage.quiet().await;
}
