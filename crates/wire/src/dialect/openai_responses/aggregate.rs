//! The unstreamed answer out of a stream: the last event carries it whole.
//!
//! Hosts that leave its output empty have told the items one by one, and a stream that broke off has
//! told those that were done: what it leaves is an answer that is not complete, whatever it holds.

use super::decode_events::event;
use super::words::ENDS;
use crate::dialect::Aggregate;
use crate::error::DecodeError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Collects the events of one stream.
#[derive(Debug, Default)]
pub(super) struct Collector {
    response: Map<String, Value>,
    items: BTreeMap<u64, Value>,
    ended: bool,
}

impl Aggregate for Collector {
    fn event(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<(), DecodeError> {
        let Some((mut fields, kind)) = event(name, data)? else { return Ok(()) };
        if kind == "response.output_item.added" || kind == "response.output_item.done" {
            let at = fields.u64("output_index")?.unwrap_or(0);
            self.items.extend(fields.take("item").map(|item| (at, item)));
        } else if let Some(Value::Object(response)) = fields.take("response") {
            self.response = response;
            self.ended |= ENDS.contains(&kind.as_str());
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Vec<u8> {
        if !self.ended {
            self.response.insert("status".to_owned(), "incomplete".into());
        }
        let output = self.response.get("output").and_then(Value::as_array);
        if output.is_none_or(Vec::is_empty) {
            let items: Vec<Value> = std::mem::take(&mut self.items).into_values().collect();
            self.response.insert("output".to_owned(), items.into());
        }
        Value::Object(self.response).to_string().into_bytes()
    }
}
