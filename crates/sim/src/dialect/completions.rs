//! OpenAI's old completions: a prompt in, its continuation out.
//!
//! Several prompts are several choices; a prompt of token numbers counts as many tokens. There are
//! no roles, tools or reasoning, and the stream has no opening chunk.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Answer, Told, figure};
use crate::ask::{Ask, Complaint, Speaker, Turn, number};
use crate::dialect::{CREATED, Dialect, PathFacts, openai, put};
use crate::reply::{Kind, Step};

/// More choices than the vendor allows (128).
const MOST_CHOICES: u32 = 128;

pub(crate) fn read(body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
    let mut ask = Ask::new(Dialect::Completions, openai::model_named(body, path)?);
    let prompts = prompts(body)?;
    for prompt in &prompts {
        ask.hear(Turn::said(Speaker::User, prompt.as_str()));
    }
    let several = u32::try_from(prompts.len()).unwrap_or(u32::MAX);
    let each = number(body, "n").unwrap_or(1);
    ask.choices = each.saturating_mul(several).clamp(1, MOST_CHOICES);
    ask.stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    ask.include_usage =
        body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false);
    ask.max_tokens = number(body, "max_tokens").filter(|limit| *limit > 0);
    Ok(ask)
}

/// The prompts as texts; token numbers become as many words.
fn prompts(body: &Value) -> Result<Vec<String>, Complaint> {
    let numbers = |list: &[Value]| list.iter().map(|n| format!("t{n} ")).collect::<String>();
    match body.get("prompt") {
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(list)) if list.first().is_some_and(Value::is_number) => {
            Ok(vec![numbers(list)])
        }
        Some(Value::Array(list)) if !list.is_empty() => {
            let one = |prompt: &Value| match prompt {
                Value::Array(list) => numbers(list),
                prompt => prompt.as_str().unwrap_or_default().to_owned(),
            };
            Ok(list.iter().map(one).collect())
        }
        _ => Err(Complaint::new(400, "you must provide a prompt")
            .param("prompt")
            .code("missing_required_parameter")),
    }
}

fn usage(told: &Told) -> Value {
    json!({
        "prompt_tokens": figure(told.input), "completion_tokens": figure(told.output),
        "total_tokens": figure(told.input + told.output),
    })
}

fn body(ask: &Ask, id: &str, choices: Vec<Value>) -> Value {
    json!({ "id": format!("cmpl-{id}"), "object": "text_completion", "created": CREATED,
        "model": ask.model, "choices": choices })
}

fn choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "text": text, "index": index, "logprobs": null, "finish_reason": finish })
}

pub(crate) fn whole(ask: &Ask, answer: &Answer, id: &str) -> Value {
    let choices = answer.choices.iter().enumerate().map(|(index, said)| {
        choice(index, &said.text.concat(), Some(openai::finish_word(said.finish)))
    });
    let mut body = body(ask, id, choices.collect());
    if let Some(told) = answer.told.last() {
        put(&mut body, "usage", usage(told));
    }
    body
}

pub(crate) fn stream(ask: &Ask, answer: &Answer, id: &str) -> Vec<Step> {
    let chunk = |kind: Kind, choices: Vec<Value>, told: Option<&Told>| {
        let mut body = body(ask, id, choices);
        if ask.include_usage {
            put(&mut body, "usage", told.map_or(Value::Null, usage));
        }
        let event = Dialect::Completions.event("", &body.to_string());
        Step::send(kind, u32::from(kind == Kind::Token), event)
    };
    let mut steps = Vec::new();
    for (index, said) in answer.choices.iter().enumerate() {
        for piece in &said.text {
            steps.push(chunk(Kind::Token, vec![choice(index, piece, None)], None));
        }
    }
    for (index, said) in answer.choices.iter().enumerate() {
        let end = choice(index, "", Some(openai::finish_word(said.finish)));
        steps.push(chunk(Kind::Closing, vec![end], None));
    }
    if ask.include_usage {
        steps.extend(answer.told.iter().map(|told| chunk(Kind::Usage, Vec::new(), Some(told))));
    }
    steps.push(Step::send(Kind::Done, 0, Bytes::from_static(b"data: [DONE]\n\n")));
    steps
}
