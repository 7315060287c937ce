//! Faults inside a stream.

use std::time::Duration;

use sim::Dialect;

use crate::client::{End, asked, plain, provider, send, stream};

const ALL: [Dialect; 3] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini];

/// Tokens of a streamed OpenAI answer.
fn tokens(seen: &crate::client::Seen) -> usize {
    let content = |event: &&serde_json::Value| {
        event["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty())
    };
    seen.events().iter().filter(content).count()
}

#[tokio::test(start_paused = true)]
async fn f11_pings_for_six_seconds_and_f12_is_late() {
    let seen = stream(&provider(), "m-fault-f11").await;
    assert_eq!((seen.took, seen.end), (Duration::from_secs(6), End::Complete));
    assert_eq!(seen.first_byte, Some(Duration::ZERO));
    assert_eq!(seen.body_text().matches(": keep-alive").count(), 6);
    let seen = send(&provider(), &asked(Dialect::Anthropic, "m-fault-f11", true)).await;
    assert_eq!(seen.body_text().matches("event: ping").count(), 7);
    let seen = stream(&provider(), "m-fault-f12").await;
    assert_eq!((seen.took, tokens(&seen)), (Duration::from_millis(4_900), 60));
    let seen = stream(&provider(), "m-fault-f12:100ms").await;
    assert_eq!(seen.took, Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn f21_to_f23_end_a_stream_in_its_middle() {
    for (fault, count, end) in [
        ("f21", 40, End::Eof),
        ("f22", 40, End::Reset),
        ("f23", 20, End::Left),
        ("f21:7", 7, End::Eof),
    ] {
        let seen = stream(&provider(), &format!("m-fault-{fault}")).await;
        assert_eq!((tokens(&seen), seen.end), (count, end), "{fault}");
        assert!(!seen.is_done());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_begins_as_the_whole_one() {
    for dialect in Dialect::ALL {
        let whole = send(&provider(), &asked(dialect, "m", true)).await.text();
        let cut = send(&provider(), &asked(dialect, "m-fault-f21", true)).await.text();
        assert!(whole.starts_with(&cut) && cut.len() > whole.len() / 2, "{dialect:?} {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn unstreamed_answers_are_cut_in_their_middle() {
    let seen = plain(&provider(), "m-fault-f21").await;
    assert_eq!((seen.status, seen.end), (200, End::Eof));
    assert!(!seen.body.is_empty() && seen.json().is_null());
}

#[tokio::test(start_paused = true)]
async fn f24_ends_after_the_role() {
    let seen = stream(&provider(), "m-fault-f24").await;
    assert_eq!((seen.events().len(), seen.end), (1, End::Eof));
    assert_eq!(seen.events()[0]["choices"][0]["delta"]["role"], "assistant");
}

#[tokio::test(start_paused = true)]
async fn f25_speaks_of_an_error_first_or_later() {
    for dialect in ALL {
        let first = send(&provider(), &asked(dialect, "m-fault-f25", true)).await;
        assert_eq!(first.events().len(), 1, "{dialect:?}");
        assert!(first.events()[0]["error"]["message"].is_string());
        let later = send(&provider(), &asked(dialect, "m-fault-f25-after", true)).await;
        assert!(later.events().len() > 20);
        assert!(later.events().last().unwrap()["error"]["message"].is_string());
        assert_eq!(later.end, End::Complete);
    }
    let limited = stream(&provider(), "m-fault-f25-first:429").await;
    assert_eq!(limited.events()[0]["error"]["type"], "rate_limit_error");
}

#[tokio::test(start_paused = true)]
async fn f26_has_one_event_that_is_not_json() {
    let seen = stream(&provider(), "m-fault-f26").await;
    assert_eq!(tokens(&seen), 60);
    assert_eq!(seen.data().len(), seen.events().len() + 2, "the bad one and [DONE]");
}

#[tokio::test(start_paused = true)]
async fn f27_comes_byte_by_byte_with_wide_characters() {
    let seen = stream(&provider(), "m-fault-f27").await;
    assert!(seen.text().chars().any(|c| c.len_utf8() == 4));
    assert_eq!(seen.text(), stream(&provider(), "m-utf8").await.text());
    assert!(seen.reads.len() > seen.body.len() / 2, "{} reads", seen.reads.len());
}

/// A reader after the WHATWG text: any line end, BOM, comments, fields with or without a space,
/// several data lines.
fn whatwg(body: &str) -> Vec<String> {
    let body =
        body.strip_prefix('\u{feff}').unwrap_or(body).replace("\r\n", "\n").replace('\r', "\n");
    let block = |block: &str| {
        let line = |line: &str| {
            let value = line.strip_prefix("data:")?;
            Some(value.strip_prefix(' ').unwrap_or(value).to_owned())
        };
        let lines: Vec<String> = block.lines().filter_map(line).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    body.split("\n\n").filter_map(block).collect()
}

#[tokio::test(start_paused = true)]
async fn f28_is_the_same_stream_in_all_legal_spellings() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::Bedrock) {
        let odd = send(&provider(), &asked(dialect, "m-fault-f28", true)).await;
        let even = send(&provider(), &asked(dialect, "m-fault-f00", true)).await;
        let values = |texts: Vec<String>| -> Vec<serde_json::Value> {
            let strip =
                |text: &String| text.replace("m-fault-f28", "m").replace("m-fault-f00", "m");
            texts.iter().map(|t| serde_json::from_str(&strip(t)).unwrap_or_default()).collect()
        };
        assert_eq!(values(whatwg(&odd.body_text())), values(even.data()), "{dialect:?}");
        let text = odd.body_text();
        for mark in ["\u{feff}", "\r\n", "\r\r", "data:{", ": a comment", "id:", "retry:"] {
            assert!(text.contains(mark), "{dialect:?} {mark:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f29_has_a_reason_but_no_end_and_f30_no_usage() {
    let seen = stream(&provider(), "m-fault-f29").await;
    assert!(!seen.is_done() && seen.body_text().contains(r#""finish_reason":"stop""#));
    let seen = send(&provider(), &asked(Dialect::Anthropic, "m-fault-f29", true)).await;
    assert!(!seen.body_text().contains("message_stop"));
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::Bedrock) {
        for streamed in [true, false] {
            let seen = send(&provider(), &asked(dialect, "m-fault-f30", streamed)).await;
            let text = seen.body_text().replace(r#""usage":null"#, "");
            assert!(!text.contains("usage"), "{dialect:?} {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f31_tells_absurd_usage() {
    let told = async |variant: &str| -> Vec<String> {
        let seen = stream(&provider(), &format!("m-fault-f31{variant}")).await;
        let events = seen.events();
        let counts = events.iter().filter_map(|event| event["usage"].get("completion_tokens"));
        counts.map(ToString::to_string).collect()
    };
    assert_eq!(told("-twice").await, ["30", "60"]);
    assert_eq!(told("-decreasing").await, ["91", "60"]);
    assert_eq!(told("-negative").await, ["-5"]);
    assert_eq!(told("-huge").await, ["9223372036854775808"]);
    assert_eq!(told("").await, ["9223372036854775808"]);
}

#[tokio::test(start_paused = true)]
async fn f32_says_and_charges_twice_what_was_allowed() {
    let provider = provider();
    let seen = send(&provider, &asked(Dialect::Anthropic, "m-fault-f32", true)).await;
    let told = seen.events().iter().find_map(|e| e["delta"].get("stop_reason").map(|_| e.clone()));
    assert_eq!(told.unwrap()["usage"]["output_tokens"], 2_000);
    assert_eq!(provider.sim().bill().output_tokens, 2_000);
}

#[tokio::test(start_paused = true)]
async fn f40_never_ends_and_f41_never_breaks_its_line() {
    let seen = stream(&provider(), "m-fault-f40").await;
    assert_eq!(seen.end, End::Left);
    assert!((29..=30).contains(&tokens(&seen)), "{}", tokens(&seen));
    let seen = stream(&provider(), "m-fault-f41:2").await;
    let longest = seen.body.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
    assert!(longest > 2 << 20);
    assert_eq!(tokens(&stream(&provider(), "m-fault-f41-after:1").await), 20);
}
