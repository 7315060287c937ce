//! Just enough of Rust's lexical grammar to know code from comments and strings.
//!
//! Comments and the insides of strings and characters become spaces, line ends stay, so line
//! numbers and columns of what remains are those of the file. This is no parser: macros are not
//! expanded, and a file the compiler would refuse gives some answer instead of an error.

/// A file without its comments.
pub(crate) struct Lexed {
    /// Code with its strings.
    pub(crate) code: String,
    /// Code with its strings and characters emptied.
    pub(crate) bare: String,
    /// For every line whether it belongs to an inline `#[cfg(test)] mod`.
    pub(crate) in_tests: Vec<bool>,
}

/// What a stretch of the file is.
#[derive(Clone, Copy, PartialEq)]
enum Stretch {
    Code,
    Comment,
    Literal,
}

impl Lexed {
    /// Reads a file.
    pub(crate) fn of(text: &str) -> Self {
        let (mut code, mut bare) = (String::new(), String::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (kind, length) = next_stretch(rest, code.chars().next_back());
            let (piece, tail) = rest.split_at(length);
            match kind {
                Stretch::Comment => push_blank(&mut code, piece),
                Stretch::Code | Stretch::Literal => code.push_str(piece),
            }
            match kind {
                Stretch::Code => bare.push_str(piece),
                Stretch::Comment | Stretch::Literal => push_blank(&mut bare, piece),
            }
            rest = tail;
        }
        let in_tests = test_lines(&bare);
        Self { code, bare, in_tests }
    }

    /// The lines of code outside inline test modules, numbered from 1, without empty ones.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = (1..).zip(self.code.lines().zip(&self.in_tests));
        numbered
            .filter(|(_, (_, in_tests))| !**in_tests)
            .map(|(number, (line, _))| (number, line.trim()))
            .filter(|(_, line)| !line.is_empty())
    }
}

fn push_blank(out: &mut String, piece: &str) {
    out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

/// The kind and the length in bytes of what stands at the front of `rest`; `before` is the
/// character in front of it, which tells `r"` from the end of `for"`.
fn next_stretch(rest: &str, before: Option<char>) -> (Stretch, usize) {
    let starts_word = !before.is_some_and(is_word);
    if rest.starts_with("//") {
        return (Stretch::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Stretch::Comment, block_comment(rest));
    }
    if rest.starts_with('"') {
        return (Stretch::Literal, 1 + quoted(rest.get(1..).unwrap_or(""), '"'));
    }
    if let Some(length) = raw_string(rest).filter(|_| starts_word) {
        return (Stretch::Literal, length);
    }
    if let Some(length) = character(rest) {
        return (Stretch::Literal, length);
    }
    (Stretch::Code, plain_code(rest))
}

/// The length of the code up to where something else may begin; at least one character.
fn plain_code(rest: &str) -> usize {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let tail = rest.as_bytes().get(first..).unwrap_or_default();
    let next = tail.windows(2).position(|pair| {
        matches!(pair, [b'/' | b'"' | b'\'', _] | [b'r', b'"' | b'#'] | [b'b' | b'c', b'r'])
    });
    next.map_or(rest.len(), |at| first + at)
}

/// The length of a block comment, nested ones included.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = if tail.starts_with("/*") {
            depth += 1;
            2
        } else if tail.starts_with("*/") {
            depth = depth.saturating_sub(1);
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length up to and with the closing quote, backslashes heeded.
fn quoted(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    inside.len()
}

/// The length of a raw string such as `r#"..."#` or `br"..."`.
fn raw_string(rest: &str) -> Option<usize> {
    let after_prefix = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let after_hashes = after_prefix.trim_start_matches('#');
    let hashes = after_prefix.len() - after_hashes.len();
    let inside = after_hashes.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let head = rest.len() - inside.len();
    Some(inside.find(&end).map_or(rest.len(), |at| head + at + end.len()))
}

/// The length of a character literal. A lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return Some(1 + quoted(inside, '\''));
    }
    let c = inside.chars().next()?;
    inside.get(c.len_utf8()..)?.starts_with('\'').then_some(2 + c.len_utf8())
}

/// Whether `c` can be part of a name.
pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of the braced block whose `{` is at the front of `bare`, its `}` included.
pub(crate) fn block(bare: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in bare.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    bare.len()
}

/// Marks the lines of every `#[cfg(test)] mod name { ... }`.
fn test_lines(bare: &str) -> Vec<bool> {
    const MARK: &str = "#[cfg(test)]";
    let mut lines = vec![false; bare.lines().count()];
    for (at, _) in bare.match_indices(MARK) {
        let tail = bare.get(at..).unwrap_or("");
        let Some(open) = tail.find(['{', ';']).filter(|open| {
            let head = tail.get(MARK.len()..*open).unwrap_or("");
            tail.get(*open..).is_some_and(|t| t.starts_with('{'))
                && head.split_whitespace().any(|word| word == "mod")
        }) else {
            continue;
        };
        let end = open + block(tail.get(open..).unwrap_or(""));
        let first = line_of(bare, at) - 1;
        let last = line_of(bare, at + end) - 1;
        lines.iter_mut().skip(first).take(last - first + 1).for_each(|line| *line = true);
    }
    lines
}

/// The number, from 1, of the line that holds byte `at`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).matches('\n').count()
}

#[cfg(test)]
mod tests {
    use super::Lexed;

    #[test]
    fn comments_vanish_and_strings_are_emptied_without_moving_lines() {
        let lexed =
            Lexed::of("a // b\n/* { /* x */\n } */ c \"}\\\"{\" 'x' r#\"\"{\"#\nfn f<'a>() {}");
        assert_eq!(lexed.code.lines().count(), 4);
        assert!(lexed.code.contains("\"}\\\"{\""));
        assert!(!lexed.bare.contains("x"));
        assert_eq!(lexed.bare.matches('{').count(), 1);
        assert!(lexed.bare.contains("fn f<'a>() {}"));
    }

    #[test]
    fn quotes_as_characters_do_not_open_strings() {
        let lexed = Lexed::of("let a = ['\"', '\\'', '{', b'\"']; // \"\nlet b;");
        assert!(lexed.bare.contains("let b;"));
        assert!(!lexed.bare.contains('{'));
    }

    #[test]
    fn inline_test_modules_are_marked_from_attribute_to_brace() {
        let lexed = Lexed::of("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
        assert_eq!(lexed.in_tests, [false, true, true, true, true, false]);
        let kept: Vec<_> = lexed.product_lines().collect();
        assert_eq!(kept, [(1, "fn a() {}"), (6, "fn c() {}")]);
    }

    #[test]
    fn unfinished_text_ends_without_an_error() {
        for text in ["\"", "/*", "r#\"", "'", "'\\", "fn f() {", "é'é"] {
            assert_eq!(Lexed::of(text).code.lines().count(), 1);
        }
    }
}
