//! A scanner over JSON text: validates every byte, builds nothing.
//!
//! It accepts what `serde_json` accepts as a value (UTF-8, escapes with paired surrogates, numbers
//! within `f64`, no control characters in strings) but only to a nesting of [`MAX_DEPTH`]. A
//! caller walks the objects and arrays it cares about with [`Scanner::object`] and
//! [`Scanner::array`] and skips the rest, so that one pass both checks the text and finds the
//! spans that are needed.
//!
//! The text stays bytes: it is known to be UTF-8 once a scanner exists, and to ask again of every
//! key and string costs more than to scan it.

mod run;
mod skip;
mod token;
mod utf8;

use crate::error::DecodeError;
use std::borrow::Cow;
use std::ops::Range;
use token::fault;

/// The deepest nesting of objects and arrays. One word of bits holds the kinds of the open ones.
pub(crate) const MAX_DEPTH: u32 = 64;

/// Why the text is not acceptable JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not JSON, seen at this byte offset.
    Syntax { at: usize, message: &'static str },
    /// Nested more deeply than [`MAX_DEPTH`].
    TooDeep,
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax { at, message } => Self::at("", format!("{message} at byte {at}")),
            Fault::TooDeep => Self::at("", "nested too deeply"),
        }
    }
}

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
    /// No value begins here.
    Nothing,
}

/// A value that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Where its text is.
    pub(crate) span: Range<usize>,
    /// How many members or elements it has; 0 for scalars.
    pub(crate) members: usize,
}

/// The text between the quotes of a string. It is UTF-8.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
    /// The offset of the opening quote.
    pub(crate) start: usize,
}

impl<'a> Text<'a> {
    /// The string as it is meant.
    pub(crate) fn unescaped(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(std::str::from_utf8(self.raw).unwrap_or_default());
        }
        let quoted = [b"\"", self.raw, b"\""].concat();
        Cow::Owned(serde_json::from_slice(&quoted).unwrap_or_default())
    }

    /// The string as it is meant, in bytes. The cheapest form to compare.
    #[inline]
    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        if self.escaped { self.owned() } else { Cow::Borrowed(self.raw) }
    }

    #[cold]
    fn owned(self) -> Cow<'a, [u8]> {
        Cow::Owned(self.unescaped().into_owned().into_bytes())
    }

    /// How many bytes of UTF-8 the string has when it is unescaped.
    #[inline]
    pub(crate) fn unescaped_len(self) -> usize {
        self.bytes().len()
    }
}

/// A position in JSON text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of `text`, which must be UTF-8.
    pub(crate) fn new(text: &'a [u8]) -> Result<Self, Fault> {
        match utf8::first_fault(text) {
            None => Ok(Self { text, at: 0, depth: 0 }),
            Some(at) => fault(at, "not UTF-8"),
        }
    }

    /// The same text from `at` on.
    pub(crate) fn from(&self, at: usize) -> Self {
        Self { text: self.text, at, depth: 0 }
    }

    /// The text of a span.
    #[inline]
    pub(crate) fn slice(&self, span: &Range<usize>) -> &'a [u8] {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The offset of the next byte to be read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The kind of the value that comes next.
    #[inline]
    pub(crate) fn kind(&mut self) -> Kind {
        self.at = token::space(self.text, self.at);
        match self.text.get(self.at) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Nothing,
        }
    }

    /// Walks an object. `each` must consume exactly one value.
    #[inline]
    pub(crate) fn object<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "expected an object")?;
        if self.ends(b'}') {
            return Ok(());
        }
        loop {
            let (start, end, after) = token::key(self.text, self.at)?;
            self.at = after;
            each(self, self.inside(start, end))?;
            if self.ends(b'}') {
                return Ok(());
            }
            self.at = token::expect(self.text, self.at, b',', "expected `,` or `}`")?;
        }
    }

    /// Walks an array. `each` gets the element's number and must consume exactly one value.
    #[inline]
    pub(crate) fn array<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "expected an array")?;
        if self.ends(b']') {
            return Ok(());
        }
        for number in 0.. {
            each(self, number)?;
            if self.ends(b']') {
                break;
            }
            self.at = token::expect(self.text, self.at, b',', "expected `,` or `]`")?;
        }
        Ok(())
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Fault> {
        let at = token::space(self.text, self.at);
        let start = token::expect(self.text, at, b'"', "expected a string")?;
        let end = token::string(self.text, start)?;
        self.at = end.at + 1;
        Ok(self.inside(start, end))
    }

    /// Skips one value of any kind.
    pub(crate) fn skip(&mut self) -> Result<Skipped, Fault> {
        let skipped = skip::value(self.text, self.at, self.depth)?;
        self.at = skipped.span.end;
        Ok(skipped)
    }

    /// Skips one value whose nesting is counted from itself: a request that is repeated inside an
    /// answer is nested more deeply than the request was allowed to be.
    pub(crate) fn skip_repeated(&mut self) -> Result<Skipped, Fault> {
        let skipped = skip::value(self.text, self.at, 0)?;
        self.at = skipped.span.end;
        Ok(skipped)
    }

    /// Skips one value that nobody asks about.
    pub(crate) fn pass(&mut self) -> Result<(), Fault> {
        let at = token::space(self.text, self.at);
        self.at = match self.text.get(at) {
            Some(b'"') => token::string(self.text, at + 1)?.at + 1,
            Some(b'{' | b'[') => skip::value(self.text, at, self.depth)?.span.end,
            Some(b'-' | b'0'..=b'9') => token::number(self.text, at)?,
            _ => token::literal(self.text, at)?,
        };
        Ok(())
    }

    /// Nothing but white space may be left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.at = token::space(self.text, self.at);
        if self.at == self.text.len() { Ok(()) } else { fault(self.at, "trailing characters") }
    }

    #[inline]
    fn inside(&self, start: usize, end: token::Closed) -> Text<'a> {
        let raw = self.slice(&(start..end.at));
        Text { raw, escaped: end.escaped, start: start - 1 }
    }

    #[inline]
    fn open(&mut self, bracket: u8, message: &'static str) -> Result<(), Fault> {
        let at = token::space(self.text, self.at);
        self.at = token::expect(self.text, at, bracket, message)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::TooDeep) } else { Ok(()) }
    }

    /// Whether the walked object or array ends here; takes its bracket if so.
    #[inline]
    fn ends(&mut self, bracket: u8) -> bool {
        self.at = token::space(self.text, self.at);
        let ends = self.text.get(self.at) == Some(&bracket);
        self.at += usize::from(ends);
        self.depth -= u32::from(ends);
        ends
    }
}
