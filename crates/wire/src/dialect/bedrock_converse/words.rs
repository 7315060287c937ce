//! The dialect's own words: stop reasons and exceptions.

use crate::hub::StopReason;
use crate::stops::Stops;

/// The reasons of an end. What a model wrote and Bedrock could not read is a failure.
pub(super) static STOPS: Stops = Stops {
    words: &[
        ("end_turn", StopReason::Stop),
        ("stop_sequence", StopReason::Stop),
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("tool_use", StopReason::ToolCalls),
        ("content_filtered", StopReason::ContentFilter),
        ("guardrail_intervened", StopReason::ContentFilter),
        ("malformed_model_output", StopReason::Error),
        ("malformed_tool_use", StopReason::Error),
    ],
    sequence: "stop_sequence",
};

/// Exceptions and the status each comes with. The first five may also end a stream.
static EXCEPTIONS: &[(&str, u16)] = &[
    ("internalServerException", 500),
    ("modelStreamErrorException", 424),
    ("validationException", 400),
    ("throttlingException", 429),
    ("serviceUnavailableException", 503),
    ("accessDeniedException", 403),
    ("resourceNotFoundException", 404),
    ("modelTimeoutException", 408),
    ("modelErrorException", 424),
    ("modelNotReadyException", 429),
    ("serviceQuotaExceededException", 400),
];

/// The status that belongs to an exception.
pub(super) fn status(exception: &str) -> Option<u16> {
    let known = EXCEPTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(exception));
    known.map(|(_, status)| *status)
}

/// The exception that a stream may end with for a status.
pub(super) fn exception(status: u16) -> &'static str {
    match status {
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        424 => "modelStreamErrorException",
        400..=499 => "validationException",
        _ => "internalServerException",
    }
}
