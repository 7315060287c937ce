//! The environment and the disk as they really are, in the form in which [`super::load`] takes them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The longest file read: a configuration, a key, certificates. All are far shorter.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// An environment variable that is set and is text.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A file's text, as far as it is not endless.
///
/// # Errors
/// When the file cannot be read, is no UTF-8, or is longer than 8 MiB.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 8 MiB"))
    }
}
