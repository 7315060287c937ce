//! Calls that are no conversations: one table of paths.
//!
//! Each row is a function from an [`Errand`] to what is [`Done`]: a healthy reply with the tokens
//! it costs. Keys, faults, delays, journal and bill are the same as for conversations, and happen
//! elsewhere.

mod batches;
mod counts;
mod embeddings;
mod files;
mod media;
mod moderations;
mod multipart;
mod rerank;
mod stored;
mod token;

use std::sync::Mutex;

use serde_json::Value;

use crate::answer::Usage;
use crate::ask::Complaint;
use crate::dialect::{Dialect, PathFacts, Vendor};
use crate::reply::Reply;
use crate::request::Incoming;
use crate::shelf::Shelf;

/// One row.
pub(crate) struct PlainCall {
    method: &'static str,
    /// The last segments of the path, `*` for any one; or, behind a colon, Google's verb.
    end: &'static str,
    pub(crate) dialect: Dialect,
    /// Whose words and keys, when not the dialect's own.
    pub(crate) vendor: Option<Vendor>,
    /// Whether anyone may ask.
    pub(crate) keyless: bool,
    pub(crate) answer: fn(&Errand<'_>) -> Answered,
}

impl std::fmt::Debug for PlainCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.end)
    }
}

/// A request as a row sees it.
pub(crate) struct Errand<'a> {
    pub(crate) incoming: &'a Incoming,
    pub(crate) facts: &'a PathFacts,
    /// Null when the body is not JSON.
    pub(crate) body: Value,
    pub(crate) id: &'a str,
    pub(crate) shelf: &'a Mutex<Shelf>,
}

/// A healthy reply.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) reply: Reply,
    pub(crate) usage: Usage,
    pub(crate) model: String,
}

pub(crate) type Answered = Result<Done, Complaint>;

impl Done {
    /// A JSON body that costs nothing.
    pub(crate) fn free(body: &Value) -> Self {
        Self::json(body, Usage::default(), String::new())
    }

    pub(crate) fn json(body: &Value, usage: Usage, model: String) -> Self {
        Self { reply: Reply::json(200, body.to_string()), usage, model }
    }
}

impl Errand<'_> {
    /// The model of the path or the body.
    pub(crate) fn model(&self) -> Result<String, Complaint> {
        let model = self.facts.model_in(&self.body);
        if model.is_empty() {
            return Err(Complaint::new(400, "you must provide a model parameter").param("model"));
        }
        Ok(model)
    }
}

/// Input tokens alone.
pub(crate) fn heard(input: u32) -> Usage {
    Usage { input, ..Usage::default() }
}

const fn row(
    method: &'static str,
    end: &'static str,
    dialect: Dialect,
    answer: fn(&Errand<'_>) -> Answered,
) -> PlainCall {
    PlainCall { method, end, dialect, vendor: None, keyless: false, answer }
}

const fn voyage(end: &'static str, answer: fn(&Errand<'_>) -> Answered) -> PlainCall {
    PlainCall { vendor: Some(Vendor::Voyage), ..row("POST", end, Dialect::OpenAi, answer) }
}

/// Every plain call; the first row that fits a path is taken.
#[rustfmt::skip]
static CALLS: &[PlainCall] = &[
    voyage("voyage/v1/embeddings", embeddings::voyage),
    voyage("voyage/v1/rerank", rerank::voyage),
    row("POST", "v2/embed", Dialect::Cohere, embeddings::cohere),
    row("POST", "v2/rerank", Dialect::Cohere, rerank::cohere),
    row("POST", "embeddings", Dialect::OpenAi, embeddings::openai),
    row("POST", "moderations", Dialect::OpenAi, moderations::moderate),
    row("POST", "messages/count_tokens", Dialect::Anthropic, counts::anthropic),
    row("POST", "count-tokens:rawPredict", Dialect::Anthropic, counts::anthropic),
    row("POST", ":countTokens", Dialect::Gemini, counts::gemini),
    row("POST", ":embedContent", Dialect::Gemini, embeddings::gemini),
    row("POST", ":batchEmbedContents", Dialect::Gemini, embeddings::gemini_batch),
    row("GET", "responses/*", Dialect::Responses, stored::get),
    row("GET", "responses/*/input_items", Dialect::Responses, stored::input_items),
    row("POST", "responses/*/cancel", Dialect::Responses, stored::cancel),
    row("DELETE", "responses/*", Dialect::Responses, stored::delete),
    row("POST", "audio/speech", Dialect::OpenAi, media::speech),
    row("POST", "audio/transcriptions", Dialect::OpenAi, media::transcription),
    row("POST", "audio/translations", Dialect::OpenAi, media::transcription),
    row("POST", "images/generations", Dialect::OpenAi, media::image),
    row("POST", "images/edits", Dialect::OpenAi, media::image),
    row("POST", "v1/files", Dialect::OpenAi, files::upload),
    row("GET", "v1/files", Dialect::OpenAi, files::list),
    row("GET", "files/*", Dialect::OpenAi, files::get),
    row("GET", "files/*/content", Dialect::OpenAi, files::content),
    row("DELETE", "files/*", Dialect::OpenAi, files::delete),
    row("POST", "v1/batches", Dialect::OpenAi, batches::create),
    row("GET", "v1/batches", Dialect::OpenAi, batches::list),
    row("GET", "batches/*", Dialect::OpenAi, batches::get),
    row("POST", "batches/*/cancel", Dialect::OpenAi, batches::cancel),
    PlainCall { keyless: true, ..row("POST", "token", Dialect::Gemini, token::grant) },
];

/// The row of a path, with the segment that stands for `*`.
pub(crate) fn find(method: &str, path: &str) -> Option<(&'static PlainCall, String)> {
    let rows = CALLS.iter().filter(|call| call.method == method);
    rows.filter_map(|call| Some((call, fits(call.end, path)?))).next()
}

fn fits(end: &str, path: &str) -> Option<String> {
    if end.starts_with(':') {
        return path.ends_with(end).then(String::new);
    }
    let mut found = String::new();
    let mut segments = path.trim_start_matches('/').rsplit('/');
    for wanted in end.rsplit('/') {
        match segments.next()? {
            segment if wanted == "*" && !segment.is_empty() => segment.clone_into(&mut found),
            segment if segment == wanted => {}
            _ => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_by_their_ends() {
        let found = |method, path| find(method, path).map(|(call, id)| (call.end, id));
        assert_eq!(found("GET", "/v1/responses/resp_1"), Some(("responses/*", "resp_1".into())));
        assert_eq!(found("GET", "/a/v1/files/f/content"), Some(("files/*/content", "f".into())));
        assert_eq!(found("POST", "/token"), Some(("token", String::new())));
        assert_eq!(found("POST", "/v1/messages/count_tokens").unwrap().0, "messages/count_tokens");
        assert_eq!(found("POST", "/v1/responses"), None);
        assert_eq!(found("GET", "/v1/files/"), None);
    }
}
