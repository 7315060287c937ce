//! What vectors are for, in every provider's words.
//!
//! Vectors of a query and of a document differ; who mixes them up finds nothing. So a purpose is
//! translated where there is a word for it, and its loss is told where there is none.

/// The neutral word, Cohere's and Gemini's. Voyage uses the first two neutral ones.
static WORDS: &[(&str, &str, &str)] = &[
    ("query", "search_query", "RETRIEVAL_QUERY"),
    ("document", "search_document", "RETRIEVAL_DOCUMENT"),
    ("classification", "classification", "CLASSIFICATION"),
    ("clustering", "clustering", "CLUSTERING"),
    ("similarity", "", "SEMANTIC_SIMILARITY"),
    ("question_answering", "", "QUESTION_ANSWERING"),
    ("fact_verification", "", "FACT_VERIFICATION"),
    ("code_query", "", "CODE_RETRIEVAL_QUERY"),
    ("image", "image", ""),
];

/// The neutral word for anybody's; an unknown word stays itself.
pub(super) fn neutral(word: String) -> String {
    let known = WORDS.iter().find(|(_, cohere, gemini)| word == *cohere || word == *gemini);
    match known {
        Some((neutral, ..)) if !word.is_empty() => (*neutral).to_owned(),
        _ => word,
    }
}

/// Voyage's word.
pub(super) fn voyage(neutral: &str) -> Option<&str> {
    matches!(neutral, "query" | "document").then_some(neutral)
}

/// Cohere's word.
pub(super) fn cohere(neutral: &str) -> Option<&'static str> {
    let row = WORDS.iter().find(|(known, ..)| *known == neutral);
    row.map(|(_, cohere, _)| *cohere).filter(|word| !word.is_empty())
}

/// Gemini's word.
pub(super) fn gemini(neutral: &str) -> Option<&'static str> {
    let row = WORDS.iter().find(|(known, ..)| *known == neutral);
    row.map(|(_, _, gemini)| *gemini).filter(|word| !word.is_empty())
}
