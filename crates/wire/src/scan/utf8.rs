//! Whether text is UTF-8, asked once for the whole of it.
//!
//! Of plain ASCII, the standard check for ASCII takes about half the time of the standard check for
//! UTF-8, and most JSON is ASCII but for a few places. So the text is looked at in windows, and only
//! the windows with other bytes in them are decoded. Text that is foreign throughout gains nothing.

/// Long enough that a window costs little, short enough that one foreign letter costs little.
const WINDOW: usize = 512;

/// The offset of the first byte that is not UTF-8, if there is one.
pub(super) fn first_fault(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let window = rest.get(..WINDOW).unwrap_or(rest);
        if window.is_ascii() {
            at += window.len();
            continue;
        }
        match std::str::from_utf8(window) {
            Ok(_) => at += window.len(),
            // A letter reaches over the end of the window: the next one begins with it.
            Err(cut) if cut.error_len().is_none() && window.len() < rest.len() => {
                at += cut.valid_up_to();
            }
            Err(wrong) => return Some(at + wrong.valid_up_to()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
        let standard = std::str::from_utf8(bytes).err().map(|error| error.valid_up_to());
        prop_assert_eq!(first_fault(bytes), standard);
        Ok(())
    }

    proptest! {
        #[test]
        fn letters_at_the_edges_of_windows_are_judged_as_the_standard_library_does(
            before in WINDOW - 5..WINDOW + 3,
            letters in "[a\u{e9}\u{20ac}\u{1f600}]{0,8}",
            after in 0..2 * WINDOW,
            cut in 0..40usize,
        ) {
            let mut bytes = vec![b'x'; before];
            bytes.extend_from_slice(letters.as_bytes());
            bytes.resize(bytes.len() + after, b'y');
            agrees(&bytes)?;
            bytes.truncate(bytes.len().saturating_sub(cut));
            agrees(&bytes)?;
        }

        #[test]
        fn spoilt_bytes_are_found_where_the_standard_library_finds_them(
            letters in "[a\u{e9}\u{20ac}\u{1f600}]{0,900}",
            at in any::<proptest::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = letters.into_bytes();
            bytes.push(b'z');
            let at = at.index(bytes.len());
            bytes[at] = byte;
            agrees(&bytes)?;
        }
    }
}
