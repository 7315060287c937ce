//! The two price lists, read into one form.
//!
//! Both are JSON whose numbers are dollars, per token in one list and per million tokens in the
//! other. They become whole pico-dollars per token here, which is exact for every published price.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::sources::Source;

/// A price in pico-dollars: a millionth of a dollar per million tokens.
pub(super) type Pico = u64;

/// What a list says about a model; what it does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Our name of the kind, `None` for what we do not sell.
    pub(super) kind: Option<&'static str>,
    /// The dialect that alone serves it.
    pub(super) only: Option<&'static str>,
    pub(super) context: Option<u64>,
    pub(super) max_output: Option<u64>,
    /// Our name of the class, then its price.
    pub(super) prices: BTreeMap<&'static str, Pico>,
    /// Dollars in nano-dollars for each request.
    pub(super) per_request: Option<u64>,
    /// The threshold in tokens, then the prices above it.
    pub(super) tiers: BTreeMap<u64, BTreeMap<&'static str, Pico>>,
    pub(super) capabilities: BTreeSet<&'static str>,
    /// Whether it takes sampling parameters, where that is said.
    pub(super) sampling: Option<bool>,
}

/// Both lists.
pub(super) struct Lists {
    litellm: Map<String, Value>,
    models_dev: Map<String, Value>,
}

impl Lists {
    /// Reads the lists in a directory: the files whose names begin with `litellm` and `models.dev`.
    pub(super) fn read(directory: &Path) -> Result<Self, String> {
        let file = |start: &str| -> Result<String, String> {
            let wrong = |error| format!("{}: {error}", directory.display());
            let entries = fs::read_dir(directory).map_err(wrong)?;
            let mut names: Vec<_> = entries.filter_map(|each| Some(each.ok()?.path())).collect();
            names.sort();
            let fits = |path: &&std::path::PathBuf| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.starts_with(start) && name.ends_with(".json")
            };
            let path = names.iter().rfind(fits);
            let path = path.ok_or_else(|| format!("no `{start}*.json` in {}", directory.display()));
            fs::read_to_string(path?).map_err(wrong)
        };
        Self::parse(&file("litellm")?, &file("models.dev")?)
    }

    pub(super) fn parse(litellm: &str, models_dev: &str) -> Result<Self, String> {
        let object = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
        Ok(Self { litellm: object(litellm)?, models_dev: object(models_dev)? })
    }

    /// LiteLLM's models of a provider, by the provider's name of them.
    pub(super) fn litellm(&self, source: &Source) -> BTreeMap<String, Listed> {
        let ours = self.litellm.iter().filter(|(_, model)| {
            let name = model.get("litellm_provider").and_then(Value::as_str);
            name.is_some_and(|name| source.litellm.iter().any(|each| each == name))
        });
        let named = ours.filter_map(|(name, model)| Some((source.own_name(name)?, model)));
        named.map(|(id, model)| (id, litellm_model(model))).collect()
    }

    /// models.dev's models of a provider.
    pub(super) fn models_dev(&self, source: &Source) -> BTreeMap<String, Listed> {
        let Some(models) = source.models_dev.as_deref().and_then(|id| self.dev_models(id)) else {
            return BTreeMap::new();
        };
        let live = models.iter().filter(|(_, model)| {
            source.retired || model.get("status").and_then(Value::as_str) != Some("deprecated")
        });
        live.map(|(id, model)| (id.clone(), self.dev_model(model))).collect()
    }

    fn dev_models(&self, provider: &str) -> Option<&Map<String, Value>> {
        self.models_dev.get(provider)?.get("models")?.as_object()
    }

    /// A model with what it leaves to the model it is a copy of. Prices are always its own.
    fn dev_model(&self, model: &Value) -> Listed {
        let base = model.get("base_model").and_then(Value::as_str);
        let base = base.and_then(|base| {
            let (provider, id) = base.split_once('/')?;
            self.dev_models(provider)?.get(id)
        });
        dev_listed(&|path| model.pointer(path).or_else(|| base?.pointer(path)))
    }
}

/// LiteLLM's modes and our kinds.
const MODES: &[(&str, &str)] = &[
    ("chat", "chat"),
    ("responses", "chat"),
    ("completion", "completion"),
    ("embedding", "embedding"),
    ("rerank", "rerank"),
    ("moderation", "moderation"),
    ("image_generation", "image"),
    ("image_edit", "image"),
    ("audio_speech", "speech"),
    ("audio_transcription", "transcription"),
];

/// LiteLLM's names of price classes and ours.
const CLASSES: &[(&str, &str)] = &[
    ("input_cost_per_token", "input"),
    ("output_cost_per_token", "output"),
    ("cache_read_input_token_cost", "cached_input"),
    ("cache_creation_input_token_cost", "cache_write"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h"),
    // The long-lived class of those who keep half a day.
    ("cache_creation_input_token_cost_above_12hr", "cache_write_1h"),
    ("output_cost_per_reasoning_token", "reasoning"),
    ("input_cost_per_audio_token", "audio_input"),
    ("output_cost_per_audio_token", "audio_output"),
    ("input_cost_per_image_token", "image_input"),
    ("output_cost_per_image_token", "image_output"),
];

/// LiteLLM's names of capabilities and ours. Prefill depends on how the provider is called, so only
/// hand-kept rows claim it.
const SUPPORTS: &[(&str, &str)] = &[
    ("supports_function_calling", "tools"),
    ("supports_vision", "vision"),
    ("supports_audio_input", "audio"),
    ("supports_pdf_input", "pdf"),
    ("supports_reasoning", "reasoning"),
    ("supports_response_schema", "json_schema"),
];

/// Thresholds that stand in the names of LiteLLM's prices, in thousands of tokens.
const THRESHOLDS: &[u64] = &[32, 100, 128, 200, 256, 272, 512];

fn litellm_model(model: &Value) -> Listed {
    let count = |name: &str| model.get(name).and_then(Value::as_u64).filter(|count| *count > 0);
    let is = |name: &str| model.get(name).and_then(Value::as_bool);
    let mode = model.get("mode").and_then(Value::as_str).unwrap_or_default();
    let priced = |suffix: &str| classes(model, CLASSES, suffix, 1e12);
    let mut prices = priced("");
    let mut tiers: BTreeMap<_, _> = THRESHOLDS
        .iter()
        .map(|thousands| (thousands * 1000, priced(&format!("_above_{thousands}k_tokens"))))
        .filter(|(_, prices)| !prices.is_empty())
        .collect();
    for tier in model.get("tiered_pricing").and_then(Value::as_array).into_iter().flatten() {
        let above = tier.pointer("/range/0").and_then(Value::as_f64).unwrap_or_default();
        match whole(above, 1.0) {
            Some(above) if above > 0 => {
                tiers.insert(above, classes(tier, CLASSES, "", 1e12));
            }
            _ => prices.extend(classes(tier, CLASSES, "", 1e12)),
        }
    }
    let fee = model.get("input_cost_per_query").or(model.get("input_cost_per_request"));
    Listed {
        kind: MODES.iter().find(|(name, _)| *name == mode).map(|(_, kind)| *kind),
        only: (mode == "responses").then_some("openai_responses"),
        context: count("max_input_tokens"),
        max_output: count("max_output_tokens"),
        prices,
        per_request: fee.and_then(Value::as_f64).and_then(|usd| whole(usd, 1e9)),
        tiers,
        capabilities: SUPPORTS
            .iter()
            .filter(|(name, _)| is(name) == Some(true))
            .map(|(_, ours)| *ours)
            .collect(),
        sampling: is("supports_sampling_params"),
    }
}

/// models.dev's names of price classes and ours.
const DEV_CLASSES: &[(&str, &str)] = &[
    ("input", "input"),
    ("output", "output"),
    ("cache_read", "cached_input"),
    ("cache_write", "cache_write"),
    ("reasoning", "reasoning"),
    ("input_audio", "audio_input"),
    ("output_audio", "audio_output"),
];

/// Kinds of input and flags, and the capabilities they mean.
const DEV_INPUTS: &[(&str, &str)] = &[("image", "vision"), ("audio", "audio"), ("pdf", "pdf")];
const DEV_FLAGS: &[(&str, &str)] =
    &[("/tool_call", "tools"), ("/reasoning", "reasoning"), ("/structured_output", "json_schema")];

fn dev_listed<'v>(field: &dyn Fn(&str) -> Option<&'v Value>) -> Listed {
    let cost = field("/cost").unwrap_or(&Value::Null);
    let limit = |path: &str| field(path)?.as_u64().filter(|count| *count > 0);
    let words = |path: &str| -> Vec<&str> {
        let list = field(path).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (inputs, outputs) = (words("/modalities/input"), words("/modalities/output"));
    let is = |path: &str| field(path).and_then(Value::as_bool);
    let seen = DEV_INPUTS.iter().filter(|(name, _)| inputs.contains(name));
    let can = DEV_FLAGS.iter().filter(|(name, _)| is(name) == Some(true));
    let tiers = cost.get("tiers").and_then(Value::as_array).into_iter().flatten();
    let tiers = tiers.filter_map(|tier| {
        let above = tier.pointer("/tier/size")?.as_u64()?;
        Some((above, classes(tier, DEV_CLASSES, "", 1e6)))
    });
    Listed {
        kind: outputs.contains(&"text").then_some("chat"),
        only: None,
        context: limit("/limit/input").or_else(|| limit("/limit/context")),
        max_output: limit("/limit/output"),
        prices: classes(cost, DEV_CLASSES, "", 1e6),
        per_request: None,
        tiers: tiers.collect(),
        capabilities: seen.chain(can).map(|(_, ours)| *ours).collect(),
        sampling: is("/temperature"),
    }
}

/// The prices of an object whose fields are `name + suffix`.
fn classes(
    object: &Value,
    names: &[(&str, &'static str)],
    suffix: &str,
    scale: f64,
) -> BTreeMap<&'static str, Pico> {
    let price = |name: &str| object.get(format!("{name}{suffix}")).and_then(Value::as_f64);
    let found = names.iter().filter_map(|(name, ours)| Some((*ours, whole(price(name)?, scale)?)));
    found.collect()
}

/// A number as a whole number of smaller units, rounded; `None` if negative or absurd.
fn whole(number: f64, scale: f64) -> Option<u64> {
    let scaled = (number * scale).round();
    #[expect(clippy::cast_possible_truncation, reason = "within the range just checked")]
    #[expect(clippy::cast_sign_loss, reason = "within the range just checked")]
    (0.0..=1e15).contains(&scaled).then_some(scaled as u64)
}
