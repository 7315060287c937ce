//! Rows as text: the fields in their order, prices as decimal text.

use std::collections::BTreeMap;

use super::lists::Pico;
use super::merge::Merged;
use super::sources::{Source, Sources};

/// What stands above the rows.
pub(super) const HEAD: &str = "\
# Models and their prices, made by `cargo xtask catalog` from the MIT-licensed lists of LiteLLM and
# models.dev. Changes belong into facts.toml, which is laid over these rows and says what the fields
# mean, or into sources.toml, which says what is taken.
";

/// Decimal places of amounts.
pub(super) mod places {
    /// Pico-dollars per token are millionths of a dollar per million tokens.
    pub(in crate::catalog) const PRICE: usize = 6;
    /// Nano-dollars are billionths of a dollar.
    pub(in crate::catalog) const MONEY: usize = 9;
}

/// Classes in the order of a row.
const CLASSES: &[&str] = &[
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "image_input",
    "image_output",
];
/// Classes that a tier may have.
const TIER_CLASSES: &[&str] =
    &["input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning"];
/// Capabilities in the order of a row.
const CAPABILITIES: &[&str] =
    &["tools", "vision", "audio", "pdf", "prefill", "sampling", "reasoning", "json_schema"];

/// The row of a model.
pub(super) fn row(model: &Merged, source: &Source, sources: &Sources) -> String {
    let facts = &model.facts;
    let family = sources.family(&source.provider, &model.id);
    let kind = facts.kind.unwrap_or("chat");
    let writes = matches!(kind, "chat" | "completion");
    let mut row = Row(String::from("\n[[model]]\n"));
    row.text("provider", &source.provider);
    row.text("id", &model.id);
    if kind != "chat" {
        row.text("kind", kind);
    }
    if let Some(only) = facts.only {
        row.text("only", only);
    }
    if !model.aliases.is_empty() {
        row.list("aliases", model.aliases.iter().map(String::as_str));
    }
    let sizes = [("context", facts.context), ("max_output", facts.max_output.filter(|_| writes))];
    for (name, size) in sizes {
        if let Some(size) = size {
            row.bare(name, size);
        }
    }
    row.prices(&facts.prices, writes);
    if let Some(fee) = facts.per_request {
        row.text("per_request", &decimal(fee, places::MONEY));
    }
    row.tiers(&facts.tiers);
    row.text("price_date", &sources.date);
    row.text("source", model.from.name());
    row.text("tokenizer", family.map_or("other", |family| &family.tokenizer));
    if writes {
        row.abilities(model, family);
    }
    row.0
}

/// A row being written.
struct Row(String);

impl Row {
    fn bare(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push_str(&format!("{name} = {value}\n"));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.bare(name, format_args!("\"{value}\""));
    }

    fn list<'t>(&mut self, name: &str, values: impl Iterator<Item = &'t str>) {
        let quoted: Vec<String> = values.map(|value| format!("\"{value}\"")).collect();
        self.bare(name, format_args!("[{}]", quoted.join(", ")));
    }

    fn prices(&mut self, prices: &BTreeMap<&str, Pico>, writes: bool) {
        for class in CLASSES {
            let rate = prices.get(class).copied();
            match *class {
                "input" => self.text(class, &decimal(rate.unwrap_or_default(), places::PRICE)),
                "output" if !writes && rate.unwrap_or_default() == 0 => {}
                _ => {
                    if let Some(rate) = rate {
                        self.text(class, &decimal(rate, places::PRICE));
                    }
                }
            }
        }
    }

    fn tiers(&mut self, tiers: &BTreeMap<u64, BTreeMap<&'static str, Pico>>) {
        if tiers.is_empty() {
            return;
        }
        self.0.push_str("tiers = [\n");
        for (above, prices) in tiers {
            let known = TIER_CLASSES.iter().filter_map(|class| Some((class, prices.get(class)?)));
            let rates = known
                .map(|(class, rate)| format!(", {class} = \"{}\"", decimal(*rate, places::PRICE)));
            let rates: String = rates.collect();
            self.0.push_str(&format!("  {{ above = {above}{rates} }},\n"));
        }
        self.0.push_str("]\n");
    }

    /// What it can do, with the rule for pictures and the quirks that go with that.
    fn abilities(&mut self, model: &Merged, family: Option<&super::sources::Family>) {
        let facts = &model.facts;
        let refuses = family.is_some_and(|family| family.no_sampling);
        let sampling = !refuses && facts.sampling.unwrap_or(true);
        if facts.capabilities.contains("vision") {
            let rule = family.and_then(|family| family.image.as_deref());
            self.text("image", rule.unwrap_or("bound-4k"));
        }
        let told = |name: &str| family.is_some_and(|each| each.can.iter().any(|can| can == name));
        let can = |name: &str| match name {
            "sampling" => sampling,
            _ => facts.capabilities.contains(name) || told(name),
        };
        self.list("capabilities", CAPABILITIES.iter().copied().filter(|name| can(name)));
        if let Some(quirks) = family.and_then(|family| family.quirks.as_deref()) {
            self.bare("quirks", quirks);
        }
    }
}

/// A whole number of small units as decimal text.
pub(super) fn decimal(units: u64, places: usize) -> String {
    let digits = format!("{units:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_the_digits_they_need() {
        assert_eq!(decimal(2_500_000, places::PRICE), "2.5");
        assert_eq!(decimal(3_625, places::PRICE), "0.003625");
        assert_eq!(decimal(0, places::PRICE), "0");
        assert_eq!(decimal(2_000_000, places::MONEY), "0.002");
    }
}
