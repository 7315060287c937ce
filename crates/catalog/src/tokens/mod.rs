//! How many tokens a text or a request is.
//!
//! OpenAI's encodings are counted exactly; time grows with the length of the text, whatever the
//! text. Other vocabularies are not published in a form we could embed, so their counts are
//! estimates with a stated error ([`estimate`]). A hard cap must not rest on an estimate: for it
//! there is a bound by bytes ([`bound`]), since no byte-level tokenizer makes more tokens than
//! bytes.
//!
//! Not here: remembering counts of messages seen before; callers own that.

pub mod bound;
pub mod chat;
pub mod estimate;
pub mod image;

pub use bound::{input_bound, input_bound_bytes};
pub use chat::count_chat;

/// How a model's tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// GPT-4o and everything of OpenAI after it. Exact.
    O200k,
    /// GPT-4 and GPT-3.5. Exact.
    Cl100k,
    /// A vocabulary that is not ours to count with.
    Estimate {
        /// Bytes of English prose per token, in hundredths. 0 is read as 1.
        centibytes_per_token: u32,
        /// How far off the count of English text may be, in percent; other scripts twice that.
        error_percent: u32,
    },
}

impl Encoding {
    /// For models of which nothing is known: four bytes a token, give or take 40 %.
    pub const UNKNOWN: Self = Self::Estimate { centibytes_per_token: 400, error_percent: 40 };

    /// Whether counts are exact.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::O200k | Self::Cl100k)
    }
}

/// A count of tokens and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The count, or the best estimate.
    pub tokens: u64,
    /// Whether it is what the provider bills.
    pub exact: bool,
    /// How far off it may be, in tokens, in either direction. 0 when exact.
    pub margin: u64,
}

impl Count {
    /// The count with its margin on top.
    #[must_use]
    pub const fn upper(self) -> u64 {
        self.tokens.saturating_add(self.margin)
    }
}

/// Tokens of a plain text: exact for OpenAI's encodings, else the best estimate. Text that spells a
/// control token is counted as the text it is.
///
/// The first count in an encoding unpacks its vocabulary, some tens of milliseconds: programs count
/// an empty text of each at the start. Long runs of one sign are the slowest exact counts, about
/// thirty times slower by the byte than prose.
#[must_use]
pub fn count(encoding: Encoding, text: &str) -> u64 {
    measure(encoding, text).tokens
}

/// Tokens of a plain text with the error of the count.
#[must_use]
pub fn measure(encoding: Encoding, text: &str) -> Count {
    let exact = |tokens: usize| Count { tokens: tokens as u64, exact: true, margin: 0 };
    match encoding {
        Encoding::O200k => exact(bpe_openai::o200k_base().count(text)),
        Encoding::Cl100k => exact(bpe_openai::cl100k_base().count(text)),
        Encoding::Estimate { centibytes_per_token, error_percent } => {
            estimate::estimate(text, centibytes_per_token, error_percent)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn well_known_texts_have_their_published_counts() {
        for (text, o200k, cl100k) in [
            ("", 0, 0),
            ("hello world", 2, 2),
            ("tiktoken is great!", 6, 6),
            ("antidisestablishmentarianism", 6, 6),
            ("2 + 2 = 4", 7, 7),
            ("お誕生日おめでとう", 8, 9),
        ] {
            assert_eq!(count(Encoding::O200k, text), o200k, "o200k {text}");
            assert_eq!(count(Encoding::Cl100k, text), cl100k, "cl100k {text}");
        }
    }

    #[test]
    fn hostile_texts_are_counted_like_any_other() {
        let length = 400_000;
        for piece in
            ["a", " ", "\n", " \n", "A", "Aa", "1", "=", "\u{4e2d}A", "\u{0301}", "'s", "\t "]
        {
            let text = piece.repeat(length / piece.len());
            for encoding in [Encoding::O200k, Encoding::Cl100k, Encoding::UNKNOWN] {
                let tokens = count(encoding, &text);
                assert!(tokens > 0 && tokens <= text.len() as u64, "{piece:?} {encoding:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_has_more_tokens_than_bytes(text: String) {
            for encoding in [Encoding::O200k, Encoding::Cl100k, Encoding::UNKNOWN] {
                let tokens = count(encoding, &text);
                prop_assert!(tokens <= text.len() as u64);
                prop_assert_eq!(tokens == 0, text.is_empty());
            }
        }

        #[test]
        fn a_text_is_no_longer_than_its_parts(a in "\\PC{0,60}", b in "\\PC{0,60}") {
            let whole = count(Encoding::O200k, &format!("{a} {b}"));
            let parts = count(Encoding::O200k, &a) + count(Encoding::O200k, &b) + 1;
            prop_assert!(whole <= parts + 2);
        }
    }
}
