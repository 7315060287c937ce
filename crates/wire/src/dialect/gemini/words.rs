//! The dialect's own words: finish reasons and status names.
//!
//! Reasons under which the model failed to say anything usable count as failures of the attempt,
//! because asking again may help. A blocked prompt has no candidate, only a block reason.

use crate::hub::{Stop, StopReason};

/// Their word and our reason. The first row of a reason is the word we write for it.
static STOPS: &[(&str, StopReason)] = &[
    ("STOP", StopReason::Stop),
    ("MAX_TOKENS", StopReason::Length),
    ("CONTINUATION", StopReason::Length),
    ("SAFETY", StopReason::ContentFilter),
    ("RECITATION", StopReason::ContentFilter),
    ("LANGUAGE", StopReason::ContentFilter),
    ("BLOCKLIST", StopReason::ContentFilter),
    ("PROHIBITED_CONTENT", StopReason::ContentFilter),
    ("SPII", StopReason::ContentFilter),
    ("MODEL_ARMOR", StopReason::ContentFilter),
    ("OTHER", StopReason::Error),
    ("MALFORMED_FUNCTION_CALL", StopReason::Error),
    ("UNEXPECTED_TOOL_CALL", StopReason::Error),
    ("TOO_MANY_TOOL_CALLS", StopReason::Error),
    ("MISSING_THOUGHT_SIGNATURE", StopReason::Error),
    ("MALFORMED_RESPONSE", StopReason::Error),
];

/// What a finish reason means. `called`: the alternative holds a function call.
pub(super) fn reason(native: &str, called: bool) -> StopReason {
    let known = STOPS.iter().find(|(word, _)| *word == native).map(|(_, reason)| *reason);
    match known {
        Some(StopReason::Stop) | None if called => StopReason::ToolCalls,
        Some(reason) => reason,
        None if native.starts_with("IMAGE_") => StopReason::ContentFilter,
        None => StopReason::Stop,
    }
}

/// The stop that a finish reason means; none while it is said to be none.
pub(super) fn stop(native: String, called: bool) -> Option<Stop> {
    let stop = Stop { reason: reason(&native, called), native, sequence: None };
    (stop.native != UNSPECIFIED).then_some(stop)
}

/// The word for "not finished" that some servers write out.
pub(super) const UNSPECIFIED: &str = "FINISH_REASON_UNSPECIFIED";

/// The stop of a prompt that was blocked for this reason.
pub(super) fn blocked(native: String) -> Stop {
    Stop { reason: StopReason::ContentFilter, native, sequence: None }
}

/// Our word for a stop.
pub(super) fn word(stop: &Stop) -> &str {
    let reason = match stop.reason {
        StopReason::ToolCalls => StopReason::Stop,
        reason => reason,
    };
    let own = STOPS.contains(&(stop.native.as_str(), reason));
    if own {
        return &stop.native;
    }
    STOPS.iter().find(|(_, known)| *known == reason).map_or("STOP", |(word, _)| *word)
}

/// Statuses and their names in Google's RPC vocabulary.
static STATUSES: &[(u16, &str)] = &[
    (400, "INVALID_ARGUMENT"),
    (401, "UNAUTHENTICATED"),
    (403, "PERMISSION_DENIED"),
    (404, "NOT_FOUND"),
    (408, "DEADLINE_EXCEEDED"),
    (409, "ABORTED"),
    (429, "RESOURCE_EXHAUSTED"),
    (499, "CANCELLED"),
    (500, "INTERNAL"),
    (501, "UNIMPLEMENTED"),
    (503, "UNAVAILABLE"),
    (504, "DEADLINE_EXCEEDED"),
];

/// The name that goes with an HTTP status.
pub(super) fn status_name(status: u16) -> &'static str {
    let exact = STATUSES.iter().find(|(known, _)| *known == status).map(|(_, name)| *name);
    exact.unwrap_or(if status < 500 { "INVALID_ARGUMENT" } else { "UNAVAILABLE" })
}
