//! The rows as they are typed in TOML, and how rows are laid over others.
//!
//! Rows stay untyped tables until all layers are in place, so that an overlay may change one field
//! of a row and say nothing about the rest. Then each table is read into its typed form, with
//! unknown fields refused.

use crate::model::{Capabilities, Model};
use crate::money::{Money, PicoUsd};
use crate::price::{Price, Tier};
use crate::provider::{AuthKind, Provider, StreamSupport};
use crate::tokens::Encoding;
use crate::tokens::image::ImageRule;
use serde::Deserialize;
use toml::{Table, Value};
use wire::dialect::Quirks;

/// All rows of one or more layers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sheets {
    pub(crate) provider: Vec<Table>,
    pub(crate) model: Vec<Table>,
    pub(crate) tokenizer: Vec<Table>,
    pub(crate) image: Vec<Table>,
}

impl Sheets {
    /// Lays another layer over this one.
    pub(crate) fn lay(&mut self, over: Self) {
        lay_rows(&mut self.provider, over.provider);
        lay_rows(&mut self.model, over.model);
        lay_rows(&mut self.tokenizer, over.tokenizer);
        lay_rows(&mut self.image, over.image);
    }
}

/// What a row is known by: `id`, or `provider/id`.
pub(crate) fn key(row: &Table) -> String {
    let field = |name| row.get(name).and_then(Value::as_str);
    let id = field("id").unwrap_or("(no id)");
    field("provider").map_or_else(|| id.to_owned(), |provider| format!("{provider}/{id}"))
}

/// Changes the rows that exist and appends the others.
fn lay_rows(rows: &mut Vec<Table>, over: Vec<Table>) {
    for row in over {
        let name = key(&row);
        match rows.iter_mut().find(|known| key(known) == name) {
            Some(known) => lay_fields(known, row),
            None => rows.push(row),
        }
    }
}

/// Replaces the fields that `over` names; quirks are laid over one by one.
fn lay_fields(row: &mut Table, over: Table) {
    for (field, value) in over {
        match (row.get_mut(&field), value) {
            (Some(Value::Table(quirks)), Value::Table(more)) if field == "quirks" => {
                quirks.extend(more);
            }
            (_, value) => {
                row.insert(field, value);
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderRow {
    pub(crate) id: String,
    name: Option<String>,
    dialect: String,
    base_url: String,
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
    pub(crate) quirks: Table,
}

impl ProviderRow {
    pub(crate) fn provider(self) -> Result<Provider, String> {
        let has_scheme =
            self.base_url.starts_with("https://") || self.base_url.starts_with("http://");
        if !has_scheme || self.base_url.ends_with('/') {
            return Err("base_url must begin with http(s):// and end without a slash".to_owned());
        }
        Ok(Provider {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            dialect: self.dialect,
            base_url: self.base_url,
            region: self.region,
            auth: self.auth,
            key_env: self.key_env,
            quirks: quirks(self.quirks)?,
            stream: self.stream,
            local: self.local,
            docs: self.docs,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelRow {
    pub(crate) provider: String,
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    nicknames: Vec<String>,
    context: u64,
    max_output: u64,
    input: PicoUsd,
    cached_input: Option<PicoUsd>,
    cache_write: Option<PicoUsd>,
    cache_write_1h: Option<PicoUsd>,
    output: PicoUsd,
    reasoning: Option<PicoUsd>,
    audio_input: Option<PicoUsd>,
    audio_output: Option<PicoUsd>,
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
        provider_quirks: &Table,
    ) -> Result<Model, String> {
        if self.context == 0 || self.max_output == 0 {
            return Err("context and max_output must be at least 1".to_owned());
        }
        let price = self.price()?;
        let mut merged = provider_quirks.clone();
        merged.extend(self.quirks);
        Ok(Model {
            provider: self.provider,
            id: self.id,
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
            quirks: quirks(merged)?,
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
            output: self.output,
            reasoning: self.reasoning,
            audio_input: self.audio_input,
            audio_output: self.audio_output,
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

fn quirks(table: Table) -> Result<Quirks, String> {
    table.try_into().map_err(|err| format!("quirks: {}", err.message()))
}
