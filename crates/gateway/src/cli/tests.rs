//! Command lines and what they print.

use super::*;

fn ran(arguments: &[&str]) -> (Next, String) {
    let cli = Cli::try_parse_from(std::iter::once(&"weighbridge").chain(arguments)).unwrap();
    let mut out = Vec::new();
    let next = next(cli, &mut out).unwrap();
    (next, String::from_utf8(out).unwrap())
}

/// What a check of this configuration prints, with the file called `f`, and its exit code.
fn checked(text: &str) -> (Next, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    let (next, out) = ran(&["check", "-c", &path]);
    (next, out.replace(&path, "f"))
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn serving_is_the_default_and_takes_the_configuration() {
    let serves = |arguments: &[&str], file: Option<&str>, log_format| {
        let file = file.map(PathBuf::from);
        assert_eq!(ran(arguments).0, Next::Start(Start::Serve { file, log_format }));
    };
    serves(&["-c", "x.yaml"], Some("x.yaml"), LogFormat::Text);
    serves(&["serve", "--config", "x.yaml"], Some("x.yaml"), LogFormat::Text);
    serves(&[], None, LogFormat::Text);
    serves(&["serve", "--log-format", "json"], None, LogFormat::Json);
    serves(&["--log-format", "json"], None, LogFormat::Json);
}

#[test]
fn a_configuration_named_before_the_command_is_refused() {
    let before = Cli::try_parse_from(["weighbridge", "-c", "x", "check"]).unwrap();
    assert!(misplaced(&before).is_some());
    let after = Cli::try_parse_from(["weighbridge", "check", "-c", "x"]).unwrap();
    assert!(misplaced(&after).is_none());
}

#[test]
fn commands_that_run_are_handed_back_with_their_options() {
    let (file, request) = (Some("x".into()), Some("r.json".into()));
    assert_eq!(
        ran(&["explain", "-c", "x", "--model", "fast", "--request", "r.json"]).0,
        Next::Start(Start::Explain { file, model: "fast".into(), request })
    );
    let listen = "127.0.0.1:0".parse().unwrap();
    let log_format = LogFormat::Text;
    assert_eq!(
        ran(&["sim", "--listen", "127.0.0.1:0", "--no-journal"]).0,
        Next::Start(Start::Sim { listen, script: None, journal: false, log_format })
    );
    let (next, _) = ran(&["demo"]);
    assert_eq!(next, Next::Start(Start::Demo { log_format }));
}

#[test]
fn a_right_configuration_checks_with_zero() {
    let text = "providers: { ollama: {} }\nmodels: { a: { deployments: [ollama/llama3] } }\n";
    assert_eq!(checked(text), (Next::Exit(0), "f: no problems (1 provider, 1 model)\n".to_owned()));
}

#[test]
fn a_wrong_configuration_checks_with_two_and_all_its_problems() {
    let (next, out) = checked("providers: { ollama: {} }\nbreaker: { failures: 0, open_fr: 1s }\n");
    let expected = "\
f:2:22: breaker.failures: `0` is not within 1 to 1000
f:2:25: breaker.open_fr: unknown key `open_fr` (did you mean `open_for`?)
";
    assert_eq!((next, out.as_str()), (Next::Exit(2), expected));
    let (next, out) = ran(&["check", "-c", "/nonexistent/weighbridge.yaml"]);
    assert_eq!(next, Next::Exit(2));
    assert!(out.starts_with("/nonexistent/weighbridge.yaml:1:1: cannot be read: "), "{out}");
}

#[test]
fn the_schema_is_json_and_the_reference_a_table() {
    let (next, out) = ran(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(next, Next::Exit(0));
    let (_, page) = ran(&["schema", "--format", "markdown"]);
    assert!(page.contains("| `breaker.failures` | 1 to 1000 | `3` |"), "{page}");
}

#[test]
fn every_shell_and_every_manual_page_is_written() {
    for shell in Shell::value_variants() {
        let (next, out) = ran(&["completions", &shell.to_string()]);
        assert!(next == Next::Exit(0) && out.contains("weighbridge"), "{shell}");
    }
    assert!(ran(&["man"]).1.contains("weighbridge"));
    assert!(ran(&["man", "explain"]).1.contains("model"));
    assert_eq!(ran(&["man", "nothing"]), (Next::Exit(2), String::new()));
}

#[test]
fn models_are_listed_with_their_prices() {
    let (next, out) = ran(&["models", "--provider", "openai", "--max-price", "$1"]);
    assert_eq!(next, Next::Exit(0));
    let line = out.lines().find(|line| line.starts_with("openai/gpt-4o-mini ")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1..7], ["chat", "128000", "16384", "0.15", "0.075", "0.6"]);
    assert!(!out.contains("openai/gpt-4o ") && !out.contains("anthropic/"), "{out}");
}

#[test]
fn models_are_listed_as_json_by_kind() {
    let (_, out) = ran(&["models", "--kind", "rerank", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    let cohere = rows.iter().find(|row| row["id"] == "rerank-v3.5").unwrap();
    assert_eq!(cohere["price"]["per_request"], "0.002");
    assert!(rows.iter().all(|row| row["kind"] == "rerank"));
    assert!(Cli::try_parse_from(["weighbridge", "models", "--kind", "poem"]).is_err());
}

#[test]
fn models_of_an_overlay_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("w.yaml"), "catalog: mine.toml\nproviders: { ollama: {} }\n").unwrap();
    let row = "[[model]]\nprovider = \"ollama\"\nid = \"mine\"\ncontext = 9\nmax_output = 9\n\
               input = \"7\"\noutput = \"8\"\n";
    std::fs::write(at("mine.toml"), row).unwrap();
    let file = at("w.yaml").display().to_string();
    let (next, out) = ran(&["models", "-c", &file, "--provider", "ollama"]);
    assert!(next == Next::Exit(0) && out.contains("ollama/mine"), "{out}");
    std::fs::write(at("mine.toml"), "[[model]]\nprovider = \"ollama\"\nid = \"mine\"\n").unwrap();
    let (next, _) = ran(&["models", "-c", &file]);
    assert_eq!(next, Next::Exit(2));
}
