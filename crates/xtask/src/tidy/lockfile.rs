//! How many packages are built, and which ones must never be.
//!
//! Every package is someone's code in a program that holds provider keys, and build time on a fresh
//! machine. There is one TLS stack: a second one would double what has to be patched in a hurry.

use super::Finding;

const PATH: &str = "Cargo.lock";

/// The most packages the lock file may name, our own included.
const MOST_PACKAGES: usize = 300;

/// Packages that would bring a second TLS stack.
const BANNED: [&str; 5] = ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"];

/// Checks the text of the lock file.
pub(crate) fn check(lock: &str) -> Vec<Finding> {
    let names: Vec<(usize, &str)> = (1..)
        .zip(lock.lines())
        .filter_map(|(number, line)| Some((number, line.strip_prefix("name = \"")?)))
        .map(|(number, rest)| (number, rest.trim_end_matches('"')))
        .collect();
    let banned = names.iter().filter(|(_, name)| BANNED.contains(name));
    let mut findings: Vec<Finding> = banned
        .map(|(line, name)| Finding::new(PATH, *line, format!("{name}: rustls with ring is ours")))
        .collect();
    if names.len() > MOST_PACKAGES {
        let text = format!("{} packages, {MOST_PACKAGES} allowed", names.len());
        findings.push(Finding::new(PATH, 1, text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_second_tls_stack_is_found() {
        let lock = "[[package]]\nname = \"ring\"\n\n[[package]]\nname = \"openssl-sys\"\n";
        let findings = check(lock);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, 5);
    }

    #[test]
    fn three_hundred_packages_are_enough() {
        let lock = |n: usize| (0..n).map(|n| format!("name = \"p{n}\"\n")).collect::<String>();
        assert!(check(&lock(300)).is_empty());
        assert_eq!(check(&lock(301)).len(), 1);
    }
}
