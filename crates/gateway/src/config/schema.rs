//! The table of keys, told twice: as JSON Schema for editors, as a page for people.
//!
//! The schema is wider than the reader: every text may hold `${NAME}` or be `file:PATH`, so a
//! number or a word may also be such a text. What a value may be exactly, the reader says.

use serde_json::{Map, Value, json};

use super::keys::{self, KEYS, Key, Kind, Support};

/// JSON Schema (draft 2020-12) of the configuration.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "weighbridge.yaml".into());
    schema.extend(section(""));
    Value::Object(schema)
}

fn section(path: &str) -> Map<String, Value> {
    let children = keys::children(path).filter(|(name, _)| *name != "*");
    let properties: Map<String, Value> =
        children.map(|(name, key)| (name.to_owned(), Value::Object(of_key(key)))).collect();
    let mut object = Map::new();
    object.insert("type".into(), json!(["object", "null"]));
    object.insert("properties".into(), Value::Object(properties));
    object.insert("additionalProperties".into(), false.into());
    object
}

fn of_key(key: &Key) -> Map<String, Value> {
    let mut schema = of_kind(key.kind, key.path);
    schema.insert("description".into(), description(key).into());
    if !key.default.is_empty() {
        schema.insert("default".into(), default(key));
    }
    schema
}

fn description(key: &Key) -> String {
    match key.support {
        Support::Now => key.doc.to_owned(),
        Support::Later(_) => format!("{} Not supported by this version.", key.doc),
    }
}

fn default(key: &Key) -> Value {
    match key.kind {
        Kind::Flag | Kind::Count { .. } => {
            serde_json::from_str(key.default).unwrap_or_else(|_| key.default.into())
        }
        _ => key.default.into(),
    }
}

fn of_kind(kind: Kind, path: &str) -> Map<String, Value> {
    let item = |suffix: &str| keys::find(&format!("{path}{suffix}")).map_or_else(Map::new, of_key);
    let schema = match kind {
        Kind::Section => return section(path),
        Kind::Named => json!({ "type": ["object", "null"], "additionalProperties": item(".*") }),
        Kind::List => json!({ "type": ["array", "null"], "items": item("[]") }),
        Kind::Like(other) => json!({ "$ref": format!("#/properties/{other}") }),
        Kind::Either(kinds) => {
            let each = kinds.iter().map(|kind| of_kind(*kind, path));
            json!({ "anyOf": each.collect::<Vec<_>>() })
        }
        Kind::Word(words) => json!({ "anyOf": [{ "enum": words }, indirect()] }),
        Kind::Dialect => {
            let ids: Vec<&str> = super::dialects().collect();
            json!({ "anyOf": [{ "enum": ids }, indirect()] })
        }
        Kind::Scalar => json!({ "type": ["string", "number", "boolean", "null"] }),
        Kind::Count { least, most } => json!({
            "anyOf": [{ "type": "integer", "minimum": least, "maximum": most }, indirect()]
        }),
        Kind::Flag => json!({ "anyOf": [{ "type": "boolean" }, indirect()] }),
        Kind::Money | Kind::TokenPrice | Kind::Size | Kind::Fraction => {
            json!({ "type": ["string", "number", "null"] })
        }
        _ => json!({ "type": ["string", "null"] }),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// A text that stands for another, or nothing at all.
fn indirect() -> Value {
    json!({ "type": ["string", "null"], "pattern": "\\$\\{|^file:" })
}

/// The reference page: every key in a Markdown table.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(REFERENCE_HEAD);
    for key in KEYS {
        let default = match key.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let (path, value, doc) = (key.path, value(key.kind), description(key));
        page.push_str(&format!("| `{path}` | {value} | {default} | {doc} |\n"));
    }
    page
}

const REFERENCE_HEAD: &str = "\
# Keys of `weighbridge.yaml`

`*` is a name of your choice, `[]` any item of a list. Unknown keys are errors. Every text may hold
`${NAME}` or `${NAME:-default}` (environment variables; `$${` is a literal `${`), or be `file:PATH`
(the content of that file, relative to the configuration).

| key | value | default | meaning |
|---|---|---|---|
";

/// What may stand at a key, in a word or an example.
fn value(kind: Kind) -> String {
    match kind {
        Kind::Section => "mapping".into(),
        Kind::Named => "mapping of names".into(),
        Kind::List => "list".into(),
        Kind::Like(other) => format!("as `{other}`"),
        Kind::Either(kinds) => {
            kinds.iter().map(|kind| value(*kind)).collect::<Vec<_>>().join(" or ")
        }
        Kind::Word(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Dialect => {
            super::dialects().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Scalar => "text, number, `true`, `false`".into(),
        Kind::Duration { .. } => "duration (`500ms`, `2s`, `5m`, `1h`, `30d`)".into(),
        Kind::Money => "money (`$50`)".into(),
        Kind::TokenPrice => "US dollars per million tokens (`$0.15`)".into(),
        Kind::Size => "size (`32MiB`)".into(),
        Kind::Percent => "percentage (`5%`)".into(),
        Kind::Count { least, most } => format!("{least} to {most}"),
        Kind::Fraction => "fraction (`0.95`)".into(),
        Kind::Flag => "`true`, `false`".into(),
        Kind::Text => "text".into(),
        Kind::Secret => "secret".into(),
        Kind::Path => "path".into(),
        Kind::Address => "address and port (`127.0.0.1:4000`)".into(),
        Kind::Url => "URL".into(),
    }
}
