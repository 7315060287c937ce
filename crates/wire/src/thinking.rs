//! How much to think, in the words that Claude takes, on whichever dialect it is reached.
//!
//! Older models take a budget (at least 1,024 tokens and below `max_tokens`), newer ones
//! `adaptive` with an effort. Thinking is refused together with a forced tool, with a prefill, and
//! in a tool loop whose thinking is not this provider's.
//!
//! Providers count thoughts against the output bound, and the bound is what was reserved for. So it
//! is never raised to make room for a budget, the budget gives way: one that we choose or carry
//! over from another dialect takes at most four fifths of the bound ([`fitting`], for all dialects
//! that know budgets), and where the least budget does not fit, the wish is left out and named.
//! A budget that a client tells its own dialect stays as it is told.

use crate::dialect::Target;
use crate::error::DecodeError;
use crate::fields::Fields;
use crate::hub::{Extra, Part, Reasoning, Request, Role};
use serde_json::{Map, Value, json};

/// The least budget that Claude accepts.
const LEAST_BUDGET: u64 = 1024;

/// Efforts and the budget each stands for. The sizes of the lower three are those that OpenAI
/// compatible layers use for these words.
static EFFORTS: &[(&str, u64)] = &[
    ("minimal", LEAST_BUDGET),
    ("low", LEAST_BUDGET),
    ("medium", 8_192),
    ("high", 24_576),
    ("xhigh", 32_768),
    ("max", 49_152),
];

/// What to send.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The field `thinking`.
    pub(crate) thinking: Option<Value>,
    /// The field `output_config.effort`.
    pub(crate) effort: Option<String>,
    /// Whether the model will think, which forbids sampling fields.
    pub(crate) on: bool,
    /// Whether the wish had to be left out.
    pub(crate) lost: bool,
}

/// Decides for this request in the dialect `id`. `forced`: a tool is forced.
pub(crate) fn plan(
    id: &str,
    request: &Request,
    target: &Target<'_>,
    forced: bool,
    bound: u64,
) -> Plan {
    let Some(wish) = &request.reasoning else { return Plan::default() };
    let own = request.origin == id;
    let mut plan = if target.quirks.effort_reasoning {
        by_effort(wish, own)
    } else {
        by_budget(wish, own, bound)
    };
    let own_history = own && !request.unsealed;
    let blocked =
        target.prefill.is_some() || forced || (!own_history && in_foreign_loop(id, request));
    if plan.on && blocked {
        plan = Plan { effort: plan.effort, lost: true, ..Plan::default() };
    }
    plan
}

/// Reads the field `thinking` as a budget. A kind unknown here stays in the field.
pub(crate) fn read_budget(thinking: &mut Fields) -> Result<Option<i64>, DecodeError> {
    let budget = thinking.i64("budget_tokens")?;
    Ok(match thinking.need_text("type")?.as_str() {
        "enabled" => Some(budget.unwrap_or(-1)),
        "adaptive" => Some(-1),
        "disabled" => Some(0),
        other => {
            thinking.keep("type", json!(other));
            None
        }
    })
}

/// What is left of `thinking` among the extras means nothing once the field itself is gone from
/// `body`, unless it is a kind unknown to us.
pub(crate) fn forget_orphan(extra: &mut Extra, body: &Map<String, Value>) {
    let orphan = extra.get("thinking").is_some_and(|rest| rest.get("type").is_none());
    if orphan && !body.contains_key("thinking") {
        extra.shift_remove("thinking");
    }
}

fn is_off(wish: &Reasoning) -> bool {
    wish.budget_tokens == Some(0) || wish.effort.as_deref() == Some("none")
}

fn by_effort(wish: &Reasoning, own: bool) -> Plan {
    if is_off(wish) {
        return Plan { thinking: Some(json!({"type": "disabled"})), ..Plan::default() };
    }
    let effort = match (&wish.effort, wish.budget_tokens) {
        (Some(effort), _) if effort == "minimal" => Some("low".to_owned()),
        (Some(effort), _) => Some(effort.clone()),
        (None, Some(budget)) if budget > 0 => Some(effort_of(budget.unsigned_abs()).to_owned()),
        (None, _) => None,
    };
    // An own client that names only an effort has not asked for thinking.
    let on = wish.budget_tokens.is_some() || (!own && effort.is_some());
    Plan { thinking: on.then(|| json!({"type": "adaptive"})), effort, on, lost: false }
}

fn by_budget(wish: &Reasoning, own: bool, bound: u64) -> Plan {
    let effort = wish.effort.clone().filter(|_| own);
    if is_off(wish) {
        let thinking = own.then(|| json!({"type": "disabled"}));
        return Plan { thinking, ..Plan::default() };
    }
    let fitting = |budget| fitting(budget, LEAST_BUDGET, Some(bound));
    let budget = match (wish.budget_tokens, wish.effort.as_deref()) {
        (Some(budget), _) if budget > 0 && own => Some(budget.unsigned_abs())
            .map(|budget| budget.max(LEAST_BUDGET).min(bound.saturating_sub(1)))
            .filter(|budget| *budget >= LEAST_BUDGET),
        (Some(budget), _) if budget > 0 => fitting(budget.unsigned_abs()),
        (None, _) if own => return Plan { effort, ..Plan::default() },
        (None, None) => return Plan::default(),
        (_, word) => fitting(budget_of(word.unwrap_or("medium"))),
    };
    let Some(budget) = budget else {
        return Plan { effort, lost: true, ..Plan::default() };
    };
    let thinking = Some(json!({"type": "enabled", "budget_tokens": budget}));
    Plan { thinking, effort, on: true, lost: false }
}

/// As much of a budget as leaves room to answer within `bound`, but at least `least`; `None` where
/// that does not fit.
pub(crate) fn fitting(budget: u64, least: u64, bound: Option<u64>) -> Option<u64> {
    let room = bound.map_or(u64::MAX, |bound| bound - bound.div_ceil(5));
    Some(budget.max(least).min(room)).filter(|budget| *budget >= least)
}

/// The budget that an effort stands for.
pub(crate) fn budget_of(effort: &str) -> u64 {
    EFFORTS.iter().find(|(word, _)| *word == effort).map_or(8_192, |(_, budget)| *budget)
}

fn effort_of(budget: u64) -> &'static str {
    EFFORTS.iter().skip(1).find(|(_, size)| budget <= *size).map_or("max", |(word, _)| *word)
}

/// Whether the model is waiting for tools in a turn that began without this provider's thinking.
fn in_foreign_loop(id: &str, request: &Request) -> bool {
    let last = request.messages.iter().rfind(|message| message.role == Role::Assistant);
    let Some(last) = last else { return false };
    let calls = last.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    calls && !last.parts.iter().any(|part| is_own_thinking(id, part))
}

fn is_own_thinking(id: &str, part: &Part) -> bool {
    match part {
        Part::Reasoning { signature: Some(seal), .. } => seal.origin == id,
        Part::RedactedReasoning { origin, .. } => *origin == id,
        _ => false,
    }
}
