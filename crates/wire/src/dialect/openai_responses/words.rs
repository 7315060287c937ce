//! Why an answer ended: a status, and for incomplete ones a reason.

use crate::hub::{Stop, StopReason};

/// Events that end a stream.
pub(super) static ENDS: &[&str] =
    &["response.completed", "response.incomplete", "response.failed", "response.cancelled"];

/// Reasons of an incomplete answer. Unknown ones count as a bound that was reached.
static REASONS: &[(&str, StopReason)] = &[
    ("max_output_tokens", StopReason::Length),
    ("max_messages", StopReason::Length),
    ("content_filter", StopReason::ContentFilter),
    ("steered", StopReason::Stop),
];

/// The end that a status tells; `None` while the answer is still being made.
pub(super) fn stop(status: &str, reason: Option<&str>, has_calls: bool) -> Option<Stop> {
    let (word, reason) = match (status, reason) {
        ("completed", _) if has_calls => ("completed", StopReason::ToolCalls),
        ("completed", _) => ("completed", StopReason::Stop),
        ("incomplete", Some(word)) => (word, incomplete(word)),
        ("incomplete", None) => ("incomplete", StopReason::Length),
        ("failed" | "cancelled", _) => (status, StopReason::Error),
        _ => return None,
    };
    Some(Stop { reason, native: word.to_owned(), sequence: None })
}

fn incomplete(word: &str) -> StopReason {
    REASONS.iter().find(|(known, _)| *known == word).map_or(StopReason::Length, |(_, r)| *r)
}

/// The status to tell a client, and the reason where the answer is incomplete.
pub(super) fn status(stop: &Stop) -> (&'static str, Option<&'static str>) {
    match stop.reason {
        StopReason::Stop | StopReason::ToolCalls => ("completed", None),
        StopReason::Length => ("incomplete", Some("max_output_tokens")),
        StopReason::ContentFilter => ("incomplete", Some("content_filter")),
        StopReason::Error => ("failed", None),
    }
}
