//! Media types and `data:` URLs, as far as dialects must know them to hand media on.

use crate::hub::Media;

/// A URL as media: a base64 `data:` URL is inline, anything else is to be fetched.
pub(crate) fn of_url(url: String) -> Media {
    match inline(&url) {
        Some((mime, data)) => Media::Base64 { mime: mime.to_owned(), data: data.to_owned() },
        None => Media::Url(url),
    }
}

/// The same media with a base64 `data:` URL read as inline.
pub(crate) fn resolved(media: &Media) -> Media {
    match media {
        Media::Url(url) => of_url(url.clone()),
        other => other.clone(),
    }
}

fn inline(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?;
    Some((mime.split(';').next().unwrap_or(mime), data))
}

/// The media type that a URL's ending suggests.
pub(crate) fn mime_of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let ending = path.rsplit_once('.')?.1.to_ascii_lowercase();
    ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, mime)| *mime)
}

static ENDINGS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("heic", "image/heic"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("csv", "text/csv"),
    ("json", "application/json"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
];
