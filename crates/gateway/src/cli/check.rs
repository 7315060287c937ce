//! `check`: every problem of a configuration, one a line, or one line that there is none.

use std::io::{self, Write};
use std::path::Path;

use super::load;

/// Exit code 0 when the file is right, 2 when it is not.
pub(super) fn run(path: &Path, out: &mut dyn Write) -> io::Result<u8> {
    match load(path) {
        Ok(config) => {
            let (providers, models) = (config.providers.len(), config.groups.len());
            let (providers, models) = (counted(providers, "provider"), counted(models, "model"));
            writeln!(out, "{}: no problems ({providers}, {models})", path.display())?;
            Ok(0)
        }
        Err(problems) => {
            for problem in &problems {
                writeln!(out, "{problem}")?;
            }
            Ok(2)
        }
    }
}

fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}
