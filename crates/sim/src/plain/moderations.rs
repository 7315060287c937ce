//! OpenAI's moderations: is a text harmful?
//!
//! A text is flagged when it names one of a few words; the categories are the vendor's list. Costs
//! nothing, as with the vendor.

use serde_json::{Map, Value, json};

use super::{Answered, Done, Errand};
use crate::ask::{Complaint, word};

const CATEGORIES: &[&str] = &[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// Words that are flagged, with their category.
const FLAGGED: &[(&str, &str)] =
    &[("kill", "violence"), ("violence", "violence"), ("hate", "hate"), ("bully", "harassment")];

pub(super) fn moderate(errand: &Errand<'_>) -> Answered {
    let texts = match errand.body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(parts)) if parts.first().is_some_and(Value::is_object) => {
            vec![parts.iter().map(|part| word(part, "text")).collect()]
        }
        Some(Value::Array(texts)) if !texts.is_empty() => {
            texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
        }
        _ => {
            return Err(Complaint::new(400, "Missing required parameter: 'input'.")
                .param("input")
                .code("missing_required_parameter"));
        }
    };
    let named = word(&errand.body, "model");
    let model = if named.is_empty() { "omni-moderation-latest" } else { named };
    let results: Vec<Value> = texts.iter().map(|text| verdict(text)).collect();
    let body = json!({ "id": format!("modr-{}", errand.id), "model": model, "results": results });
    Ok(Done { model: model.to_owned(), ..Done::free(&body) })
}

fn verdict(text: &str) -> Value {
    let lower = text.to_lowercase();
    let found: Vec<&str> =
        FLAGGED.iter().filter(|(word, _)| lower.contains(word)).map(|(_, kind)| *kind).collect();
    let by_category = |value: fn(bool) -> Value| -> Map<String, Value> {
        let one = |kind: &&str| ((*kind).to_owned(), value(found.contains(kind)));
        CATEGORIES.iter().map(one).collect()
    };
    json!({
        "flagged": !found.is_empty(),
        "categories": by_category(Value::Bool),
        "category_scores": by_category(|hit| json!(if hit { 0.97 } else { 0.001 })),
        "category_applied_input_types": by_category(|hit| if hit { json!(["text"]) } else { json!([]) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_is_told_and_only_the_named_one_is_flagged() {
        let verdict = verdict("They KILL time");
        assert_eq!(verdict["flagged"], true);
        assert_eq!(verdict["categories"]["violence"], true);
        assert_eq!(verdict["categories"]["hate"], false);
        assert_eq!(verdict["category_scores"].as_object().unwrap().len(), CATEGORIES.len());
    }
}
