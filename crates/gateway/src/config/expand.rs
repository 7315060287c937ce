//! `${NAME}`, `${NAME:-default}` and `file:PATH` in a text of the configuration.
//!
//! The environment and the disk are arguments. A default holds where the variable is unset or
//! empty, as in a shell; `$${` is a literal `${`. What a variable or a file holds is taken as it
//! is and not expanded again, so a secret with a `$` in it survives.

use std::io;
use std::path::Path;

use super::values::{Wrong, quoted};

/// Looks up an environment variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;
/// Reads a file as text.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// The text with its variables replaced, or the content of the file it names, without the line
/// breaks at its end. A relative path begins at `directory`, where the configuration file is.
pub(super) fn expand(
    text: &str,
    directory: &Path,
    env: Env<'_>,
    read: ReadFile<'_>,
) -> Result<String, Wrong> {
    let expanded = variables(text, env)?;
    match expanded.strip_prefix("file:") {
        Some(path) if text.starts_with("file:") => contents(&directory.join(path), read),
        _ => Ok(expanded),
    }
}

/// The content of a file without the line breaks at its end.
pub(super) fn contents(path: &Path, read: ReadFile<'_>) -> Result<String, Wrong> {
    match read(path) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(Wrong::new(format!("cannot read `{}`: {error}", path.display()))),
    }
}

fn variables(text: &str, env: Env<'_>) -> Result<String, Wrong> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(literal) = before.strip_suffix('$') {
            expanded.push_str(literal);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        let Some((inside, following)) = after.split_once('}') else {
            return Err(Wrong::new("`${` without its `}`").hint("a literal `${` is written `$${`"));
        };
        expanded.push_str(before);
        expanded.push_str(&variable(inside, env)?);
        rest = following;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn variable(inside: &str, env: Env<'_>) -> Result<String, Wrong> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        let message = format!("{} is not the name of an environment variable", quoted(name));
        return Err(Wrong::new(message).hint("write `${NAME}` or `${NAME:-default}`"));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Wrong::new(format!("environment variable `{name}` is not set"))
            .hint(format!("set it, or write `${{{name}:-default}}`"))),
    }
}

fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(word) && name.starts_with(|first: char| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let env = |name: &str| match name {
            "KEY" => Some("s3cr$t${KEY}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let read = |path: &Path| match path.to_str() {
            Some("/etc/wb/token") => Ok("tok\n\n".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        expand(text, Path::new("/etc/wb"), &env, &read).map_err(|wrong| wrong.message)
    }

    #[test]
    fn variables_defaults_and_files_are_replaced_once() {
        for (text, becomes) in [
            ("plain", "plain"),
            ("${KEY}", "s3cr$t${KEY}"),
            ("a-${EMPTY}-${NONE:-x}-${EMPTY:-y}", "a--x-y"),
            ("${NONE:-}", ""),
            ("$${KEY} costs $5", "${KEY} costs $5"),
            ("file:token", "tok"),
            ("file:${NONE:-/etc/wb}/token", "tok"),
            ("${NONE:-file:token}", "file:token"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(becomes), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_says_why() {
        for (text, message) in [
            ("${NONE}", "environment variable `NONE` is not set"),
            ("${1X}", "`1X` is not the name of an environment variable"),
            ("${}", "`` is not the name of an environment variable"),
            ("${KEY", "`${` without its `}`"),
            ("file:gone", "cannot read `/etc/wb/gone`: entity not found"),
        ] {
            assert_eq!(expanded(text).unwrap_err(), message, "{text}");
        }
    }
}
