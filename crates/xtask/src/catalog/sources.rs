//! The table that is kept by hand: whose models are taken from where, and what families of models
//! have in common.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::merge::Merged;

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    /// The day the lists were fetched.
    pub(super) date: String,
    /// Providers in the order of the rows.
    pub(super) source: Vec<Source>,
    /// The first family that fits a model is its.
    family: Vec<Family>,
}

/// Where the models of a provider are found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// Our id of the provider.
    pub(super) provider: String,
    /// LiteLLM's names of it.
    #[serde(default)]
    pub(super) litellm: Vec<String>,
    /// What LiteLLM puts before the provider's own names. Names without one are left out, unless
    /// the empty prefix is listed.
    #[serde(default)]
    prefixes: Vec<String>,
    /// models.dev's name of it.
    pub(super) models_dev: Option<String>,
    /// The list that wins.
    #[serde(default)]
    pub(super) prefer: Prefer,
    /// Patterns of the models taken; all when empty.
    #[serde(default)]
    take: Vec<String>,
    /// Patterns of models left out of those.
    #[serde(default)]
    leave: Vec<String>,
    /// Models that models.dev calls deprecated are taken too.
    #[serde(default)]
    pub(super) retired: bool,
}

/// The list that wins where both know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Prefer {
    #[default]
    #[serde(rename = "litellm")]
    Litellm,
    #[serde(rename = "models.dev")]
    ModelsDev,
}

impl Prefer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Litellm => "litellm",
            Self::ModelsDev => "models.dev",
        }
    }
}

/// What models of a name have in common, whoever serves them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Family {
    /// Parts of names in lower case, one of which the model's has; with `*`, patterns of the
    /// last segment.
    like: Vec<String>,
    /// The providers this is true at; all when empty.
    at: Vec<String>,
    pub(super) tokenizer: String,
    /// The rule for pictures, for models that see.
    pub(super) image: Option<String>,
    /// Quirks as they are written in a row.
    pub(super) quirks: Option<String>,
    /// Capabilities beside those that the lists know.
    pub(super) can: Vec<String>,
    /// Refuses sampling parameters, whatever the lists say.
    pub(super) no_sampling: bool,
}

impl Sources {
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file);
        let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The family of a model, if its provider's models have one.
    pub(super) fn family(&self, provider: &str, id: &str) -> Option<&Family> {
        let name = id.to_ascii_lowercase();
        let last = name.rsplit('/').next().unwrap_or(&name);
        self.family.iter().find(|family| {
            let here = family.at.is_empty() || family.at.iter().any(|each| each == provider);
            here && family.like.iter().any(|part| {
                if part.contains('*') { fits(part, last) } else { name.contains(part.as_str()) }
            })
        })
    }

    /// Whether a row can be made of it: its kind is ours, and somebody knows its price and size.
    pub(super) fn is_sellable(&self, model: &Merged) -> bool {
        let facts = &model.facts;
        let price = |class| facts.prices.get(class).copied();
        let charges = facts.per_request.is_some() || facts.prices.values().any(|rate| *rate > 0);
        match facts.kind {
            Some("chat" | "completion") => {
                let sized = facts.context.is_some() && facts.max_output.is_some();
                sized && charges && price("input").is_some() && price("output").is_some()
            }
            Some("moderation") => facts.context.is_some(),
            Some("embedding" | "rerank") => charges && facts.context.is_some(),
            // Charged by the second, the letter or the picture: no token class says that.
            Some(_) => price("input").is_some_and(|rate| rate > 0),
            None => false,
        }
    }
}

impl Source {
    /// The provider's own name of a model that LiteLLM lists under `name`.
    pub(super) fn own_name(&self, name: &str) -> Option<String> {
        let prefix = self.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
        prefix.map(str::to_owned)
    }

    pub(super) fn takes(&self, id: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, id));
        (self.take.is_empty() || any(&self.take)) && !any(&self.leave)
    }
}

/// Whether a pattern with `*` for anything fits the whole name.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let Some((_, after)) = rest.split_once(before) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-", true),
            ("*-mini", "gpt-4o-mini", true),
            ("*preview*", "a-preview-2", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
