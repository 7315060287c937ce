//! The world as an argument: wall-clock time and chance.
//!
//! Monotonic time is `tokio::time::Instant` everywhere, which a test can pause; the wall clock and
//! randomness come from here, so that a run with a fixed seed repeats itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use route::{Chance, SplitMix64, Tick};
use tokio::time::Instant;

/// Wall clock, monotonic origin and chance of one running gateway.
#[derive(Debug)]
pub struct World {
    origin: Instant,
    unix_origin_ms: i64,
    entropy: AtomicU64,
}

impl World {
    /// The real world: system time, entropy from the standard library's hasher keys.
    #[must_use]
    pub fn system() -> Self {
        use std::hash::{BuildHasher, Hasher};
        let seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::seeded(seed, i64::try_from(unix.as_millis()).unwrap_or(i64::MAX))
    }

    /// A repeatable world that begins at `unix_ms` milliseconds after 1970.
    #[must_use]
    pub fn seeded(seed: u64, unix_ms: i64) -> Self {
        Self { origin: Instant::now(), unix_origin_ms: unix_ms, entropy: AtomicU64::new(seed) }
    }

    /// Monotonic nanoseconds since the start, as the pure rooms count time.
    #[must_use]
    pub fn tick(&self, at: Instant) -> Tick {
        let nanos = at.saturating_duration_since(self.origin).as_nanos();
        Tick::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Milliseconds since 1970 at a monotonic instant.
    #[must_use]
    pub fn unix_ms(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.origin).as_millis();
        self.unix_origin_ms.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// A generator of its own for one request.
    #[must_use]
    pub fn chance(&self) -> SplitMix64 {
        SplitMix64::new(self.entropy.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed))
    }

    /// 128 random bits for a request id.
    #[must_use]
    pub fn request_id(&self) -> u128 {
        let mut chance = self.chance();
        (u128::from(chance.next_u64()) << 64) | u128::from(chance.next_u64())
    }
}
