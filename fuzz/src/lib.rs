//! The bridge between libFuzzer and the laws, which live beside the tests of `wire`.

#[path = "../../crates/wire/tests/all/fuzzing/bodies.rs"]
mod bodies;

/// Gives one input to the target of this name; panics where a law is broken.
pub fn run(target: &str, input: &[u8]) {
    bodies::run(target, input);
}

/// The names of all targets.
pub fn targets() -> Vec<&'static str> {
    bodies::targets().collect()
}
