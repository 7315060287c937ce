//! The reference pages in `docs/reference` say what the tables say.
//!
//! `WEIGHBRIDGE_BLESS=1 cargo nextest run -p gateway reference` writes them anew.

use std::path::Path;

fn current(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    if std::env::var_os("WEIGHBRIDGE_BLESS").is_some() {
        std::fs::write(&path, made).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/reference/{name} is not what the tables say; bless it");
}

#[test]
fn the_configuration_page_is_made_from_the_keys() {
    current("configuration.md", &gateway::config::schema::reference());
}

#[test]
fn the_error_page_is_made_from_the_codes() {
    current("errors.md", &gateway::failure::reference());
}
