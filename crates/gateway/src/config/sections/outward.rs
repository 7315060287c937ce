//! `log`, `telemetry` and `unknown_price`: small sections that refer to nothing else.

use crate::config::reader::{At, Reader};
use crate::config::sections::models;
use crate::config::types::{Log, LogLevel, Telemetry, UnknownPrice};

/// Reads `log`.
pub(in crate::config) fn log(reader: &mut Reader<'_>, at: &At<'_>) -> Log {
    Log { level: reader.word(&at.get("level"), None, LEVELS, LogLevel::Info) }
}

const LEVELS: &[(&str, LogLevel)] = &[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

/// Reads `telemetry`.
pub(in crate::config) fn telemetry(reader: &mut Reader<'_>, at: &At<'_>) -> Telemetry {
    Telemetry { prometheus: reader.flag(&at.get("prometheus"), None) }
}

/// Reads `unknown_price`.
pub(in crate::config) fn unknown_price(reader: &mut Reader<'_>, at: &At<'_>) -> UnknownPrice {
    if at.is_section() {
        return UnknownPrice::Assume(models::price(reader, at));
    }
    reader.word(at, None, &[("refuse", ())], ());
    UnknownPrice::Refuse
}
