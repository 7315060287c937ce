//! Chores: tidy, generated docs, benches.
fn main() {}
