//! Faults: what an upstream can do wrong, by name.
//!
//! [`FAULTS`] is one flat table. A row either answers instead of the model, bends the healthy
//! reply, decides by sequence which requests fail, or can only be played by a listener (see `net`
//! and `memory`). A fault is called for by a text such as `f21`, `f31-twice` or `f12:4900ms`: id,
//! variant, parameter. Adding a fault is adding a row.

mod bodies;
mod refusals;
mod streams;
mod table;
mod transport;

use std::time::{Duration, SystemTime};

pub use table::FAULTS;

use crate::answer::Manner;
use crate::ask::Ask;
use crate::chance::Chance;
use crate::reply::{Billing, Reply};

/// One row of the table.
#[derive(Debug)]
pub struct Fault {
    /// `f01` to `f52`.
    pub id: &'static str,
    /// A short name in words.
    pub name: &'static str,
    /// What happens, with its variants and its parameter.
    pub doc: &'static str,
    /// Variants besides the plain one: `f31-twice` is variant `twice` of `f31`.
    pub variants: &'static [&'static str],
    pub(crate) billing: Billing,
    pub(crate) how: How,
}

impl Fault {
    /// Whether it is played below HTTP, by a listener, and cannot be asked for by a request.
    #[must_use]
    pub fn is_listener(&self) -> bool {
        matches!(self.how, How::Listener)
    }
}

/// How a fault is played.
pub(crate) enum How {
    Listener,
    Instead(fn(&Scene<'_>) -> Reply),
    Bend {
        manner: fn(&FaultCall, &mut Manner),
        shape: fn(&Scene<'_>, &mut Reply),
    },
    /// Given how often it was called before, names the fault to play, if any.
    Sequence(fn(u64, &FaultCall, &mut Chance) -> Option<&'static str>),
}

impl std::fmt::Debug for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Listener => "Listener",
            Self::Instead(_) => "Instead",
            Self::Bend { .. } => "Bend",
            Self::Sequence(_) => "Sequence",
        })
    }
}

/// What a fault sees of the request it spoils.
pub(crate) struct Scene<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) id: &'a str,
    pub(crate) call: &'a FaultCall,
    pub(crate) wall: SystemTime,
}

/// A fault asked for, with its variant and parameter.
#[derive(Debug, Clone)]
pub struct FaultCall {
    /// The row.
    pub fault: &'static Fault,
    /// The variant, "" for the plain fault.
    pub variant: &'static str,
    /// The text after the colon, "" for none.
    pub parameter: String,
}

impl std::fmt::Display for FaultCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.fault.id)?;
        if !self.variant.is_empty() {
            write!(f, "-{}", self.variant)?;
        }
        if !self.parameter.is_empty() {
            write!(f, ":{}", self.parameter)?;
        }
        Ok(())
    }
}

impl FaultCall {
    /// Reads `f21`, `f31-twice`, `f12:4900ms`, in any case. Text after a known id or variant that
    /// is neither a variant nor a parameter is ignored, since a model's name may go on. `None` when
    /// no row begins the text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let fault = FAULTS.iter().find(|fault| text.starts_with(fault.id))?;
        let rest = text.strip_prefix(fault.id)?;
        let named = |variant: &&&'static str| {
            rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(**variant))
        };
        let variant = fault.variants.iter().filter(named).max_by_key(|v| v.len()).copied();
        let variant = variant.unwrap_or_default();
        let skipped = if variant.is_empty() { 0 } else { variant.len() + 1 };
        let rest = rest.get(skipped..).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        Some(Self { fault, variant, parameter: rest.get(..end)?.to_owned() })
    }

    /// The fault named in a model's name by `fault-`.
    #[must_use]
    pub fn in_model(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let (_, named) = model.split_once("fault-")?;
        Self::parse(named)
    }

    /// The parameter as a number.
    pub(crate) fn count(&self, usual: u32) -> u32 {
        self.parameter.parse().unwrap_or(usual)
    }

    /// The parameter as a time: `4900ms`, `6s`.
    pub(crate) fn time(&self, usual: Duration) -> Duration {
        let read = |unit: &str| self.parameter.strip_suffix(unit)?.parse().ok();
        if let Some(millis) = read("ms") {
            return Duration::from_millis(millis);
        }
        read("s").map_or(usual, Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_row_variant_and_parameter() {
        let read = |text| FaultCall::parse(text).map(|call| call.to_string());
        assert_eq!(read("F21").as_deref(), Some("f21"));
        assert_eq!(read("f31-twice").as_deref(), Some("f31-twice"));
        assert_eq!(read("f31-unheard").as_deref(), Some("f31"));
        assert_eq!(read("f12:4900ms").as_deref(), Some("f12:4900ms"));
        assert_eq!(read("f99"), None);
        let call = FaultCall::in_model("sim-8-FAULT-F12:4900ms-think").unwrap();
        assert_eq!(call.time(Duration::ZERO), Duration::from_millis(4_900));
    }

    #[test]
    fn the_table_has_every_row_once_and_in_order() {
        let ids: Vec<String> = FAULTS.iter().map(|fault| fault.id.to_owned()).collect();
        let wanted: Vec<String> = (1..=52).map(|n| format!("f{n:02}")).collect();
        assert_eq!(ids, wanted);
    }
}
