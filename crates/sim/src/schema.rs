//! A value that fits a simple JSON Schema.
//!
//! Objects, arrays, strings, integers, numbers, booleans, enums, constants, unions and local
//! `$ref`s, which is what tools and structured answers use in practice. It is not a validator, it
//! ignores formats and patterns, and it stops at a depth of 16 so that a recursive schema ends.

use serde_json::{Map, Value, json};

use crate::ask::{list, word};
use crate::chance::Chance;

/// Deeper than any schema a provider accepts (OpenAI allows ten levels).
const DEEPEST: u32 = 16;

/// More values than any answer of a test needs; it bounds what a hostile schema can make.
const MOST_NODES: u32 = 10_000;

const NAMES: &[&str] = &["Paris", "London", "river", "bridge", "Monday", "scale", "Oslo", "market"];

/// A value for `schema`; `{"answer": ...}` when it says nothing. Schema types may be written in any
/// case, since Google writes them in capitals.
pub(crate) fn sample(schema: &Value, chance: &mut Chance) -> Value {
    if schema.as_object().is_none_or(Map::is_empty) {
        return json!({ "answer": chance.pick(NAMES) });
    }
    Maker { root: schema, chance, left: MOST_NODES }.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    chance: &'a mut Chance,
    left: u32,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: u32) -> Value {
        let Some(left) = self.left.checked_sub(1).filter(|_| depth <= DEEPEST) else {
            return Value::Null;
        };
        self.left = left;
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(picked) = self.chance.pick(list(schema, "enum")) {
            return picked.clone();
        }
        if let Some(target) =
            word(schema, "$ref").strip_prefix('#').and_then(|at| self.root.pointer(at))
        {
            return self.value(target, depth + 1);
        }
        for union in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = list(schema, union).first() {
                return self.value(first, depth + 1);
            }
        }
        self.typed(schema, depth)
    }

    fn typed(&mut self, schema: &'a Value, depth: u32) -> Value {
        match kind(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => json!(whole(schema, self.chance)),
            "number" => json!(whole(schema, self.chance) as f64),
            "boolean" => json!(self.chance.next().is_multiple_of(2)),
            "null" => Value::Null,
            _ => json!(self.chance.pick(NAMES)),
        }
    }

    fn object(&mut self, schema: &'a Value, depth: u32) -> Value {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return json!({});
        };
        let fields = properties.iter();
        Value::Object(fields.map(|(k, s)| (k.clone(), self.value(s, depth + 1))).collect())
    }

    fn array(&mut self, schema: &'a Value, depth: u32) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(2).clamp(1, 8);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(least);
        let items = schema.get("items").unwrap_or(&Value::Null);
        (0..least.min(most)).map(|_| self.value(items, depth + 2)).collect()
    }
}

fn kind(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    let guessed = if schema.get("properties").is_some() { "object" } else { "string" };
    named.unwrap_or(guessed).to_ascii_lowercase()
}

fn whole(schema: &Value, chance: &mut Chance) -> i64 {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64).map(|n| n as i64);
    let low = bound("minimum").unwrap_or_else(|| bound("maximum").map_or(1, |high| high.min(1)));
    let high = bound("maximum").unwrap_or_else(|| low.saturating_add(99)).max(low);
    let span = high.saturating_sub(low).saturating_add(1).max(1);
    low.saturating_add((chance.next() % span.unsigned_abs()) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_schema_is_met() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"},
            "days": {"type": "array", "items": {"$ref": "#/$defs/day"}, "minItems": 3},
            "unit": {"type": "STRING", "enum": ["c", "f"]},
            "limit": {"type": ["integer", "null"], "minimum": 5, "maximum": 6}},
            "$defs": {"day": {"type": "object", "properties": {"hot": {"type": "boolean"}}}}});
        let made = sample(&schema, &mut Chance::new(1));
        assert!(made["city"].is_string());
        assert_eq!(made["days"].as_array().map(Vec::len), Some(3));
        assert!(made["days"][2]["hot"].is_boolean());
        assert!(["c", "f"].contains(&made["unit"].as_str().unwrap()));
        assert!((5..=6).contains(&made["limit"].as_i64().unwrap()));
    }

    #[test]
    fn a_schema_that_names_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema, &mut Chance::new(1)).is_object());
    }
}
