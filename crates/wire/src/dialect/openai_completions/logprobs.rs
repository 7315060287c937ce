//! Log probabilities: four parallel lists here, one list of tokens in the hub.

use serde_json::{Map, Value, json};

/// The hub's form of a legacy one.
pub(super) fn decode(legacy: &Value) -> Option<Value> {
    let list = |key: &str| legacy.get(key).and_then(Value::as_array);
    let at = |key: &str, at: usize| list(key).and_then(|list| list.get(at));
    let content = list("tokens")?.iter().enumerate().map(|(number, token)| {
        let others = at("top_logprobs", number).and_then(Value::as_object).into_iter().flatten();
        let others: Vec<Value> = others.map(|(token, logprob)| entry(token, logprob)).collect();
        let logprob = at("token_logprobs", number).unwrap_or(&Value::Null);
        let mut entry = entry(token.as_str().unwrap_or_default(), logprob);
        if let Some(map) = entry.as_object_mut() {
            map.insert("top_logprobs".to_owned(), others.into());
        }
        entry
    });
    Some(json!({"content": content.collect::<Vec<_>>(), "refusal": null}))
}

fn entry(token: &str, logprob: &Value) -> Value {
    json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()})
}

/// The legacy form of the hub's. `offset` is the place of the first token in the answer's text, in
/// characters, and is moved behind the last one.
pub(super) fn encode(hub: &Value, offset: &mut usize) -> Option<Value> {
    let mut lists: [Vec<Value>; 4] = Default::default();
    let [tokens, logprobs, top, offsets] = &mut lists;
    for entry in hub.get("content")?.as_array()? {
        let token = entry.get("token").and_then(Value::as_str).unwrap_or_default();
        tokens.push(token.into());
        logprobs.push(entry.get("logprob").cloned().unwrap_or_default());
        top.push(others(entry));
        offsets.push((*offset).into());
        *offset += token.chars().count();
    }
    let [tokens, logprobs, top, offsets] = lists;
    Some(json!({
        "tokens": tokens,
        "token_logprobs": logprobs,
        "top_logprobs": top,
        "text_offset": offsets,
    }))
}

fn others(entry: &Value) -> Value {
    let others = entry.get("top_logprobs").and_then(Value::as_array).into_iter().flatten();
    let pair = |other: &Value| {
        Some((other.get("token")?.as_str()?.to_owned(), other.get("logprob")?.clone()))
    };
    others.filter_map(pair).collect::<Map<_, _>>().into()
}
