//! What a refusal leaves behind: the answer arrives whole, and the connection is usable or says
//! that it is not.

use std::time::Duration;

use sim::memory::End;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::harness::Stage;

/// Reads one answer with a stated length; "" when the connection ended instead.
async fn answer(end: &mut End) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| body.len() >= length.parse().unwrap()) {
                return text;
            }
        }
        let more = timeout(Duration::from_secs(60), end.read_buf(&mut read)).await;
        if more.expect("an answer within a minute").unwrap_or(0) == 0 {
            return String::new();
        }
    }
}

/// The heads of requests that are refused before their body is wanted, with the status.
const REFUSED: &[(&str, &str)] = &[
    ("POST /v1/nowhere HTTP/1.1\r\nhost: x\r\n", "404"),
    ("PUT /v1/chat/completions HTTP/1.1\r\nhost: x\r\n", "405"),
    ("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\n", "415"),
];

#[tokio::test(start_paused = true)]
async fn a_refused_request_leaves_its_connection_usable() {
    let stage = Stage::new().await;
    for (head, status) in REFUSED {
        let mut end = stage.dial();
        for turn in 0..3 {
            let head = format!("{head}content-length: 100000\r\n\r\n");
            end.write_all(head.as_bytes()).await.unwrap();
            // The body comes later, as clients send it in a segment of its own.
            sleep(Duration::from_millis(50)).await;
            end.write_all(&[b'x'; 100_000]).await.unwrap();
            let answer = answer(&mut end).await;
            assert!(answer.starts_with(&format!("http/1.1 {status}")), "{turn}: {answer}");
            assert!(!answer.contains("connection: close"), "{answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_closes_the_connection_after_the_answer() {
    let stage = Stage::new().await;
    for (head, status) in REFUSED {
        let mut end = stage.dial();
        let head = format!("{head}content-length: 100000\r\n\r\nhalf");
        end.write_all(head.as_bytes()).await.unwrap();
        let said = answer(&mut end).await;
        assert!(said.starts_with(&format!("http/1.1 {status}")), "{said}");
        assert!(said.contains("connection: close"), "{said}");
        assert_eq!(answer(&mut end).await, "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_permission_is_refused_without_it() {
    let stage = Stage::new().await;
    for (head, status) in REFUSED {
        let mut end = stage.dial();
        let head = format!("{head}expect: 100-continue\r\ncontent-length: 100000\r\n\r\n");
        end.write_all(head.as_bytes()).await.unwrap();
        let said = answer(&mut end).await;
        assert!(said.starts_with(&format!("http/1.1 {status}")), "{said}");
    }
}
