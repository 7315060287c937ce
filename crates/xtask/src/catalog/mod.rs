//! `cargo xtask catalog`: the rows of models, made from two public price lists.
//!
//! LiteLLM's and models.dev's lists (both MIT-licensed) are read as they are published. The table
//! `crates/catalog/data/sources.toml`, kept by hand, says which of their providers are ours and
//! which models are taken. Where both lists know a fact and differ, the table's preference wins and
//! the difference is reported. What neither list knows, or both have wrong, is kept by hand in
//! `facts.toml`, which the catalog lays over these rows; so making them anew loses nothing.
//!
//! The same lists always make the same file: nothing here depends on the day or the machine.

mod lists;
mod merge;
mod rows;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use lists::Lists;
use merge::{Difference, Merged};
use sources::{Source, Sources};

/// Where the catalog's data is, from the root of the repository.
const DATA: &str = "crates/catalog/data";

/// What was made, for people.
pub(crate) struct Outcome {
    models: usize,
    providers: usize,
    differences: Vec<Difference>,
}

/// Makes `models.toml` from the price lists in `prices`.
///
/// # Errors
/// When a list or the table cannot be read, or the file cannot be written.
pub(crate) fn make(prices: &Path) -> Result<Outcome, String> {
    let data = root().join(DATA);
    let lists = Lists::read(prices)?;
    let sources = Sources::read(&data.join("sources.toml"))?;
    let (text, outcome) = made(&lists, &sources);
    let file = data.join("models.toml");
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(outcome)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of the file, and what there is to tell about it.
fn made(lists: &Lists, sources: &Sources) -> (String, Outcome) {
    let mut text = rows::HEAD.to_owned();
    let mut outcome = Outcome { models: 0, providers: 0, differences: Vec::new() };
    for source in &sources.source {
        let models = models(lists, sources, source, &mut outcome.differences);
        if models.is_empty() {
            continue;
        }
        text.push_str(&format!("\n# {}\n", source.provider));
        for model in &models {
            text.push_str(&rows::row(model, source, sources));
        }
        outcome.models += models.len();
        outcome.providers += 1;
    }
    (text, outcome)
}

/// The models of one provider that are taken, in the order of their ids.
fn models(
    lists: &Lists,
    sources: &Sources,
    source: &Source,
    differences: &mut Vec<Difference>,
) -> Vec<Merged> {
    let litellm = lists.litellm(source);
    let models_dev = lists.models_dev(source);
    let ids = litellm.keys().chain(models_dev.keys());
    let ids: std::collections::BTreeSet<&String> = ids.filter(|id| source.takes(id)).collect();
    let mut found = Vec::new();
    for id in ids {
        let both = (litellm.get(id), models_dev.get(id));
        let Some(merged) = Merged::of(id, both, source) else { continue };
        if sources.is_sellable(&merged) {
            differences.extend(merged.differences(source, both));
            found.push(merged);
        }
    }
    merge::without_dated_twins(found)
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "| model | field | LiteLLM | models.dev | taken |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        let (models, providers) = (self.models, self.providers);
        let differences = self.differences.len();
        writeln!(
            f,
            "\n{models} models of {providers} providers; the lists differ in {differences} facts"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LITELLM: &str = r#"{
        "sample_spec": { "litellm_provider": "one of many" },
        "acme/big": {
            "litellm_provider": "acme", "mode": "chat", "max_input_tokens": 1000,
            "max_output_tokens": 100, "input_cost_per_token": 2.5e-06,
            "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
            "input_cost_per_token_above_200k_tokens": 5e-06, "supports_vision": true
        },
        "acme/big-2025-01-31": {
            "litellm_provider": "acme", "mode": "chat", "max_input_tokens": 1000,
            "max_output_tokens": 100, "input_cost_per_token": 2.5e-06,
            "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06,
            "input_cost_per_token_above_200k_tokens": 5e-06, "supports_vision": true
        },
        "acme/free": {
            "litellm_provider": "acme", "mode": "chat", "max_input_tokens": 10,
            "max_output_tokens": 10, "input_cost_per_token": 0, "output_cost_per_token": 0
        },
        "acme/film": { "litellm_provider": "acme", "mode": "video_generation" }
    }"#;
    const MODELS_DEV: &str = r#"{ "acme-inc": { "models": {
        "big": {
            "tool_call": true, "temperature": false, "cost": { "input": 3, "output": 10 },
            "limit": { "context": 1000, "output": 100 },
            "modalities": { "input": ["text", "image"], "output": ["text"] }
        },
        "copy": { "base_model": "acme-inc/big", "cost": { "input": 1, "output": 2 } }
    } } }"#;
    const SOURCES: &str = r#"
        date = "2026-01-02"
        [[source]]
        provider = "acme"
        litellm = ["acme"]
        prefixes = ["acme/"]
        models_dev = "acme-inc"
        [[family]]
        like = ["big"]
        tokenizer = "claude"
        image = "claude"
    "#;

    fn example() -> (String, Outcome) {
        let lists = Lists::parse(LITELLM, MODELS_DEV).unwrap();
        made(&lists, &Sources::parse(SOURCES).unwrap())
    }

    #[test]
    fn rows_hold_what_the_lists_say_and_the_preferred_one_wins() {
        let (text, _) = example();
        let row = "[[model]]\nprovider = \"acme\"\nid = \"big\"\naliases = [\"big-2025-01-31\"]\n\
                   context = 1000\nmax_output = 100\ninput = \"2.5\"\ncached_input = \"1.25\"\n\
                   output = \"10\"\ntiers = [\n  { above = 200000, input = \"5\", output = \"10\" },\n]\n\
                   price_date = \"2026-01-02\"\nsource = \"litellm\"\ntokenizer = \"claude\"\n\
                   image = \"claude\"\ncapabilities = [\"tools\", \"vision\"]\n";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn a_model_without_a_price_or_of_another_kind_is_left_out() {
        let (text, outcome) = example();
        assert!(!text.contains("free") && !text.contains("film"), "{text}");
        assert_eq!((outcome.models, outcome.providers), (2, 1));
    }

    #[test]
    fn what_a_copy_does_not_say_is_its_models() {
        let (text, _) = example();
        let (_, copy) = text.split_once("id = \"copy\"").unwrap();
        assert!(copy.contains("context = 1000") && copy.contains("input = \"1\""), "{copy}");
    }

    #[test]
    fn differences_are_reported_with_what_was_taken() {
        let (_, outcome) = example();
        let told = outcome.to_string();
        assert!(told.contains("| acme/big | input | 2.5 | 3 | 2.5 |"), "{told}");
        assert!(told.ends_with("2 models of 1 providers; the lists differ in 1 facts\n"), "{told}");
    }
}
