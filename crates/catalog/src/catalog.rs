//! The catalog: rows that were read and checked, found by name.
//!
//! The embedded rows are read once. An overlay makes a new catalog and leaves the old one as it
//! was; all problems of its rows are reported at once.

use crate::layers::{Lines, Row, Sheet, Sheets};
use crate::model::Model;
use crate::price::Price;
use crate::provider::Provider;
use crate::rows::{ImageRow, ModelRow, ProviderRow, TokenizerRow};
use crate::tokens::Encoding;
use crate::tokens::image::ImageRule;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The rows that come with the program.
const EMBEDDED: &[&str] = &[
    include_str!("../data/providers.toml"),
    include_str!("../data/models.toml"),
    include_str!("../data/facts.toml"),
    include_str!("../data/counting.toml"),
];

/// Providers and models, found by name.
#[derive(Clone, Default, PartialEq)]
pub struct Catalog {
    /// The texts laid over the embedded ones; the rows themselves are only kept as read.
    overlays: Vec<String>,
    providers: Vec<Provider>,
    models: Vec<Model>,
    provider_by_id: HashMap<String, usize>,
    /// Provider id, then any name of the model.
    model_by_name: HashMap<String, HashMap<String, usize>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = (self.providers.len(), self.models.len(), self.overlays.len());
        write!(f, "Catalog({} providers, {} models, {} overlays)", sizes.0, sizes.1, sizes.2)
    }
}

/// The catalog that comes with the program.
// A test reads the same rows, so the empty catalog of a failure never reaches a user.
static EMBEDDED_CATALOG: LazyLock<Arc<Catalog>> =
    LazyLock::new(|| Arc::new(Catalog::layered(Vec::new()).unwrap_or_default()));

impl Catalog {
    /// The catalog that comes with the program, read at the first call.
    #[must_use]
    pub fn embedded() -> &'static Self {
        &EMBEDDED_CATALOG
    }

    /// The same, to be held beside catalogs with overlays.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::clone(&EMBEDDED_CATALOG)
    }

    /// The provider with this id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.get(*self.provider_by_id.get(id)?)
    }

    /// All providers in the order of their rows.
    pub fn providers(&self) -> impl ExactSizeIterator<Item = &Provider> {
        self.providers.iter()
    }

    /// The provider's model with this id, alias or nickname.
    #[must_use]
    pub fn model(&self, provider: &str, name: &str) -> Option<&Model> {
        self.models.get(*self.model_by_name.get(provider)?.get(name)?)
    }

    /// All models in the order of their rows.
    pub fn models(&self) -> impl ExactSizeIterator<Item = &Model> {
        self.models.iter()
    }

    /// A model without a row at a local provider, where any model may be loaded and none charges.
    /// `None` for other providers: there an unknown price must not become zero.
    #[must_use]
    pub fn unlisted(&self, provider: &str, name: &str) -> Option<Model> {
        let provider = self.provider(provider).filter(|provider| provider.local)?;
        let quirks = provider.quirks.clone();
        Some(Model { quirks, ..Model::undescribed(&provider.id, name, Price::default()) })
    }

    /// This catalog with the rows of `overlay` laid over: fields of known rows are replaced one by
    /// one, other rows are added. The same shape as the files in `data/`.
    ///
    /// # Errors
    /// Every row that is wrong, or the one place where the text is no TOML.
    pub fn with_overlay(&self, overlay: &str) -> Result<Self, CatalogError> {
        let before = self.overlays.iter().cloned();
        Self::layered(before.chain([overlay.to_owned()]).collect())
    }

    /// The embedded rows with these overlays.
    fn layered(overlays: Vec<String>) -> Result<Self, CatalogError> {
        let mut sheets = Sheets::default();
        for text in EMBEDDED.iter().copied().chain(overlays.iter().map(String::as_str)) {
            sheets.lay(text).map_err(|err| no_toml(&err, text))?;
        }
        let mut build = Build::default();
        build.counting_rules(sheets.tokenizer, sheets.image);
        for row in sheets.provider.rows {
            build.provider(row);
        }
        for row in sheets.model.rows {
            build.model(row);
        }
        if build.problems.is_empty() {
            Ok(Self { overlays, ..build.catalog })
        } else {
            Err(CatalogError { problems: build.problems })
        }
    }
}

/// A catalog under construction and what was wrong so far.
#[derive(Default)]
struct Build {
    catalog: Catalog,
    tokenizers: HashMap<String, Encoding>,
    images: HashMap<String, ImageRule>,
    /// The lines of the models' rows.
    lines: Vec<Option<usize>>,
    problems: Vec<Problem>,
}

impl Build {
    fn counting_rules(&mut self, tokenizers: Sheet, images: Sheet) {
        for row in tokenizers.rows {
            let (name, line) = (row.key(), row.line);
            let read = typed::<TokenizerRow>(row)
                .and_then(|typed| Ok((typed.id.clone(), typed.encoding()?)));
            if let Some((id, encoding)) = self.noted(name, line, read) {
                self.tokenizers.insert(id, encoding);
            }
        }
        for row in images.rows {
            let (name, line) = (row.key(), row.line);
            if let Some(image) = self.noted(name, line, typed::<ImageRow>(row)) {
                self.images.insert(image.id, image.rule);
            }
        }
    }

    fn provider(&mut self, row: Row) {
        let (name, line) = (row.key(), row.line);
        let read = typed::<ProviderRow>(row).and_then(ProviderRow::provider);
        let Some(provider) = self.noted(name, line, read) else { return };
        let place = self.catalog.providers.len();
        self.catalog.provider_by_id.insert(provider.id.clone(), place);
        self.catalog.providers.push(provider);
    }

    fn model(&mut self, row: Row) {
        let (name, line) = (row.key(), row.line);
        let read = self.read_model(row);
        let Some(model) = self.noted(name, line, read) else { return };
        let place = self.catalog.models.len();
        let names = self.catalog.model_by_name.entry(model.provider.clone()).or_default();
        let taken = model.names().find_map(|name| {
            let other = names.insert(name.to_owned(), place)?;
            Some((name.to_owned(), other))
        });
        self.lines.push(line);
        self.catalog.models.push(model);
        if let Some((taken, other)) = taken {
            self.clash(place, &taken, other);
        }
    }

    /// Two rows of one name. Either may be the overlay's, whose line helps.
    fn clash(&mut self, place: usize, taken: &str, other: usize) {
        let line = |place: usize| self.lines.get(place).copied().flatten();
        let (line, models) = (line(place).or_else(|| line(other)), &self.catalog.models);
        let (Some(model), Some(other)) = (models.get(place), models.get(other)) else { return };
        let problem = format!("the name `{taken}` is taken by `{}`", other.id);
        let row = format!("{}/{}", model.provider, model.id);
        self.problems.push(Problem { line, row, problem });
    }

    fn read_model(&self, row: Row) -> Result<Model, String> {
        let row = typed::<ModelRow>(row)?;
        let Some(provider) = self.catalog.provider(&row.provider) else {
            return Err(format!("no provider is called `{}`", row.provider));
        };
        let tokenizer = match &row.tokenizer {
            Some(id) => named(&self.tokenizers, id, "tokenizer")?,
            None => Encoding::UNKNOWN,
        };
        let image = row.image.as_ref().map(|id| named(&self.images, id, "image rule"));
        let image = image.transpose()?;
        row.model(tokenizer, image, &provider.own_quirks)
    }

    /// The value, or `None` with the problem written down under the row's name.
    fn noted<T>(&mut self, row: String, line: Option<usize>, read: Result<T, String>) -> Option<T> {
        read.map_err(|problem| self.problems.push(Problem { line, row, problem })).ok()
    }
}

/// The counting rule with this id.
fn named<T: Copy>(rules: &HashMap<String, T>, id: &str, what: &str) -> Result<T, String> {
    rules.get(id).copied().ok_or_else(|| format!("no {what} is called `{id}`"))
}

fn typed<T: DeserializeOwned>(row: Row) -> Result<T, String> {
    row.fields.try_into().map_err(|err: toml::de::Error| err.message().to_owned())
}

fn no_toml(err: &toml::de::Error, text: &str) -> CatalogError {
    let line = err.span().map(|span| Lines::of(text).at(span.start));
    let problem = format!("not valid TOML: {}", err.message());
    CatalogError { problems: vec![Problem { line, row: String::new(), problem }] }
}

/// Rows that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    /// All of them, in the order of the rows.
    pub problems: Vec<Problem>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of the overlay where the row begins, if the overlay names it.
    pub line: Option<usize>,
    /// The row's name (`provider/id` for models); empty where the text is no TOML at all.
    pub row: String,
    /// What is wrong, for people.
    pub problem: String,
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Problem { line, row, problem }) in self.problems.iter().enumerate() {
            let gap = if n == 0 { "" } else { "\n" };
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let colon = if row.is_empty() { "" } else { ": " };
            write!(f, "{gap}{line}{row}{colon}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_rows_are_sound() {
        if let Err(err) = Catalog::layered(Vec::new()) {
            panic!("{err}");
        }
    }
}
