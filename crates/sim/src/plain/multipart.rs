//! The parts of a form as clients upload it (RFC 7578), as far as the simulator looks.
//!
//! Parts are found by the boundary of the content type; their bytes are taken exactly as they came.

use bytes::Bytes;

use super::Errand;

/// One part.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content: Bytes,
}

/// The parts of a request's form; none when it is not one.
pub(super) fn parts(errand: &Errand<'_>) -> Vec<Part> {
    let kind = errand.incoming.header("content-type").unwrap_or_default();
    let Some((_, boundary)) = kind.split_once("boundary=") else { return Vec::new() };
    let boundary = boundary.split(';').next().unwrap_or_default().trim_matches('"');
    split(&errand.incoming.body, boundary)
}

/// The text of a field; "" for none.
pub(super) fn field(parts: &[Part], name: &str) -> String {
    let found = parts.iter().find(|part| part.name == name && part.filename.is_none());
    found.map(|part| String::from_utf8_lossy(&part.content).into_owned()).unwrap_or_default()
}

fn split(body: &Bytes, boundary: &str) -> Vec<Part> {
    let first = format!("--{boundary}\r\n");
    let between = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    let Some(mut rest) = find(body, first.as_bytes()).map(|at| body.slice(at + first.len()..))
    else {
        return parts;
    };
    while let Some(end) = find(&rest, between.as_bytes()) {
        parts.extend(part(&rest.slice(..end)));
        rest = rest.slice(end + between.len()..);
        if !rest.starts_with(b"\r\n") {
            break;
        }
        rest = rest.slice(2..);
    }
    parts
}

fn part(bytes: &Bytes) -> Option<Part> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let named = |key: &str| {
        let (_, rest) = head.split_once(&format!("{key}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let name = named("; name").or_else(|| named(";name"))?;
    Some(Part { name, filename: named("filename"), content: bytes.slice(end + 4..) })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        from += at;
        if bytes.get(from..)?.starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_bytes() {
        let body = Bytes::from_static(
            b"--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--x\r\n\
              Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
              Content-Type: audio/wav\r\n\r\n\0\r\n\xFF\r\n--x--\r\n",
        );
        let parts = split(&body, "x");
        assert_eq!(field(&parts, "model"), "m");
        assert_eq!(parts[1].filename.as_deref(), Some("a.wav"));
        assert_eq!(parts[1].content.as_ref(), b"\0\r\n\xFF");
        assert!(split(&body, "y").is_empty());
    }
}
