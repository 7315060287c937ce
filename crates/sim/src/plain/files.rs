//! Files: uploaded by a form, described, listed, fetched to the byte, deleted.

use serde_json::{Value, json};

use super::media::arrival;
use super::multipart::{field, parts};
use super::{Answered, Done, Errand};
use crate::answer::Usage;
use crate::ask::Complaint;
use crate::dialect::CREATED;
use crate::reply::Reply;
use crate::shelf::{self, StoredFile};

fn unknown(id: &str) -> Complaint {
    Complaint::new(404, format!("No such File object: {id}")).param("id")
}

pub(super) fn upload(errand: &Errand<'_>) -> Answered {
    let parts = parts(errand);
    let Some(file) = parts.iter().find(|part| part.name == "file") else {
        return Err(Complaint::new(400, "'file' is a required property").param("file"));
    };
    let purpose = field(&parts, "purpose");
    if purpose.is_empty() {
        return Err(Complaint::new(400, "'purpose' is a required property").param("purpose"));
    }
    let id = format!("file-{}", errand.id);
    let about = json!({ "id": id, "object": "file", "bytes": file.content.len(),
        "created_at": CREATED, "filename": file.filename, "purpose": purpose,
        "status": "processed", "sim": arrival(errand) });
    let stored = StoredFile { about: about.clone(), content: file.content.clone() };
    shelf::open(errand.shelf).files.put(id, stored);
    Ok(Done::free(&about))
}

pub(super) fn list(errand: &Errand<'_>) -> Answered {
    let shelf = shelf::open(errand.shelf);
    let data: Vec<&Value> = shelf.files.newest().map(|file| &file.about).collect();
    Ok(Done::free(&json!({ "object": "list", "data": data, "has_more": false })))
}

pub(super) fn get(errand: &Errand<'_>) -> Answered {
    let id = &errand.facts.resource;
    let shelf = shelf::open(errand.shelf);
    let file = shelf.files.get(id).ok_or_else(|| unknown(id))?;
    Ok(Done::free(&file.about))
}

pub(super) fn content(errand: &Errand<'_>) -> Answered {
    let id = &errand.facts.resource;
    let shelf = shelf::open(errand.shelf);
    let file = shelf.files.get(id).ok_or_else(|| unknown(id))?;
    let reply = Reply::whole(200, "application/octet-stream", file.content.clone(), 0);
    Ok(Done { reply, usage: Usage::default(), model: String::new() })
}

pub(super) fn delete(errand: &Errand<'_>) -> Answered {
    let id = &errand.facts.resource;
    shelf::open(errand.shelf).files.remove(id).ok_or_else(|| unknown(id))?;
    Ok(Done::free(&json!({ "id": id, "object": "file", "deleted": true })))
}
