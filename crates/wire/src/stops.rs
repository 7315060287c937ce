//! The words of a dialect for the end of an answer.

use crate::hub::{Stop, StopReason};

/// A dialect's words and what each means. The first row of a reason is the word we write for it.
pub(crate) struct Stops {
    /// Their word and our reason.
    pub(crate) words: &'static [(&'static str, StopReason)],
    /// The word for a stop sequence that matched.
    pub(crate) sequence: &'static str,
}

impl Stops {
    /// What a word means. A word unknown here ends the answer like any other.
    pub(crate) fn reason(&self, native: &str) -> StopReason {
        let known = self.words.iter().find(|(word, _)| *word == native);
        known.map_or(StopReason::Stop, |(_, reason)| *reason)
    }

    /// The stop of an answer. `json_only`: its only call was the forced JSON tool, which is no call
    /// to the reader of the answer.
    pub(crate) fn stop(&self, native: String, sequence: Option<String>, json_only: bool) -> Stop {
        let reason = match self.reason(&native) {
            StopReason::ToolCalls if json_only => StopReason::Stop,
            reason => reason,
        };
        Stop { reason, native, sequence }
    }

    /// The dialect's word for a stop; `None` where it has none.
    pub(crate) fn word<'a>(&self, stop: &'a Stop) -> Option<&'a str> {
        if self.words.contains(&(stop.native.as_str(), stop.reason)) {
            return Some(&stop.native);
        }
        if stop.sequence.is_some() && stop.reason == StopReason::Stop {
            return Some(self.sequence);
        }
        let known = self.words.iter().find(|(_, reason)| *reason == stop.reason);
        known.map(|(word, _)| *word)
    }
}
