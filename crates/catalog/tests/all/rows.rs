//! What the embedded rows promise.

use catalog::{CacheWrites, Catalog, Encoding, Kind, Money, PicoUsd, Usage};

#[test]
fn the_catalog_is_wide_and_compact() {
    let bytes = include_str!("../../data/models.toml").len();
    let catalog = Catalog::embedded();
    assert!(catalog.providers().len() >= 60 && catalog.models().len() >= 500 && bytes < 600_000);
    for (name, kind) in Kind::ALL {
        assert!(catalog.models().any(|model| model.kind == *kind), "{name}");
    }
}

#[test]
fn the_seeds_have_their_rows() {
    for (provider, model, kind) in [
        ("openai", "gpt-4o", Kind::Chat),
        ("openai", "text-embedding-3-small", Kind::Embedding),
        ("openai", "omni-moderation-latest", Kind::Moderation),
        ("openai", "gpt-3.5-turbo-instruct", Kind::Completion),
        ("anthropic", "claude-3-5-sonnet-20241022", Kind::Chat),
        ("gemini", "gemini-2.0-flash", Kind::Chat),
        ("deepseek", "deepseek-chat", Kind::Chat),
        ("mistral", "mistral-large-latest", Kind::Chat),
        ("qwen", "qwen2.5-72b-instruct", Kind::Chat),
        ("groq", "llama-3.2-90b-vision-preview", Kind::Chat),
        ("bedrock", "us.meta.llama3-2-90b-instruct-v1:0", Kind::Chat),
        ("openrouter", "openai/gpt-5", Kind::Chat),
        ("voyage", "voyage-3.5", Kind::Embedding),
        ("voyage", "rerank-2.5", Kind::Rerank),
        ("cohere", "embed-english-v3.0", Kind::Embedding),
        ("cohere", "rerank-v3.5", Kind::Rerank),
        ("azure", "gpt-4o", Kind::Chat),
        ("vertex", "gemini-2.5-flash", Kind::Chat),
        ("vertex-anthropic", "claude-sonnet-4-5@20250929", Kind::Chat),
    ] {
        let model = Catalog::embedded().model(provider, model).expect(model);
        assert_eq!(model.kind, kind, "{provider}/{}", model.id);
    }
    // Their models are whatever the user put there.
    for provider in ["ollama", "vllm", "tokenmix", "litellm", "portkey"] {
        assert!(Catalog::embedded().provider(provider).is_some(), "{provider}");
    }
    assert!(Catalog::embedded().unlisted("vllm", "mistral-support-7b").is_some());
}

#[test]
fn prices_are_of_a_sane_size() {
    // The dearest model ever sold asked 600 dollars for a million tokens.
    let most = PicoUsd::from_usd_per_million("1000").unwrap();
    for model in Catalog::embedded().models() {
        let price = &model.price;
        let dearest = price.input.max(price.output).max(price.audio_output.unwrap_or_default());
        assert!(dearest <= most, "{}/{}", model.provider, model.id);
        assert!(price.per_request.as_nanousd() < 100_000_000, "{}/{}", model.provider, model.id);
    }
}

#[test]
fn every_address_has_a_scheme_and_every_blank_its_name() {
    for provider in Catalog::embedded().providers() {
        let faces = provider.speaks.iter().filter_map(|face| face.base_url.as_deref());
        for url in faces {
            assert!(url.starts_with('/') || url.starts_with("https://"), "{}", provider.id);
        }
        assert!(provider.local || !provider.docs.is_empty(), "{}", provider.id);
    }
}

#[test]
fn the_names_users_are_promised_resolve_to_prices() {
    for (provider, name, upstream, cost) in [
        ("gemini", "gemini-2.0-flash", "gemini-2.0-flash", "0.5"),
        ("deepseek", "deepseek-chat", "deepseek-chat", "0.7"),
        ("anthropic", "claude-3-5-sonnet-latest", "claude-3-5-sonnet-latest", "18"),
        ("openai", "gpt-4o", "gpt-4o", "12.5"),
        ("openai", "gpt-4o-mini", "gpt-4o-mini", "0.75"),
        ("openai", "gpt-5-2025-08-07", "gpt-5-2025-08-07", "11.25"),
        ("qwen", "qwen-2.5-72b-instruct", "qwen2.5-72b-instruct", "7"),
        ("groq", "llama-3.2-90b-vision-preview", "llama-3.2-90b-vision-preview", "1.8"),
    ] {
        let model = Catalog::embedded().model(provider, name).expect(name);
        assert_eq!(model.upstream_name(name), upstream);
        let million = |input, output| Usage { input, output, ..Usage::default() };
        let base = model.price.tiers.is_empty();
        assert!(base, "{name} has tiers, so a million tokens is no plain sum");
        assert_eq!(model.price.cost(&million(1_000_000, 1_000_000)).to_string(), cost, "{name}");
    }
}

#[test]
fn only_local_and_open_weight_models_are_free() {
    let free = Catalog::embedded()
        .models()
        .filter(|model| model.price.bound(1_000_000, 1_000_000, CacheWrites::Long) == Money::ZERO)
        .filter(|model| model.provider != "ollama" && model.kind != Kind::Moderation)
        .map(|model| model.id.as_str());
    assert_eq!(free.collect::<Vec<_>>(), ["gemma-4-31b-it"]);
}

#[test]
fn longer_requests_are_never_cheaper_by_the_token() {
    for model in Catalog::embedded().models() {
        let mut floor = (model.price.input, model.price.output);
        for tier in &model.price.tiers {
            let rates = (tier.input, tier.output);
            assert!(rates.0 >= floor.0 && rates.1 >= floor.1, "{}/{}", model.provider, model.id);
            floor = rates;
        }
    }
}

#[test]
fn cached_input_is_never_dearer_than_fresh_input() {
    for model in Catalog::embedded().models() {
        assert!(model.price.cached_input.is_none_or(|rate| rate <= model.price.input));
        assert!(model.price.cache_write.is_none_or(|rate| rate >= model.price.input));
    }
}

#[test]
fn every_price_has_its_day_and_its_source() {
    for model in Catalog::embedded().models() {
        let digits = model.price_date.split('-').map(|part| part.parse::<u32>().is_ok());
        assert_eq!(digits.collect::<Vec<_>>(), [true, true, true], "{}", model.id);
        assert!(["litellm", "models.dev", "published", "local"].contains(&model.source.as_str()));
    }
}

#[test]
fn every_model_that_sees_has_a_rule_for_pictures() {
    for model in Catalog::embedded().models() {
        assert_eq!(
            model.capabilities.vision,
            model.image.is_some(),
            "{}/{}",
            model.provider,
            model.id
        );
    }
}

#[test]
fn every_hosted_provider_says_where_its_key_comes_from() {
    for provider in Catalog::embedded().providers() {
        assert_eq!(provider.local, provider.key_env.is_empty(), "{}", provider.id);
        assert!(provider.local || provider.base_url.starts_with("https://"), "{}", provider.id);
    }
}

#[test]
fn every_provider_speaks_a_known_dialect() {
    for provider in Catalog::embedded().providers() {
        let faces = provider.speaks.iter().map(|face| face.dialect.as_str());
        for dialect in faces.chain([provider.dialect.as_str()]) {
            let known =
                wire::dialect::find(dialect).is_some() || wire::plain::find(dialect).is_some();
            assert!(known, "{}: {dialect}", provider.id);
        }
    }
}

#[test]
fn quirks_of_a_model_lie_over_those_of_its_provider() {
    let quirks = |provider, id| &Catalog::embedded().model(provider, id).unwrap().quirks;
    let o3 = quirks("openai", "o3");
    assert!(o3.max_completion_tokens && o3.no_sampling && o3.no_parallel_tool_calls);
    assert!(!quirks("openai", "gpt-4o").max_completion_tokens);
    let mistral = quirks("mistral", "mistral-large-latest");
    assert!(mistral.random_seed && mistral.short_tool_ids);
    assert!(quirks("anthropic", "claude-sonnet-5").effort_reasoning);
    assert!(quirks("anthropic", "claude-3-5-sonnet-latest").schema_as_tool);
}

#[test]
fn only_openai_models_are_counted_exactly() {
    for model in Catalog::embedded().models().filter(|model| model.tokenizer.is_exact()) {
        let openai = ["openai", "azure"].contains(&model.provider.as_str())
            || model.id.starts_with("openai/");
        assert!(openai, "{}/{}", model.provider, model.id);
    }
    let gpt_4 = Catalog::embedded().model("openai", "gpt-4").unwrap();
    assert_eq!(gpt_4.tokenizer, Encoding::Cl100k);
}
