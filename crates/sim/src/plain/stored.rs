//! Responses kept for later: fetched, listed by item, deleted.

use serde_json::{Value, json};

use super::{Answered, Done, Errand};
use crate::ask::{Complaint, word};
use crate::dialect::put;
use crate::shelf::{self, StoredResponse};

fn unknown(id: &str) -> Complaint {
    Complaint::new(404, format!("Response with id '{id}' not found."))
}

fn with(errand: &Errand<'_>, read: fn(&StoredResponse) -> Value) -> Answered {
    let id = &errand.facts.resource;
    let shelf = shelf::open(errand.shelf);
    let stored = shelf.responses.get(id).ok_or_else(|| unknown(id))?;
    Ok(Done::free(&read(stored)))
}

pub(super) fn get(errand: &Errand<'_>) -> Answered {
    with(errand, |stored| stored.response.clone())
}

pub(super) fn input_items(errand: &Errand<'_>) -> Answered {
    with(errand, |stored| {
        let items: Vec<Value> = (0..).zip(&stored.input).map(listed).collect();
        let items: Vec<Value> = items.into_iter().rev().collect();
        let id = |item: Option<&Value>| item.and_then(|item| item.get("id")).cloned();
        json!({ "object": "list", "data": items, "has_more": false,
            "first_id": id(items.first()), "last_id": id(items.last()) })
    })
}

/// An item as it is listed: with an id and a type, words in parts.
fn listed((at, item): (usize, &Value)) -> Value {
    let mut item = item.clone();
    if item.get("id").is_none() {
        put(&mut item, "id", format!("msg_in{at}").into());
    }
    if word(&item, "type").is_empty() {
        put(&mut item, "type", "message".into());
    }
    let text = item.get("content").and_then(Value::as_str).map(str::to_owned);
    if let Some(text) = text {
        put(&mut item, "content", json!([{ "type": "input_text", "text": text }]));
    }
    item
}

/// Nothing here runs in the background.
pub(super) fn cancel(errand: &Errand<'_>) -> Answered {
    with(errand, |stored| stored.response.clone())?;
    Err(Complaint::new(400, "Cannot cancel a synchronous response."))
}

pub(super) fn delete(errand: &Errand<'_>) -> Answered {
    let id = &errand.facts.resource;
    let removed = shelf::open(errand.shelf).responses.remove(id);
    removed.ok_or_else(|| unknown(id))?;
    Ok(Done::free(&json!({ "id": id, "object": "response", "deleted": true })))
}
