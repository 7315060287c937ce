//! The dialect's own words: stop reasons and error types.
//!
//! `model_context_window_exceeded` is a full window, so it counts as length; `pause_turn` asks the
//! client to go on, which no other dialect can say, so it counts as a plain stop.

use crate::hub::StopReason;
use crate::stops::Stops;

/// The reasons of an end.
pub(super) static STOPS: Stops = Stops {
    words: &[
        ("end_turn", StopReason::Stop),
        ("stop_sequence", StopReason::Stop),
        ("pause_turn", StopReason::Stop),
        ("compaction", StopReason::Stop),
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("tool_use", StopReason::ToolCalls),
        ("refusal", StopReason::ContentFilter),
    ],
    sequence: "stop_sequence",
};

/// Their error types and the status each comes with.
static ERRORS: &[(&str, u16)] = &[
    ("invalid_request_error", 400),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("api_error", 500),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];

/// The status that belongs to an error type.
pub(super) fn error_status(kind: &str) -> Option<u16> {
    ERRORS.iter().find(|(word, _)| *word == kind).map(|(_, status)| *status)
}

/// The error type that belongs to a status.
pub(super) fn error_type(status: u16) -> &'static str {
    let exact = ERRORS.iter().find(|(_, known)| *known == status).map(|(word, _)| *word);
    match status {
        503 => "overloaded_error",
        400..=499 => exact.unwrap_or("invalid_request_error"),
        _ => exact.unwrap_or("api_error"),
    }
}
