//! Bedrock names formats by short words where others name media types.

/// Documents: the word and the media type. The first row of a type is the word we write for it.
static DOCUMENTS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

static IMAGES: &[(&str, &str)] =
    &[("png", "image/png"), ("jpeg", "image/jpeg"), ("gif", "image/gif"), ("webp", "image/webp")];

static SOUNDS: &[(&str, &str)] = &[
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("aac", "audio/aac"),
    ("mp4", "audio/mp4"),
    ("m4a", "audio/m4a"),
    ("webm", "audio/webm"),
    ("pcm", "audio/pcm"),
];

/// A block whose content is a file: its key and the formats it knows.
#[derive(Debug)]
pub(super) struct Medium {
    /// The key of the block.
    pub(super) key: &'static str,
    formats: &'static [(&'static str, &'static str)],
}

pub(super) static IMAGE: Medium = Medium { key: "image", formats: IMAGES };
pub(super) static DOCUMENT: Medium = Medium { key: "document", formats: DOCUMENTS };
pub(super) static AUDIO: Medium = Medium { key: "audio", formats: SOUNDS };

impl Medium {
    /// The media type of a format's word.
    pub(super) fn mime(&self, format: &str) -> Option<&'static str> {
        self.formats.iter().find(|(word, _)| *word == format).map(|(_, mime)| *mime)
    }

    /// The word for a media type, parameters aside.
    pub(super) fn format(&self, mime: &str) -> Option<&'static str> {
        let mime = mime.split(';').next().unwrap_or(mime).trim();
        let usual = if mime == "image/jpg" { "image/jpeg" } else { mime };
        self.formats.iter().find(|(_, known)| *known == usual).map(|(word, _)| *word)
    }
}
