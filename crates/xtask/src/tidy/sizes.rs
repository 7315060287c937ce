//! How long files and functions are, in lines of code.
//!
//! Comments and empty lines are free, since explaining must never cost. Inline test modules do not
//! count for their file, so tests never push code out of a file either; a function counts wherever
//! it stands.

use super::lex::{block, is_word, line_of};
use super::tree::Source;

/// The length of a file, or of a function in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) path: String,
    /// The function's name; empty for a file.
    pub(crate) name: String,
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

impl Size {
    /// The path, and the function's name where there is one.
    pub(crate) fn place(&self) -> String {
        format!("{} {}", self.path, self.name).trim_end().to_owned()
    }
}

/// The length of a file.
pub(crate) fn of_file(source: &Source) -> Size {
    let lines = source.lexed.product_lines().count();
    Size { path: source.path.clone(), name: String::new(), line: 1, lines }
}

/// The length of every function in the file that has a body.
pub(crate) fn of_functions(source: &Source) -> Vec<Size> {
    let (bare, code) = (source.lexed.bare.as_str(), source.lexed.code.as_str());
    bare.match_indices("fn ")
        .filter(|(at, _)| !bare.get(..*at).and_then(|t| t.chars().next_back()).is_some_and(is_word))
        .filter_map(|(at, _)| {
            let tail = bare.get(at..)?;
            let name: String = tail.chars().skip("fn ".len()).take_while(|c| is_word(*c)).collect();
            let open = body(tail).filter(|_| !name.is_empty())?;
            let end = at + open + block(tail.get(open..)?);
            let lines = code.get(at..end)?.lines().filter(|line| !line.trim().is_empty()).count();
            Some(Size { path: source.path.clone(), name, line: line_of(bare, at), lines })
        })
        .collect()
}

/// Where the body of the function at the front begins; none for a mere signature.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{of_file, of_functions};
    use crate::tidy::tree::Source;

    #[test]
    fn functions_are_measured_without_comments_and_empty_lines() {
        let text = "trait T { fn only(&self, a: [u8; 4]); }\n\n// c\nfn one(f: fn(u8)) -> u8\n{\n\n    \
                    // why\n    \"}\".len()\n}\n";
        let sizes = of_functions(&Source::new("a.rs", text));
        let seen: Vec<_> = sizes.iter().map(|s| (s.name.as_str(), s.line, s.lines)).collect();
        assert_eq!(seen, [("one", 4, 4)]);
    }

    #[test]
    fn a_file_counts_its_code_without_its_inline_tests() {
        let text = "//! A.\n\nconst A: u8 = 1;\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
        assert_eq!(of_file(&Source::new("a.rs", text)).lines, 1);
    }
}
