//! A request to an upstream of the client's own dialect goes on byte by byte but for the model.

use sim::fnv1a;

use super::tongue::{TONGUES, Wish};
use crate::harness::Setup;

/// Odd spaces, unknown fields, numbers and escapes that a second writing would change.
const ODD: &str =
    r#"  , "x_unknown" : {"b":1.50 ,"a":[ 1,2e3 ,"\u00e9\/"], "big":12345678901234567890123 }"#;

#[tokio::test(start_paused = true)]
async fn the_same_dialect_goes_on_byte_by_byte() {
    for tongue in TONGUES {
        // Azure's door is the chat dialect with the model in the path.
        let dialect = if tongue.id == "azure" { "openai_chat" } else { tongue.id };
        let stage = Setup::dialect(dialect).start().await;
        let asked = tongue.ask("solo", Wish::Stream);
        let written = asked.body.to_string();
        let odd = format!("{}{ODD}}}", written.strip_suffix('}').unwrap());
        let reply = stage.ask(&asked.raw("application/json", odd.clone())).await;
        assert_eq!(reply.status, 200, "{}: {}", tongue.id, reply.raw());
        stage.quiet().await;
        let got = stage.asked("a").pop().unwrap();
        let mut sent = odd.replace("\"solo\"", "\"m\"");
        if tongue.id == "azure" {
            sent = sent.replacen('{', r#"{"model":"m","#, 1);
        }
        let (length, hash) = (sent.len() as u64, fnv1a(sent.as_bytes()));
        assert_eq!((got.body_bytes, got.body_hash), (length, hash), "{}", tongue.id);
        assert_eq!(got.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn anthropics_beta_goes_on_to_anthropic_and_to_nobody_else() {
    let messages = TONGUES.iter().find(|tongue| tongue.id == "anthropic_messages").unwrap();
    for (upstream, goes) in [("anthropic_messages", true), ("openai_chat", false)] {
        let stage = Setup::dialect(upstream).start().await;
        let mut asked = messages.ask("solo", Wish::Whole).header("anthropic-beta", "x-1,y-2");
        asked.path += "?beta=true";
        assert_eq!(stage.ask(&asked).await.status, 200);
        let got = stage.asked("a").pop().unwrap();
        assert_eq!(got.path.ends_with("?beta=true"), goes, "{}", got.path);
        assert_eq!(got.header("anthropic-beta"), goes.then_some("x-1,y-2"));
        stage.quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_quirk_that_is_met_takes_the_request_through_the_hub() {
    let chat = &super::tongue::CHAT;
    let keys_a = "quirks: { max_completion_tokens: true }".to_owned();
    let stage = Setup { keys_a, ..Setup::default() }.start().await;
    let free = chat.ask("solo", Wish::Stream);
    stage.ask(&free).await;
    let bound = free.clone().with("max_tokens", 7.into());
    let reply = stage.ask(&bound).await;
    assert_eq!(chat.hear(&reply).finish, "length", "{}", reply.raw());
    let spliced = |ask: &crate::harness::Ask| {
        fnv1a(ask.body.to_string().replace("\"solo\"", "\"m\"").as_bytes())
    };
    let got: Vec<u64> = stage.asked("a").iter().map(|entry| entry.body_hash).collect();
    assert_eq!(got[0], spliced(&free), "not met: spliced");
    assert_ne!(got[1], spliced(&bound), "met: written anew");
    stage.quiet().await;
}
