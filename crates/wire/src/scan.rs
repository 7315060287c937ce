//! A scanner over JSON text: validates every byte, builds nothing.
//!
//! It accepts what `serde_json` accepts as a value (UTF-8, escapes with paired surrogates, numbers
//! within `f64`, no control characters in strings) but only to a nesting of [`MAX_DEPTH`]. A
//! caller walks the objects and arrays it cares about with [`Scanner::object`] and
//! [`Scanner::array`] and skips the rest, so that one pass both checks the text and finds the
//! spans that are needed. Skipping needs no recursion: the kinds of the open brackets are the
//! bits of one word.
//!
//! Strings are skipped in words and blocks of bytes, because a prompt is nearly all string.

use std::borrow::Cow;
use std::ops::Range;

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

/// The text between the quotes of a string.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a str,
    pub(crate) escaped: bool,
    /// The offset of the opening quote.
    pub(crate) start: usize,
}

impl<'a> Text<'a> {
    /// The string as it is meant.
    #[inline]
    pub(crate) fn unescaped(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        Cow::Owned(serde_json::from_str(&format!("\"{}\"", self.raw)).unwrap_or_default())
    }

    /// How many bytes of UTF-8 the string has when it is unescaped.
    pub(crate) fn unescaped_len(self) -> usize {
        if self.escaped { self.unescaped().len() } else { self.raw.len() }
    }
}

/// A position in JSON text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of `bytes`, which must be UTF-8.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Fault::Syntax { at: error.valid_up_to(), message: "not UTF-8" })?;
        Ok(Self { text, at: 0, depth: 0 })
    }

    /// The same text from `at` on.
    pub(crate) fn from(&self, at: usize) -> Self {
        Self { text: self.text, at, depth: 0 }
    }

    /// The text of a span.
    #[inline]
    pub(crate) fn slice(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The offset of the next byte to be read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The kind of the value that comes next.
    #[inline]
    pub(crate) fn kind(&mut self) -> Kind {
        self.space();
        match self.byte() {
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
    pub(crate) fn object<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{', "expected an object")?;
        self.space();
        if self.take(b'}') {
            self.close();
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(self, key)?;
            self.space();
            if self.take(b'}') {
                self.close();
                return Ok(());
            }
            self.expect(b',', "expected `,` or `}`")?;
        }
    }

    /// Walks an array. `each` gets the element's number and must consume exactly one value.
    pub(crate) fn array<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[', "expected an array")?;
        self.space();
        if self.take(b']') {
            self.close();
            return Ok(());
        }
        for number in 0.. {
            each(self, number)?;
            self.space();
            if self.take(b']') {
                break;
            }
            self.expect(b',', "expected `,` or `]`")?;
        }
        self.close();
        Ok(())
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Fault> {
        self.space();
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        let mut escaped = false;
        while !self.run()? {
            escaped = true;
            self.escape()?;
        }
        let raw = self.slice(&(start..self.at));
        self.at += 1;
        Ok(Text { raw, escaped, start: start - 1 })
    }

    /// Skips one value of any kind.
    pub(crate) fn skip(&mut self) -> Result<Skipped, Fault> {
        self.space();
        let start = self.at;
        let mut open = Open::default();
        let mut members = 0;
        loop {
            if open.level == 1 {
                members += 1;
            }
            if self.opens(&mut open)? {
                continue;
            }
            if self.closes(&mut open)? {
                return Ok(Skipped { span: start..self.at, members });
            }
        }
    }

    /// Skips one value that nobody asks about.
    pub(crate) fn pass(&mut self) -> Result<(), Fault> {
        self.skip().map(|_| ())
    }

    /// Nothing but white space may be left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.fault("trailing characters") }
    }

    /// Reads a scalar, an empty container, or the opening of a container with its first key.
    /// True when a value must follow.
    #[inline]
    fn opens(&mut self, open: &mut Open) -> Result<bool, Fault> {
        let kind = self.kind();
        match kind {
            Kind::String => self.string().map(|_| false),
            Kind::Number => self.number().map(|()| false),
            Kind::Bool | Kind::Null => self.literal().map(|()| false),
            Kind::Nothing => self.fault("expected a value"),
            Kind::Object | Kind::Array => {
                let object = kind == Kind::Object;
                if self.depth + open.level >= MAX_DEPTH {
                    return Err(Fault::TooDeep);
                }
                self.at += 1;
                self.space();
                if self.take(if object { b'}' } else { b']' }) {
                    return Ok(false);
                }
                open.push(object);
                if object {
                    self.key()?;
                }
                Ok(true)
            }
        }
    }

    /// After a value: closes what ends here. False when another value follows.
    #[inline]
    fn closes(&mut self, open: &mut Open) -> Result<bool, Fault> {
        while open.level > 0 {
            self.space();
            let object = open.is_object();
            if self.take(b',') {
                if object {
                    self.key()?;
                }
                return Ok(false);
            }
            let (end, message) =
                if object { (b'}', "expected `,` or `}`") } else { (b']', "expected `,` or `]`") };
            self.expect(end, message)?;
            open.pop();
        }
        Ok(true)
    }

    #[inline]
    fn key(&mut self) -> Result<Text<'a>, Fault> {
        let key = self.string()?;
        self.space();
        self.expect(b':', "expected `:`")?;
        Ok(key)
    }

    /// Runs over plain characters of a string. True at its closing quote, false at an escape.
    #[inline]
    fn run(&mut self) -> Result<bool, Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = plain_run(rest);
        self.at += length;
        match rest.get(length) {
            Some(b'"') => Ok(true),
            Some(b'\\') => Ok(false),
            Some(_) => self.fault("control character in a string"),
            None => self.fault("unfinished string"),
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => self.unicode_escape(),
            Some(_) => self.fault("invalid escape"),
            None => self.fault("unfinished string"),
        }
    }

    fn unicode_escape(&mut self) -> Result<(), Fault> {
        match self.hex4()? {
            0xDC00..=0xDFFF => self.fault("lone surrogate"),
            0xD800..=0xDBFF => {
                self.expect(b'\\', "lone surrogate")?;
                match self.hex4()? {
                    0xDC00..=0xDFFF => Ok(()),
                    _ => self.fault("lone surrogate"),
                }
            }
            _ => Ok(()),
        }
    }

    /// Reads `u` and four hexadecimal digits.
    fn hex4(&mut self) -> Result<u32, Fault> {
        self.expect(b'u', "lone surrogate")?;
        let digits = self.text.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let all_hex = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        let value = std::str::from_utf8(digits).ok().and_then(|d| u32::from_str_radix(d, 16).ok());
        match value.filter(|_| all_hex) {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => self.fault("invalid escape"),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        let exponent = self.take(b'e') || self.take(b'E');
        if exponent {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        // Only such numbers can leave the range of `f64`.
        if exponent || self.at - start > 300 {
            let value: Result<f64, _> = self.slice(&(start..self.at)).parse();
            if !value.is_ok_and(f64::is_finite) {
                return self.fault("number out of range");
            }
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return self.fault("invalid number");
        }
        self.at += length;
        Ok(())
    }

    #[inline]
    fn literal(&mut self) -> Result<(), Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let word: &[u8] = match rest.first() {
            Some(b'n') => b"null",
            Some(b't') => b"true",
            _ => b"false",
        };
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        self.fault("expected a value")
    }

    #[inline]
    fn open(&mut self, bracket: u8, message: &'static str) -> Result<(), Fault> {
        self.space();
        self.expect(bracket, message)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::TooDeep) } else { Ok(()) }
    }

    #[inline]
    fn close(&mut self) {
        self.depth -= 1;
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.byte() {
            self.at += 1;
        }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let there = self.byte() == Some(byte);
        self.at += usize::from(there);
        there
    }

    #[inline]
    fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), Fault> {
        if self.take(byte) { Ok(()) } else { self.fault(message) }
    }

    #[cold]
    fn fault<T>(&self, message: &'static str) -> Result<T, Fault> {
        Err(Fault::Syntax { at: self.at, message })
    }
}

/// The length of the run of plain characters at the start of `rest`: words first, because most
/// strings are short, then blocks that become a few vector instructions each.
#[inline]
fn plain_run(rest: &[u8]) -> usize {
    match stop_in_words(rest.get(..BLOCK).unwrap_or(rest)) {
        Some(at) => at,
        None if rest.len() <= BLOCK => rest.len(),
        None => long_run(rest),
    }
}

const BLOCK: usize = 32;

fn long_run(rest: &[u8]) -> usize {
    let mut at = BLOCK;
    while let Some(block) = rest.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        // No early exit within a block, so that its bytes are compared all at once.
        if block.iter().fold(false, |found, byte| found | is_stop(*byte)) {
            break;
        }
        at += BLOCK;
    }
    let tail = rest.get(at..).unwrap_or_default();
    at + stop_in_words(tail).unwrap_or(tail.len())
}

/// A byte that ends a run: a quote, an escape or a control character.
#[inline]
fn is_stop(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// The first byte that ends a run, looked for in eight bytes at a time.
#[inline]
fn stop_in_words(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let stops = stops_in(u64::from_le_bytes(*word));
        if stops != 0 {
            return usize::try_from(stops.trailing_zeros() / 8).ok().map(|inside| at + inside);
        }
        at += 8;
    }
    let tail = bytes.get(at..).unwrap_or_default();
    tail.iter().position(|byte| is_stop(*byte)).map(|inside| at + inside)
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

/// The open brackets of a skipped value: bit n tells whether the n-th from the inside is an object.
#[derive(Default)]
struct Open {
    kinds: u64,
    level: u32,
}

impl Open {
    fn push(&mut self, object: bool) {
        self.kinds = (self.kinds << 1) | u64::from(object);
        self.level += 1;
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.level -= 1;
    }

    fn is_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}
