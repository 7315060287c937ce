//! Which paths there are: each leads to a door, and each door takes certain methods.
//!
//! One request can be asked under several paths: OpenAI's own, the same without its version (for
//! base URLs written without one), Azure's with the deployment in the path, and `/openai/v1`. The
//! dialect in which an unknown path is answered is guessed from what the client shows of itself.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method};
use wire::dialect::{Dialect, anthropic_messages, gemini, openai_chat};

use crate::pipeline::exchange::Said;
use crate::pipeline::speech::Speech;

/// Where a path leads.
#[derive(Debug)]
pub enum Door {
    /// To the pipeline.
    Talk(Speech, Said),
    /// To the count of a conversation's input tokens.
    Count(&'static Dialect, Said),
    /// To all models, in the shape of this dialect.
    Models(&'static Dialect),
    /// To one model.
    Model(&'static Dialect, String),
    /// Through to a provider as it is, under this path.
    Passage(String, Said),
}

const POST: &[Method] = &[Method::POST];
const GET: &[Method] = &[Method::GET];
/// What may be done with a provider's files, batches and stored answers.
const ANY: &[Method] = &[Method::POST, Method::GET, Method::DELETE, Method::PUT, Method::PATCH];

/// Paths of OpenAI's and Anthropic's APIs, after `/v1`.
static NAMED: &[(&str, &str)] = &[
    ("/chat/completions", "openai_chat"),
    ("/responses", "openai_responses"),
    ("/completions", "openai_completions"),
    ("/messages", "anthropic_messages"),
    ("/embeddings", "openai_embeddings"),
    ("/moderations", "openai_moderations"),
    ("/rerank", "cohere_rerank"),
];

/// Paths of Cohere's API, after `/v2`.
static COHERE: &[(&str, &str)] =
    &[("/chat", "cohere_v2"), ("/embed", "cohere_embed"), ("/rerank", "cohere_rerank")];

/// The verbs behind a model of Gemini's API.
static VERBS: &[(&str, &str, bool)] = &[
    ("generateContent", "gemini", false),
    ("streamGenerateContent", "gemini", true),
    ("embedContent", "gemini_embed", false),
    ("batchEmbedContents", "gemini_embed", false),
];

/// What is passed through, after `/v1`.
const PASSED: [&str; 6] = ["/audio/", "/images/", "/files", "/batches", "/uploads", "/responses/"];

/// The door a request's path leads to, with the methods it takes.
#[must_use]
pub fn door(parts: &Parts) -> Option<(&'static [Method], Door)> {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or("");
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        return deployment(rest);
    }
    if let Some(rest) = path.strip_prefix("/v2") {
        return Some((POST, Door::Talk(named(COHERE, rest)?, Said::default())));
    }
    let generative = path.strip_prefix("/v1beta").or_else(|| path.strip_prefix("/v1"));
    if let Some(rest) = generative.and_then(|rest| rest.strip_prefix("/models/"))
        && let Some(found) = verb(rest, query)
    {
        return Some(found);
    }
    if let Some(rest) = path.strip_prefix("/v1beta/models") {
        return models(rest, &gemini::DIALECT);
    }
    let azure = path.strip_prefix("/openai/v1").or_else(|| path.strip_prefix("/openai"));
    let rest = azure.or_else(|| path.strip_prefix("/v1"));
    let rest = rest.filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if let Some(rest) = rest.strip_prefix("/models") {
        return models(rest, of_client(&parts.headers));
    }
    if rest == "/messages/count_tokens" {
        return Some((POST, Door::Count(&anthropic_messages::DIALECT, Said::default())));
    }
    if let Some(speech) = named(NAMED, rest) {
        let beta = query.split('&').any(|pair| pair == "beta=true").then_some("beta=true");
        return Some((POST, Door::Talk(speech, Said { query: beta, ..Said::default() })));
    }
    passage(rest, query, Said::default())
}

fn named(table: &[(&str, &str)], path: &str) -> Option<Speech> {
    let (_, id) = table.iter().find(|(known, _)| *known == path)?;
    Speech::find(id)
}

/// `{model}:{verb}`; a model's name may hold slashes. Streams are arrays unless events are asked for.
fn verb(rest: &str, query: &str) -> Option<(&'static [Method], Door)> {
    let rest = percent_decoded(rest);
    let (model, verb) = rest.rsplit_once(':')?;
    let events = query.split('&').any(|pair| pair == "alt=sse");
    let said = |stream| Said {
        model: Some(Arc::from(model)),
        stream,
        array: stream && !events,
        query: None,
    };
    if verb == "countTokens" {
        return Some((POST, Door::Count(&gemini::DIALECT, said(false))));
    }
    let (_, id, stream) = VERBS.iter().find(|(name, ..)| *name == verb)?;
    Some((POST, Door::Talk(Speech::find(id)?, said(*stream))))
}

/// Azure's `{deployment}/chat/completions`; the deployment is the model.
fn deployment(rest: &str) -> Option<(&'static [Method], Door)> {
    let said =
        |model: &str| Said { model: Some(Arc::from(percent_decoded(model))), ..Said::default() };
    // A name may hold slashes, so that the known paths are looked for at the end. The longest fits
    // best: `/chat/completions` ends like `/completions`.
    let known = NAMED.iter().filter(|(path, _)| rest.ends_with(path));
    if let Some((path, id)) = known.max_by_key(|(path, _)| path.len()) {
        let model = rest.strip_suffix(path).filter(|model| !model.is_empty())?;
        return Some((POST, Door::Talk(Speech::find(id)?, said(model))));
    }
    let (model, path) = rest.split_at(rest.find('/')?);
    passage(path, "", said(model))
}

fn models(rest: &str, dialect: &'static Dialect) -> Option<(&'static [Method], Door)> {
    if rest.is_empty() {
        return Some((GET, Door::Models(dialect)));
    }
    let id = rest.strip_prefix('/').filter(|id| !id.is_empty())?;
    Some((GET, Door::Model(dialect, percent_decoded(id))))
}

fn passage(rest: &str, query: &str, said: Said) -> Option<(&'static [Method], Door)> {
    if !stays(rest) {
        return None;
    }
    let is_passed = PASSED.iter().any(|known| {
        rest.strip_prefix(known).is_some_and(|tail| {
            if known.ends_with('/') {
                !tail.is_empty()
            } else {
                tail.is_empty() || tail.starts_with('/')
            }
        })
    });
    let question = if query.is_empty() { "" } else { "?" };
    is_passed.then(|| (ANY, Door::Passage(format!("{rest}{question}{query}"), said)))
}

/// Whether a path that goes on to a provider stays where it seems to lead: steps upwards, however
/// they are written, would reach what is not passed through and not weighed.
fn stays(path: &str) -> bool {
    let leaves = |segment: &str| {
        let segment = percent_decoded(segment);
        matches!(segment.as_str(), "." | "..") || segment.contains(['/', '\\'])
    };
    !path.split('/').any(leaves)
}

/// The dialect that a request's headers show.
fn of_client(headers: &HeaderMap) -> &'static Dialect {
    if headers.contains_key("anthropic-version") {
        &anthropic_messages::DIALECT
    } else if headers.contains_key("x-goog-api-key") {
        &gemini::DIALECT
    } else {
        &openai_chat::DIALECT
    }
}

/// The dialect in which a request is refused: that of the door it came to, else a guess.
#[must_use]
pub fn guessed(parts: &Parts) -> Speech {
    match door(parts) {
        Some((_, Door::Talk(speech, _))) => speech,
        Some((_, Door::Count(dialect, _) | Door::Models(dialect) | Door::Model(dialect, _))) => {
            Speech::Chat(dialect)
        }
        Some((_, Door::Passage(..))) | None => of_head(parts.uri.path(), &parts.headers),
    }
}

/// The guess from a request's head, for paths that lead nowhere.
#[must_use]
pub fn of_head(path: &str, headers: &HeaderMap) -> Speech {
    let by_path = [
        ("/v1/messages", "anthropic_messages"),
        ("/v1beta", "gemini"),
        ("/v2", "cohere_v2"),
        ("/v1/rerank", "cohere_rerank"),
        ("/v1/responses", "openai_responses"),
    ];
    let found = by_path.iter().find(|(prefix, _)| path.starts_with(prefix));
    let found = found.and_then(|(_, id)| Speech::find(id));
    found.unwrap_or(Speech::Chat(of_client(headers)))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = if *first == b'%' { tail.get(..2) } else { None };
        let decoded =
            hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(path: &str) -> Option<String> {
        let (parts, ()) = http::Request::get(path).body(()).unwrap().into_parts();
        door(&parts).map(|(_, door)| match door {
            Door::Talk(speech, said) => {
                let stream = match (said.stream, said.array) {
                    (true, true) => " as an array",
                    (true, false) => " streamed",
                    _ => "",
                };
                let query = said.query.map(|query| format!("?{query}")).unwrap_or_default();
                let model = said.model.map(|model| format!(" {model}")).unwrap_or_default();
                format!("{}{query}{model}{stream}", speech.id())
            }
            Door::Count(dialect, said) => {
                format!("count {} {}", dialect.id, said.model.as_deref().unwrap_or("-"))
            }
            Door::Models(dialect) => format!("models for {}", dialect.id),
            Door::Model(_, id) => format!("model {id}"),
            Door::Passage(path, said) => {
                let model = said.model.map(|model| format!(" {model}")).unwrap_or_default();
                format!("passage {path}{model}")
            }
        })
    }

    #[test]
    fn every_usual_path_leads_to_its_door() {
        for (path, expected) in [
            ("/v1/chat/completions", "openai_chat"),
            ("/chat/completions", "openai_chat"),
            ("/openai/v1/chat/completions", "openai_chat"),
            ("/openai/deployments/gpt%2D4o/chat/completions?api-version=x", "openai_chat gpt-4o"),
            ("/openai/deployments/a/b-1/chat/completions?api-version=x", "openai_chat a/b-1"),
            ("/openai/deployments/e-3/embeddings?api-version=x", "openai_embeddings e-3"),
            ("/openai/responses?api-version=preview", "openai_responses"),
            ("/v1/messages?beta=true", "anthropic_messages?beta=true"),
            ("/v1/messages/count_tokens", "count anthropic_messages -"),
            ("/v1beta/models/g-2:generateContent", "gemini g-2"),
            ("/v1/models/a/b:streamGenerateContent?alt=sse", "gemini a/b streamed"),
            ("/v1beta/models/g-2:streamGenerateContent?alt=json", "gemini g-2 as an array"),
            ("/v1beta/models/g-2%3AcountTokens", "count gemini g-2"),
            ("/v1/models", "models for openai_chat"),
            ("/v1beta/models", "models for gemini"),
            ("/v1/models/openai/gpt-4o", "model openai/gpt-4o"),
            ("/v1/models/openai%2Fgpt-4o", "model openai/gpt-4o"),
            ("/v1/audio/speech", "passage /audio/speech"),
            ("/v1/files/f-1/content?x=1", "passage /files/f-1/content?x=1"),
            ("/v1/batches", "passage /batches"),
            ("/openai/deployments/w/audio/speech?api-version=x", "passage /audio/speech w"),
            ("/v1/responses/resp_1", "passage /responses/resp_1"),
        ] {
            assert_eq!(lead(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in ["/", "/v1", "/v1/", "/v1/chat", "/v1/filesystem", "/v1/audio/", "/v3/chat"] {
            assert_eq!(lead(path), None, "{path}");
        }
    }

    #[test]
    fn no_path_climbs_out_of_what_is_passed_through() {
        for path in [
            "/v1/files/../chat/completions",
            "/v1/files/%2e%2E/chat/completions",
            "/v1/files/.%2e/models",
            "/v1/files/a%2f..%2fb",
            "/v1/files/..%5cb",
            "/openai/deployments/d/images/../chat",
        ] {
            assert_eq!(lead(path), None, "{path}");
        }
        assert_eq!(lead("/v1/files/a..b").as_deref(), Some("passage /files/a..b"));
    }
}
