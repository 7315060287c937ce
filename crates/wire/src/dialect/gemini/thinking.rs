//! How much to think, in the words of the model at hand: a level for newer models, a budget of
//! tokens for older ones (0 is off, -1 is the model's choice).

use super::ID;
use crate::dialect::Quirks;
use crate::dropped::Dropped;
use crate::fields::put;
use crate::hub::{Reasoning, Request};
use crate::thinking::fitting;
use serde_json::{Map, Value};

/// Efforts, the level and the budget of each. The budgets are those of Google's own OpenAI layer.
static EFFORTS: &[(&str, &str, i64)] = &[
    ("none", "MINIMAL", 0),
    ("minimal", "MINIMAL", 512),
    ("low", "LOW", 1_024),
    ("medium", "MEDIUM", 8_192),
    ("high", "HIGH", 24_576),
    ("xhigh", "XHIGH", 24_576),
    ("max", "XHIGH", 24_576),
];

/// The budgets that all models take which take one: from Flash Lite's least to Flash's most.
const BUDGETS: std::ops::RangeInclusive<u64> = 512..=24_576;

/// The field `thinkingConfig`.
pub(super) fn config(
    request: &Request,
    quirks: &Quirks,
    dropped: &mut Dropped,
) -> Option<Map<String, Value>> {
    let wish = request.reasoning.as_ref()?;
    let mut config = Map::new();
    match (wish.effort.as_deref(), wish.budget_tokens) {
        (Some(effort), _) if quirks.effort_reasoning => {
            put(&mut config, "thinkingLevel", Some(level_of(effort)));
        }
        (None, None) => {}
        (effort, told) => {
            let wanted = told.unwrap_or_else(|| effort.map_or(-1, budget_of));
            let budget = within(request, wanted);
            if budget.is_none() {
                dropped.add("reasoning_effort");
                return None;
            }
            put(&mut config, "thinkingBudget", budget);
        }
    }
    put(&mut config, "includeThoughts", include(request, wish));
    (!config.is_empty()).then_some(config)
}

/// A budget of another dialect as one that the models take and that leaves room for the answer.
fn within(request: &Request, wanted: i64) -> Option<i64> {
    match u64::try_from(wanted) {
        Ok(budget @ 1..) if request.origin != ID => {
            let budget = budget.min(*BUDGETS.end());
            fitting(budget, *BUDGETS.start(), request.max_tokens).map(u64::cast_signed)
        }
        _ => Some(wanted),
    }
}

/// Clients of other dialects that ask for reasoning see it there without asking twice.
fn include(request: &Request, wish: &Reasoning) -> Option<bool> {
    let off = wish.effort.as_deref() == Some("none") || wish.budget_tokens == Some(0);
    let asked = wish.effort.is_some() || wish.budget_tokens.is_some();
    wish.include.or((request.origin != ID && asked && !off).then_some(true))
}

fn level_of(effort: &str) -> String {
    let known = EFFORTS.iter().find(|(word, ..)| *word == effort).map(|(_, level, _)| *level);
    known.map_or_else(|| effort.to_ascii_uppercase(), str::to_owned)
}

fn budget_of(effort: &str) -> i64 {
    EFFORTS.iter().find(|(word, ..)| *word == effort).map_or(-1, |(.., budget)| *budget)
}
