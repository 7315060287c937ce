//! The tokens of JSON: where each ends, and what is wrong with it if it does not.
//!
//! Positions go in and out by value, so that a caller's loop can keep its own in a register. That
//! needs the tokens of every member to be part of the loop, so these two are always inlined.

use super::Fault;
use super::run::{near_stop, stop};

/// The next byte from `at` on that is not white space.
#[inline]
pub(super) fn space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of a string.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    /// The offset of the closing quote.
    pub(super) at: usize,
    pub(super) escaped: bool,
}

/// Reads a string from behind its opening quote.
#[inline(always)]
pub(super) fn string(bytes: &[u8], at: usize) -> Result<Closed, Fault> {
    match near_stop(bytes, at) {
        Some(at) if bytes.get(at) == Some(&b'"') => Ok(Closed { at, escaped: false }),
        _ => long_string(bytes, at),
    }
}

#[inline(never)]
fn long_string(bytes: &[u8], mut at: usize) -> Result<Closed, Fault> {
    let mut escaped = false;
    at = stop(bytes, at);
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(Closed { at, escaped }),
            Some(b'\\') => {
                escaped = true;
                at = escape(bytes, at + 1)?;
                at = near_stop(bytes, at).unwrap_or_else(|| stop(bytes, at));
            }
            Some(_) => return fault(at, "control character in a string"),
            None => return fault(at, "unfinished string"),
        }
    }
}

/// Reads a key and its colon. Returns the key, without quotes, and where its value may begin.
#[inline(always)]
pub(super) fn key(bytes: &[u8], at: usize) -> Result<(usize, Closed, usize), Fault> {
    let start = expect(bytes, space(bytes, at), b'"', "expected a string")?;
    let end = string(bytes, start)?;
    let after = expect(bytes, space(bytes, end.at + 1), b':', "expected `:`")?;
    Ok((start, end, after))
}

/// Reads an escape from behind its backslash.
#[inline]
fn escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => unicode_escape(bytes, at),
        Some(_) => fault(at, "invalid escape"),
        None => fault(at, "unfinished string"),
    }
}

fn unicode_escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let (unit, at) = hex4(bytes, at)?;
    match unit {
        0xDC00..=0xDFFF => fault(at, "lone surrogate"),
        0xD800..=0xDBFF => {
            let at = expect(bytes, at, b'\\', "lone surrogate")?;
            match hex4(bytes, at)? {
                (0xDC00..=0xDFFF, at) => Ok(at),
                (_, at) => fault(at, "lone surrogate"),
            }
        }
        _ => Ok(at),
    }
}

/// Reads `u` and four hexadecimal digits.
fn hex4(bytes: &[u8], at: usize) -> Result<(u32, usize), Fault> {
    let at = expect(bytes, at, b'u', "lone surrogate")?;
    let digits = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    let value = digits.and_then(|digits| {
        digits.iter().try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
    });
    value.map_or_else(|| fault(at, "invalid escape"), |value| Ok((value, at + 4)))
}

/// Reads a number, which must be one of `f64`.
#[inline]
pub(super) fn number(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        _ => digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(bytes, at + 1 + usize::from(signed))?;
        return in_range(bytes, start, at);
    }
    // Without an exponent only such numbers can leave the range of `f64`.
    if at - start > 300 { in_range(bytes, start, at) } else { Ok(at) }
}

#[inline]
fn digits(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start { fault(at, "invalid number") } else { Ok(at) }
}

#[cold]
fn in_range(bytes: &[u8], start: usize, end: usize) -> Result<usize, Fault> {
    let text = bytes.get(start..end).and_then(|text| std::str::from_utf8(text).ok());
    match text.and_then(|text| text.parse::<f64>().ok()) {
        Some(value) if value.is_finite() => Ok(end),
        _ => fault(end, "number out of range"),
    }
}

/// Reads `null`, `true` or `false`.
#[inline]
pub(super) fn literal(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest {
        [b'n', b'u', b'l', b'l', ..] | [b't', b'r', b'u', b'e', ..] => Ok(at + 4),
        [b'f', b'a', b'l', b's', b'e', ..] => Ok(at + 5),
        _ => fault(at, "expected a value"),
    }
}

/// The position behind `byte`, which must be there.
#[inline]
pub(super) fn expect(
    bytes: &[u8],
    at: usize,
    byte: u8,
    message: &'static str,
) -> Result<usize, Fault> {
    if bytes.get(at) == Some(&byte) { Ok(at + 1) } else { fault(at, message) }
}

#[cold]
pub(super) fn fault<T>(at: usize, message: &'static str) -> Result<T, Fault> {
    Err(Fault::Syntax { at, message })
}
