//! `models`: what the catalog knows, the user's overlay included, as a table or as JSON.

use std::io::{self, Write};
use std::sync::Arc;

use catalog::{Catalog, Model, PicoUsd};
use serde_json::{Value, json};

use super::{Models, load};
use crate::config;

/// Exit code 0, or 2 when the configuration or its overlay is wrong.
pub(super) fn run(asked: Models, out: &mut dyn Write) -> io::Result<u8> {
    let catalog = match known(&asked) {
        Ok(catalog) => catalog,
        Err(problems) => {
            for problem in &problems {
                writeln!(io::stderr(), "{problem}")?;
            }
            return Ok(2);
        }
    };
    let models: Vec<&Model> = catalog.models().filter(|model| asked.wants(model)).collect();
    if asked.json {
        let rows: Vec<Value> = models.iter().map(|model| described(model)).collect();
        writeln!(out, "{:#}", Value::Array(rows))?;
    } else {
        let rows: Vec<[String; COLUMNS]> = models.iter().map(|model| row(model)).collect();
        table(&rows, out)?;
        writeln!(out, "{} models; prices in US dollars per million tokens", rows.len())?;
    }
    Ok(0)
}

fn known(asked: &Models) -> Result<Arc<Catalog>, Vec<config::Problem>> {
    match asked.config.clone().found() {
        Some(file) => load(&file).map(|config| config.catalog),
        None => config::catalog(&config::system::env, &config::system::read),
    }
}

impl Models {
    fn wants(&self, model: &Model) -> bool {
        let provider = self.provider.as_ref().is_none_or(|id| *id == model.provider);
        let kind = self.kind.as_ref().is_none_or(|kind| kind == model.kind.name());
        let dearest = model.price.input.max(model.price.output);
        provider && kind && self.max_price.is_none_or(|most| dearest <= most)
    }
}

const COLUMNS: usize = 8;
const TITLES: [&str; COLUMNS] =
    ["MODEL", "KIND", "CONTEXT", "MAX OUTPUT", "INPUT", "CACHED", "OUTPUT", "CAN"];
/// Columns of numbers, which stand on the right.
const NUMBERS: std::ops::Range<usize> = 2..7;

fn row(model: &Model) -> [String; COLUMNS] {
    let size = |tokens: u64| if tokens == 0 { String::new() } else { tokens.to_string() };
    let price = &model.price;
    let fee = price.per_request;
    let input = match (price.input, fee.as_nanousd()) {
        (PicoUsd::ZERO, 1..) => format!("{fee}/call"),
        (input, _) => input.to_string(),
    };
    [
        format!("{}/{}", model.provider, model.id),
        model.kind.name().to_owned(),
        size(model.context),
        size(model.max_output),
        input,
        price.cached_input.map(|rate| rate.to_string()).unwrap_or_default(),
        price.output.to_string(),
        model.capabilities.names().collect::<Vec<_>>().join(" "),
    ]
}

fn table(rows: &[[String; COLUMNS]], out: &mut dyn Write) -> io::Result<()> {
    let mut widths = TITLES.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(&TITLES, &widths, out)?;
    for row in rows {
        line(&row.each_ref().map(String::as_str), &widths, out)?;
    }
    Ok(())
}

fn line(cells: &[&str; COLUMNS], widths: &[usize; COLUMNS], out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let gap = if column == 0 { "" } else { "  " };
        if NUMBERS.contains(&column) {
            text.push_str(&format!("{gap}{cell:>width$}"));
        } else {
            text.push_str(&format!("{gap}{cell:<width$}"));
        }
    }
    writeln!(out, "{}", text.trim_end())
}

/// Everything that is known of a model. Prices are texts, as exact as they are published.
fn described(model: &Model) -> Value {
    let price = &model.price;
    let rate = |rate: Option<PicoUsd>| rate.map(|rate| rate.to_string());
    let tiers = price.tiers.iter().map(|tier| {
        json!({
            "above": tier.above,
            "input": tier.input.to_string(),
            "cached_input": rate(tier.cached_input),
            "cache_write": rate(tier.cache_write),
            "cache_write_1h": rate(tier.cache_write_1h),
            "output": tier.output.to_string(),
            "reasoning": rate(tier.reasoning),
        })
    });
    json!({
        "provider": model.provider,
        "id": model.id,
        "kind": model.kind.name(),
        "only": model.only,
        "aliases": model.aliases,
        "nicknames": model.nicknames,
        "context": model.context,
        "max_output": model.max_output,
        "capabilities": model.capabilities.names().collect::<Vec<_>>(),
        "price": {
            "input": price.input.to_string(),
            "cached_input": rate(price.cached_input),
            "cache_write": rate(price.cache_write),
            "cache_write_1h": rate(price.cache_write_1h),
            "output": price.output.to_string(),
            "reasoning": rate(price.reasoning),
            "audio_input": rate(price.audio_input),
            "audio_output": rate(price.audio_output),
            "image_input": rate(price.image_input),
            "image_output": rate(price.image_output),
            "per_request": price.per_request.to_string(),
            "tiers": tiers.collect::<Vec<_>>(),
        },
        "price_date": model.price_date,
        "source": model.source,
    })
}
