//! What a picture costs in tokens, by the rules that providers publish, and its size in pixels read
//! from the first bytes of the file.
//!
//! Only headers are looked at and only as many bytes as a header may need, so a picture of 20 MB
//! costs no more to measure than an icon. A picture whose size cannot be seen (a link, an unknown
//! format, a header that lies beyond the window) is charged the rule's maximum.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use wire::hub::{Extra, Media};

/// Base64 characters that hold the header of PNG, GIF and WebP; a multiple of four.
const HEADER_WINDOW: usize = 64;
/// Base64 characters searched for the frame of a JPEG, which stands behind metadata and thumbnails.
const JPEG_WINDOW: usize = 256 * 1024;
/// OpenAI's patches per picture at most.
const MAX_PATCHES: u64 = 1536;
/// Squares assumed for a picture of unknown size under Gemini's rule: 3072 x 3072 pixels.
const UNKNOWN_SQUARES: u64 = 16;
/// Tiles that OpenAI's rule can reach: the shorter side is 768 px, the longer at most 2048.
const MAX_TILES: u64 = 8;

/// A published rule for the cost of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ImageRule {
    /// Fit into 2048 x 2048, shorter side down to 768, then `base` and `tile` for every 512 px
    /// square; `detail: low` costs `base` (OpenAI).
    Tiles {
        /// Tokens of any picture.
        base: u64,
        /// Tokens of a square.
        tile: u64,
    },
    /// Patches of 32 px, at most 1536, times a factor (OpenAI's small models). The published rule
    /// shrinks larger pictures to at most this many, so it is a bound within a few percent.
    Patches {
        /// The factor in hundredths.
        percent: u64,
    },
    /// Area in pixels by tokens (Anthropic, Qwen).
    Area {
        /// Pixels of a token.
        pixels_per_token: u64,
        /// Tokens at most.
        cap: u64,
    },
    /// Up to 384 px both ways one square, else a square for every 768 px (Gemini).
    Squares {
        /// Tokens of a square.
        tile: u64,
    },
    /// The same for every picture.
    Flat {
        /// Tokens of a picture.
        tokens: u64,
    },
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl ImageRule {
    /// For a model that sees and of which no rule is known.
    pub const UNKNOWN: Self = Self::Flat { tokens: 16_384 };

    /// Tokens of a picture of this size at full detail.
    #[must_use]
    pub fn tokens(self, size: Size) -> u64 {
        let (width, height) = (u64::from(size.width).max(1), u64::from(size.height).max(1));
        match self {
            Self::Tiles { base, tile } => {
                base.saturating_add(tile.saturating_mul(tiles(width, height)))
            }
            Self::Patches { percent } => {
                let patches = width.div_ceil(32).saturating_mul(height.div_ceil(32));
                patches.min(MAX_PATCHES).saturating_mul(percent).div_ceil(100)
            }
            Self::Area { pixels_per_token, cap } => {
                width.saturating_mul(height).div_ceil(pixels_per_token.max(1)).min(cap)
            }
            Self::Squares { tile } if width <= 384 && height <= 384 => tile,
            Self::Squares { tile } => {
                width.div_ceil(768).saturating_mul(height.div_ceil(768)).saturating_mul(tile)
            }
            Self::Flat { tokens } => tokens,
        }
    }

    /// Tokens of a picture whose size is unknown: the most that the rule gives.
    #[must_use]
    pub const fn most(self) -> u64 {
        match self {
            Self::Tiles { base, tile } => base.saturating_add(tile.saturating_mul(MAX_TILES)),
            Self::Patches { percent } => MAX_PATCHES.saturating_mul(percent).div_ceil(100),
            Self::Area { cap, .. } => cap,
            Self::Squares { tile } => tile.saturating_mul(UNKNOWN_SQUARES),
            Self::Flat { tokens } => tokens,
        }
    }

    /// Tokens of a picture in a request, and whether its size was seen.
    #[must_use]
    pub fn picture(self, source: &Media, extra: &Extra) -> (u64, bool) {
        let low = extra.get("detail").and_then(|detail| detail.as_str()) == Some("low");
        if let (Self::Tiles { base, .. }, true) = (self, low) {
            return (base, true);
        }
        match size_of(source) {
            Some(size) => (self.tokens(size), true),
            None => (self.most(), matches!(self, Self::Flat { .. })),
        }
    }
}

/// Squares of 512 px after OpenAI's scaling, which never enlarges. Sizes are rounded up, so that a
/// picture on the edge counts the square.
fn tiles(width: u64, height: u64) -> u64 {
    let (width, height) = scaled_down(width, height, width.max(height), 2048);
    let (width, height) = scaled_down(width, height, width.min(height), 768);
    width.div_ceil(512).saturating_mul(height.div_ceil(512))
}

/// Shrinks both sides so that `side` becomes `limit`, if it is longer.
fn scaled_down(width: u64, height: u64, side: u64, limit: u64) -> (u64, u64) {
    if side <= limit {
        return (width, height);
    }
    (width.saturating_mul(limit).div_ceil(side), height.saturating_mul(limit).div_ceil(side))
}

/// The size of a picture given inline, also as a `data:` link.
fn size_of(source: &Media) -> Option<Size> {
    let data = match source {
        Media::Base64 { data, .. } => data,
        Media::Url(url) => url.strip_prefix("data:")?.split_once(";base64,")?.1,
        Media::FileId(_) => return None,
    };
    let head = decoded(data, HEADER_WINDOW)?;
    if head.starts_with(&[0xff, 0xd8]) {
        return jpeg(&decoded(data, JPEG_WINDOW)?);
    }
    header_size(&head)
}

/// The bytes of at most `window` characters of base64, cut at whole groups of four.
fn decoded(data: &str, window: usize) -> Option<Vec<u8>> {
    let window = if data.len() <= window { data.len() } else { window };
    STANDARD.decode(data.as_bytes().get(..window)?).ok()
}

/// The size in the first bytes of a picture file: PNG, GIF, WebP or JPEG.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<Size> {
    if bytes.starts_with(&[0xff, 0xd8]) { jpeg(bytes) } else { header_size(bytes) }
}

fn header_size(bytes: &[u8]) -> Option<Size> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(Size { width: be32(bytes, 16)?, height: be32(bytes, 20)? });
    }
    if bytes.starts_with(b"GIF8") {
        return Some(Size { width: le16(bytes, 6)?, height: le16(bytes, 8)? });
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP" {
        return webp(bytes);
    }
    None
}

/// The three forms of WebP: lossy, lossless, extended (RFC 9649, sections 2.5 to 2.7).
fn webp(bytes: &[u8]) -> Option<Size> {
    match bytes.get(12..16)? {
        b"VP8 " => {
            Some(Size { width: le16(bytes, 26)? & 0x3fff, height: le16(bytes, 28)? & 0x3fff })
        }
        b"VP8L" => {
            let bits = le16(bytes, 21)? | le16(bytes, 23)? << 16;
            Some(Size { width: (bits & 0x3fff) + 1, height: (bits >> 14 & 0x3fff) + 1 })
        }
        b"VP8X" => Some(Size { width: le24(bytes, 24)? + 1, height: le24(bytes, 27)? + 1 }),
        _ => None,
    }
}

/// Walks the segments of a JPEG to its frame header (ITU-T T.81, annex B).
fn jpeg(bytes: &[u8]) -> Option<Size> {
    let mut at = 2_usize;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        let marker = *bytes.get(at.checked_add(1)?)?;
        match marker {
            // Fill bytes and markers without a length.
            0xff => at = at.checked_add(1)?,
            0x01 | 0xd0..=0xd8 => at = at.checked_add(2)?,
            // Start of frame; C4, C8 and CC are other things.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let height = be16(bytes, at.checked_add(5)?)?;
                let width = be16(bytes, at.checked_add(7)?)?;
                return Some(Size { width, height });
            }
            // Pixels begin, or the file ends, without a frame.
            0xd9 | 0xda => return None,
            _ => {
                let length = usize::try_from(be16(bytes, at.checked_add(2)?)?).ok()?;
                at = at.checked_add(2)?.checked_add(length.max(2))?;
            }
        }
    }
}

/// The `N` bytes that begin at `at`.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u16::from_be_bytes).map(u32::from)
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u16::from_le_bytes).map(u32::from)
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GPT_4O: ImageRule = ImageRule::Tiles { base: 85, tile: 170 };

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    #[test]
    fn published_examples_cost_what_their_pages_say() {
        for (rule, width, height, tokens) in [
            (GPT_4O, 1024, 1024, 765),
            (GPT_4O, 2048, 4096, 1105),
            (GPT_4O, 512, 512, 255),
            (GPT_4O, 4096, 8192, 1105),
            (ImageRule::Patches { percent: 100 }, 1024, 1024, 1024),
            (ImageRule::Area { pixels_per_token: 750, cap: 1600 }, 1000, 1000, 1334),
            (ImageRule::Area { pixels_per_token: 750, cap: 1600 }, 9000, 9000, 1600),
            (ImageRule::Squares { tile: 258 }, 384, 384, 258),
            (ImageRule::Squares { tile: 258 }, 960, 540, 516),
        ] {
            assert_eq!(rule.tokens(size(width, height)), tokens, "{rule:?} {width}x{height}");
        }
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.resize(90, 8);
        bytes
    }

    fn jpeg_behind(metadata: u16, width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1];
        bytes.extend((metadata + 2).to_be_bytes());
        bytes.resize(bytes.len() + usize::from(metadata), 7);
        bytes.extend([0xff, 0xff, 0xc2, 0, 17, 8]);
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes
    }

    #[test]
    fn sizes_are_read_from_every_format() {
        let gif = b"GIF89a\x40\x01\xf0\x00";
        let lossy = b"RIFF....WEBPVP8 ....\0\0\0\x9d\x01\x2a\x20\x03\x58\x02";
        let lossless = b"RIFF....WEBPVP8L....\x2f\x1f\xc3\x95\x00";
        let extended = b"RIFF....WEBPVP8X....\0\0\0\0\x1f\x03\x00\x57\x02\x00";
        assert_eq!(sniff(&png(800, 600)), Some(size(800, 600)));
        assert_eq!(sniff(gif), Some(size(320, 240)));
        assert_eq!(sniff(lossy), Some(size(800, 600)));
        assert_eq!(sniff(lossless), Some(size(800, 600)));
        assert_eq!(sniff(extended), Some(size(800, 600)));
        assert_eq!(sniff(&jpeg_behind(40_000, 800, 600)), Some(size(800, 600)));
    }

    #[test]
    fn a_picture_of_a_request_is_measured_inline_and_bounded_by_link() {
        let data = STANDARD.encode(jpeg_behind(60_000, 1024, 1024));
        let link = format!("data:image/jpeg;base64,{data}");
        let inline = Media::Base64 { mime: "image/jpeg".to_owned(), data };
        let low = Extra::from_iter([("detail".to_owned(), "low".into())]);
        let far = Media::Url("https://example.org/a.jpg".to_owned());
        assert_eq!(GPT_4O.picture(&inline, &Extra::new()), (765, true));
        assert_eq!(GPT_4O.picture(&Media::Url(link), &Extra::new()), (765, true));
        assert_eq!(GPT_4O.picture(&far, &Extra::new()), (1445, false));
        assert_eq!(GPT_4O.picture(&far, &low), (85, true));
    }

    #[test]
    fn text_that_is_no_base64_has_no_size() {
        let broken = Media::Base64 { mime: String::new(), data: "\u{e9}\u{e9}***".repeat(40) };
        assert_eq!(GPT_4O.picture(&broken, &Extra::new()), (1445, false));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_size_or_none(bytes: Vec<u8>, head in 0..4_usize, cut in 0..40_usize) {
            let heads: [&[u8]; 4] = [&[0xff, 0xd8, 0xff], b"RIFF....WEBPVP8L", b"GIF8", b""];
            let mut file = heads[head].to_vec();
            file.extend(&bytes);
            let _ = sniff(&file);
            let _ = sniff(&png(1, 1)[..cut.min(24)]);
        }

        #[test]
        fn no_known_picture_costs_more_than_the_most(width: u32, height: u32) {
            let most = [
                GPT_4O,
                ImageRule::Patches { percent: 246 },
                ImageRule::Area { pixels_per_token: 750, cap: 1600 },
                ImageRule::UNKNOWN,
            ];
            for rule in most {
                prop_assert!(rule.tokens(size(width, height)) <= rule.most());
            }
        }
    }
}
