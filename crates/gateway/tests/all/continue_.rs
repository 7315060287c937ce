//! `mid_stream: continue`: a cut answer goes on elsewhere, exactly, or ends in the honest error.
//!
//! Providers with the same voice give the same text to the same question, so the uncut answer is
//! known to the byte. `m-prefill` goes on from a partial answer; `m-liar` is configured as if it
//! did and refuses; `m` is asked anew.

use serde_json::{Value, json};
use sim::{Delay, Profile, Rule};
use std::time::Duration;

use crate::harness::{Ask, Reply, Setup, Stage, ask};

const DIALECTS: [&str; 3] = ["openai_chat", "anthropic_messages", "gemini"];

const ROW: &str = "input: $1, output: $2, context: 100000, max_output: 4096";

/// A stage whose groups continue: `to-prefill`, `to-liar`, `to-anew` and the chains.
fn setup(dialect: &'static str, dialect_b: &'static str) -> Setup {
    let takes = |name: &str| format!("{name}: {{ {ROW}, prefill: true }}");
    let models = ["m-prefill", "m2-prefill", "m-liar", "m-utf8-prefill"].map(takes).join(", ");
    let group = |name: &str, lanes: &str| {
        format!("  {name}: {{ deployments: [{lanes}], failover: {{ mid_stream: continue }} }}\n")
    };
    let groups = [
        group("to-prefill", "a/m, b/m-prefill"),
        group("to-liar", "a/m, b/m-liar"),
        group("to-anew", "a/m, b/m"),
        group("alone", "a/m"),
        group("chain", "a/m, b/m-prefill, b/m2-prefill"),
        group("utf8-prefill", "a/m-utf8, b/m-utf8-prefill"),
        group("utf8-anew", "a/m-utf8, b/m-utf8"),
    ];
    Setup {
        dialect,
        dialect_b,
        models: format!("{models}, m-utf8: {{ {ROW} }}"),
        groups: groups.concat(),
        ..Setup::default()
    }
}

async fn stage() -> Stage {
    setup("openai_chat", "openai_chat").start().await
}

fn streamed(model: &str) -> Ask {
    ask(model).streamed(true).with("stream_options", json!({ "include_usage": true }))
}

/// What B says when nothing is wrong.
async fn uncut(stage: &Stage, model: &str) -> String {
    let reply = stage.ask(&streamed(model)).await;
    reply.assert_complete();
    reply.text()
}

/// One stream to the client: one id, one model, one finish, one usage.
fn assert_one_stream(reply: &Reply) {
    reply.assert_complete();
    let chunks = reply.chunks();
    for field in ["id", "object", "model", "created"] {
        assert!(chunks.iter().all(|c| c[field] == chunks[0][field]), "{field}: {}", reply.raw());
    }
    let count = |pointer: &str| {
        chunks.iter().filter(|c| c.pointer(pointer).is_some_and(|v| !v.is_null())).count()
    };
    assert_eq!(count("/choices/0/finish_reason"), 1, "{}", reply.raw());
    assert_eq!(count("/usage"), 1, "{}", reply.raw());
    let last = reply.raw();
    assert!(last.trim_end().ends_with("data: [DONE]"), "{last}");
    assert!(last.contains("\n\n: weighbridge cost_usd="), "{last}");
}

fn usage(reply: &Reply) -> (u64, u64) {
    let usage = reply.chunks().into_iter().find(|c| c["usage"].is_object()).unwrap_or_default();
    let figure = |key: &str| usage["usage"][key].as_u64().unwrap_or_default();
    assert_eq!(figure("total_tokens"), figure("prompt_tokens") + figure("completion_tokens"));
    (figure("prompt_tokens"), figure("completion_tokens"))
}

fn words(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let owned = |one: &(&str, &str, &str)| (one.0.to_owned(), one.1.to_owned(), one.2.to_owned());
    list.iter().map(owned).collect()
}

const CUTS: [(&str, &str); 4] = [
    ("f21", "interrupted"),
    ("f22", "interrupted"),
    ("f23:40", "read_idle"),
    ("f25-after", "in_band_error"),
];

#[tokio::test(start_paused = true)]
async fn a_cut_answer_is_continued_exactly_in_every_pair_of_dialects() {
    for dialect in DIALECTS {
        for dialect_b in DIALECTS {
            for (fault, outcome) in CUTS {
                for (model, lane) in
                    [("to-prefill", "b/m-prefill"), ("to-liar", "b/m-liar"), ("to-anew", "b/m")]
                {
                    println!("{dialect} -> {dialect_b}, {fault}, {model}");
                    let stage = setup(dialect, dialect_b).start().await;
                    let whole = uncut(&stage, "other").await;
                    stage.fault(fault);
                    let reply = stage.ask(&streamed(model)).await;
                    assert_one_stream(&reply);
                    assert_eq!(reply.text(), whole);
                    let mut wanted = vec![("a/m", outcome, "interrupted")];
                    if model == "to-liar" {
                        wanted.push((lane, "client_error", "released"));
                    }
                    wanted.push((lane, "ok", "final"));
                    assert_eq!(stage.attempts(), words(&wanted));
                    let line = stage.last_request();
                    assert_eq!((&line["outcome"], &line["status"]), (&"ok".into(), &200.into()));
                    assert_eq!(line["served_model"], lane);
                    stage.quiet().await;
                    assert_eq!(stage.strikes("a"), 1);
                    assert_eq!(stage.strikes("b"), 0);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_join_is_exact_wherever_the_cut_falls() {
    for model in ["utf8-prefill", "utf8-anew"] {
        let stage = setup("openai_chat", "anthropic_messages").start().await;
        let whole = uncut(&stage, "b/m-utf8").await;
        assert!(!whole.is_ascii());
        for cut in 1..60 {
            stage.fault(&format!("f21:{cut}"));
            let reply = stage.ask(&streamed(model)).await;
            // A patient breaker has its limits.
            stage.script(Vec::new());
            uncut(&stage, "solo").await;
            assert_eq!(reply.text(), whole, "cut after {cut}");
            assert_one_stream(&reply);
        }
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn usage_of_a_continued_answer_is_that_of_one_answer() {
    let stage = stage().await;
    let plain = stage.ask(&streamed("other")).await;
    stage.fault("f21");
    let anew = stage.ask(&streamed("to-anew")).await;
    assert_eq!(usage(&anew), usage(&plain), "the restart's own");
    let joined = stage.ask(&streamed("to-prefill")).await;
    let line = stage.last_request();
    let output: u64 = line["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["output_tokens"].as_u64().unwrap())
        .sum();
    let (input, told) = usage(&joined);
    assert_eq!(told, output, "what was booked for both parts");
    assert!(input.abs_diff(usage(&plain).0) < 40, "{input}");
    assert!((50..110).contains(&told), "{told}");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn usage_that_was_not_asked_for_is_not_told() {
    let stage = stage().await;
    stage.fault("f21");
    for model in ["to-anew", "to-prefill"] {
        let reply = stage.ask(&ask(model).streamed(true)).await;
        reply.assert_complete();
        assert!(reply.chunks().iter().all(|chunk| chunk["usage"].is_null()), "{}", reply.raw());
    }
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_disagrees_leaves_the_original_error() {
    for dialect_b in DIALECTS {
        let stage = Setup { voice_b: "another", ..setup("openai_chat", dialect_b) }.start().await;
        let first = uncut(&stage, "solo").await;
        stage.fault("f21");
        let reply = stage.ask(&streamed("to-anew")).await;
        assert_honest_end(&reply, "stream_interrupted");
        assert!(first.starts_with(&reply.text()), "only A's words were sent");
        assert_eq!(
            stage.attempts(),
            words(&[("a/m", "interrupted", "interrupted"), ("b/m", "disagreed", "interrupted")])
        );
        assert_eq!(stage.last_request()["code"], "stream_interrupted");
        stage.quiet().await;
        assert_eq!(stage.strikes("b"), 0, "to disagree is no fault");
    }
}

/// Cut, said so once, and not presented as complete.
#[track_caller]
fn assert_honest_end(reply: &Reply, code: &str) {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.in_band_error(), code, "{}", reply.raw());
    assert_eq!(reply.dones(), 0);
    assert_eq!(reply.finish_reason(), "");
    assert_eq!(reply.raw().matches("\"error\"").count(), 1, "{}", reply.raw());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_plain_text_ends_in_the_honest_error() {
    let tool = json!([{ "type": "function", "function": { "name": "weigh", "parameters": {
        "type": "object", "properties": { "axles": { "type": "string" }, "lane": { "type": "string" } },
        "required": ["axles", "lane"] } } }]);
    let schema = json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": {
        "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "string" } },
        "required": ["a", "b"] } } });
    let shapes: [(&str, Value); 3] =
        [("tools", tool), ("response_format", schema), ("n", json!(2))];
    for (field, value) in shapes {
        for model in ["to-anew", "to-prefill"] {
            println!("{field} {model}");
            let stage = stage().await;
            stage.fault("f21:2");
            let reply = stage.ask(&streamed(model).with(field, value.clone())).await;
            assert_honest_end(&reply, "stream_interrupted");
            assert_eq!(stage.counts(), (1, 0), "B was not asked");
            stage.quiet().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_cut_is_continued_too_while_attempts_are_left() {
    let stage = stage().await;
    let whole = uncut(&stage, "other").await;
    let second = Rule { model: Some("m-prefill".into()), ..Rule::always("f21:10").at("b") };
    stage.script(vec![Rule::always("f21").at("a"), second.clone()]);
    let reply = stage.ask(&streamed("chain")).await;
    assert_one_stream(&reply);
    assert_eq!(reply.text(), whole);
    let cut = |lane| (lane, "interrupted", "interrupted");
    assert_eq!(
        stage.attempts(),
        words(&[cut("a/m"), cut("b/m-prefill"), ("b/m2-prefill", "ok", "final")])
    );
    let third = Rule { model: Some("m2-prefill".into()), ..Rule::always("f21:5").at("b") };
    stage.script(vec![Rule::always("f21").at("a"), second, third]);
    let reply = stage.ask(&streamed("chain")).await;
    assert_honest_end(&reply, "stream_interrupted");
    assert!(whole.starts_with(&reply.text()));
    let sent = |provider| stage.asked(provider).pop().unwrap().tokens_sent;
    assert_eq!((sent("a"), sent("b")), (40, 5));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn no_other_deployment_or_a_refusing_one_leaves_the_original_error() {
    for (fault, model) in
        [("f17", "to-prefill"), ("f13", "to-anew"), ("f18-502", "to-liar"), ("", "alone")]
    {
        let stage = stage().await;
        let whole = uncut(&stage, "solo").await;
        let mut rules = vec![Rule::always("f21").at("a")];
        if !fault.is_empty() {
            rules.push(Rule::always(fault).at("b"));
        }
        stage.script(rules);
        let reply = stage.ask(&streamed(model)).await;
        assert_honest_end(&reply, "stream_interrupted");
        assert!(whole.starts_with(&reply.text()));
        assert_eq!(stage.asked("a").pop().unwrap().tokens_sent, 40);
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_output_bound_counts_what_was_delivered_before_the_cut() {
    let stage = stage().await;
    stage.fault("f21");
    let whole = stage.ask(&streamed("other").with("max_tokens", json!(50))).await;
    assert_eq!(whole.finish_reason(), "length");
    let reply = stage.ask(&streamed("to-prefill").with("max_tokens", json!(50))).await;
    assert_eq!(reply.finish_reason(), "length", "{}", reply.raw());
    assert_eq!(reply.dones(), 1);
    let (said, wanted) = (reply.text(), whole.text());
    assert!(wanted.starts_with(&said), "at most what was allowed: {said:?}");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_provider_refused_is_not_continued_elsewhere() {
    let stage = stage().await;
    stage.fault("f25-after:400");
    let reply = stage.ask(&streamed("to-prefill")).await;
    assert_eq!(reply.dones(), 0);
    assert_ne!(reply.in_band_error(), "");
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_the_continuation_is_settled() {
    let gap = Delay::Fixed(Duration::from_millis(100));
    let pace = Profile { gap, ..Profile::default() };
    let stage = Setup { pace, ..setup("openai_chat", "openai_chat") }.start().await;
    stage.fault("f21:10");
    for model in ["to-prefill", "to-anew"] {
        let mut live = stage.begin(&streamed(model)).await;
        while stage.asked("b").iter().all(|entry| entry.ending != sim::Ending::Running) {
            live.next().await.unwrap().unwrap();
        }
        for _ in 0..3 {
            live.next().await.unwrap().unwrap();
        }
        drop(live);
        stage.quiet().await;
        assert_eq!(stage.last_request()["outcome"], "client_gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_never_streams_continues_too() {
    for dialect in DIALECTS {
        let keys_a = "stream: never".to_owned();
        let group = |name: &str, lane: &str| {
            format!(
                "  {name}: {{ deployments: [b/m, {lane}], failover: {{ mid_stream: continue }} }}\n"
            )
        };
        let groups = [group("back-anew", "a/m"), group("back-prefill", "a/m-prefill")].concat();
        let stage = Setup { keys_a, groups, ..setup(dialect, "openai_chat") }.start().await;
        let whole = uncut(&stage, "other").await;
        stage.script(vec![Rule::always("f21").at("b")]);
        for model in ["back-anew", "back-prefill"] {
            println!("{dialect} {model}");
            let reply = stage.ask(&streamed(model)).await;
            assert_one_stream(&reply);
            assert_eq!(reply.text(), whole);
            assert!(!stage.asked("a").pop().unwrap().stream);
        }
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn time_that_is_up_is_up_for_the_continuation_as_well() {
    let stage = stage().await;
    stage.fault("f23:40");
    let asked = streamed("to-anew").header("x-weighbridge-timeout", "3s");
    let reply = stage.ask(&asked).await;
    assert_honest_end(&reply, "request_timeout");
    assert_eq!(reply.elapsed.as_secs(), 3);
    assert_eq!(stage.counts(), (1, 0));

    // Ten seconds of silence, then a continuation that never speaks.
    stage.script(vec![Rule::always("f23:40").at("a"), Rule::always("f08").at("b")]);
    let asked = streamed("to-anew").header("x-weighbridge-timeout", "12s");
    let reply = stage.ask(&asked).await;
    assert_honest_end(&reply, "stream_interrupted");
    assert_eq!(reply.elapsed.as_secs(), 12);
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_hears_that_its_answer_is_being_continued() {
    let top = "timeouts: { keep_alive_every: 2s }".to_owned();
    let stage = Setup { top, ..setup("openai_chat", "openai_chat") }.start().await;
    let whole = uncut(&stage, "other").await;
    stage.script(vec![Rule::always("f23:40").at("a"), Rule::always("f12:4500ms").at("b")]);
    let reply = stage.ask(&streamed("to-anew")).await;
    assert_one_stream(&reply);
    assert_eq!(reply.text(), whole);
    assert_eq!(reply.elapsed.as_millis(), 14_500);
    // Nothing was said for ten seconds of A's silence and then for four and a half of B's.
    let heard = reply.raw().matches(": keep-alive\n\n").count();
    assert!((6..=7).contains(&heard), "{heard} comments");
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_reasoning_is_no_plain_text() {
    let row = "input: $1, output: $2, context: 100000, max_output: 4096";
    let base = setup("anthropic_messages", "openai_chat");
    let models = format!("{}, m-think: {{ {row} }}", base.models);
    let groups =
        "  thinks: { deployments: [a/m-think, b/m], failover: { mid_stream: continue } }\n";
    let groups = [&base.groups, groups].concat();
    let stage = Setup { models, groups, ..base }.start().await;
    stage.fault("f21:30");
    let reply = stage.ask(&streamed("thinks")).await;
    assert_honest_end(&reply, "stream_interrupted");
    assert_eq!(stage.counts(), (1, 0));
    stage.quiet().await;
}
