//! What proves to a provider who is asking, and how it is sent.
//!
//! Keys are written; clouds have usual places of their own, which are looked at when nothing is.

use std::path::Path;

use catalog::AuthKind;

use crate::config::reader::{At, Reader};
use crate::config::types::{Proof, Secret};
use crate::config::values::Wrong;

/// The words for ways of sending a credential.
pub(in crate::config) const AUTH: &[(&str, AuthKind)] = &[
    ("bearer", AuthKind::Bearer),
    ("x_api_key", AuthKind::XApiKey),
    ("x_goog_api_key", AuthKind::XGoogApiKey),
    ("api_key", AuthKind::ApiKey),
    ("aws_sigv4", AuthKind::AwsSigv4),
    ("gcp_oauth", AuthKind::GcpOauth),
    ("none", AuthKind::None),
];

/// How the vendors of each dialect take their keys; the others take bearer tokens.
const AUTH_OF_DIALECT: &[(&str, AuthKind)] = &[
    ("anthropic_messages", AuthKind::XApiKey),
    ("gemini", AuthKind::XGoogApiKey),
    ("gemini_embed", AuthKind::XGoogApiKey),
    ("bedrock_converse", AuthKind::AwsSigv4),
];

/// The credentials written in a provider's section.
pub(in crate::config) fn written(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Proof> {
    let (one, many) = (at.get("api_key"), at.get("api_keys"));
    if one.is_present() && many.is_present() {
        reader.wrong(&one, Wrong::new("beside `api_keys`").hint("move it into the list"));
    }
    let one = one.is_present().then_some(one);
    let places = one.into_iter().chain(many.items());
    let keys = places.filter_map(|place| reader.credential(&place)).map(Proof::Key);
    let mut proofs: Vec<Proof> = keys.collect();
    proofs.extend(aws(reader, &at.get("aws")));
    let file = at.get("credentials_file");
    proofs.extend(reader.file(&file).map(|text| Proof::Gcp { account: Secret::new(text) }));
    proofs
}

fn aws(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Proof> {
    if !at.is_section() {
        return None;
    }
    let id = at.get("access_key_id");
    let access_key_id = reader.name(&id);
    if !id.is_present() {
        reader.wrong(&id, Wrong::new("an AWS key has a name").hint("write `access_key_id`"));
    }
    let secret_access_key = reader.credential(&at.get("secret_access_key"))?;
    let session_token = reader.secret(&at.get("session_token"));
    Some(Proof::Aws { access_key_id: access_key_id?, secret_access_key, session_token })
}

/// What the environment holds for a provider: a key under one of these names, or what its cloud's
/// own tools would take.
pub(in crate::config) fn ambient(
    reader: &Reader<'_>,
    names: &[String],
    auth: AuthKind,
) -> Option<Proof> {
    let key = names.iter().find_map(|name| reader.env(name));
    if let Some(key) = key {
        return Some(Proof::Key(Secret::new(key)));
    }
    match auth {
        AuthKind::AwsSigv4 => Some(Proof::Aws {
            access_key_id: reader.env("AWS_ACCESS_KEY_ID")?,
            secret_access_key: Secret::new(reader.env("AWS_SECRET_ACCESS_KEY")?),
            session_token: reader.env("AWS_SESSION_TOKEN").map(Secret::new),
        }),
        AuthKind::GcpOauth => {
            let file = reader.env("GOOGLE_APPLICATION_CREDENTIALS")?;
            let account = reader.text_of(Path::new(&file)).1.ok()?;
            Some(Proof::Gcp { account: Secret::new(account) })
        }
        _ => None,
    }
}

/// How a provider's credentials are sent.
pub(in crate::config) fn auth(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<AuthKind>,
    dialect: &str,
    has_any: bool,
) -> AuthKind {
    if let Some(written) = reader.optional_word(&at.get("auth"), AUTH) {
        return written;
    }
    let usual = AUTH_OF_DIALECT.iter().find(|(id, _)| *id == dialect);
    let usual = usual.map_or(AuthKind::Bearer, |(_, kind)| *kind);
    match row {
        Some(AuthKind::None) | None if !has_any => AuthKind::None,
        // A local server of the catalog that does want a key.
        Some(AuthKind::None) | None => usual,
        Some(kind) => kind,
    }
}

/// A provider of the catalog without its key would refuse every request.
pub(in crate::config) fn needed(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<&catalog::Provider>,
    auth: AuthKind,
    credentials: &[Proof],
) {
    let keys = ["api_key", "api_keys", "aws", "credentials_file"];
    let written = keys.iter().any(|key| at.get(key).is_present());
    let local = row.is_some_and(|row| row.local);
    if auth == AuthKind::None || !credentials.is_empty() || written || local {
        return;
    }
    let variable = row.and_then(|row| row.key_env.first()).map_or("API_KEY", String::as_str);
    let suggestion = match auth {
        AuthKind::AwsSigv4 => {
            "write `aws: { access_key_id: ..., secret_access_key: ... }`, or set \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                .to_owned()
        }
        AuthKind::GcpOauth => "write `credentials_file`, or set GOOGLE_APPLICATION_CREDENTIALS to \
             the file of a service account"
            .to_owned(),
        _ => format!("write `api_key: \"${{{variable}}}\"`"),
    };
    reader.wrong(at, Wrong::new("no credential").hint(suggestion));
}
