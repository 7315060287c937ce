//! Runs of plain characters in a string: where the next quote, escape or control character is.
//!
//! Most strings are short and most bytes are in long ones. So the first bytes are looked at in
//! words; what is longer is searched for its end first, and then, block by block, for the control
//! characters that must not be there.

use memchr::memchr2;

/// The bytes looked at in words, and the size of a block.
const NEAR: usize = 16;

/// The offset of the first byte from `at` on that ends a run of plain characters, if it is near.
#[inline]
pub(super) fn near_stop(bytes: &[u8], at: usize) -> Option<usize> {
    let near = bytes.get(at..)?.first_chunk::<NEAR>()?;
    let (low, high) = (near.first_chunk::<8>()?, near.last_chunk::<8>()?);
    let inside = stop_in_word(*low).or_else(|| stop_in_word(*high).map(|inside| inside + 8));
    inside.map(|inside| at + inside)
}

/// The offset of the first byte from `at` on that ends a run of plain characters, or the length of
/// the text.
#[inline]
pub(super) fn stop(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let run = memchr2(b'"', b'\\', rest).map_or(rest, |end| rest.get(..end).unwrap_or_default());
    let length = if has_control(run) {
        run.iter().take_while(|byte| !is_control(**byte)).count()
    } else {
        run.len()
    };
    at + length
}

/// Whether there is a control character. Blocks have no early exit, so that their bytes are
/// compared all at once; the last one overlaps the one before.
#[inline]
fn has_control(run: &[u8]) -> bool {
    let in_block =
        |block: &[u8; NEAR]| block.iter().fold(false, |found, byte| found | is_control(*byte));
    let Some(last) = run.last_chunk::<NEAR>() else {
        return run.iter().any(|byte| is_control(*byte));
    };
    run.as_chunks::<NEAR>().0.iter().any(in_block) || in_block(last)
}

fn is_control(byte: u8) -> bool {
    byte < 0x20
}

#[inline]
fn stop_in_word(bytes: [u8; 8]) -> Option<usize> {
    let stops = stops_in(u64::from_le_bytes(bytes));
    let inside = usize::try_from(stops.trailing_zeros() / 8).ok()?;
    (stops != 0).then_some(inside)
}

/// Marks the bytes of a word that end a run with their top bit. Marks above the lowest one may be
/// wrong, because a subtraction borrows; the lowest is exact.
/// Source: S. E. Anderson, "Bit Twiddling Hacks", the tests for a zero byte and for a lesser one.
#[inline]
fn stops_in(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let quotes = below(word ^ (ONES * 0x22), 1);
    let escapes = below(word ^ (ONES * 0x5C), 1);
    (below(word, 0x20) | quotes | escapes) & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_stop(byte: u8) -> bool {
        is_control(byte) || byte == b'"' || byte == b'\\'
    }

    proptest! {
        #[test]
        fn the_first_stop_is_found_wherever_it_is(
            mut bytes in proptest::collection::vec(prop_oneof![9 => 0x20..=0xFFu8, 1 => any::<u8>()], 0..150),
            quiet in 0..150usize,
            from in any::<proptest::sample::Index>(),
        ) {
            bytes.iter_mut().take(quiet).filter(|byte| is_stop(**byte)).for_each(|byte| *byte = b'x');
            let from = from.index(bytes.len() + 1);
            let slow = (from..bytes.len()).find(|at| is_stop(bytes[*at]));
            prop_assert_eq!(stop(&bytes, from), slow.unwrap_or(bytes.len()));
            if let Some(near) = near_stop(&bytes, from) {
                prop_assert_eq!(Some(near), slow);
            }
        }
    }
}
