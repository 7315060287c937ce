//! Two opinions about a model made into one, and what they differ in.

use std::collections::BTreeMap;
use std::fmt;

use super::lists::{Listed, Pico};
use super::rows::{decimal, places};
use super::sources::{Prefer, Source};

/// A model as it becomes a row.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) id: String,
    /// Names of the same model with a date at their end.
    pub(super) aliases: Vec<String>,
    pub(super) facts: Listed,
    /// The list its price is from.
    pub(super) from: Prefer,
}

/// A fact that the lists do not agree on.
#[derive(Debug)]
pub(super) struct Difference {
    model: String,
    field: String,
    litellm: String,
    models_dev: String,
    taken: String,
}

type Both<'l> = (Option<&'l Listed>, Option<&'l Listed>);

impl Merged {
    /// One opinion out of two, either of which may be missing.
    pub(super) fn of(id: &str, (litellm, dev): Both<'_>, source: &Source) -> Option<Self> {
        let (first, second) = match source.prefer {
            Prefer::Litellm => (litellm, dev),
            Prefer::ModelsDev => (dev, litellm),
        };
        let has_price = |listed: Option<&Listed>| listed.is_some_and(sells);
        let keeps = has_price(first) || !has_price(second) && first.is_some();
        let (first, second) = if keeps { (first, second) } else { (second, first) };
        let from_litellm = std::ptr::eq(first?, litellm.unwrap_or(&Listed::default()));
        let facts = merged(first?, second, litellm);
        let from = if from_litellm { Prefer::Litellm } else { Prefer::ModelsDev };
        Some(Self { id: id.to_owned(), aliases: Vec::new(), facts: sound(facts), from })
    }

    /// What the lists differ in, with what was taken.
    pub(super) fn differences(&self, source: &Source, (litellm, dev): Both<'_>) -> Vec<Difference> {
        let (Some(litellm), Some(dev)) = (litellm, dev) else { return Vec::new() };
        let model = format!("{}/{}", source.provider, self.id);
        let (ours, theirs) = (shown(litellm), shown(dev));
        let taken = shown(&self.facts);
        let both = ours.iter().filter_map(|(field, one)| Some((field, one, theirs.get(field)?)));
        let differ = both.filter(|(_, one, other)| one != other);
        let told = differ.map(|(field, one, other)| Difference {
            model: model.clone(),
            field: (*field).to_owned(),
            litellm: one.clone(),
            models_dev: other.clone(),
            taken: taken.get(field).cloned().unwrap_or_default(),
        });
        told.collect()
    }
}

fn sells(listed: &Listed) -> bool {
    listed.per_request.is_some() || listed.prices.values().any(|rate| *rate > 0)
}

/// The first opinion, completed by the second. Prices are not mixed class by class where both
/// sell: a cache rate of one list means nothing beside the other's input rate.
fn merged(first: &Listed, second: Option<&Listed>, litellm: Option<&Listed>) -> Listed {
    let nothing = Listed::default();
    let second = second.unwrap_or(&nothing);
    let same_base = ["input", "output"].iter().all(|class| {
        let (one, other) = (first.prices.get(class), second.prices.get(class));
        one == other || other.is_none()
    });
    let mut prices = if same_base { second.prices.clone() } else { BTreeMap::new() };
    prices.extend(first.prices.iter().map(|(class, rate)| (*class, *rate)));
    let tiers = if first.tiers.is_empty() && same_base { &second.tiers } else { &first.tiers };
    Listed {
        // LiteLLM's kinds are exact; models.dev only tells what comes out.
        kind: litellm.and_then(|each| each.kind).or(first.kind).or(second.kind),
        only: litellm.and_then(|each| each.only),
        context: first.context.or(second.context),
        max_output: first.max_output.or(second.max_output),
        prices,
        per_request: first.per_request.or(second.per_request),
        tiers: tiers.clone(),
        capabilities: first.capabilities.union(&second.capabilities).copied().collect(),
        sampling: first.sampling.or(second.sampling),
    }
}

/// Without what cannot be meant: a cache that is free or dearer than no cache, writes to it that
/// cost less than input, classes that cost nothing or what their base does, tiers that make long requests cheaper.
fn sound(mut facts: Listed) -> Listed {
    let input = facts.prices.get("input").copied().unwrap_or_default();
    let output = facts.prices.get("output").copied().unwrap_or_default();
    facts.prices.retain(|class, rate| is_sound(class, *rate, input, output));
    let (mut floor_in, mut floor_out) = (input, output);
    facts.tiers.retain(|_, prices| {
        let rate_in = *prices.entry("input").or_insert(floor_in);
        let rate_out = *prices.entry("output").or_insert(floor_out);
        prices.retain(|class, rate| is_sound(class, *rate, rate_in, rate_out));
        let rises = rate_in >= floor_in && rate_out >= floor_out;
        let differs = rate_in > floor_in || rate_out > floor_out;
        if rises {
            (floor_in, floor_out) = (rate_in, rate_out);
        }
        rises && differs
    });
    facts
}

fn is_sound(class: &str, rate: Pico, input: Pico, output: Pico) -> bool {
    match class {
        "input" | "output" => true,
        "cached_input" => rate > 0 && rate < input,
        "cache_write" | "cache_write_1h" => rate > input,
        "reasoning" | "audio_output" | "image_output" => rate > 0 && rate != output,
        "audio_input" | "image_input" => rate > 0 && rate != input,
        _ => rate > 0,
    }
}

/// The facts as text by field.
fn shown(facts: &Listed) -> BTreeMap<&'static str, String> {
    let counts = [("context", facts.context), ("max_output", facts.max_output)];
    let counts = counts.into_iter().filter_map(|(name, count)| Some((name, count?.to_string())));
    // Zero stands for "not known" in both lists, except that a whole price list is zero.
    let priced = facts.prices.iter().filter(|(_, rate)| **rate > 0);
    counts.chain(priced.map(|(class, rate)| (*class, decimal(*rate, places::PRICE)))).collect()
}

/// Makes `name-2025-01-31` an alias of `name` where they are the same.
pub(super) fn without_dated_twins(models: Vec<Merged>) -> Vec<Merged> {
    let (dated, mut plain): (Vec<_>, Vec<_>) =
        models.into_iter().partition(|model| undated(&model.id).is_some());
    for model in dated {
        let name = undated(&model.id).unwrap_or_default();
        match plain.iter_mut().find(|each| each.id == name && is_twin(&each.facts, &model.facts)) {
            Some(twin) => twin.aliases.push(model.id),
            None => plain.push(model),
        }
    }
    plain.sort_by(|one, other| one.id.cmp(&other.id));
    plain
}

/// Whether two names stand for one model, as far as price and size tell.
fn is_twin(one: &Listed, other: &Listed) -> bool {
    let size = |facts: &Listed| (facts.kind, facts.only, facts.context, facts.max_output);
    size(one) == size(other) && one.prices == other.prices && one.tiers == other.tiers
}

/// The name before `-2025-01-31` or `-20250131`.
fn undated(id: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, last) = id.rsplit_once('-')?;
    if last.len() == 8 && last.starts_with("20") && digits(last) {
        return Some(rest);
    }
    let (rest, month) = rest.rsplit_once('-')?;
    let (rest, year) = rest.rsplit_once('-')?;
    let is_date = year.len() == 4 && month.len() == 2 && last.len() == 2;
    (is_date && [year, month, last].into_iter().all(digits)).then_some(rest)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, field, litellm, models_dev, taken } = self;
        write!(f, "| {model} | {field} | {litellm} | {models_dev} | {taken} |")
    }
}
