//! The schemas of this dialect's older fields, as JSON Schema.
//!
//! They follow OpenAPI: type names in capitals, `nullable` beside the type, and whole numbers as
//! strings. Everything else means the same.

use serde_json::Value;

/// Fields whose numbers may come as strings.
static NUMBERS: &[&str] =
    &["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// The same schema as JSON Schema. As deep as the parser lets JSON be.
pub(super) fn from_openapi(schema: Value) -> Value {
    match schema {
        Value::Object(map) => {
            let nullable = map.get("nullable") == Some(&Value::Bool(true));
            let fields = map.into_iter().filter(|(key, _)| key != "nullable");
            fields.map(|(key, value)| field(key, value, nullable)).collect()
        }
        Value::Array(list) => list.into_iter().map(from_openapi).collect(),
        other => other,
    }
}

fn field(key: String, value: Value, nullable: bool) -> (String, Value) {
    let value = match value {
        Value::String(word) if key == "type" => type_name(&word, nullable),
        Value::String(digits) if NUMBERS.contains(&key.as_str()) => {
            digits.parse::<u64>().map_or(Value::String(digits), Value::from)
        }
        value @ (Value::Object(_) | Value::Array(_)) if !DATA.contains(&key.as_str()) => {
            from_openapi(value)
        }
        other => other,
    };
    (key, value)
}

/// Fields that hold data, not schemas.
static DATA: &[&str] = &["enum", "default", "example", "const", "required"];

fn type_name(word: &str, nullable: bool) -> Value {
    let name = Value::String(word.to_ascii_lowercase());
    if nullable { Value::Array(vec![name, "null".into()]) } else { name }
}
