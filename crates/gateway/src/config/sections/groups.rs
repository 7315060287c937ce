//! `models`: the names clients use, resolved to providers and to each other by index.
//!
//! Groups may fall back to each other in a circle; a request walks each group once. Only a group
//! that falls back to itself says something its author cannot have meant.

use catalog::Catalog;

use crate::config::keys::STRATEGIES;
use crate::config::problem::{did_you_mean, nearest};
use crate::config::reader::{At, Reader};
use crate::config::sections::routing;
use crate::config::types::{
    Breaker, Deployment, Failover, Group, Provider, Timeouts, UnknownPrice, UpstreamStream,
};
use crate::config::values::{Wrong, quoted};

/// What groups refer to and inherit from.
pub(in crate::config) struct Around<'a> {
    pub(in crate::config) catalog: &'a Catalog,
    pub(in crate::config) providers: &'a [Provider],
    pub(in crate::config) unknown_price: &'a UnknownPrice,
    pub(in crate::config) timeouts: &'a Timeouts,
    pub(in crate::config) failover: &'a Failover,
    pub(in crate::config) breaker: &'a Breaker,
    pub(in crate::config) upstream_stream: UpstreamStream,
    pub(in crate::config) strict: bool,
}

/// Reads `models`.
pub(in crate::config) fn groups(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    around: &Around<'_>,
) -> Vec<Group> {
    let named = at.named();
    let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    let places = named.iter().enumerate();
    places.map(|(index, (_, at))| group(reader, at, index, &names, around)).collect()
}

fn group(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    index: usize,
    names: &[&str],
    around: &Around<'_>,
) -> Group {
    let name = names.get(index).copied().unwrap_or_default();
    check_name(reader, name, at);
    let strategy = strategy(reader, &at.get("strategy"));
    let deployments = deployments(reader, at, around, strategy);
    let mut others = |key: &str| references(reader, &at.get(key), index, names);
    Group {
        name: name.to_owned(),
        deployments,
        strategy: strategy.to_owned(),
        fallbacks: others("fallbacks"),
        context_fallbacks: others("context_fallbacks"),
        content_fallbacks: others("content_fallbacks"),
        timeouts: routing::timeouts(reader, &at.get("timeouts"), Some(around.timeouts)),
        failover: routing::failover(reader, &at.get("failover"), Some(around.failover)),
        breaker: routing::breaker(reader, &at.get("breaker"), Some(around.breaker)),
        upstream_stream: routing::upstream_stream(
            reader,
            &at.get("upstream_stream"),
            Some(around.upstream_stream),
        ),
        strict: reader.flag(&at.get("strict"), Some(around.strict)),
    }
}

fn check_name(reader: &mut Reader<'_>, name: &str, at: &At<'_>) {
    let unfit = |c: char| c.is_control() || c.is_whitespace();
    if name.is_empty() || name.len() > 128 || name.contains(unfit) {
        let message = format!("{} is not a model's name", quoted(name));
        reader.wrong(at, Wrong::new(message).hint("up to 128 bytes without spaces"));
    }
}

fn strategy(reader: &mut Reader<'_>, at: &At<'_>) -> &'static str {
    reader.value(at, None, "ordered", |text| {
        STRATEGIES.iter().copied().find(|name| *name == text).ok_or_else(|| {
            let wrong = Wrong::new(format!("unknown strategy {}", quoted(text)));
            let near = did_you_mean(text, STRATEGIES.iter().copied());
            let all = || format!("known: {}", STRATEGIES.join(", "));
            wrong.hint(near.unwrap_or_else(all))
        })
    })
}

fn deployments(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    around: &Around<'_>,
    strategy: &str,
) -> Vec<Deployment> {
    let place = at.get("deployments");
    let places = place.items();
    // A tiered group has none; that tiers are not supported was said already.
    if places.is_empty() && !at.get("tiers").is_present() {
        let wrong = Wrong::new("at least one deployment is needed");
        reader.wrong(&place, wrong.hint("write for example `deployments: [openai/gpt-4o]`"));
    }
    let mut found: Vec<Deployment> = Vec::new();
    for place in &places {
        let Some(deployment) = deployment(reader, place, around) else { continue };
        if found.iter().any(|other| same(other, &deployment)) {
            reader.wrong(place, Wrong::new("listed twice").hint("give it more weight instead"));
        }
        found.push(deployment);
    }
    let weightless = !found.is_empty() && found.iter().all(|deployment| deployment.weight == 0);
    if strategy == "weighted" && weightless {
        reader.wrong(&place, Wrong::new("every weight is 0, so nothing could be chosen"));
    }
    found
}

fn same(one: &Deployment, other: &Deployment) -> bool {
    one.provider == other.provider && one.model == other.model
}

fn deployment(reader: &mut Reader<'_>, at: &At<'_>, around: &Around<'_>) -> Option<Deployment> {
    let section = at.is_section();
    let place = if section { at.get("model") } else { at.clone() };
    let weight = if section { reader.count(&at.get("weight"), None) } else { 1 };
    if section && !place.is_present() {
        reader.wrong(&place, Wrong::new("`model: provider/model` is needed"));
    }
    let text = reader.name(&place)?;
    let Some((provider, model)) = text.split_once('/').filter(|(_, model)| !model.is_empty())
    else {
        let wrong = Wrong::new(format!("{} is not `provider/model`", quoted(&text)));
        let guess = providers_of(around.catalog, &text);
        let suggestion = guess.map(|provider| format!("did you mean `{provider}/{text}`?"));
        reader.wrong(&place, Wrong { suggestion, ..wrong });
        return None;
    };
    let Some(index) = around.providers.iter().position(|each| each.id == provider) else {
        reader.wrong(&place, not_configured(provider, around));
        return None;
    };
    check_price(reader, &place, around.providers.get(index)?, model, around);
    Some(Deployment { provider: index, model: model.to_owned(), weight })
}

/// The first provider of the catalog that has a model of this name.
fn providers_of<'c>(catalog: &'c Catalog, model: &str) -> Option<&'c str> {
    catalog
        .models()
        .find(|each| each.names().any(|name| name == model))
        .map(|each| each.provider.as_str())
}

fn not_configured(provider: &str, around: &Around<'_>) -> Wrong {
    let wrong = Wrong::new(format!("provider {} is not configured", quoted(provider)));
    if let Some(row) = around.catalog.provider(provider) {
        let key = row.key_env.first().map(|env| format!(" api_key: \"${{{env}}}\" "));
        let key = key.unwrap_or_default();
        return wrong.hint(format!("add `{provider}: {{{key}}}` to `providers`"));
    }
    let known = around.providers.iter().map(|each| each.id.as_str());
    Wrong { suggestion: did_you_mean(provider, known), ..wrong }
}

/// A deployment nobody knows the price of would be refused at every request.
fn check_price(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    provider: &Provider,
    model: &str,
    around: &Around<'_>,
) {
    let row = provider.catalog_id.as_deref();
    let listed = |id| around.catalog.model(id, model).is_some();
    let free = |id| around.catalog.unlisted(id, model).is_some();
    let priced = row.is_some_and(|id| listed(id) || free(id));
    let assumed = matches!(around.unknown_price, UnknownPrice::Assume(_));
    // A provider without a place was reported itself.
    let unplaced = provider.usual().is_none_or(|face| face.base_url.host.is_empty());
    if priced || assumed || unplaced || provider.custom_model(model).is_some() {
        return;
    }
    let of_row = around.catalog.models().filter(|each| Some(each.provider.as_str()) == row);
    let names = of_row.flat_map(|each| each.names());
    let names = names.chain(provider.models.iter().map(|each| each.name.as_str()));
    let suggestion = match nearest(model, names) {
        Some(name) => format!("did you mean `{}/{name}`?", provider.id),
        None => format!(
            "add its prices under `providers.{}.models.{model}`, or set `unknown_price`",
            provider.id
        ),
    };
    let message = format!("the price of {} is not known", quoted(model));
    reader.wrong(at, Wrong::new(message).hint(suggestion));
}

/// Reads names of other groups into their indices.
fn references(reader: &mut Reader<'_>, at: &At<'_>, own: usize, names: &[&str]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for place in at.items() {
        let Some(name) = reader.name(&place) else { continue };
        match names.iter().position(|each| *each == name) {
            Some(index) if index == own => {
                reader.wrong(&place, Wrong::new("a group cannot fall back to itself"));
            }
            Some(index) if found.contains(&index) => {
                reader.wrong(&place, Wrong::new("listed twice"));
            }
            Some(index) => found.push(index),
            None => reader.wrong(&place, unknown_group(&name, names)),
        }
    }
    found
}

fn unknown_group(name: &str, names: &[&str]) -> Wrong {
    let wrong = Wrong::new(format!("unknown group {}", quoted(name)));
    if name.contains('/') {
        return wrong.hint("fallbacks name groups: give this deployment a group under `models`");
    }
    Wrong { suggestion: did_you_mean(name, names.iter().copied()), ..wrong }
}
