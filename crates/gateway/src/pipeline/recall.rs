//! Step 4: was it answered before. No cache is configured in this version, so every request passes
//! by (`x-cache: bypass`), and one that insists on a cached answer is told that there is none.

use super::exchange::Open;
use crate::failure::{Code, Failure};

/// Lets a request pass unless it allows only a cached answer.
///
/// # Errors
/// With `only-if-cached`: 504, as RFC 9111 (section 5.2.1.7) has it.
pub fn recall(open: &Open) -> Result<(), Failure> {
    if open.asks.only_if_cached {
        return Err(Failure::new(Code::NotCached));
    }
    Ok(())
}
