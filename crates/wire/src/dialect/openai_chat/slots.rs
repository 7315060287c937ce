//! Which tool call a streamed piece belongs to, however carelessly the host numbers its pieces.
//!
//! By the letter every piece has an `index`, and the first one the id and the name. Seen in the
//! field: no index at all, index 0 for every parallel call, ids and names repeated on every piece,
//! a fresh id on every piece, the empty name on later pieces. A piece begins a new call when it
//! has a name and an id that differs from that of the call it would otherwise continue.

use crate::error::DecodeError;

/// More calls than any answer has; bounds the search.
const MAX_CALLS: usize = 1024;

/// The calls of one alternative, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Slots {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    wire_index: Option<u64>,
    id: String,
    named: bool,
}

impl Slots {
    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// The number of the call that a piece belongs to; a new one when it is `len()` before.
    /// Absent ids and names are empty.
    pub(super) fn place(
        &mut self,
        index: Option<u64>,
        id: &str,
        name: &str,
    ) -> Result<usize, DecodeError> {
        let found = match index {
            Some(_) => self.by_index(index, id),
            None if !id.is_empty() => self.by_id(id).or_else(|| self.last_unless(!name.is_empty())),
            None => self.last_unless(!name.is_empty()),
        };
        let found = found.filter(|at| !self.is_another(*at, id, name));
        if let Some((at, call)) = found.and_then(|at| Some((at, self.calls.get_mut(at)?))) {
            call.named |= !name.is_empty();
            if call.id.is_empty() {
                id.clone_into(&mut call.id);
            }
            return Ok(at);
        }
        if self.calls.len() >= MAX_CALLS {
            return Err(DecodeError::at("tool_calls", "too many"));
        }
        self.calls.push(Call { wire_index: index, id: id.to_owned(), named: !name.is_empty() });
        Ok(self.calls.len() - 1)
    }

    fn by_index(&self, index: Option<u64>, id: &str) -> Option<usize> {
        let same = |call: &Call| call.wire_index == index;
        let exact = self.calls.iter().rposition(|call| same(call) && call.id == id);
        exact.or_else(|| self.calls.iter().rposition(same))
    }

    fn by_id(&self, id: &str) -> Option<usize> {
        self.calls.iter().rposition(|call| call.id == id)
    }

    fn last_unless(&self, begins: bool) -> Option<usize> {
        if begins { None } else { self.calls.len().checked_sub(1) }
    }

    fn is_another(&self, at: usize, id: &str, name: &str) -> bool {
        self.calls.get(at).is_some_and(|call| {
            call.named && !name.is_empty() && !call.id.is_empty() && !id.is_empty() && call.id != id
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pieces: &[(Option<u64>, &str, &str)]) -> Vec<usize> {
        let mut slots = Slots::default();
        pieces.iter().map(|(index, id, name)| slots.place(*index, id, name).unwrap()).collect()
    }

    #[test]
    fn pieces_by_the_letter_follow_their_index() {
        let pieces =
            [(Some(0), "a", "f"), (Some(1), "b", "g"), (Some(0), "", ""), (Some(1), "", "")];
        assert_eq!(places(&pieces), [0, 1, 0, 1]);
        assert_eq!(places(&[(Some(1), "a", "f"), (Some(1), "", "")]), [0, 0]);
    }

    #[test]
    fn calls_that_all_have_index_0_are_told_apart_by_id() {
        let pieces =
            [(Some(0), "a", "f"), (Some(0), "b", "f"), (Some(0), "a", ""), (Some(0), "b", "f")];
        assert_eq!(places(&pieces), [0, 1, 0, 1]);
    }

    #[test]
    fn without_an_index_the_id_or_the_last_call_counts() {
        let pieces =
            [(None, "a", "f"), (None, "", ""), (None, "b", "g"), (None, "a", ""), (None, "", "")];
        assert_eq!(places(&pieces), [0, 0, 1, 0, 1]);
        assert_eq!(places(&[(None, "", "f"), (None, "", "g")]), [0, 1]);
    }

    #[test]
    fn repeated_and_changing_ids_do_not_begin_a_call() {
        assert_eq!(
            places(&[(Some(0), "a", "f"), (Some(0), "a", "f"), (Some(0), "x", "")]),
            [0, 0, 0]
        );
    }
}
