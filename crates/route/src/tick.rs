//! A moment on a monotonic clock, as a plain number.
//!
//! The rules of this room compare and add moments but never read a clock: the caller hands one in,
//! and a test hands in any it likes. The zero point is the caller's choice (usually the start of the
//! program); it only has to stay the same. All arithmetic saturates, so no pair of ticks can panic.

use std::time::Duration;

/// Nanoseconds since the zero point of a monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(u64);

impl Tick {
    /// The zero point of the clock.
    pub const ZERO: Self = Self(0);

    /// The moment `nanos` nanoseconds after the zero point.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `millis` milliseconds after the zero point.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the zero point.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The moment `wait` after this one.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(nanos(wait)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The nanoseconds of `span`, saturating (after 584 years).
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
