//! One mistake in a configuration file: where it stands, what is wrong, what was probably meant.

use std::fmt;

/// A mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as the user gave it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Where in the configuration, as `models.fast.deployments[1]`; empty for the whole file.
    pub path: String,
    /// What is wrong. Holds no secret.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// "did you mean `x`?" for the nearest of `known`, if one is near enough to be a slip of the hand.
pub(super) fn did_you_mean<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(typed, known).map(|name| format!("did you mean `{name}`?"))
}

/// The name nearest to `typed`: at most one edit in three characters away.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Nobody mistypes a longer name than this, and the distance is quadratic in the length.
    const LONGEST: usize = 64;
    let typed: Vec<char> = typed.chars().take(LONGEST + 1).collect();
    if typed.len() > LONGEST {
        return None;
    }
    // In a name of two letters one edit makes any other.
    let allowed = if typed.len() < 3 { 0 } else { typed.len() / 3 };
    let distances = known.into_iter().map(|name| (distance(&typed, name), name));
    let best = distances.min_by_key(|(distance, _)| *distance)?;
    (best.0 <= allowed).then_some(best.1)
}

/// Edits from `typed` to `name`: insertions, deletions, substitutions, and swaps of neighbours
/// (optimal string alignment distance).
fn distance(typed: &[char], name: &str) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=typed.len()).collect();
    let mut last_of_name = None;
    for (line, wanted) in name.chars().enumerate() {
        let mut next = vec![line + 1];
        let mut last_typed = None;
        for (column, &got) in typed.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let substituted = cell(&row, column) + usize::from(got != wanted);
            let mut best = substituted.min(cell(&row, column + 1) + 1).min(cell(&next, column) + 1);
            if last_typed == Some(wanted) && last_of_name == Some(got) && column > 0 {
                best = best.min(cell(&before, column - 1) + 1);
            }
            next.push(best);
            last_typed = Some(got);
        }
        last_of_name = Some(wanted);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_find_the_word_and_other_words_do_not() {
        let known = ["fallbacks", "strategy", "deployments", "weight"];
        assert_eq!(nearest("fallback", known), Some("fallbacks"));
        assert_eq!(nearest("startegy", known), Some("strategy"));
        assert_eq!(nearest("wieght", known), Some("weight"));
        assert_eq!(nearest("temperature", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
    }

    #[test]
    fn edits_are_counted_and_a_swap_of_neighbours_is_one() {
        let edits = |typed: &str, name| distance(&typed.chars().collect::<Vec<_>>(), name);
        assert_eq!(edits("orderde", "ordered"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }
}
