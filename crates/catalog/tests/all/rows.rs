//! What the embedded rows promise.

use catalog::{CacheWrites, Catalog, Encoding, Money, Usage};

#[test]
fn every_row_of_the_files_is_in_the_catalog() {
    let rows = |text: &str, head: &str| text.lines().filter(|line| *line == head).count();
    let models = rows(include_str!("../../data/models.toml"), "[[model]]");
    let providers = rows(include_str!("../../data/providers.toml"), "[[provider]]");
    assert_eq!(Catalog::embedded().models().len(), models);
    assert_eq!(Catalog::embedded().providers().len(), providers);
    assert!(models > 150 && providers == 14);
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
        .filter(|model| model.provider != "ollama")
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
        let known = ["openai_chat", "anthropic_messages", "gemini"];
        assert!(known.contains(&provider.dialect.as_str()), "{}", provider.id);
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
        let openai = model.provider == "openai" || model.id.starts_with("openai/gpt-");
        assert!(openai, "{}/{}", model.provider, model.id);
    }
    let gpt_4 = Catalog::embedded().model("openai", "gpt-4").unwrap();
    assert_eq!(gpt_4.tokenizer, Encoding::Cl100k);
}
