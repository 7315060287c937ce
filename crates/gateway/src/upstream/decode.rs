//! Compressed bodies, unpacked bit by bit under a bound.
//!
//! A small body can unpack to gigabytes, so input goes in by slices whose worst expansion is about
//! a megabyte, and a body that has grown past one megabyte at more than a hundred to one is given
//! up: text does not compress like that, bombs do. Brotli and zstd are not asked for and not
//! understood.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::failure::BodyFailure;

/// Compressed bytes taken in one step. Deflate expands at most 1032 to 1, so a step yields at most
/// about one megabyte.
const SLICE: usize = 1024;

/// Output from which the ratio counts; below it a harmless body may compress well.
const RATIO_FROM: u64 = 1024 * 1024;

/// Output per input beyond which a body is a bomb.
const MAX_RATIO: u64 = 100;

/// The codings a body can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
}

/// Names in `content-encoding` (RFC 9110 section 8.4.1) and what they mean.
const CODINGS: [(&str, Coding); 5] = [
    ("", Coding::Identity),
    ("identity", Coding::Identity),
    ("gzip", Coding::Gzip),
    ("x-gzip", Coding::Gzip),
    ("deflate", Coding::Deflate),
];

impl Coding {
    /// The coding the fields declare; `None` if it is unknown, or if there are several.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let value = values.next().map_or(Ok(""), |value| value.to_str()).ok()?.trim();
        let known = CODINGS.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
        known.filter(|_| values.next().is_none()).map(|(_, coding)| *coding)
    }
}

/// Unpacks one body.
pub(super) struct Decoder {
    unpack: Unpack,
    waiting: Bytes,
    taken: u64,
    produced: u64,
}

enum Unpack {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// `deflate` means zlib, but some servers send it bare: the first byte tells.
    DeflateUnseen,
    Deflate(Decompress),
    DeflateEnded,
}

impl Decoder {
    /// A decoder for the coding; `None` if there is nothing to undo.
    pub(super) fn of(coding: Coding) -> Option<Self> {
        let unpack = match coding {
            Coding::Identity => return None,
            Coding::Gzip => Unpack::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Coding::Deflate => Unpack::DeflateUnseen,
        };
        Some(Self { unpack, waiting: Bytes::new(), taken: 0, produced: 0 })
    }

    /// Adds compressed bytes. Call it when [`Decoder::next`] has no more to give.
    pub(super) fn feed(&mut self, data: Bytes) {
        self.waiting = data;
    }

    /// The next unpacked bytes, never empty; `None` when it needs to be fed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, BodyFailure> {
        while !self.waiting.is_empty() {
            let slice = self.waiting.slice(..self.waiting.len().min(SLICE));
            self.waiting.advance(slice.len());
            self.taken = self.taken.saturating_add(slice.len() as u64);
            let unpacked = self.unpack.step(&slice).ok_or(BodyFailure::Encoding)?;
            self.produced = self.produced.saturating_add(unpacked.len() as u64);
            if self.produced > RATIO_FROM && self.produced / MAX_RATIO > self.taken {
                return Err(BodyFailure::TooLarge);
            }
            if !unpacked.is_empty() {
                return Ok(Some(Bytes::from(unpacked)));
            }
        }
        Ok(None)
    }

    /// Whether the compressed bytes ended where they should. An empty body has no end to miss.
    pub(super) fn end(&mut self) -> Result<(), BodyFailure> {
        let whole = match &mut self.unpack {
            _ if self.taken == 0 => true,
            Unpack::DeflateEnded => true,
            // Every step flushes, so nothing but the checksum is left to look at.
            Unpack::Gzip(decoder) => decoder.try_finish().is_ok() && decoder.get_ref().is_empty(),
            Unpack::DeflateUnseen | Unpack::Deflate(_) => false,
        };
        if whole { Ok(()) } else { Err(BodyFailure::Encoding) }
    }
}

impl Unpack {
    /// Unpacks one slice; `None` if it is broken.
    fn step(&mut self, slice: &[u8]) -> Option<Vec<u8>> {
        if let Self::DeflateUnseen = self {
            // zlib's first byte holds method 8 in its low half (RFC 1950); bare deflate would have
            // to begin with a stored block with odd padding to look like that.
            let zlib = slice.first()? & 0x0f == 8;
            *self = Self::Deflate(Decompress::new(zlib));
        }
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(slice).ok()?;
                decoder.flush().ok()?;
                Some(std::mem::take(decoder.get_mut()))
            }
            Self::Deflate(state) => {
                let (unpacked, ended) = inflate(state, slice)?;
                if ended {
                    *self = Self::DeflateEnded;
                }
                Some(unpacked)
            }
            // What follows the end is not part of the body.
            Self::DeflateUnseen | Self::DeflateEnded => Some(Vec::new()),
        }
    }
}

/// Runs a slice through, and says whether the stream ended in it.
fn inflate(state: &mut Decompress, mut slice: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut unpacked = Vec::new();
    loop {
        unpacked.reserve(SLICE * 8);
        let (taken, produced) = (state.total_in(), unpacked.len());
        let status = state.decompress_vec(slice, &mut unpacked, FlushDecompress::None).ok()?;
        let taken = usize::try_from(state.total_in() - taken).ok()?;
        slice = slice.get(taken..)?;
        if status == Status::StreamEnd {
            return Some((unpacked, true));
        }
        if taken == 0 && unpacked.len() == produced {
            return Some((unpacked, false));
        }
    }
}
