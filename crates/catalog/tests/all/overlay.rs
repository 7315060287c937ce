//! What an overlay may do to the rows.

use catalog::{AuthKind, Catalog};

#[expect(clippy::unwrap_used, reason = "a test's own overlay is sound")]
fn overlaid(text: &str) -> Catalog {
    Catalog::embedded().with_overlay(text).unwrap()
}

#[test]
fn an_overlay_changes_the_fields_it_names_and_no_others() {
    let before = Catalog::embedded().model("openai", "gpt-4o").unwrap();
    let catalog = overlaid("[[model]]\nprovider = \"openai\"\nid = \"gpt-4o\"\ninput = \"2\"\n");
    let after = catalog.model("openai", "gpt-4o").unwrap();
    assert_eq!(after.price.input.to_string(), "2");
    let mut undone = after.clone();
    undone.price.input = before.price.input;
    assert_eq!(&undone, before);
    assert_eq!(catalog.models().len(), Catalog::embedded().models().len());
}

#[test]
fn quirks_are_laid_over_one_by_one() {
    let catalog = overlaid("[[provider]]\nid = \"mistral\"\nquirks = { random_seed = false }\n");
    let quirks = &catalog.model("mistral", "mistral-large-latest").unwrap().quirks;
    assert!(!quirks.random_seed && quirks.short_tool_ids);
}

#[test]
fn a_new_provider_and_its_model_are_two_rows() {
    let catalog = overlaid(
        r#"
        [[provider]]
        id = "house"
        dialect = "openai_chat"
        base_url = "http://10.0.0.7:8000/v1"
        auth = "bearer"
        key_env = ["HOUSE_KEY"]

        [[model]]
        provider = "house"
        id = "support-7b"
        context = 32768
        max_output = 4096
        input = "0"
        output = "0"
        "#,
    );
    assert_eq!(catalog.provider("house").unwrap().auth, AuthKind::Bearer);
    assert_eq!(catalog.model("house", "support-7b").unwrap().context, 32_768);
    assert!(Catalog::embedded().provider("house").is_none());
}

#[test]
fn all_problems_are_reported_at_once_by_row() {
    let problems = Catalog::embedded()
        .with_overlay(
            r#"
            [[provider]]
            id = "slash"
            dialect = "openai_chat"
            base_url = "https://example.org/v1/"
            auth = "bearer"

            [[model]]
            provider = "nowhere"
            id = "m"
            context = 1
            max_output = 1
            input = "1"
            output = "1"

            [[model]]
            provider = "openai"
            id = "gpt-4o"
            output = "ten"
            contxt = 5

            [[model]]
            provider = "openai"
            id = "o3"
            output = "0.0000001"

            [[model]]
            provider = "openai"
            id = "o1"
            tokenizer = "abacus"

            [[model]]
            provider = "openai"
            id = "gpt-4"
            nicknames = ["gpt-4o-mini"]
            "#,
        )
        .unwrap_err()
        .problems;
    let rows: Vec<&str> = problems.iter().map(|problem| problem.row.as_str()).collect();
    let wrong =
        ["slash", "openai/gpt-4o", "openai/gpt-4o-mini", "openai/o1", "openai/o3", "nowhere/m"];
    assert_eq!(rows, wrong);
    assert!(problems.iter().all(|problem| problem.line.is_some()));
}

#[test]
fn text_that_is_no_toml_says_where() {
    let err = Catalog::embedded().with_overlay("[[model]]\nid = \n").unwrap_err();
    assert!(err.to_string().contains("line 2"), "{err}");
}

#[test]
fn only_local_providers_have_models_without_rows() {
    let catalog = Catalog::embedded();
    let model = catalog.unlisted("ollama", "my-finetune").unwrap();
    assert_eq!((model.provider.as_str(), model.id.as_str()), ("ollama", "my-finetune"));
    assert!(catalog.unlisted("openai", "gpt-99").is_none());
    assert!(catalog.unlisted("nowhere", "m").is_none());
}

#[test]
fn problems_name_the_line_of_their_row() {
    let text = "# mine\n[[provider]]\nid = \"slash\"\ndialect = \"openai_chat\"\nauth = \"bearer\"\n\
                base_url = \"ftp://x\"\n\n[[model]]\nprovider = \"openai\"\nid = \"o3\"\noutput = \"ten\"\n";
    let problems = Catalog::embedded().with_overlay(text).unwrap_err().problems;
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(2), Some(8)]);
}

#[test]
fn overlays_are_laid_over_each_other() {
    let price = |usd: &str| {
        format!("[[model]]\nprovider = \"openai\"\nid = \"gpt-4o\"\ninput = \"{usd}\"\n")
    };
    let first = overlaid(&price("2"));
    let second = first.with_overlay(&price("3")).unwrap();
    assert_eq!(second.model("openai", "gpt-4o").unwrap().price.input.to_string(), "3");
    assert_eq!(first.model("openai", "gpt-4o").unwrap().price.input.to_string(), "2");
}

#[test]
fn a_provider_has_faces_and_blanks() {
    let catalog = overlaid(
        r#"
        [[provider]]
        id = "cloud"
        dialect = "openai_chat"
        base_url = "https://{region}.cloud.example/v1"
        auth = "bearer"
        key_env = ["CLOUD_KEY"]
        headers = { "x-app" = "a" }
        blanks = { region = { default = "eu" } }
        speaks = [
          { dialect = "anthropic_messages", base_url = "/anthropic/v1", auth = "x_api_key" },
          { dialect = "gemini", path = "/{model}:ask", quirks = { no_sampling = true } },
        ]
        "#,
    );
    let cloud = catalog.provider("cloud").unwrap();
    assert_eq!(cloud.headers, [("x-app".to_owned(), "a".to_owned())]);
    assert_eq!(cloud.blanks[0].default.as_deref(), Some("eu"));
    assert_eq!(cloud.speaks[0].auth, Some(AuthKind::XApiKey));
    assert!(cloud.speaks[1].quirks.quirks().no_sampling && !cloud.quirks.no_sampling);
}

#[test]
fn an_unknown_blank_is_refused() {
    let row = "[[provider]]\nid = \"c\"\ndialect = \"openai_chat\"\nauth = \"none\"\n\
               base_url = \"https://{planet}.example\"\n";
    let err = Catalog::embedded().with_overlay(row).unwrap_err();
    assert!(err.to_string().contains("{planet} is none of region"), "{err}");
}
