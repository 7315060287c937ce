//! The golden matrix: what every client dialect and every upstream dialect make of each other.
//!
//! A folder of `tests/golden` is a case. `asked.txt` holds one request as each door's clients write
//! it; `sent.<upstream>.txt` is what goes upstream. `answered.txt` holds one answer as each upstream
//! gives it, whole and streamed; `told.<door>.txt` is what a client reads. Doors or upstreams with
//! the same result share a section. `WEIGHBRIDGE_BLESS=1` writes the results anew; what must hold
//! whatever was blessed is checked beside that.
//!
//! All go through the hub, also a dialect with itself, which the gateway would splice.

mod answers;
mod errors;
mod folder;
mod requests;

use wire::dialect::{Dialect, Quirks};

/// The dialects that clients speak here.
static DOORS: &[&str] = &["openai_chat", "openai_responses", "anthropic_messages", "gemini"];

/// An upstream of the matrix.
struct Upstream {
    name: &'static str,
    dialect: &'static str,
    /// TOML.
    quirks: &'static str,
}

static UPSTREAMS: &[Upstream] = &[
    plain("openai_chat"),
    Upstream { name: "azure", dialect: "openai_chat", quirks: "max_completion_tokens = true" },
    plain("openai_responses"),
    plain("anthropic_messages"),
    plain("gemini"),
    plain("bedrock_converse"),
    plain("cohere_v2"),
];

const fn plain(dialect: &'static str) -> Upstream {
    Upstream { name: dialect, dialect, quirks: "" }
}

impl Upstream {
    fn dialect(&self) -> &'static Dialect {
        crate::samples::dialect(self.dialect)
    }

    fn quirks(&self) -> Quirks {
        toml::from_str(self.quirks).expect("good quirks")
    }

    fn named(name: &str) -> &'static Self {
        UPSTREAMS.iter().find(|upstream| upstream.name == name).expect("a known upstream")
    }
}
