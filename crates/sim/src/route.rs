//! Where a request wants to go.
//!
//! Paths are recognised by their ends, so that any base path of a vendor will do. One table for the
//! conversations; the plain calls have theirs in `plain`. Azure and Google's cloud are told by what
//! their paths contain.

use crate::dialect::{Dialect, PathFacts, Vendor};
use crate::plain::{self, PlainCall};

/// A place to go to.
#[derive(Debug)]
pub(crate) enum Route<'a> {
    Chat(Dialect, PathFacts),
    Plain(&'static PlainCall, PathFacts),
    Models(Dialect),
    /// The word after `/sim/`.
    Admin(&'a str),
    Unknown,
}

/// Path ends of conversations.
const CHATS: &[(&str, Dialect)] = &[
    ("/chat/completions", Dialect::OpenAi),
    ("/completions", Dialect::Completions),
    ("/responses", Dialect::Responses),
    ("/messages", Dialect::Anthropic),
    ("/v2/chat", Dialect::Cohere),
];

pub(crate) fn route<'a>(method: &str, target: &'a str) -> Route<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Some(what) = path.strip_prefix("/sim/") {
        return Route::Admin(what);
    }
    if method == "GET" && path.ends_with("/models") {
        return Route::Models(models_dialect(path));
    }
    let facts = facts(path, query);
    if let Some((call, resource)) = plain::find(method, path) {
        let vendor = facts.vendor.or(call.vendor);
        return Route::Plain(call, PathFacts { resource, vendor, ..facts });
    }
    if method != "POST" {
        return Route::Unknown;
    }
    if let Some((_, dialect)) = CHATS.iter().find(|(end, _)| path.ends_with(end)) {
        return Route::Chat(*dialect, facts);
    }
    in_path(path, query, facts)
        .map_or(Route::Unknown, |(dialect, facts)| Route::Chat(dialect, facts))
}

fn models_dialect(path: &str) -> Dialect {
    if path.contains("v1beta") && !path.contains("openai") {
        Dialect::Gemini
    } else {
        Dialect::OpenAi
    }
}

/// What the places before the end say.
fn facts(path: &str, query: &str) -> PathFacts {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let deployment = path.split_once("/openai/deployments/").map(|(_, rest)| rest);
    let azure = deployment.is_some() || has("api-version");
    let named = deployment.and_then(|rest| rest.split('/').next()).map(decoded);
    PathFacts {
        model: named.or_else(|| colon_model(path)).unwrap_or_default(),
        vendor: azure.then_some(Vendor::Azure),
        versionless: azure && !has("api-version"),
        vertex: path.contains("/publishers/"),
        ..PathFacts::default()
    }
}

/// The model of Google's paths.
fn colon_model(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/models/")?;
    rest.rsplit_once(':').map(|(model, _)| decoded(model))
}

/// Conversations whose path names the model.
fn in_path(path: &str, query: &str, facts: PathFacts) -> Option<(Dialect, PathFacts)> {
    let bedrock = |stream| {
        let (_, rest) = path.split_once("/model/")?;
        let model = decoded(rest.rsplit_once('/')?.0);
        Some((Dialect::Bedrock, PathFacts { model, stream, ..PathFacts::default() }))
    };
    let sse = query.split('&').any(|pair| pair == "alt=sse");
    let google = |stream| Some((Dialect::Gemini, PathFacts { stream, sse, ..facts.clone() }));
    match path.rsplit(['/', ':']).next()? {
        "converse" => bedrock(false),
        "converse-stream" => bedrock(true),
        "generateContent" if path.contains("/models/") => google(false),
        "streamGenerateContent" if path.contains("/models/") => google(true),
        "rawPredict" | "streamRawPredict" if facts.vertex => Some((Dialect::Anthropic, facts)),
        _ => None,
    }
}

/// A path segment with its `%XX` read.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| after.split_at_checked(2)).flatten();
        let read = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = read.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(path: &str) -> (Dialect, PathFacts) {
        match route("POST", path) {
            Route::Chat(dialect, facts) => (dialect, facts),
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn google_paths_name_model_and_stream() {
        let (dialect, facts) =
            chat("/v1beta/models/m-fault-f12:10ms:streamGenerateContent?alt=sse");
        assert_eq!(dialect, Dialect::Gemini);
        assert_eq!(
            (facts.model.as_str(), facts.stream, facts.sse),
            ("m-fault-f12:10ms", true, true)
        );
        let (dialect, facts) =
            chat("/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict");
        assert_eq!(
            (dialect, facts.model.as_str(), facts.vertex),
            (Dialect::Anthropic, "claude@1", true)
        );
    }

    #[test]
    fn a_bedrock_model_may_be_escaped() {
        let (dialect, facts) = chat("/model/anthropic.claude-3%3A0/converse-stream");
        assert_eq!((dialect, facts.stream), (Dialect::Bedrock, true));
        assert_eq!(facts.model, "anthropic.claude-3:0");
        assert_eq!(chat("/model/arn:aws:x/y/converse").1.model, "arn:aws:x/y");
    }

    #[test]
    fn azure_is_told_by_its_deployments_or_its_version() {
        let (_, facts) = chat("/openai/deployments/d-1/chat/completions?api-version=1");
        assert_eq!((facts.model.as_str(), facts.versionless), ("d-1", false));
        assert_eq!(facts.vendor, Some(Vendor::Azure));
        assert!(chat("/openai/deployments/d-1/chat/completions").1.versionless);
        assert_eq!(chat("/openai/v1/chat/completions").1.vendor, None);
    }
}
