//! Lists of ranks, whichever name their provider gives them.

use super::{Ask, Found, Rank, Reply, Rerank, What, counts};
use crate::dialect::Quirks;
use crate::error::DecodeError;
use crate::fields::Fields;
use serde_json::{Map, Value};

/// Reads the query and the documents, whose number and places are never changed.
pub(super) fn take(fields: &mut Fields, bound: &str) -> Result<Rerank, DecodeError> {
    let query = fields.need_text("query")?;
    let path = fields.path("documents");
    let documents = fields.list("documents")?;
    if documents.is_empty() {
        return Err(DecodeError::at(path, "must not be empty"));
    }
    let wrong =
        documents.iter().position(|document| !document.is_string() && !document.is_object());
    if let Some(at) = wrong {
        return Err(DecodeError::at(format!("{path}[{at}]"), "must be a string or an object"));
    }
    Ok(Rerank {
        query,
        documents,
        top_n: fields.u32(bound)?,
        return_documents: fields.bool("return_documents")?,
    })
}

/// Reads the ranks that stand under `name`.
pub(super) fn decode(body: &[u8], name: &str, quirks: &Quirks) -> Result<Reply, DecodeError> {
    let mut fields = Fields::parse(body)?;
    let path = fields.path(name);
    let Some(Value::Array(list)) = fields.take(name) else {
        return Err(DecodeError::at(path, "must be a list"));
    };
    Ok(Reply {
        id: fields.text("id")?,
        model: fields.text("model")?.unwrap_or_default(),
        found: Found::Ranks(super::inputs::each(list, &path, rank)?),
        usage: counts::usage(body, quirks),
        searches: counts::searches(body),
    })
}

fn rank(value: Value, path: &str) -> Result<Rank, DecodeError> {
    let mut fields = Fields::of(value, path)?;
    let required = |fields: &Fields, name: &str| DecodeError::at(fields.path(name), "is required");
    let Some(index) = fields.u32("index")? else { return Err(required(&fields, "index")) };
    let Some(score) = fields.f64("relevance_score")? else {
        return Err(required(&fields, "relevance_score"));
    };
    // Together leaves an empty object where no document was asked back.
    let empty = |document: &Value| document.as_object().is_some_and(Map::is_empty);
    let document = fields.take("document").filter(|document| !empty(document));
    Ok(Rank { index, score, document })
}

/// The ranks as objects. A document that was asked back and that the provider did not send is put
/// back out of the request; `form` gives it the dialect's form.
pub(super) fn written(reply: &Reply, ask: &Ask, form: fn(&Value) -> Value) -> Vec<Value> {
    let Found::Ranks(ranks) = &reply.found else { return Vec::new() };
    let wanted = match &ask.what {
        What::Rerank(asked) if asked.return_documents == Some(true) => asked.documents.as_slice(),
        _ => &[],
    };
    let object = |rank: &Rank| {
        let mut map = Map::new();
        map.insert("index".to_owned(), rank.index.into());
        map.insert("relevance_score".to_owned(), rank.score.into());
        let asked = usize::try_from(rank.index).ok().and_then(|at| wanted.get(at));
        let document = asked.map(|asked| form(rank.document.as_ref().unwrap_or(asked)));
        map.extend(document.map(|document| ("document".to_owned(), document)));
        Value::Object(map)
    };
    ranks.iter().map(object).collect()
}

/// A document's text: itself, its member `text`, or the whole object as JSON.
pub(super) fn text(document: &Value) -> Value {
    match document {
        Value::String(_) => document.clone(),
        Value::Object(map) => match map.get("text") {
            Some(text @ Value::String(_)) => text.clone(),
            _ => document.to_string().into(),
        },
        _ => document.to_string().into(),
    }
}
