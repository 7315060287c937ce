//! Seeded chance and a small hash.
//!
//! Everything the simulator decides by lot comes from [`Chance`], a SplitMix64 sequence (Steele,
//! Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014), so a seed replays a run
//! exactly. [`Fnv`] is the 64-bit FNV-1a hash: not against forgers, only to see that two runs of
//! bytes are the same. No global generator exists.

/// A seeded sequence of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in the open interval (0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A toss that strikes so many times in a hundred.
    pub(crate) fn strikes(&mut self, percent: u32) -> bool {
        self.unit() * 100.0 < f64::from(percent)
    }

    /// An element of a list, or `None` when it is empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let len = u64::try_from(list.len()).ok().filter(|len| *len > 0)?;
        list.get(usize::try_from(self.next() % len).ok()?)
    }
}

/// The 64-bit FNV-1a hash, fed piece by piece.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    /// Continues the hash over `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// The hash of everything fed so far.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}

/// The FNV-1a hash of `bytes`, as the journal states it for bodies received and sent.
#[must_use]
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = Fnv::default();
    hash.update(bytes);
    hash.value()
}

/// Mixes `bytes` into a key, eight at a time: much faster than [`Fnv`] and no standard, so it is
/// never told to anyone.
pub(crate) fn mix(mut key: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        key = stir(key ^ u64::from_le_bytes(*word));
    }
    for byte in rest {
        key = stir(key ^ u64::from(*byte));
    }
    stir(key ^ bytes.len() as u64)
}

fn stir(key: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_agrees_with_its_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_seed_replays_its_sequence() {
        let draw = |seed| -> Vec<u64> {
            let mut chance = Chance::new(seed);
            (0..8).map(|_| chance.next()).collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
