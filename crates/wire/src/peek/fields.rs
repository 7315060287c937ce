//! How the fields of a request are read once the pass over the text has checked them.

use std::ops::Range;

use super::{ChatPeek, MessagesSpan, PeekError, Spanned, Stop, StreamOptions};
use crate::scan::{Kind, Scanner, Skipped};

/// A field that is read, and how. Fields that are only known by name need no allocation.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) read: Read,
}

/// Notes what a value says.
pub(super) type Read = fn(&mut ChatPeek, &Value<'_, '_>) -> Result<(), Stop>;

pub(super) const fn field(name: &'static str, read: Read) -> Field {
    Field { name, read }
}

/// A field that is known by name only.
pub(super) const fn named(name: &'static str) -> Field {
    Field { name, read: |_, _| Ok(()) }
}

/// A value that was already checked, and the name of its field.
pub(super) struct Value<'s, 'a> {
    name: &'static str,
    scanner: &'s Scanner<'a>,
    skipped: &'s Skipped,
}

impl<'s, 'a> Value<'s, 'a> {
    pub(super) fn new(name: &'static str, scanner: &'s Scanner<'a>, skipped: &'s Skipped) -> Self {
        Self { name, scanner, skipped }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.scanner.slice(&self.skipped.span)).unwrap_or_default()
    }

    fn span(&self) -> Range<usize> {
        self.skipped.span.clone()
    }

    fn at(&self) -> Scanner<'_> {
        self.scanner.from(self.skipped.span.start)
    }

    fn kind(&self) -> Kind {
        self.at().kind()
    }

    fn string(&self) -> Option<String> {
        self.at().string().ok().map(|text| text.unescaped().into_owned())
    }

    /// A value of type `T` or nothing for `null`.
    fn optional<T: std::str::FromStr>(
        &self,
        expected: &'static str,
    ) -> Result<Option<Spanned<T>>, Stop> {
        match self.text() {
            "null" => Ok(None),
            text => match text.parse() {
                Ok(value) => Ok(Some(Spanned { value, span: self.span() })),
                Err(_) => self.wrong(expected),
            },
        }
    }

    fn wrong<T>(&self, expected: &'static str) -> Result<T, Stop> {
        wrong(self.name, expected)
    }

    /// Reads the members of an object by a table of their own; anything else has none.
    pub(super) fn members(&self, peek: &mut ChatPeek, table: &'static [Field]) -> Result<(), Stop> {
        if self.kind() != Kind::Object {
            return Ok(());
        }
        self.at().object(|scanner, key| {
            let skipped = scanner.skip()?;
            let key = key.bytes();
            match table.iter().find(|field| *field.name.as_bytes() == *key) {
                Some(field) => (field.read)(peek, &Value::new(field.name, scanner, &skipped)),
                None => Ok(()),
            }
        })
    }

    /// Whether one of the elements of a list of strings is `word`, in whatever case.
    fn lists(&self, word: &str) -> Result<bool, Stop> {
        let mut found = false;
        if self.kind() == Kind::Array {
            self.at().array(|scanner, _| {
                let element = scanner.skip()?;
                let text = scanner.slice(&element.span);
                let inside = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                found |= inside.eq_ignore_ascii_case(word.as_bytes());
                Ok::<(), Stop>(())
            })?;
        }
        Ok(found)
    }
}

fn wrong<T>(field: &'static str, expected: &'static str) -> Result<T, Stop> {
    Err(Stop::Refused(PeekError::WrongType { field, expected }))
}

const BOUND: &str = "a whole number or null";

pub(super) fn model(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    let Some(name) = value.string() else {
        return value.wrong("a string");
    };
    peek.model = Some(Spanned { value: name, span: value.span() });
    Ok(())
}

pub(super) fn stream(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.stream = value.optional("true, false or null")?;
    Ok(())
}

pub(super) fn max_tokens(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.max_tokens = value.optional(BOUND)?;
    Ok(())
}

pub(super) fn max_completion_tokens(
    peek: &mut ChatPeek,
    value: &Value<'_, '_>,
) -> Result<(), Stop> {
    peek.max_completion_tokens = value.optional(BOUND)?;
    Ok(())
}

/// Alternatives; of several such fields the larger number counts.
pub(super) fn n(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.n = peek.n.max(value.optional(BOUND)?.map(|n| n.value));
    Ok(())
}

/// The conversation, which is a list.
pub(super) fn messages(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Array {
        return value.wrong("an array");
    }
    input(peek, value)
}

/// The conversation, a list or not.
pub(super) fn input(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() == Kind::Array {
        peek.messages = Some(MessagesSpan { span: value.span(), count: value.skipped.members });
    }
    read_by_model(peek, value)
}

/// The prompts of a completion: token ids on their own are one.
pub(super) fn prompts(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    let mut texts = false;
    if value.kind() == Kind::Array {
        value.at().array(|scanner, _| {
            texts |= scanner.kind() != Kind::Number;
            scanner.pass()?;
            Ok::<(), Stop>(())
        })?;
    }
    if texts { input(peek, value) } else { read_by_model(peek, value) }
}

/// Something else that the model reads.
pub(super) fn read_by_model(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Null {
        peek.prompt_bytes += value.span().len();
    }
    Ok(())
}

pub(super) fn tools(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.skipped.members > 0 {
        peek.has_tools = true;
        peek.prompt_bytes += value.span().len();
    }
    Ok(())
}

/// A format as an object with a type, of which `text` is no wish.
pub(super) fn format(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Object {
        return Ok(());
    }
    let mut text = false;
    value.at().object(|scanner, key| {
        let member = scanner.skip()?;
        text |= *key.bytes() == *b"type" && scanner.slice(&member.span) == b"\"text\"";
        Ok::<(), Stop>(())
    })?;
    peek.structured |= !text;
    peek.prompt_bytes += value.span().len();
    Ok(())
}

/// A format as a media type, of which plain text is no wish.
pub(super) fn mime(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.structured |= value.kind() == Kind::String && value.text() != "\"text/plain\"";
    Ok(())
}

/// A schema of the answer.
pub(super) fn schema(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.structured |= value.kind() != Kind::Null;
    read_by_model(peek, value)
}

pub(super) fn modalities(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.audio |= value.lists("audio")?;
    Ok(())
}

pub(super) fn audio(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.audio |= value.kind() != Kind::Null;
    Ok(())
}

pub(super) fn user(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.user = (value.kind() == Kind::String).then(|| value.span());
    Ok(())
}

pub(super) fn feature(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    peek.feature = value.string().or(peek.feature.take());
    Ok(())
}

pub(super) fn stream_options(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    match value.kind() {
        Kind::Null => return Ok(()),
        Kind::Object => {}
        _ => return value.wrong("an object or null"),
    }
    let mut options = StreamOptions {
        include_usage: None,
        include_usage_at: None,
        first_field_at: value.span().start + 1,
        is_empty_object: value.skipped.members == 0,
    };
    value.at().object(|scanner, key| {
        let member = scanner.skip()?;
        if *key.bytes() != *b"include_usage" {
            return Ok(());
        }
        if options.include_usage_at.is_some() {
            let key = "stream_options.include_usage".to_owned();
            return Err(Stop::Refused(PeekError::DuplicateKey { key }));
        }
        options.include_usage = match scanner.slice(&member.span) {
            b"null" => None,
            b"true" => Some(true),
            b"false" => Some(false),
            _ => return wrong("stream_options.include_usage", "true, false or null"),
        };
        options.include_usage_at = Some(member.span);
        Ok(())
    })?;
    peek.stream_options = Some(Spanned { value: options, span: value.span() });
    Ok(())
}
