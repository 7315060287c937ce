//! Budgets for thinking, across the dialects that know them: an answer always has room.

use crate::samples::{dialect, encode, message, target, text};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use wire::dialect::Quirks;
use wire::hub::{Reasoning, Request, Role};

/// Where each dialect tells its budget, and the least it takes.
static BUDGETS: &[(&str, &str, u64)] = &[
    ("anthropic_messages", "/thinking/budget_tokens", 1_024),
    ("bedrock_converse", "/additionalModelRequestFields/thinking/budget_tokens", 1_024),
    ("cohere_v2", "/thinking/token_budget", 1),
    ("gemini", "/generationConfig/thinkingConfig/thinkingBudget", 512),
];

fn wish(effort: Option<&str>, budget_tokens: Option<i64>, bound: u64) -> Request {
    let effort = effort.map(str::to_owned);
    Request {
        origin: "openai_chat",
        messages: vec![message(Role::User, vec![text("Q")])],
        max_tokens: Some(bound),
        reasoning: Some(Reasoning { effort, budget_tokens, include: None }),
        ..Request::default()
    }
}

proptest! {
    #[test]
    fn a_budget_leaves_a_fifth_of_the_bound_or_is_left_out_and_named(
        effort in select(vec!["minimal", "low", "medium", "high", "xhigh", "max"]),
        budget in proptest::option::of(1i64..100_000), bound in 1u64..40_000,
    ) {
        let request = wish(Some(effort).filter(|_| budget.is_none()), budget, bound);
        for (id, place, least) in BUDGETS {
            let (body, dropped) = encode(id, &request, &target("m", &Quirks::default()));
            match body.pointer(place).and_then(Value::as_u64) {
                Some(sent) => {
                    prop_assert!(sent >= *least && sent * 5 <= bound * 4, "{}: {}", id, body);
                    prop_assert_eq!(&dropped, "");
                }
                None => {
                    prop_assert!(bound * 4 < least * 5, "{}: {}", id, body);
                    prop_assert_eq!(&dropped, "reasoning_effort");
                }
            }
        }
    }
}

#[test]
fn a_budget_told_in_the_dialect_itself_stays_as_it_is_told() {
    let told = [
        (
            "anthropic_messages",
            r#"{"model":"m","max_tokens":2000,"messages":[],"thinking":{"type":"enabled","budget_tokens":1999}}"#,
        ),
        (
            "cohere_v2",
            r#"{"model":"m","max_tokens":9,"messages":[],"thinking":{"type":"enabled","token_budget":9}}"#,
        ),
        (
            "gemini",
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":9,"thinkingConfig":{"thinkingBudget":32000}}}"#,
        ),
    ];
    for (id, body) in told {
        let asked = (dialect(id).decode_request)(body.as_bytes(), Some("m"), false).unwrap();
        let (sent, dropped) = encode(id, &asked, &target("m", &Quirks::default()));
        let (_, place, _) = BUDGETS.iter().find(|(known, ..)| *known == id).unwrap();
        let before: Value = serde_json::from_str(body).unwrap();
        assert_eq!(sent.pointer(place), before.pointer(place), "{id}");
        assert_eq!(dropped, "", "{id}");
    }
}
