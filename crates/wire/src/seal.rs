//! How the seal of one dialect travels through a client of another.
//!
//! A provider's signature on reasoning must come back in the next turn. A client of the same dialect
//! carries it as it stands; through another dialect's signature field it goes as
//! `weighbridge:<dialect>:<seal>`, which clients treat as opaque, as they do every signature.

use crate::hub::Signature;

const PREFIX: &str = "weighbridge:";

/// The text to hand to a client whose dialect is `own`.
pub(crate) fn wrap(origin: &str, value: &str, own: &str) -> String {
    if origin == own { value.to_owned() } else { format!("{PREFIX}{origin}:{value}") }
}

/// What a client of dialect `own` handed back. A seal of an unknown dialect has an empty origin,
/// so that every encoder drops it.
pub(crate) fn open(text: String, own: &'static str) -> Signature {
    let Some((origin, value)) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':'))
    else {
        return Signature { origin: own, value: text };
    };
    let origin = crate::dialect::find(origin).map_or("", |dialect| dialect.id);
    Signature { origin, value: value.to_owned() }
}
