//! A request as it arrived, and where it wants to go.
//!
//! Paths are recognised by their ends, so that any base path of a vendor will do. What the journal
//! shows of a request is made here too: keys never leave this file but for their last four
//! characters.

use bytes::Bytes;

use crate::dialect::{Dialect, PathFacts};

/// A whole request.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) connection: u64,
    pub(crate) protocol: &'static str,
}

/// Where a request wants to go.
#[derive(Debug)]
pub(crate) enum Route<'a> {
    Chat(Dialect, PathFacts),
    Models(Dialect),
    /// The word after `/sim/`.
    Admin(&'a str),
    Unknown,
}

pub(crate) fn route<'a>(method: &str, target: &'a str) -> Route<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Some(what) = path.strip_prefix("/sim/") {
        return Route::Admin(what);
    }
    match method {
        "POST" if path.ends_with("/chat/completions") => {
            Route::Chat(Dialect::OpenAi, PathFacts::default())
        }
        "POST" if path.ends_with("/messages") => {
            Route::Chat(Dialect::Anthropic, PathFacts::default())
        }
        "POST" => {
            gemini(path, query).map_or(Route::Unknown, |facts| Route::Chat(Dialect::Gemini, facts))
        }
        "GET" if path.ends_with("/models") => Route::Models(models_dialect(path)),
        _ => Route::Unknown,
    }
}

fn models_dialect(path: &str) -> Dialect {
    if path.contains("v1beta") && !path.contains("openai") {
        Dialect::Gemini
    } else {
        Dialect::OpenAi
    }
}

fn gemini(path: &str, query: &str) -> Option<PathFacts> {
    let (_, rest) = path.split_once("/models/")?;
    let (model, verb) = rest.rsplit_once(':')?;
    let stream = match verb {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => return None,
    };
    let sse = query.split('&').any(|pair| pair == "alt=sse");
    // Clients escape the colon of a fault's parameter.
    let model = model.replace("%3A", ":").replace("%3a", ":");
    Some(PathFacts { model, stream, sse })
}

/// Headers whose values are secrets.
const SECRET_HEADERS: &[&str] =
    &["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"];

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The key in the places where the dialect's vendor looks for it; "" when there is none.
    pub(crate) fn key(&self, dialect: Dialect) -> String {
        let bearer =
            || self.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let found = match dialect {
            Dialect::OpenAi => bearer().or_else(|| self.header("api-key")),
            Dialect::Anthropic => self.header("x-api-key").or_else(bearer),
            Dialect::Gemini => {
                self.header("x-goog-api-key").or_else(|| self.query("key")).or_else(bearer)
            }
        };
        found.unwrap_or_default().trim().to_owned()
    }

    /// The path without a key.
    pub(crate) fn public_path(&self) -> String {
        match self.query("key") {
            Some(key) if !key.is_empty() => {
                self.path.replace(&format!("key={key}"), &format!("key=...{}", last_four(key)))
            }
            _ => self.path.clone(),
        }
    }

    pub(crate) fn public_headers(&self) -> Vec<(String, String)> {
        let redact = |(name, value): &(String, String)| {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            let value = if secret { format!("...{}", last_four(value)) } else { value.clone() };
            (name.clone(), value)
        };
        self.headers.iter().map(redact).collect()
    }
}

/// The last four characters of a secret; nothing of one that is not longer than eight.
pub(crate) fn last_four(secret: &str) -> &str {
    let count = secret.chars().count();
    if count <= 8 {
        return "";
    }
    secret.char_indices().nth(count - 4).and_then(|(at, _)| secret.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gemini_paths_name_model_and_stream() {
        let Route::Chat(Dialect::Gemini, facts) =
            route("POST", "/v1beta/models/m-fault-f12:10ms:streamGenerateContent?alt=sse")
        else {
            panic!("not a chat");
        };
        assert_eq!(
            (facts.model.as_str(), facts.stream, facts.sse),
            ("m-fault-f12:10ms", true, true)
        );
    }

    #[test]
    fn short_secrets_are_not_shown_at_all() {
        assert_eq!(last_four("secret"), "");
        assert_eq!(last_four("sk-0123456789"), "6789");
    }
}
