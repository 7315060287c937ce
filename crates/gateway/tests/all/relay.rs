//! The same dialect in and out: what the client gets is what the provider sent, to the byte.
//!
//! The simulator's journal holds a hash of the body bytes it sent. Declared patches are the one
//! comment with the cost before the end mark and, when the client did not ask for usage, the
//! missing usage event.

use bytes::Bytes;
use serde_json::json;
use sim::fnv1a;

use crate::harness::{Ask, Place, Reply, Setup, Stage, ask};

/// The client's bytes without our comment, of which there is one.
#[track_caller]
fn without_comment(reply: &Reply) -> Vec<u8> {
    let text = std::str::from_utf8(&reply.body).unwrap();
    let start = text.find(": weighbridge ").unwrap();
    let end = start + text[start..].find("\n\n").unwrap() + 2;
    assert!(!text[end..].contains(": weighbridge "));
    assert!(text[end..].contains("[DONE]"), "it stands before the end mark: {text}");
    [&text[..start], &text[end..]].concat().into_bytes()
}

fn with_usage(model: &str) -> Ask {
    ask(model).streamed(true).with("stream_options", json!({ "include_usage": true }))
}

#[track_caller]
fn assert_same_bytes(stage: &Stage, reply: &Reply) {
    let sent = stage.asked("a").pop().unwrap();
    let got = without_comment(reply);
    assert_eq!(got.len() as u64, sent.bytes_sent, "{}", reply.raw());
    assert_eq!(fnv1a(&got), sent.sent_hash, "{}", reply.raw());
}

/// Rows of model names by which the simulator plays something.
fn models() -> Setup {
    let row = "{ input: $1, output: $2, context: 100000, max_output: 4096 }";
    let names = ["m-fault-f27", "m-fault-f28", "m-utf8", "m-think", "m-cache", "m-tokens-900"];
    let models = names.map(|name| format!("{name}: {row}")).join(", ");
    Setup { models, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_stream_is_relayed_to_the_byte() {
    let stage = models().start().await;
    let tool = json!([{ "type": "function", "function": { "name": "weigh", "parameters": {
        "type": "object", "properties": { "axles": { "type": "integer" } } } } }]);
    let kinds = ["m", "m-fault-f27", "m-fault-f28", "m-utf8", "m-think", "m-cache", "m-tokens-900"];
    for kind in kinds {
        for question in ["short", "What weighs more, the river or the bridge?", "größer 東京 🌉"]
        {
            let messages = json!([{ "role": "user", "content": question }]);
            let plain = with_usage(&format!("a/{kind}")).with("messages", messages);
            for ask in [
                plain.clone(),
                plain.clone().with("n", json!(2)),
                plain.with("tools", tool.clone()),
            ] {
                println!("{kind} {}", ask.body);
                let reply = stage.ask(&ask).await;
                assert_eq!(reply.status, 200, "{}", reply.raw());
                assert_same_bytes(&stage, &reply);
            }
        }
    }
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn usage_that_was_not_asked_for_is_the_only_event_left_out() {
    let stage = Stage::new().await;
    let asked = stage.ask(&with_usage("solo")).await;
    let reply = stage.ask(&ask("solo").streamed(true)).await;
    assert_eq!(reply.events().len() + 1, asked.events().len());
    assert!(reply.chunks().iter().all(|chunk| chunk["usage"].is_null()));
    let sent = stage.asked("a").pop().unwrap().bytes_sent;
    assert!((without_comment(&reply).len() as u64) < sent, "the provider was asked for usage");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_out_where_the_provider_is_not_asked_for_usage() {
    let keys_a = "quirks: { no_stream_options: true }".to_owned();
    let stage = Setup { keys_a, ..Setup::default() }.start().await;
    let reply = stage.ask(&ask("solo").streamed(true)).await;
    assert_same_bytes(&stage, &reply);
    stage.quiet().await;
}

/// A provider that sends exactly these pieces, closing at the end.
fn saying(pieces: Vec<Bytes>) -> Setup {
    let place_a = Some(Place::Raw(pieces.into()));
    Setup { place_a, ..Setup::default() }
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// Events with fields that nobody has heard of, numbers that no float holds, odd spacing.
const STRANGE: &str = concat!(
    ": a comment of theirs\n\n",
    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"q\",",
    "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}],\"x_new\":{\"deep\":[1,{}]}}\n\n",
    "event: ping\nid: 7\nretry: 10\n\n",
    "data:  {\"id\":\"x\", \"choices\":[ {\"delta\":{\"content\":\"Gr\u{fc}\u{df}e\",\"mood\":\"\\u263a\"},\"index\":0} ],\"big\":123456789012345678901234567890.50}\r\n\r\n",
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"logits\":null}]}\n\n",
    "data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"joules\":0.1}}\n\n",
    "data: [DONE]\n\n",
);

#[tokio::test(start_paused = true)]
async fn unknown_fields_survive_any_split() {
    let whole = [HEAD, STRANGE].concat().into_bytes();
    for size in [1, 2, 3, 5, 7, 16, 61, 4096] {
        let pieces = whole.chunks(size).map(Bytes::copy_from_slice).collect();
        let stage = saying(pieces).start().await;
        let reply = stage.ask(&with_usage("solo")).await;
        assert_eq!(String::from_utf8(without_comment(&reply)).unwrap(), STRANGE, "by {size}");
        assert_eq!(stage.last_request()["output_tokens"], 2);
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_event_without_its_blank_line_does_not_swallow_what_follows() {
    let stop = STRANGE.find("\n\ndata: {\"id\":\"x\",\"choices\":[],").unwrap();
    let finished = &STRANGE[..stop];
    let stage = saying(vec![Bytes::from([HEAD, finished].concat())]).start().await;
    let reply = stage.ask(&with_usage("solo")).await;
    reply.assert_complete();
    assert!(reply.raw().starts_with(finished));
    stage.quiet().await;

    let role = STRANGE.find("\r\n\r\n").unwrap();
    let cut = &STRANGE[..role];
    let stage = saying(vec![Bytes::from([HEAD, cut].concat())]).start().await;
    let reply = stage.ask(&with_usage("solo")).await;
    assert_eq!(reply.in_band_error(), "stream_interrupted", "{}", reply.raw());
    assert_eq!(reply.text(), "Gr\u{fc}\u{df}e");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_reservation_covers_every_alternative() {
    let stage = Stage::new().await;
    for n in [1, 3] {
        let asked = ask("solo").with("n", json!(n)).with("max_tokens", json!(200));
        assert_eq!(stage.ask(&asked).await.status, 200);
    }
    stage.quiet().await;
    let bounds: Vec<i64> = stage.books.entries().iter().map(|e| e.bound.as_nanousd()).collect();
    assert_eq!(bounds[1] - bounds[0], 2 * 200 * 2_000, "at $2 a million");
}

#[tokio::test(start_paused = true)]
async fn fields_that_nobody_knows_reach_the_provider_untouched() {
    let stage = Stage::new().await;
    let plain = ask("solo").with("x_mood", json!({ "warm": [1, null] }));
    stage.ask(&plain).await.assert_complete();
    // The gateway changes the model's name and asks for a stream with usage; the rest is as it was.
    let short = stage.asked("a").pop().unwrap().body_bytes;
    let more = plain.with("y", json!("0123456789"));
    stage.ask(&more).await.assert_complete();
    let long = stage.asked("a").pop().unwrap().body_bytes;
    assert_eq!(long - short, ",\"y\":\"0123456789\"".len() as u64);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_unstreamed_answer_is_what_the_provider_says_unstreamed() {
    let stage = Setup { group: "upstream_stream: never".into(), ..Setup::default() }.start().await;
    let reply = stage.ask(&ask("solo")).await;
    let sent = stage.asked("a").pop().unwrap();
    assert!(!sent.stream);
    assert_eq!(fnv1a(&reply.body), sent.sent_hash);
    stage.quiet().await;
}
