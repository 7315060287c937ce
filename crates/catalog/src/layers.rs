//! Layers of untyped rows: the embedded files, then overlays.
//!
//! Rows stay tables until all layers are in place, so that an overlay may change one field of a row
//! and say nothing about the rest. A row remembers the line where the last layer names it.

use std::collections::HashMap;

use serde::Deserialize;
use toml::{Spanned, Table, Value};

/// A row and where it was written.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) fields: Table,
    /// The line in the layer laid last, if that layer names the row.
    pub(crate) line: Option<usize>,
}

impl Row {
    /// What it is known by: `id`, or `provider/id`.
    pub(crate) fn key(&self) -> String {
        key(&self.fields)
    }
}

/// The rows of one kind, found by what they are known by.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) rows: Vec<Row>,
    places: HashMap<String, usize>,
}

/// All rows of one or more layers.
#[derive(Debug, Default)]
pub(crate) struct Sheets {
    pub(crate) provider: Sheet,
    pub(crate) model: Sheet,
    pub(crate) tokenizer: Sheet,
    pub(crate) image: Sheet,
}

/// One layer as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Layer {
    provider: Vec<Spanned<Table>>,
    model: Vec<Spanned<Table>>,
    tokenizer: Vec<Spanned<Table>>,
    image: Vec<Spanned<Table>>,
}

impl Sheets {
    /// Lays another layer over this one.
    pub(crate) fn lay(&mut self, text: &str) -> Result<(), toml::de::Error> {
        let layer: Layer = toml::from_str(text)?;
        let lines = Lines::of(text);
        self.provider.lay(layer.provider, &lines);
        self.model.lay(layer.model, &lines);
        self.tokenizer.lay(layer.tokenizer, &lines);
        self.image.lay(layer.image, &lines);
        Ok(())
    }
}

impl Sheet {
    /// Changes the rows that exist and appends the others.
    fn lay(&mut self, over: Vec<Spanned<Table>>, lines: &Lines) {
        for row in &mut self.rows {
            row.line = None;
        }
        for row in over {
            let line = Some(lines.at(row.span().start));
            let fields = row.into_inner();
            let name = key(&fields);
            let known = self.places.get(&name).and_then(|place| self.rows.get_mut(*place));
            match known {
                Some(known) => {
                    known.line = line;
                    lay_fields(&mut known.fields, fields);
                }
                None => {
                    self.places.insert(name, self.rows.len());
                    self.rows.push(Row { fields, line });
                }
            }
        }
    }
}

/// What a row is known by: `id`, or `provider/id`.
fn key(row: &Table) -> String {
    let field = |name| row.get(name).and_then(Value::as_str);
    let id = field("id").unwrap_or("(no id)");
    field("provider").map_or_else(|| id.to_owned(), |provider| format!("{provider}/{id}"))
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

/// Where the lines of a text end.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, from 1.
    pub(crate) fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}
