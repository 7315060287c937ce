//! The yardstick: everything the bench programs share.
//!
//! Four programs are built from it. `tiny-upstream` answers at once, `null-proxy` passes bytes on,
//! `load` sends requests at intended times, and `bench` runs them all against the gateway in turns
//! and prints one table. Nothing here knows a crate of the gateway: what is measured is the release
//! binary from outside, through sockets and `/proc`.
//!
//! Reading order: what is sent ([`request`]), how answers are read ([`answer`], [`lane`]), how load
//! is made ([`load`], [`histogram`]), how processes are started and weighed ([`child`], [`process`],
//! [`subject`]), what is measured ([`scenario`], [`rounds`], [`memory`], [`fallback`]) and how it is
//! judged and shown ([`figure`], [`verdict`]).

pub mod request;

pub mod answer;
pub mod lane;

pub mod histogram;
pub mod load;

pub mod child;
pub mod process;
pub mod subject;

pub mod fallback;
pub mod memory;
pub mod rounds;
pub mod scenario;

pub mod figure;
pub mod verdict;

/// What the bench programs tell each other when something fails: a sentence for the reader.
pub type Said<T> = Result<T, String>;

/// The median; zero of nothing. For an even count the mean of the middle two.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|index| sorted.get(index)).copied();
    f64::midpoint(lower.unwrap_or(0.0), upper)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_ignores_one_wild_round() {
        assert_eq!(median(&[2.0, 900.0, 1.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
