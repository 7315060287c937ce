//! Joining a second answer to the part of a first that a client already has.
//!
//! Two ways lead on after an answer broke off. A restart gives the whole answer again: while it
//! repeats what was delivered nothing is emitted, and the first difference ends the attempt, because
//! two texts that differ cannot be joined honestly. A continuation follows on a prefill: the
//! provider was sent the delivered text without the white space at its end, which some refuse, so
//! that this white space may come again; and some providers repeat the prefill itself.
//!
//! Nothing here knows of dialects: the pieces are the text of one alternative.

/// What to do with a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// Nothing yet.
    Waiting,
    /// Deliver this text.
    Emit(String),
    /// The answers differ: they cannot be joined.
    Disagrees,
}

impl Joined {
    fn emit(text: &str) -> Self {
        if text.is_empty() { Self::Waiting } else { Self::Emit(text.to_owned()) }
    }
}

/// Joins an answer that was started anew.
#[derive(Debug, Clone)]
pub struct Joiner {
    delivered: String,
    /// How many bytes of it were repeated.
    repeated: usize,
    disagrees: bool,
}

impl Joiner {
    /// `delivered` is the text that the client has.
    #[must_use]
    pub fn new(delivered: String) -> Self {
        Self { delivered, repeated: 0, disagrees: false }
    }

    /// Takes the next piece of the restarted answer. After a disagreement every piece disagrees.
    pub fn push(&mut self, piece: &str) -> Joined {
        let missing = self.delivered.get(self.repeated..).unwrap_or_default();
        if self.disagrees {
            return Joined::Disagrees;
        }
        if let Some(beyond) = piece.strip_prefix(missing) {
            self.repeated = self.delivered.len();
            return Joined::emit(beyond);
        }
        if missing.starts_with(piece) {
            self.repeated += piece.len();
            return Joined::Waiting;
        }
        self.disagrees = true;
        Joined::Disagrees
    }

    /// Whether all that was delivered has been repeated. An answer that ends before that is shorter
    /// than what the client has, and is no continuation.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        !self.disagrees && self.repeated == self.delivered.len()
    }
}

/// A prefill shorter than this is not looked for at the start of the continuation: a word or two may
/// well be said twice.
const LEAST_ECHO: usize = 8;

/// Joins an answer that continues a prefill.
#[derive(Debug, Clone)]
pub struct Prefilled {
    prefill: String,
    /// The white space that was delivered but not sent.
    space: String,
    held: String,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The prefill may be repeated.
    Echo,
    /// The white space may be repeated.
    Space,
    /// All that comes is new.
    Through,
}

impl Prefilled {
    /// `delivered` is the text that the client has, `sent_prefill` the same without the white space
    /// at its end.
    #[must_use]
    pub fn new(delivered: &str, sent_prefill: &str) -> Self {
        let space = delivered.strip_prefix(sent_prefill).unwrap_or_default();
        let stage = if sent_prefill.len() < LEAST_ECHO { Stage::Space } else { Stage::Echo };
        Self {
            prefill: sent_prefill.to_owned(),
            space: space.to_owned(),
            held: String::new(),
            stage,
        }
    }

    /// Takes the next piece of the continuation. Never disagrees.
    pub fn push(&mut self, piece: &str) -> Joined {
        if self.stage == Stage::Through {
            return Joined::emit(piece);
        }
        self.held.push_str(piece);
        self.settle(false)
    }

    /// The continuation has ended: gives what was held back, if it is new to the client.
    pub fn finish(&mut self) -> Option<String> {
        match self.settle(true) {
            Joined::Emit(text) => Some(text),
            Joined::Waiting | Joined::Disagrees => None,
        }
    }

    fn settle(&mut self, ended: bool) -> Joined {
        if self.stage == Stage::Echo {
            if let Some(rest) = self.held.strip_prefix(&self.prefill) {
                self.held = rest.to_owned();
            } else if self.prefill.starts_with(&self.held) && !ended {
                return Joined::Waiting;
            }
            self.stage = Stage::Space;
        }
        if self.stage == Stage::Space {
            if let Some(rest) = self.held.strip_prefix(&self.space) {
                self.held = rest.to_owned();
            } else if self.space.starts_with(&self.held) {
                if ended {
                    self.held.clear();
                }
                return Joined::Waiting;
            }
            self.stage = Stage::Through;
        }
        Joined::emit(&std::mem::take(&mut self.held))
    }
}
