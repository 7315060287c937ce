//! The field `model` of a form (RFC 7578), found while the form still comes.
//!
//! Parts are walked one after another from the first boundary, so that nothing inside a file can
//! pass for a field, and what was searched once is not searched again. A form that does not begin
//! with its boundary is not understood; no client writes one.

use std::ops::Range;

use memchr::memmem;

/// A part's own header fields are a few lines.
const MAX_PART_HEAD: usize = 16 << 10;

/// What is known of a form's model so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It stands in these bytes.
    Found(Range<usize>),
    /// It may still come.
    Unseen,
    /// The form has none, or is no form.
    Absent,
}

/// Looks for a form's model.
#[derive(Debug)]
pub struct Finder {
    /// A line break, two dashes and the boundary.
    delimiter: Vec<u8>,
    /// Behind the boundary before the current part; 0 before the first.
    part: usize,
    /// No boundary behind the current part begins before this.
    searched: usize,
}

impl Finder {
    /// A finder for a form of this media type; `None` if it is no form's.
    #[must_use]
    pub fn of(media_type: &str) -> Option<Self> {
        let (kind, parameters) = media_type.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary").filter(|text| !text.is_empty())?;
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Some(Self { delimiter, part: 0, searched: 0 })
    }

    /// Looks at the form's beginning, which grows from call to call.
    pub fn look(&mut self, head: &[u8]) -> Sight {
        loop {
            match self.step(head) {
                Ok(Some(range)) => return Sight::Found(range),
                Ok(None) => {}
                Err(sight) => return sight,
            }
        }
    }

    /// One part: the model's place, nothing, or why the walk ends here.
    fn step(&mut self, head: &[u8]) -> Result<Option<Range<usize>>, Sight> {
        if self.part == 0 {
            self.part = self.first(head)?;
        }
        let rest = head.get(self.part..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Err(Sight::Absent);
        }
        let Some(fields) = memmem::find(rest, b"\r\n\r\n") else {
            return Err(if rest.len() > MAX_PART_HEAD { Sight::Absent } else { Sight::Unseen });
        };
        let begin = self.part + fields + 4;
        let from = begin.max(self.searched);
        let tail = head.get(from..).unwrap_or_default();
        let Some(length) = memmem::find(tail, &self.delimiter) else {
            self.searched = head.len().saturating_sub(self.delimiter.len());
            return Err(Sight::Unseen);
        };
        let end = from + length;
        self.part = end + self.delimiter.len();
        let is_model = is_model(rest.get(..fields).unwrap_or_default());
        Ok(is_model.then_some(begin..end))
    }

    /// Behind the first boundary.
    fn first(&self, head: &[u8]) -> Result<usize, Sight> {
        let boundary = self.delimiter.get(2..).unwrap_or_default();
        if head.starts_with(boundary) {
            return Ok(boundary.len());
        }
        Err(if boundary.starts_with(head) { Sight::Unseen } else { Sight::Absent })
    }
}

/// Whether these are the header fields of the part `model`.
fn is_model(fields: &[u8]) -> bool {
    let Ok(fields) = std::str::from_utf8(fields) else { return false };
    let dispositions = fields.split("\r\n").filter_map(|line| line.split_once(':'));
    dispositions
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"))
        .filter_map(|(_, value)| value.split_once(';'))
        .any(|(_, parameters)| parameter(parameters, "name").as_deref() == Some("model"))
}

/// The value of a parameter among `a=b; c="d"`. A word inside another's quotes is none.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, behind) = value(after.trim_start());
        if key.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = behind;
    }
}

/// A parameter's value and what stands behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), behind);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => break,
            '\\' => value.extend(chars.next()),
            other => value.push(other),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=x";

    fn part(head: &str, content: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    }

    fn found(form: &str) -> Option<String> {
        match Finder::of(KIND).unwrap().look(form.as_bytes()) {
            Sight::Found(range) => Some(form[range].to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_model_is_found_before_and_behind_a_file() {
        let (model, file) = (part("name=\"model\"", "w-1"), part("name=file", "\r\n--y\r\n"));
        for form in [format!("{model}{file}--x--"), format!("{file}{model}--x--")] {
            assert_eq!(found(&form).as_deref(), Some("w-1"), "{form}");
        }
    }

    #[test]
    fn what_stands_in_a_file_or_its_name_is_no_model() {
        let inside = "Content-Disposition: form-data; name=\"model\"\r\n\r\ncheap\r\n";
        for head in ["name=\"file\"; filename=\"model\"", "filename=\"a; name=model;\"; name=\"f\""]
        {
            assert_eq!(found(&format!("{}--x--", part(head, inside))), None, "{head}");
        }
    }

    #[test]
    fn however_a_form_comes_its_model_is_the_same() {
        let form = format!("{}{}--x--", part("name=f", "--x"), part("name=\"model\"", "w"));
        let mut finder = Finder::of("Multipart/Form-Data; charset=a; boundary=\"x\"").unwrap();
        let sights: Vec<Sight> =
            (0..=form.len()).map(|end| finder.look(&form.as_bytes()[..end])).collect();
        let first = sights.iter().position(|sight| *sight != Sight::Unseen).unwrap();
        let Sight::Found(range) = &sights[first] else { panic!("{:?}", sights[first]) };
        assert_eq!(&form[range.clone()], "w");
        assert_eq!(&form[..first], &form[..form.len() - 2]);
    }

    #[test]
    fn other_bodies_are_no_forms() {
        for kind in ["", "application/json", "multipart/form-data", "multipart/form-data; a=b"] {
            assert!(Finder::of(kind).is_none(), "{kind}");
        }
        assert_eq!(Finder::of(KIND).unwrap().look(b"{\"model\":1}"), Sight::Absent);
    }
}
