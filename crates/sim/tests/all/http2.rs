//! The same simulator over HTTP/2, and F47.

use bytes::Bytes;
use h2::{Reason, client};
use serde_json::Value;
use sim::Dialect;
use sim::memory::pipe;

use crate::client::{key_header, path, provider, question};

struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// Sends questions on one connection, one after the other.
async fn ask(models: &[&str]) -> Vec<Result<Answer, h2::Error>> {
    let (near, far) = pipe();
    let provider = provider();
    tokio::spawn(async move { provider.serve_link(far).await });
    let (mut sender, connection) = client::handshake(near).await.unwrap();
    tokio::spawn(connection);
    let mut answers = Vec::new();
    for model in models {
        answers.push(one(&mut sender, model).await);
    }
    answers
}

async fn one(sender: &mut client::SendRequest<Bytes>, model: &str) -> Result<Answer, h2::Error> {
    let (name, value) = key_header(Dialect::OpenAi).trim().split_once(": ").unwrap();
    let request = http::Request::post(format!("http://sim{}", path(Dialect::OpenAi, model, true)))
        .header(name, value)
        .body(())
        .unwrap();
    futures_ready(sender).await?;
    let (response, mut stream) = sender.send_request(request, false)?;
    let body = question(Dialect::OpenAi, model, true).to_string();
    stream.send_data(body.into(), true)?;
    let response = response.await?;
    let status = response.status().as_u16();
    let mut data = response.into_body();
    let mut body = Vec::new();
    while let Some(part) = data.data().await {
        let part = part?;
        data.flow_control().release_capacity(part.len())?;
        body.extend_from_slice(&part);
    }
    Ok(Answer { status, body })
}

async fn futures_ready(sender: &mut client::SendRequest<Bytes>) -> Result<(), h2::Error> {
    std::future::poll_fn(|cx| sender.poll_ready(cx)).await
}

#[tokio::test(start_paused = true)]
async fn streams_are_answered_and_cut_streams_are_reset() {
    let answers = ask(&["m", "m-fault-f13", "m-fault-f21", "m"]).await;
    let [whole, limited, cut, again] = answers.as_slice() else { panic!("four answers") };
    let whole = whole.as_ref().unwrap();
    assert!(whole.status == 200 && whole.body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(limited.as_ref().unwrap().status, 429);
    let reason = cut.as_ref().err().and_then(h2::Error::reason);
    assert_eq!(reason, Some(Reason::INTERNAL_ERROR));
    let last = String::from_utf8(again.as_ref().unwrap().body.clone()).unwrap();
    let first: Value =
        serde_json::from_str(last.lines().next().unwrap().get(6..).unwrap()).unwrap();
    assert_eq!(first["object"], "chat.completion.chunk");
}

#[tokio::test(start_paused = true)]
async fn f47_refuses_or_breaks_the_stream() {
    for (fault, reason) in [
        ("m-fault-f47-refused", Reason::REFUSED_STREAM),
        ("m-fault-f47-internal", Reason::INTERNAL_ERROR),
    ] {
        let answers = ask(&[fault]).await;
        let error = answers[0].as_ref().err().unwrap();
        assert_eq!(error.reason(), Some(reason), "{error}");
        assert!(error.is_reset() && error.is_remote());
    }
}

#[tokio::test(start_paused = true)]
async fn f47_goes_away_before_the_stream_and_after_earlier_ones() {
    let answers = ask(&["m", "m-fault-f47-goaway", "m"]).await;
    assert_eq!(answers[0].as_ref().unwrap().status, 200);
    let error = answers[1].as_ref().err().unwrap();
    assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    assert_eq!(error.reason(), Some(Reason::NO_ERROR));
    assert!(answers[2].is_err());
}
