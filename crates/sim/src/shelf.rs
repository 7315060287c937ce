//! What is stored for later: responses, files, batches.
//!
//! Vendors keep answers by their ids so that a conversation can go on from them, and files so that
//! batches can be made of them. Here everything is kept in memory, the oldest thing is forgotten
//! first, and nothing outlives the simulator.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Complaint, list, word};
use crate::dialect::responses;

/// So many things of each kind are kept.
const CAPACITY: usize = 1_000;

/// Things by their ids.
#[derive(Debug)]
pub(crate) struct Kept<T>(VecDeque<(String, T)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Kept<T> {
    pub(crate) fn put(&mut self, id: String, thing: T) {
        if self.0.len() >= CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back((id, thing));
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.0.iter().rev().find(|(key, _)| key == id).map(|(_, thing)| thing)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let at = self.0.iter().position(|(key, _)| key == id)?;
        self.0.remove(at).map(|(_, thing)| thing)
    }

    /// The newest first, as the vendors list them.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &T> {
        self.0.iter().rev().map(|(_, thing)| thing)
    }
}

/// A response with what it answered.
#[derive(Debug)]
pub(crate) struct StoredResponse {
    pub(crate) response: Value,
    /// Every item heard, those of earlier responses among them.
    pub(crate) input: Vec<Value>,
}

/// An uploaded file.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) about: Value,
    pub(crate) content: Bytes,
}

/// Everything stored.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) responses: Kept<StoredResponse>,
    pub(crate) files: Kept<StoredFile>,
    pub(crate) batches: Kept<Value>,
}

pub(crate) fn open(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts the conversation of `previous_response_id` before the input of a request.
pub(crate) fn recall(shelf: &Mutex<Shelf>, body: &mut Value) -> Result<(), Complaint> {
    let previous = word(body, "previous_response_id").to_owned();
    if previous.is_empty() {
        return Ok(());
    }
    let shelf = open(shelf);
    let Some(stored) = shelf.responses.get(&previous) else {
        let message = format!("Previous response with id '{previous}' not found.");
        return Err(Complaint::new(400, message)
            .param("previous_response_id")
            .code("previous_response_not_found"));
    };
    let said = list(&stored.response, "output");
    let now = responses::items(body)?;
    let items: Vec<Value> = stored.input.iter().chain(said).cloned().chain(now).collect();
    crate::dialect::put(body, "input", items.into());
    Ok(())
}

/// Keeps a response unless the request said not to.
pub(crate) fn keep(shelf: &Mutex<Shelf>, ask: &Ask, response: Value) {
    if ask.echo.get("store") == Some(&json!(false)) {
        return;
    }
    let input = responses::items(&ask.echo).unwrap_or_default();
    let id = word(&response, "id").to_owned();
    open(shelf).responses.put(id, StoredResponse { response, input });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_thing_is_forgotten_first() {
        let mut kept = Kept::default();
        for n in 0..=CAPACITY {
            kept.put(n.to_string(), n);
        }
        assert_eq!(kept.get("0"), None);
        assert_eq!(kept.newest().next(), Some(&CAPACITY));
        assert_eq!(kept.remove("1"), Some(1));
    }
}
