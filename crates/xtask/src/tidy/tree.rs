//! The files of the repository as git sees them: what is committed and what is about to be.
//!
//! Every file is read once. Ignored files, deleted ones and binaries are not part of the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lex::Lexed;

/// A text file.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file, read.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) lexed: Lexed,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), lexed: Lexed::of(text) }
    }
}

/// All of it.
pub(crate) struct Tree {
    root: PathBuf,
    pub(crate) files: Vec<File>,
    pub(crate) sources: Vec<Source>,
}

impl Tree {
    /// Reads the working tree this program was built in.
    pub(crate) fn of_workspace() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .ok_or("the workspace has no root directory")?
            .to_path_buf();
        let listed =
            run(&root, "git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let files: Vec<File> = paths.iter().filter_map(|path| read(&root, path)).collect();
        let sources = files
            .iter()
            .filter(|file| file.path.ends_with(".rs"))
            .map(|file| Source::new(&file.path, &file.text))
            .collect();
        Ok(Self { root, files, sources })
    }

    /// The text of the file at `path`.
    pub(crate) fn text_of(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// What cargo says about the packages, as JSON.
    pub(crate) fn metadata(&self) -> Result<String, String> {
        run(&self.root, "cargo", &["metadata", "--no-deps", "--offline", "--format-version", "1"])
    }

    /// Writes a file of the tree.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<(), String> {
        fs::write(self.root.join(path), text).map_err(|error| format!("{path}: {error}"))
    }
}

/// The file, unless it is gone, a link, or no text.
fn read(root: &Path, path: &str) -> Option<File> {
    let full = root.join(path);
    if !fs::symlink_metadata(&full).ok()?.is_file() {
        return None;
    }
    let text = String::from_utf8(fs::read(full).ok()?).ok()?;
    (!text.contains('\0')).then(|| File { path: path.to_owned(), text })
}

fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {}: {}", arguments.join(" "), said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} printed no UTF-8"))
}
