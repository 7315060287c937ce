//! The ways to talk to a provider: what is written, over what the catalog's row says.
//!
//! The usual face is the provider's section itself. Further ones are those under `speaks`, or the
//! row's; what they leave out is the usual one's. A row's face at an address of its own is left out
//! when the user moved the provider elsewhere: a request must not go where nobody sent it.

use catalog::{AuthKind, QuirkSet};

use crate::config::problem::did_you_mean;
use crate::config::reader::{At, Reader};
use crate::config::sections::blanks::Blanks;
use crate::config::sections::credentials::AUTH;
use crate::config::types::Face;
use crate::config::url::BaseUrl;
use crate::config::values::{Wrong, quoted};

/// The dialect whose speakers are taken to speak [`EMBEDDINGS`] at the same address.
const CHAT: &str = "openai_chat";
/// Vectors in OpenAI's form.
const EMBEDDINGS: &str = "openai_embeddings";

/// The faces of a provider, the usual one first.
pub(in crate::config) fn faces(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<&catalog::Provider>,
    dialect: String,
    auth: AuthKind,
    blanks: &mut Blanks<'_>,
) -> Vec<Face> {
    let known = row.and_then(|row| known_face(row, &dialect));
    let row_quirks = row.map(|row| row.own_quirks.clone()).unwrap_or_default();
    let own_quirks = quirks(reader, &at.get("quirks"));
    let mut headers = row.map(|row| row.headers.clone()).unwrap_or_default();
    headers.extend(self::headers(reader, &at.get("headers")));
    let usual = Face {
        base_url: base_url(reader, at, row, blanks),
        auth,
        path: None,
        stream_path: None,
        headers,
        quirks: row_quirks.under(&own_quirks).quirks(),
        row_quirks,
        own_quirks,
        dialect,
    };
    let here = with_parts(reader, at, usual.clone(), known.as_ref(), blanks);
    let mut faces = vec![here];
    let place = at.get("speaks");
    if place.is_present() {
        for item in place.items() {
            faces.extend(written_face(reader, &item, row, &usual, blanks));
        }
    } else if let Some(row) = row.filter(|row| row.dialect == usual.dialect) {
        let moved = at.get("base_url").is_present();
        let stays = |face: &&catalog::Face| {
            !(moved && face.base_url.as_deref().is_some_and(|url| !url.starts_with('/')))
        };
        let nothing = At::nowhere();
        for face in row.speaks.iter().filter(stays) {
            let like = Face { dialect: face.dialect.clone(), ..usual.clone() };
            faces.push(with_parts(reader, &nothing, like, Some(face), blanks));
        }
    }
    faces.extend(embeddings(&usual, &faces));
    faces
}

/// What the row says of a dialect, as a face.
fn known_face(row: &catalog::Provider, dialect: &str) -> Option<catalog::Face> {
    if row.dialect != dialect {
        return row.speaks.iter().find(|face| face.dialect == dialect).cloned();
    }
    Some(catalog::Face {
        dialect: row.dialect.clone(),
        base_url: None,
        auth: None,
        path: row.path.clone(),
        stream_path: row.stream_path.clone(),
        headers: Vec::new(),
        quirks: QuirkSet::default(),
    })
}

/// An item of `speaks`: a dialect's name, or a mapping.
fn written_face(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<&catalog::Provider>,
    usual: &Face,
    blanks: &mut Blanks<'_>,
) -> Option<Face> {
    let place = if at.is_section() { at.get("dialect") } else { at.clone() };
    if at.is_section() && !place.is_present() {
        reader.wrong(&place, Wrong::new("`dialect` is needed"));
    }
    let dialect = dialect(reader, &place)?;
    let known = row.and_then(|row| known_face(row, &dialect));
    let like = Face { dialect, ..usual.clone() };
    if !at.is_section() {
        return Some(with_parts(reader, &At::nowhere(), like, known.as_ref(), blanks));
    }
    let own = quirks(reader, &at.get("quirks"));
    let own_quirks = usual.own_quirks.under(&own);
    let headers = self::headers(reader, &at.get("headers"));
    let mut face = with_parts(reader, at, Face { own_quirks, ..like }, known.as_ref(), blanks);
    face.headers.extend(headers);
    if let Some(auth) = reader.optional_word(&at.get("auth"), AUTH) {
        face.auth = auth;
    }
    let base = at.get("base_url");
    let address = reader.name(&base);
    if let Some(address) = address {
        let address = blanks.filled(reader, &base, &address);
        match address_at(&usual.base_url, &address) {
            Ok(url) => face.base_url = url,
            Err(error) => reader.wrong(&base, Wrong::new(error.to_string())),
        }
    }
    Some(face)
}

/// The face with its row's parts, and with the paths that are written at its place.
fn with_parts(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    like: Face,
    known: Option<&catalog::Face>,
    blanks: &mut Blanks<'_>,
) -> Face {
    let mut face = like;
    let mut paths = [None, None];
    if let Some(known) = known {
        face.row_quirks = face.row_quirks.under(&known.quirks);
        face.headers.extend(known.headers.iter().cloned());
        // Where no credential is there is none to send in another way.
        let sent_otherwise = face.auth == AuthKind::None || at.get("auth").is_present();
        face.auth = known.auth.filter(|_| !sent_otherwise).unwrap_or(face.auth);
        if let Some(url) = known.base_url.as_ref().filter(|_| !at.get("base_url").is_present()) {
            let address = blanks.filled(reader, at, url);
            face.base_url = address_at(&face.base_url, &address).unwrap_or(face.base_url);
        }
        paths = [known.path.clone(), known.stream_path.clone()];
    }
    let [path, stream_path] = paths;
    face.path = self::path(reader, &at.get("path"), path, blanks);
    face.stream_path = self::path(reader, &at.get("stream_path"), stream_path, blanks);
    face.quirks = face.row_quirks.under(&face.own_quirks).quirks();
    face
}

/// Vectors at the same address, if nothing else is said of them.
fn embeddings(usual: &Face, faces: &[Face]) -> Option<Face> {
    let fits = usual.dialect == CHAT && faces.first().is_some_and(|face| face.path.is_none());
    let named = faces.iter().any(|face| face.dialect == EMBEDDINGS);
    (fits && !named).then(|| Face { dialect: EMBEDDINGS.to_owned(), ..usual.clone() })
}

/// A dialect by its name.
pub(in crate::config) fn dialect(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let words: Vec<(&str, &str)> = crate::config::dialects().map(|id| (id, id)).collect();
    reader.optional_word(at, &words).map(str::to_owned)
}

/// Where the usual face is.
fn base_url(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    row: Option<&catalog::Provider>,
    blanks: &mut Blanks<'_>,
) -> BaseUrl {
    let place = at.get("base_url");
    let text = reader.name(&place);
    let nowhere =
        || BaseUrl { https: true, host: String::new(), port: 443, path_prefix: String::new() };
    if let Some(text) = text {
        let filled = blanks.filled(reader, &place, &text);
        return filled.parse().unwrap_or_else(|error: crate::config::url::UrlError| {
            reader.wrong(&place, Wrong::new(error.to_string()));
            nowhere()
        });
    }
    let Some(row) = row else {
        let described = at.get("dialect").is_present();
        if described && !place.is_present() {
            let wrong = Wrong::new("this provider's address is not known to the catalog");
            reader.wrong(&place, wrong.hint("write for example `base_url: https://host/v1`"));
        }
        return nowhere();
    };
    blanks.filled(reader, at, &row.base_url).parse().unwrap_or_else(|_| nowhere())
}

/// An address, or a path on the host of another.
fn address_at(usual: &BaseUrl, text: &str) -> Result<BaseUrl, crate::config::url::UrlError> {
    if !text.starts_with('/') {
        return text.parse();
    }
    let scheme = if usual.https { "https" } else { "http" };
    format!("{scheme}://{}{text}", usual.authority()).parse()
}

/// A path as written here, or the row's.
fn path(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    of_row: Option<String>,
    blanks: &mut Blanks<'_>,
) -> Option<String> {
    let written = reader.written(at, |text| {
        let fits = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
        let wrong = || Wrong::new("a path begins with `/` and has no spaces");
        if fits { Ok(text.to_owned()) } else { Err(wrong()) }
    });
    let template = written.or(of_row)?;
    Some(blanks.filled(reader, at, &template))
}

/// The header fields written here.
fn headers(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, place) in at.named() {
        let Some(value) = reader.name(&place) else { continue };
        let fits = http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && http::HeaderValue::from_str(&value).is_ok();
        if fits {
            found.push((name.to_ascii_lowercase(), value));
        } else {
            reader.wrong(&place, Wrong::new("not a header field as HTTP knows them"));
        }
    }
    found
}

/// The quirks written here.
fn quirks(reader: &mut Reader<'_>, at: &At<'_>) -> QuirkSet {
    let mut quirks = QuirkSet::default();
    for (name, place) in at.named() {
        if !QuirkSet::names().contains(&name) {
            let wrong = Wrong::new(format!("unknown quirk {}", quoted(name)));
            let suggestion = did_you_mean(name, QuirkSet::names().iter().copied());
            reader.wrong(&place, Wrong { suggestion, ..wrong });
            continue;
        }
        let Some(text) = reader.text(&place) else { continue };
        if let Err(problem) = quirks.set(name, &text) {
            reader.wrong(&place, Wrong::new(problem));
        }
    }
    quirks
}
