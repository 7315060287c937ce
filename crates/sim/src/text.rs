//! The words a simulated model says, and how it counts tokens.
//!
//! A token of an answer is one piece: the words are chosen so that each, with its leading space, is
//! a single token of the usual byte-pair vocabularies too, which keeps a local count close to ours.
//! The text depends only on a key, and a longer text begins with every shorter one: that is what
//! makes a continuation after a cut checkable to the byte. Nothing here knows a dialect or a
//! request.

use std::borrow::Cow;

use crate::chance::{Chance, mix};

const OPENERS: &[&str] = &["The", "This", "When", "Here", "Every", "Some", "After", "Most"];

const WORDS: &[&str] = &[
    " river",
    " bridge",
    " weight",
    " road",
    " cart",
    " stone",
    " light",
    " market",
    " morning",
    " town",
    " scale",
    " paper",
    " number",
    " water",
    " wind",
    " field",
    " house",
    " letter",
    " time",
    " small",
    " large",
    " open",
    " clear",
    " quiet",
    " long",
    " first",
    " second",
    " early",
    " carries",
    " holds",
    " moves",
    " takes",
    " gives",
    " finds",
    " keeps",
    " before",
    " after",
    " under",
    " over",
    " with",
    " without",
    " and",
    " but",
    " for",
    " from",
    " into",
    " near",
    " each",
    " many",
    " more",
    " other",
    " people",
    " work",
    " day",
    " night",
    " line",
    " answer",
    " question",
    " measure",
    " balance",
    " cross",
    " wait",
    " return",
    " simple",
];

/// Pieces of two, three and four bytes a character, for texts that must survive any split.
const WIDE: &[&str] = &[" naïve", " größer", " 東京", " мост", " 🙂", " café", " 🌉🚚", " 橋"];

/// One piece of text; most are static words.
pub(crate) type Piece = Cow<'static, str>;

/// Which words are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Plain,
    /// Every third piece has characters of more than one byte.
    Wide,
}

/// The key of a text: what was asked, of whom, under which seed.
pub(crate) fn key(seed: u64, voice: &str, question: &str, choice: u32) -> u64 {
    let spoken = mix(mix(seed, voice.as_bytes()), question.as_bytes());
    mix(spoken, &choice.to_le_bytes())
}

/// The first `count` pieces of the text of `key`.
pub(crate) fn pieces(key: u64, count: usize, script: Script) -> Vec<Piece> {
    let mut chance = Chance::new(key);
    (0..count).map(|at| Cow::Borrowed(piece(&mut chance, at, script))).collect()
}

fn piece(chance: &mut Chance, at: usize, script: Script) -> &'static str {
    let list = match (at, script) {
        (0, _) => OPENERS,
        (_, Script::Wide) if at % 3 == 1 => WIDE,
        _ if at % 14 == 13 => return ".",
        _ => WORDS,
    };
    chance.pick(list).copied().unwrap_or(" so")
}

/// Cuts a given text into pieces, a word with the space before it at a time.
pub(crate) fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let tail = rest.get(word..).unwrap_or_default();
        let end = word + tail.find(char::is_whitespace).unwrap_or(tail.len());
        let (head, after) = rest.split_at(end);
        pieces.push(Cow::Owned(head.to_owned()));
        rest = after;
    }
    pieces
}

/// Cuts a text into fragments of at most `size` characters, as JSON is streamed.
pub(crate) fn fragments(text: &str, size: usize) -> Vec<Piece> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size.max(1)).map(|part| Cow::Owned(part.iter().collect())).collect()
}

/// The simulator's own token count of an input text: a word is one token per eight bytes begun, any
/// other visible character is one.
pub(crate) fn count(text: &str) -> u32 {
    let mut tokens = 0_u32;
    let mut run = 0_u32;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte >= 0x80 {
            tokens = tokens.saturating_add(u32::from(run.is_multiple_of(8)));
            run += 1;
        } else {
            run = 0;
            tokens = tokens.saturating_add(u32::from(!byte.is_ascii_whitespace()));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_longer_text_begins_with_the_shorter_one() {
        let long = pieces(42, 100, Script::Plain);
        assert_eq!(pieces(42, 40, Script::Plain), long[..40]);
    }

    #[test]
    fn tokens_are_counted_by_word_and_sign() {
        assert_eq!(count("hello world"), 2);
        assert_eq!(count("hello, internationalisation!"), 1 + 1 + 3 + 1);
        assert_eq!(count("  \n"), 0);
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(text in "\\PC{0,80}") {
            prop_assert_eq!(split(&text).concat(), text.clone());
            prop_assert_eq!(fragments(&text, 5).concat(), text);
        }
    }
}
