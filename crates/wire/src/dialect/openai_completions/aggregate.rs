//! Builds the answer that a stream of chunks amounts to: texts and log probabilities are put
//! together, and of any other field the last value that says something stands.

use crate::dialect::Aggregate;
use crate::dialect::openai_chat::aggregate::{gather_all, overlay};
use crate::dialect::openai_chat::{DONE, parse_chunk};
use crate::error::DecodeError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// More alternatives than any API gives; bounds what is remembered.
const MAX_CHOICES: usize = 128;

/// The answer so far.
#[derive(Default)]
pub(super) struct Collector {
    top: Map<String, Value>,
    choices: BTreeMap<u64, Choice>,
}

#[derive(Default)]
struct Choice {
    text: String,
    fields: Map<String, Value>,
}

impl Aggregate for Collector {
    fn event(&mut self, _name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        let data = data.trim_ascii();
        if data == DONE || data.is_empty() {
            return Ok(());
        }
        for (key, value) in parse_chunk(data)? {
            match (key.as_str(), value) {
                ("choices", Value::Array(list)) => {
                    list.into_iter().try_for_each(|choice| self.choice(choice))?;
                }
                (_, value) => overlay(&mut self.top, key, value),
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        let mut answer = self.top;
        let choices = self.choices.into_iter().map(|(index, choice)| choice.finish(index));
        answer.insert("choices".to_owned(), choices.collect());
        Value::Object(answer).to_string().into_bytes()
    }
}

impl Collector {
    fn choice(&mut self, value: Value) -> Result<(), DecodeError> {
        let Value::Object(fields) = value else {
            return Err(DecodeError::at("choices", "must hold objects only"));
        };
        let index = fields.get("index").and_then(Value::as_u64).unwrap_or(0);
        if self.choices.len() >= MAX_CHOICES && !self.choices.contains_key(&index) {
            return Err(DecodeError::at("choices", "too many"));
        }
        self.choices.entry(index).or_default().merge(fields);
        Ok(())
    }
}

impl Choice {
    fn merge(&mut self, fields: Map<String, Value>) {
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("index", _) => {}
                ("text", Value::String(more)) => self.text.push_str(&more),
                ("logprobs", Value::Object(more)) => gather_all(&mut self.fields, &key, more),
                (_, value) => overlay(&mut self.fields, key, value),
            }
        }
    }

    fn finish(mut self, index: u64) -> Value {
        let mut choice = Map::new();
        choice.insert("text".to_owned(), self.text.into());
        choice.insert("index".to_owned(), index.into());
        for key in ["logprobs", "finish_reason"] {
            let value = self.fields.shift_remove(key).unwrap_or_default();
            choice.insert(key.to_owned(), value);
        }
        choice.extend(self.fields);
        choice.into()
    }
}
