//! Log probabilities in OpenAI's form.

use serde_json::{Value, json};

/// The chosen tokens, each with its alternatives. `None` if nothing was chosen.
pub(super) fn read(result: &Value) -> Option<Value> {
    let chosen = result.get("chosenCandidates")?.as_array()?;
    let tops = result.get("topCandidates").and_then(Value::as_array);
    let content: Vec<Value> = chosen
        .iter()
        .enumerate()
        .map(|(at, token)| {
            let top = tops.and_then(|tops| tops.get(at)).and_then(|top| top.get("candidates"));
            let top: Vec<Value> =
                top.and_then(Value::as_array).into_iter().flatten().map(entry).collect();
            let mut entry = entry(token);
            if let Value::Object(map) = &mut entry {
                map.insert("top_logprobs".to_owned(), Value::Array(top));
            }
            entry
        })
        .collect();
    Some(json!({"content": content}))
}

fn entry(token: &Value) -> Value {
    let text = token.get("token").and_then(Value::as_str).unwrap_or_default();
    json!({"token": text, "logprob": token.get("logProbability"), "bytes": text.as_bytes()})
}
