//! The gateway from outside: one binary, one module a subject.

#[cfg(test)]
mod upstream;
