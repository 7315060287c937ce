//! Batches: made of an uploaded file, and done when they are looked at.

use serde_json::{Value, json};

use super::{Answered, Done, Errand};
use crate::ask::{Complaint, word};
use crate::dialect::{CREATED, put};
use crate::shelf;

fn unknown(id: &str) -> Complaint {
    Complaint::new(404, format!("No batch found with id '{id}'."))
}

pub(super) fn create(errand: &Errand<'_>) -> Answered {
    let body = &errand.body;
    let (file, endpoint) = (word(body, "input_file_id"), word(body, "endpoint"));
    if endpoint.is_empty() || word(body, "completion_window").is_empty() {
        return Err(Complaint::new(400, "'endpoint' and 'completion_window' are required."));
    }
    let mut shelf = shelf::open(errand.shelf);
    let Some(stored) = shelf.files.get(file) else {
        let message = format!("Invalid file id: {file}.");
        return Err(Complaint::new(400, message).param("input_file_id"));
    };
    let lines = stored.content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let id = format!("batch_{}", errand.id);
    let batch = json!({ "id": id, "object": "batch", "endpoint": endpoint, "errors": null,
        "input_file_id": file, "completion_window": word(body, "completion_window"),
        "status": "validating", "output_file_id": null, "error_file_id": null,
        "created_at": CREATED, "expires_at": CREATED + 86_400,
        "request_counts": { "total": lines.count(), "completed": 0, "failed": 0 },
        "metadata": body.get("metadata") });
    shelf.batches.put(id, batch.clone());
    Ok(Done::free(&batch))
}

pub(super) fn list(errand: &Errand<'_>) -> Answered {
    let shelf = shelf::open(errand.shelf);
    let data: Vec<&Value> = shelf.batches.newest().collect();
    Ok(Done::free(&json!({ "object": "list", "data": data, "has_more": false })))
}

/// A batch that was not cancelled is done by the time it is looked at.
pub(super) fn get(errand: &Errand<'_>) -> Answered {
    change(errand, "completed")
}

pub(super) fn cancel(errand: &Errand<'_>) -> Answered {
    change(errand, "cancelled")
}

fn change(errand: &Errand<'_>, status: &str) -> Answered {
    let id = &errand.facts.resource;
    let mut shelf = shelf::open(errand.shelf);
    let mut batch = shelf.batches.remove(id).ok_or_else(|| unknown(id))?;
    if word(&batch, "status") == "validating" {
        put(&mut batch, "status", status.into());
    }
    shelf.batches.put(id.clone(), batch.clone());
    Ok(Done::free(&batch))
}
