//! Scripts that say what the model says, and tools played to their end in every dialect.

use serde_json::{Value, json};
use sim::{Dialect, Line, LineCall, Rule, Script};

use crate::client::{ask, body, provider, send};
use crate::dialects::with_tool;

const TOOLS: [Dialect; 6] = [
    Dialect::OpenAi,
    Dialect::Responses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Bedrock,
    Dialect::Cohere,
];

fn offering(dialect: Dialect, tool: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { "command": { "type": "string" } } });
    with_tool(ask(dialect, "m", false, "list the files"), dialect, tool, &schema)
}

/// The same conversation after the call was made and answered.
fn answered(dialect: Dialect, tool: &str, answer: &Value) -> Value {
    let mut asking = offering(dialect, tool);
    let result = "Cargo.toml";
    let (list, turns) = match dialect {
        Dialect::OpenAi | Dialect::Cohere => {
            let message =
                answer.get("message").or_else(|| answer.pointer("/choices/0/message")).unwrap();
            let call = message["tool_calls"][0]["id"].clone();
            let tool = json!({ "role": "tool", "tool_call_id": call, "content": result });
            ("messages", json!([message, tool]))
        }
        Dialect::Responses => {
            let call = answer["output"][0].clone();
            let output = json!({ "type": "function_call_output", "call_id": call["call_id"],
                "output": result });
            ("input", json!([call, output]))
        }
        Dialect::Anthropic => {
            let block = json!({ "type": "tool_result", "tool_use_id": "t", "content": result });
            let said = json!({ "role": "assistant", "content": answer["content"] });
            ("messages", json!([said, { "role": "user", "content": [block] }]))
        }
        Dialect::Gemini => {
            let part =
                json!({ "functionResponse": { "name": tool, "response": { "out": result } } });
            let said = answer["candidates"][0]["content"].clone();
            ("contents", json!([said, { "role": "user", "parts": [part] }]))
        }
        Dialect::Bedrock => {
            let block =
                json!({ "toolResult": { "toolUseId": "t", "content": [{ "text": result }] } });
            let said = answer["output"]["message"].clone();
            ("messages", json!([said, { "role": "user", "content": [block] }]))
        }
        Dialect::Completions => unreachable!("completions have no tools"),
    };
    let turns = turns.as_array().unwrap().clone();
    asking[list].as_array_mut().unwrap().extend(turns);
    asking
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_called_once_and_its_result_is_quoted_in_every_dialect() {
    for dialect in TOOLS {
        let provider = provider();
        let first =
            send(&provider, &body(dialect, "m", false, &offering(dialect, "ls"))).await.json();
        assert!(first.to_string().contains("command"), "{dialect:?} {first}");
        let next = answered(dialect, "ls", &first);
        let second = send(&provider, &body(dialect, "m", false, &next)).await;
        assert!(second.text().contains("Cargo.toml"), "{dialect:?} {}", second.body_text());
    }
}

#[tokio::test(start_paused = true)]
async fn a_script_calls_the_named_tool_and_then_says_its_words_in_every_dialect() {
    for dialect in TOOLS {
        let provider = provider();
        let call =
            LineCall { tool: "Bash|shell*".into(), arguments: json!({ "command": "ls -la" }) };
        let lines = vec![
            Line { calls: vec![call], ..Line::default() },
            Line { say: "There is one file.".into(), ..Line::default() },
        ];
        provider.sim().script(Script { rules: vec![Rule::says(lines)] }).unwrap();
        let asking = offering(dialect, "shell_command");
        let first = send(&provider, &body(dialect, "m", false, &asking)).await.json();
        assert!(first.to_string().contains("ls -la"), "{dialect:?} {first}");
        let next = answered(dialect, "shell_command", &first);
        let second = send(&provider, &body(dialect, "m", false, &next)).await;
        assert_eq!(second.text(), "There is one file.", "{dialect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_waits_for_a_request_that_offers_its_tool() {
    let provider = provider();
    let script = json!({ "rules": [{ "lines": [
        { "calls": [{ "tool": "Bash", "arguments": {} }] }, { "say": "done" }] }] });
    let post = crate::client::request("/sim/script", "", script.to_string().as_bytes());
    assert_eq!(send(&provider, &post).await.status, 200);
    let plain = ask(Dialect::Anthropic, "m", false, "a title, please");
    let seen = send(&provider, &body(Dialect::Anthropic, "m", false, &plain)).await;
    assert_eq!(seen.json()["stop_reason"], "end_turn");
    let offer = offering(Dialect::Anthropic, "Bash");
    let seen = send(&provider, &body(Dialect::Anthropic, "m", false, &offer)).await;
    assert_eq!(seen.json()["content"][0]["name"], "Bash");
}
