//! See `crates/wire/tests/all/fuzzing/bodies.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wire_fuzz::run("eventstream", input));
