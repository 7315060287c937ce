//! Skipping a whole value in one loop. No recursion: the kinds of the open brackets are the bits
//! of one word.

use super::token::{expect, key, literal, number, space, string};
use super::{Fault, MAX_DEPTH, Skipped};

/// Skips one value of any kind, `depth` brackets deep, with the white space before it.
pub(super) fn value(bytes: &[u8], at: usize, depth: u32) -> Result<Skipped, Fault> {
    let start = space(bytes, at);
    let mut at = start;
    let mut open = Open { kinds: 0, level: 0 };
    let mut members = 0;
    loop {
        members += usize::from(open.level == 1);
        if open.is_object() {
            at = key(bytes, at)?.2;
        }
        at = space(bytes, at);
        match bytes.get(at) {
            Some(b'"') => at = string(bytes, at + 1)?.at + 1,
            Some(b'-' | b'0'..=b'9') => at = number(bytes, at)?,
            Some(bracket @ (b'{' | b'[')) => {
                if depth + open.level >= MAX_DEPTH {
                    return Err(Fault::TooDeep);
                }
                let object = *bracket == b'{';
                at = space(bytes, at + 1);
                if bytes.get(at) != Some(&closing(object)) {
                    open.push(object);
                    continue;
                }
                at += 1;
            }
            _ => at = literal(bytes, at)?,
        }
        // What ends here, until another value follows.
        loop {
            if open.level == 0 {
                return Ok(Skipped { span: start..at, members });
            }
            at = space(bytes, at);
            if bytes.get(at) == Some(&b',') {
                at += 1;
                break;
            }
            at = end(bytes, at, open.is_object())?;
            open.pop();
        }
    }
}

#[inline]
fn closing(object: bool) -> u8 {
    if object { b'}' } else { b']' }
}

/// Takes the end of an object or array, which must be there.
#[inline]
fn end(bytes: &[u8], at: usize, object: bool) -> Result<usize, Fault> {
    if object {
        expect(bytes, at, b'}', "expected `,` or `}`")
    } else {
        expect(bytes, at, b']', "expected `,` or `]`")
    }
}

/// The open brackets: bit n tells whether the n-th from the inside is an object.
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
