//! Reranking: which documents fit a query best.
//!
//! A document's score is the share of the query's words found in it, with a little of its own hash
//! so that no two documents tie. Cohere charges searches, which the bill has no price for: the
//! tokens read are billed instead.

use serde_json::{Value, json};

use super::{Answered, Done, Errand, heard};
use crate::ask::{Complaint, list, number, word};
use crate::chance::fnv1a;
use crate::dialect::put;
use crate::text;

/// The most documents of one request (Cohere's and Voyage's limits are near).
const MOST_DOCUMENTS: usize = 1_000;

/// Documents a search unit covers.
const UNIT: usize = 100;

/// A query with its documents.
struct Ranking {
    documents: Vec<String>,
    /// Places with scores, the best first.
    best: Vec<(usize, f64)>,
    tokens: u32,
}

fn rank(body: &Value, top: &str) -> Result<Ranking, Complaint> {
    let query = word(body, "query");
    let documents: Vec<String> = list(body, "documents").iter().map(document).collect();
    if query.is_empty() {
        return Err(Complaint::new(400, "invalid request: query must not be empty."));
    }
    if documents.is_empty() || documents.len() > MOST_DOCUMENTS {
        return Err(Complaint::new(400, "invalid request: documents must be 1 to 1000."));
    }
    let scored = documents.iter().enumerate().map(|(at, text)| (at, score(query, text)));
    let mut best: Vec<(usize, f64)> = scored.collect();
    best.sort_by(|one, other| other.1.total_cmp(&one.1));
    best.truncate(number(body, top).map_or(usize::MAX, |top| top as usize));
    let each = text::count(query);
    let count = |sum: u32, text: &String| sum.saturating_add(each + text::count(text));
    let tokens = documents.iter().fold(0, count);
    Ok(Ranking { documents, best, tokens })
}

/// A document is a text, or an object with one.
fn document(document: &Value) -> String {
    document.as_str().unwrap_or_else(|| word(document, "text")).to_owned()
}

/// From 0 to 1.
fn score(query: &str, document: &str) -> f64 {
    let lower = document.to_lowercase();
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let found = words.iter().filter(|word| lower.contains(word.as_str())).count();
    let share = found as f64 / words.len().max(1) as f64;
    let own = (fnv1a(document.as_bytes()) % 1_000) as f64 / 1_000.0;
    ((share * 0.9 + own * 0.1) * 1e6).round() / 1e6
}

pub(super) fn cohere(errand: &Errand<'_>) -> Answered {
    let model = errand.model()?;
    let ranking = rank(&errand.body, "top_n")?;
    let one = |(index, score): &(usize, f64)| json!({ "index": index, "relevance_score": score });
    let results: Vec<Value> = ranking.best.iter().map(one).collect();
    let units = ranking.documents.len().div_ceil(UNIT);
    let answer = json!({ "id": errand.id, "results": results,
        "meta": { "api_version": { "version": "2" }, "billed_units": { "search_units": units } } });
    Ok(Done::json(&answer, heard(ranking.tokens), model))
}

pub(super) fn voyage(errand: &Errand<'_>) -> Answered {
    let model = errand.model()?;
    let ranking = rank(&errand.body, "top_k")?;
    let told = errand.body.get("return_documents") == Some(&Value::Bool(true));
    let one = |(index, score): &(usize, f64)| {
        let mut row = json!({ "relevance_score": score, "index": index });
        if let Some(document) = ranking.documents.get(*index).filter(|_| told) {
            put(&mut row, "document", document.as_str().into());
        }
        row
    };
    let answer = json!({ "object": "list",
        "data": ranking.best.iter().map(one).collect::<Vec<_>>(), "model": model,
        "usage": { "total_tokens": ranking.tokens } });
    Ok(Done::json(&answer, heard(ranking.tokens), model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_with_the_querys_words_comes_first() {
        let body = json!({ "query": "heavy trucks", "top_n": 2,
            "documents": ["a pond", { "text": "weighing heavy trucks" }, "trucks"] });
        let ranking = rank(&body, "top_n").unwrap();
        assert_eq!(ranking.best.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2]);
    }
}
