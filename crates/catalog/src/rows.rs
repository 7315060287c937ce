//! The rows as they are typed in TOML: read from their tables with unknown fields refused, and
//! checked as far as a row can be by itself.

use std::collections::BTreeMap;

use crate::model::{Capabilities, Kind, Model};
use crate::money::{Money, PicoUsd};
use crate::price::{Price, Tier};
use crate::provider::{AuthKind, BLANKS, Blank, Face, Provider, StreamSupport};
use crate::quirks::QuirkSet;
use crate::tokens::Encoding;
use crate::tokens::image::ImageRule;
use serde::Deserialize;
use toml::Table;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderRow {
    id: String,
    name: Option<String>,
    dialect: String,
    base_url: String,
    path: Option<String>,
    stream_path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    speaks: Vec<FaceRow>,
    #[serde(default)]
    blanks: BTreeMap<String, BlankRow>,
    #[serde(default)]
    region: String,
    auth: AuthKind,
    #[serde(default)]
    key_env: Vec<String>,
    #[serde(default)]
    stream: StreamSupport,
    #[serde(default)]
    local: bool,
    #[serde(default)]
    docs: String,
    #[serde(default)]
    quirks: Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaceRow {
    dialect: String,
    base_url: Option<String>,
    auth: Option<AuthKind>,
    path: Option<String>,
    stream_path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    quirks: Table,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BlankRow {
    default: Option<String>,
    env: Vec<String>,
}

impl ProviderRow {
    pub(crate) fn provider(self) -> Result<Provider, String> {
        if !is_address(&self.base_url) || self.base_url.ends_with('/') {
            return Err("base_url must begin with http(s):// and end without a slash".to_owned());
        }
        let own_quirks = QuirkSet::new(self.quirks).map_err(|err| format!("quirks: {err}"))?;
        let faces = self.speaks.into_iter().map(FaceRow::face);
        let speaks = faces.collect::<Result<Vec<_>, _>>()?;
        check_paths(&self.path, &self.stream_path)?;
        let usual = [Some(&self.base_url), self.path.as_ref(), self.stream_path.as_ref()];
        let further = speaks.iter().flat_map(|face| {
            [face.base_url.as_ref(), face.path.as_ref(), face.stream_path.as_ref()]
        });
        let blanks = blanks(usual.into_iter().chain(further).flatten(), &self.blanks)?;
        Ok(Provider {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            dialect: self.dialect,
            base_url: self.base_url,
            path: self.path,
            stream_path: self.stream_path,
            headers: self.headers.into_iter().collect(),
            speaks,
            blanks,
            region: self.region,
            auth: self.auth,
            key_env: self.key_env,
            quirks: own_quirks.quirks(),
            own_quirks,
            stream: self.stream,
            local: self.local,
            docs: self.docs,
        })
    }
}

impl FaceRow {
    fn face(self) -> Result<Face, String> {
        let wrong = |problem: String| format!("speaks {}: {problem}", self.dialect);
        let fits = |url: &str| (is_address(url) || url.starts_with('/')) && !url.ends_with('/');
        if self.base_url.as_deref().is_some_and(|url| !fits(url)) {
            let text = "base_url must begin with http(s):// or / and end without a slash";
            return Err(wrong(text.to_owned()));
        }
        check_paths(&self.path, &self.stream_path).map_err(wrong)?;
        let quirks = QuirkSet::new(self.quirks).map_err(wrong)?;
        Ok(Face {
            dialect: self.dialect,
            base_url: self.base_url,
            auth: self.auth,
            path: self.path,
            stream_path: self.stream_path,
            headers: self.headers.into_iter().collect(),
            quirks,
        })
    }
}

fn is_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn check_paths(path: &Option<String>, stream_path: &Option<String>) -> Result<(), String> {
    let mut paths = [path, stream_path].into_iter().flatten();
    if paths.all(|path| path.starts_with('/')) {
        Ok(())
    } else {
        Err("a path must begin with a slash".to_owned())
    }
}

/// The blanks that these texts have, each with what its row says.
fn blanks<'a>(
    texts: impl Iterator<Item = &'a String>,
    described: &BTreeMap<String, BlankRow>,
) -> Result<Vec<Blank>, String> {
    let mut found: Vec<Blank> = Vec::new();
    for name in texts.flat_map(|text| braced(text)) {
        if name == "model" || found.iter().any(|blank| blank.name == name) {
            continue;
        }
        if !BLANKS.contains(&name) {
            return Err(format!("{{{name}}} is none of {}, model", BLANKS.join(", ")));
        }
        let BlankRow { default, env } = described.get(name).cloned().unwrap_or_default();
        found.push(Blank { name: name.to_owned(), default, env });
    }
    match described.keys().find(|name| found.iter().all(|blank| blank.name != **name)) {
        Some(unused) => Err(format!("no address has a blank {{{unused}}}")),
        None => Ok(found),
    }
}

/// What stands between braces.
fn braced(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).map(|rest| rest.split_once('}').map_or(rest, |(name, _)| name))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelRow {
    pub(crate) provider: String,
    id: String,
    #[serde(default)]
    kind: Kind,
    only: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    nicknames: Vec<String>,
    #[serde(default)]
    context: u64,
    #[serde(default)]
    max_output: u64,
    input: PicoUsd,
    cached_input: Option<PicoUsd>,
    cache_write: Option<PicoUsd>,
    cache_write_1h: Option<PicoUsd>,
    output: Option<PicoUsd>,
    reasoning: Option<PicoUsd>,
    audio_input: Option<PicoUsd>,
    audio_output: Option<PicoUsd>,
    image_input: Option<PicoUsd>,
    image_output: Option<PicoUsd>,
    per_request: Option<String>,
    #[serde(default)]
    tiers: Vec<Tier>,
    #[serde(default)]
    price_date: String,
    #[serde(default)]
    source: String,
    pub(crate) tokenizer: Option<String>,
    pub(crate) image: Option<String>,
    #[serde(default)]
    capabilities: Capabilities,
    #[serde(default)]
    quirks: Table,
}

impl ModelRow {
    /// The model, given what its names for counting rules stand for and its provider's quirks.
    pub(crate) fn model(
        self,
        tokenizer: Encoding,
        image: Option<ImageRule>,
        provider_quirks: &QuirkSet,
    ) -> Result<Model, String> {
        let reads = !matches!(self.kind, Kind::Image | Kind::Speech | Kind::Transcription);
        if (reads && self.context == 0) || (self.kind.writes() && self.max_output == 0) {
            return Err("context and max_output must be at least 1".to_owned());
        }
        if self.kind.writes() && self.output.is_none() {
            return Err("a model that writes needs a price of its output".to_owned());
        }
        let price = self.price()?;
        let own_quirks = QuirkSet::new(self.quirks).map_err(|err| format!("quirks: {err}"))?;
        Ok(Model {
            provider: self.provider,
            id: self.id,
            kind: self.kind,
            only: self.only,
            aliases: self.aliases,
            nicknames: self.nicknames,
            context: self.context,
            max_output: self.max_output,
            price,
            price_date: self.price_date,
            source: self.source,
            tokenizer,
            image,
            capabilities: self.capabilities,
            quirks: provider_quirks.under(&own_quirks).quirks(),
            own_quirks,
        })
    }

    fn price(&self) -> Result<Price, String> {
        if !self.tiers.is_sorted_by(|a, b| a.above < b.above) {
            return Err("tiers must have rising thresholds".to_owned());
        }
        let per_request = self.per_request.as_deref().map(str::parse::<Money>).transpose();
        Ok(Price {
            input: self.input,
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            output: self.output.unwrap_or_default(),
            reasoning: self.reasoning,
            audio_input: self.audio_input,
            audio_output: self.audio_output,
            image_input: self.image_input,
            image_output: self.image_output,
            per_request: per_request.map_err(|err| err.to_string())?.unwrap_or_default(),
            tiers: self.tiers.clone(),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenizerRow {
    pub(crate) id: String,
    encoding: Option<String>,
    centibytes_per_token: Option<u32>,
    error_percent: Option<u32>,
}

impl TokenizerRow {
    pub(crate) fn encoding(&self) -> Result<Encoding, String> {
        match (self.encoding.as_deref(), self.centibytes_per_token, self.error_percent) {
            (Some("o200k"), None, None) => Ok(Encoding::O200k),
            (Some("cl100k"), None, None) => Ok(Encoding::Cl100k),
            (None, Some(centibytes_per_token @ 1..), Some(error_percent)) => {
                Ok(Encoding::Estimate { centibytes_per_token, error_percent })
            }
            _ => Err("give encoding = \"o200k\" or \"cl100k\", or centibytes_per_token (at least \
                      1) with error_percent"
                .to_owned()),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageRow {
    pub(crate) id: String,
    pub(crate) rule: ImageRule,
}
