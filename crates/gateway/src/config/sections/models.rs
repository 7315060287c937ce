//! `providers.*.models`: models that only this configuration knows, and prices.

use catalog::{PicoUsd, Price};

use crate::config::reader::{At, Reader};
use crate::config::types::CustomModel;
use crate::config::values::{self, Wrong};

/// Reads the models of a provider.
pub(in crate::config) fn models(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<CustomModel> {
    at.named().into_iter().map(|(name, at)| model(reader, name, &at)).collect()
}

fn model(reader: &mut Reader<'_>, name: &str, at: &At<'_>) -> CustomModel {
    CustomModel {
        name: name.to_owned(),
        price: price(reader, at),
        context: reader.optional_count(&at.get("context")),
        max_output: reader.optional_count(&at.get("max_output")),
        prefill: reader.flag(&at.get("prefill"), Some(false)),
    }
}

/// Reads `input` and `output`, which must both be there: a price left out is not a price of zero.
pub(in crate::config) fn price(reader: &mut Reader<'_>, at: &At<'_>) -> Price {
    Price {
        input: needed(reader, at, "input"),
        cached_input: reader.written(&at.get("cached_input"), values::token_price),
        output: needed(reader, at, "output"),
        ..Price::default()
    }
}

fn needed(reader: &mut Reader<'_>, at: &At<'_>, key: &str) -> PicoUsd {
    let place = at.get(key);
    if !place.is_present() {
        let wrong = Wrong::new("a price in US dollars per million tokens is needed");
        reader.wrong(&place, wrong.hint(format!("write `{key}: $0` if it costs nothing")));
    }
    reader.written(&place, values::token_price).unwrap_or(PicoUsd::ZERO)
}
