//! `catalog`: the user's own rows over the catalog's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::Catalog;

use crate::config::reader::{At, Reader};
use crate::config::values::Wrong;

/// The variable that names the file where no configuration does.
const VARIABLE: &str = "WEIGHBRIDGE_CATALOG";

/// The catalog in force, and the file that was laid over it.
pub(in crate::config) struct Overlay {
    pub(in crate::config) catalog: Arc<Catalog>,
    pub(in crate::config) file: Option<PathBuf>,
}

/// Reads the file that is named here.
pub(in crate::config) fn overlay(reader: &mut Reader<'_>, at: &At<'_>) -> Overlay {
    let written = reader.name(at);
    let Some(path) = written else { return Overlay { catalog: Catalog::shared(), file: None } };
    let (file, text) = reader.text_of(Path::new(&path));
    match text {
        Ok(text) => laid(reader, file, &text),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", file.display());
            reader.wrong(at, Wrong::new(message));
            Overlay { catalog: Catalog::shared(), file: Some(file) }
        }
    }
}

/// Reads the file that the environment names.
pub(in crate::config) fn from_environment(reader: &mut Reader<'_>) -> Overlay {
    let Some(path) = reader.env(VARIABLE) else {
        return Overlay { catalog: Catalog::shared(), file: None };
    };
    let (file, text) = reader.text_of(Path::new(&path));
    match text {
        Ok(text) => laid(reader, file, &text),
        Err(error) => {
            reader.wrong_in(&file, None, VARIABLE.to_owned(), format!("cannot be read: {error}"));
            Overlay { catalog: Catalog::shared(), file: Some(file) }
        }
    }
}

fn laid(reader: &mut Reader<'_>, file: PathBuf, text: &str) -> Overlay {
    let catalog = match Catalog::embedded().with_overlay(text) {
        Ok(catalog) => Arc::new(catalog),
        Err(error) => {
            for problem in error.problems {
                reader.wrong_in(&file, problem.line, problem.row, problem.problem);
            }
            Catalog::shared()
        }
    };
    Overlay { catalog, file: Some(file) }
}
