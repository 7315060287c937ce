//! Why an answer ended, in the words of OpenAI and of the hosts that imitate it.

use crate::hub::{Stop, StopReason};

/// Every known word. Unknown ones count as a plain stop: the host did end the answer in order.
static WORDS: &[(&str, StopReason)] = &[
    ("stop", StopReason::Stop),
    ("length", StopReason::Length),
    ("tool_calls", StopReason::ToolCalls),
    ("content_filter", StopReason::ContentFilter),
    ("function_call", StopReason::ToolCalls),
    ("model_length", StopReason::Length),
    ("max_tokens", StopReason::Length),
    ("sensitive", StopReason::ContentFilter),
    ("error", StopReason::Error),
    ("network_error", StopReason::Error),
    ("insufficient_system_resource", StopReason::Error),
];

/// What a host's word means.
pub(super) fn reason(word: &str) -> StopReason {
    WORDS.iter().find(|(known, _)| *known == word).map_or(StopReason::Stop, |(_, reason)| *reason)
}

/// The end of an alternative. Some hosts say `stop` although the model waits for its tools.
pub(in crate::dialect) fn stop(word: &str, has_tool_calls: bool) -> Stop {
    let reason = match reason(word) {
        StopReason::Stop if has_tool_calls => StopReason::ToolCalls,
        reason => reason,
    };
    Stop { reason, native: word.to_owned(), sequence: None }
}

/// OpenAI's word for a reason. A failure has none in OpenAI's closed set; `error` is what
/// OpenRouter uses.
pub(in crate::dialect) fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop => "stop",
        StopReason::Length => "length",
        StopReason::ToolCalls => "tool_calls",
        StopReason::ContentFilter => "content_filter",
        StopReason::Error => "error",
    }
}
