//! How the seal of one dialect travels through a client of another.
//!
//! A provider's signature on reasoning must come back in the next turn. A client of the same dialect
//! carries it as it stands; through another dialect's signature field it goes as
//! `weighbridge:<dialect>:<seal>`, which clients treat as opaque, as they do every signature. Where
//! the field is of bytes, whose text clients decode and encode anew, that text is in base64 once
//! more, in either alphabet on its way back.

use crate::hub::Signature;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const PREFIX: &str = "weighbridge:";

/// Dialects whose signatures are bytes.
static BYTES: &[&str] = &["gemini"];

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const EITHER: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT),
    GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT),
];

/// Whom parts are written for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The provider: it accepts only its own seals, and extras only from its own dialect.
    Provider,
    /// A client: it carries foreign seals for us.
    Client,
}

/// The text to hand to a client whose dialect is `own`.
pub(crate) fn wrap(origin: &str, value: &str, own: &str) -> String {
    if origin == own {
        return value.to_owned();
    }
    let wrapped = format!("{PREFIX}{origin}:{value}");
    if BYTES.contains(&own) { STANDARD.encode(wrapped) } else { wrapped }
}

/// What a client of dialect `own` handed back. A seal of an unknown dialect has an empty origin,
/// so that every encoder drops it.
pub(crate) fn open(text: String, own: &'static str) -> Signature {
    let decoded = if BYTES.contains(&own) { decoded(&text) } else { None };
    let wrapped = decoded.as_deref().unwrap_or(&text);
    let Some((origin, value)) = wrapped.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':'))
    else {
        return Signature { origin: own, value: text };
    };
    let origin = crate::dialect::find(origin).map_or("", |dialect| dialect.id);
    Signature { origin, value: value.to_owned() }
}

/// A wrapped seal out of its base64; `None` if it is the dialect's own.
fn decoded(text: &str) -> Option<String> {
    let bytes = EITHER.iter().find_map(|engine| engine.decode(text).ok())?;
    String::from_utf8(bytes).ok().filter(|text| text.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};

    #[test]
    fn a_seal_survives_clients_that_encode_bytes_anew() {
        let carried = wrap("anthropic_messages", "a?>~~~/+b==", "gemini");
        let bytes = STANDARD.decode(&carried).unwrap();
        for again in
            [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes), STANDARD_NO_PAD.encode(&bytes)]
        {
            let seal = open(again, "gemini");
            assert_eq!((seal.origin, seal.value.as_str()), ("anthropic_messages", "a?>~~~/+b=="));
        }
    }

    #[test]
    fn an_own_seal_stays_as_it_is() {
        for own in ["gemini", "anthropic_messages"] {
            let carried = wrap(own, "Q0xBVURF", own);
            assert_eq!(carried, "Q0xBVURF");
            assert_eq!(open(carried, own), Signature { origin: own, value: "Q0xBVURF".to_owned() });
        }
    }

    #[test]
    fn a_seal_of_nobody_known_is_dropped_by_all() {
        assert_eq!(open("weighbridge:other:x".to_owned(), "anthropic_messages").origin, "");
    }
}
