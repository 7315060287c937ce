//! OpenAI responses, as the vendor speaks them.
//!
//! A request is a list of items, an answer too: reasoning, a message, function calls. `read` hears
//! the items, `write` makes the answer's, whole or as events. Keeping responses for later is the
//! business of the shelf, not of this dialect.

mod read;
mod write;

pub(crate) use read::{items, read};
pub(crate) use write::{failure, stream, whole};

/// What our encrypted reasoning begins with; anything else cannot be decrypted here.
const SEAL: &str = "gAAAAAsim-";
