//! Every door's client gets, from every upstream, an answer in its own shape: the same words, the
//! same call, the same count of tokens, and the bill is the books'.

use serde_json::Value;

use super::tongue::{Heard, TONGUES, Tongue, Wish};
use crate::harness::{Setup, Stage};

/// The dialects in which upstreams converse.
pub(super) const UPSTREAMS: &[&str] = &[
    "openai_chat",
    "openai_responses",
    "openai_completions",
    "anthropic_messages",
    "gemini",
    "bedrock_converse",
    "cohere_v2",
];

/// Words after which these upstreams call a tool.
const PREAMBLED: [&str; 2] = ["anthropic_messages", "cohere_v2"];

/// What is wrong with an answer; "" for nothing.
async fn wrong(stage: &Stage, tongue: &Tongue, upstream: &str, wish: Wish, text: &str) -> String {
    let reply = stage.ask(&tongue.ask("solo", wish)).await;
    if (reply.status, reply.header("x-weighbridge-model")) != (200, "a/m") {
        return format!("{} {}", reply.status, reply.raw());
    }
    let heard = tongue.hear(&reply);
    stage.quiet().await;
    let row = stage.sim.bill().rows.back().cloned().unwrap();
    let booked = stage.books.entries().last().map(|entry| entry.cost.as_nanousd());
    let wanted = Heard {
        text: if wish.calls() { heard.text.clone() } else { text.to_owned() },
        finish: tongue.end(wish).to_owned(),
        names: if wish.calls() { vec!["weigh".to_owned()] } else { Vec::new() },
        arguments: heard.arguments.clone(),
        input: row.input_tokens.into(),
        output: row.output_tokens.into(),
    };
    let arguments: Value = serde_json::from_str(&heard.arguments).unwrap_or_default();
    let said = !wish.calls() || heard.text.is_empty() != PREAMBLED.contains(&upstream);
    let called = arguments["city"].is_string() == wish.calls();
    if heard == wanted && said && called && booked == Some(row.cost_nanousd) {
        return String::new();
    }
    format!("{heard:?}, not {wanted:?}; booked {booked:?}; {row:?}: {}", reply.raw())
}

/// What the simulator says.
async fn words() -> String {
    let stage = Stage::new().await;
    let chat = &super::tongue::CHAT;
    let text = chat.hear(&stage.ask(&chat.ask("solo", Wish::Whole)).await).text;
    assert!(text.split(' ').count() > 20, "{text}");
    text
}

#[tokio::test(start_paused = true)]
async fn every_door_gets_its_own_shape_from_every_upstream() {
    let text = words().await;
    let mut wrongs = Vec::new();
    for upstream in UPSTREAMS {
        let stage = Setup::dialect(upstream).start().await;
        for tongue in TONGUES {
            for wish in Wish::ALL.into_iter().filter(|wish| tongue.can(*wish)) {
                // The old interface knows no tools, and a wish for one is left out.
                if wish.calls() && *upstream == "openai_completions" {
                    continue;
                }
                let wrong = wrong(&stage, tongue, upstream, wish, &text).await;
                let pair = format!("{} to {upstream}, {wish:?}", tongue.id);
                wrongs.extend((!wrong.is_empty()).then(|| format!("{pair}: {wrong}")));
            }
        }
        let totals = stage.app.core.ledger.totals();
        assert_eq!(totals.settled.as_nanousd(), stage.sim.bill().total_nanousd, "{upstream}");
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_provider_with_several_faces_is_spoken_to_in_the_clients_dialect() {
    let keys_a = "speaks: [openai_responses, anthropic_messages]".to_owned();
    let stage = Setup { keys_a, ..Setup::default() }.start().await;
    for (id, path) in [
        ("openai_chat", "/v1/chat/completions"),
        ("openai_responses", "/v1/responses"),
        ("anthropic_messages", "/v1/messages"),
        ("gemini", "/v1/chat/completions"),
    ] {
        let tongue = TONGUES.iter().find(|tongue| tongue.id == id).unwrap();
        let reply = stage.ask(&tongue.ask("solo", Wish::Whole)).await;
        assert_eq!(reply.status, 200, "{}", reply.raw());
        assert_eq!(stage.asked("a").last().unwrap().path, path, "{id}");
    }
    stage.quiet().await;
}
