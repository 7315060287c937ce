//! The dialect's own words for the end of an answer.

use crate::hub::StopReason;
use crate::stops::Stops;

/// The reasons of an end. An answer that was cut by a failure says so here.
pub(super) static STOPS: Stops = Stops {
    words: &[
        ("COMPLETE", StopReason::Stop),
        ("STOP_SEQUENCE", StopReason::Stop),
        ("MAX_TOKENS", StopReason::Length),
        ("TOOL_CALL", StopReason::ToolCalls),
        ("ERROR_TOXIC", StopReason::ContentFilter),
        ("ERROR", StopReason::Error),
        ("TIMEOUT", StopReason::Error),
    ],
    sequence: "STOP_SEQUENCE",
};
