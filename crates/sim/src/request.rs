//! A request as it arrived.
//!
//! Its key is looked for where the vendor would look. What the journal shows of a request is made
//! here too: keys never leave this file but for their last four characters.

use bytes::Bytes;

use crate::dialect::Vendor;

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

/// How AWS's signatures begin.
const SIGNED: &str = "AWS4-HMAC-SHA256";

/// Who signed a request, and for which day, region and service.
struct Signed<'a> {
    key: &'a str,
    scope: &'a str,
}

/// Headers whose values are secrets.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
];

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The key in the places where the vendor looks for it; "" when there is none. Of a signed
    /// request it is the id of the signing key. Google's cloud takes bearer tokens alone.
    pub(crate) fn key(&self, vendor: Vendor, vertex: bool) -> String {
        let bearer =
            || self.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let found = match vendor {
            _ if vertex => bearer(),
            Vendor::OpenAi | Vendor::Azure => bearer().or_else(|| self.header("api-key")),
            Vendor::Anthropic => self.header("x-api-key").or_else(bearer),
            Vendor::Google => {
                self.header("x-goog-api-key").or_else(|| self.query("key")).or_else(bearer)
            }
            Vendor::Aws => bearer().or_else(|| self.signature().map(|signed| signed.key)),
            Vendor::Cohere | Vendor::Voyage => bearer(),
        };
        found.unwrap_or_default().trim().to_owned()
    }

    /// How the request says who it is, without saying it: `bearer`, the name of a header, or the
    /// algorithm and scope of a signature.
    pub(crate) fn scheme(&self) -> String {
        if let Some(signed) = self.signature() {
            return format!("{SIGNED} {}", signed.scope);
        }
        let plain = ["x-api-key", "api-key", "x-goog-api-key"];
        let named = plain.into_iter().find(|name| self.header(name).is_some());
        let authorized = self.header("authorization").map(|_| "bearer");
        authorized.or(named).unwrap_or_default().to_owned()
    }

    /// AWS's signature (version 4), when it has all its parts: a credential with its scope, the
    /// host among the signed headers, 64 hexadecimal digits, and the date it was made at.
    fn signature(&self) -> Option<Signed<'_>> {
        let parts = self.header("authorization")?.strip_prefix(SIGNED)?;
        let part = |name: &str| {
            let mut fields = parts.split(',').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (key, scope) = part("Credential")?.split_once('/')?;
        let signature = part("Signature")?;
        let hex = signature.len() == 64 && signature.bytes().all(|b| b.is_ascii_hexdigit());
        let host = part("SignedHeaders")?.split(';').any(|name| name == "host");
        let scoped = scope.split('/').count() == 4 && scope.ends_with("/aws4_request");
        let whole = hex && host && scoped && self.header("x-amz-date").is_some();
        whole.then_some(Signed { key, scope })
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
    fn short_secrets_are_not_shown_at_all() {
        assert_eq!(last_four("secret"), "");
        assert_eq!(last_four("sk-0123456789"), "6789");
    }
}
