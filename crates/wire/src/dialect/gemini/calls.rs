//! Ids for function calls that came without one.
//!
//! An id is derived from the answer (or the conversation), the call's number and its name, so that
//! reading the same turn again finds the same id, and two answers never share one. It has few enough
//! and plain enough characters for every dialect, and is left out again when it is written in this
//! one.

const PREFIX: &str = "call_wbg";

/// The calls met so far.
#[derive(Debug)]
pub(super) struct Calls {
    seed: u64,
    count: u32,
    /// Id and name of calls that were not answered yet.
    open: Vec<(String, String)>,
}

impl Default for Calls {
    fn default() -> Self {
        Self::new("")
    }
}

impl Calls {
    /// For the answer with this id.
    pub(super) fn new(answer: &str) -> Self {
        Self { seed: hash(FNV_OFFSET, answer.as_bytes()), count: 0, open: Vec::new() }
    }

    /// Notes a call and gives its id.
    pub(super) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let number = self.count;
        self.count = self.count.saturating_add(1);
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.made(number, name));
        self.open.push((id.clone(), name.to_owned()));
        id
    }

    /// The id of the call that a result answers: the one it names, else the oldest unanswered call
    /// of that name.
    pub(super) fn answer(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty());
        let place = self.open.iter().position(|(open, of)| match &id {
            Some(id) => open == id,
            None => of == name,
        });
        let found = place.map(|place| self.open.remove(place).0);
        id.or(found).unwrap_or_else(|| self.made(self.count, name))
    }

    fn made(&self, number: u32, name: &str) -> String {
        format!("{PREFIX}{number}_{:016x}", hash(self.seed, name.as_bytes()))
    }
}

/// Whether an id was made here.
pub(super) fn is_made(id: &str) -> bool {
    id.starts_with(PREFIX)
}

// FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}
