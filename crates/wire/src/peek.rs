//! Looks into a chat request without taking it apart: one pass that checks the whole text and
//! notes where the few fields are that a gateway must know or patch.
//!
//! The text is checked as strictly as `serde_json` would (see `scan`), because a body that is
//! relayed untouched must not be the first thing an upstream chokes on. Duplicate top-level keys
//! are refused: the gateway and an upstream could otherwise act on different ones.
//!
//! Not done here: any judgement of the request beyond the types of the fields that are read.

use std::borrow::Cow;
use std::ops::Range;

use crate::scan::{Fault, Kind, Scanner, Skipped};

/// More top-level fields than any real request has; bounds the search for duplicates.
pub const MAX_FIELDS: usize = 1024;

/// As many top-level fields as nearly every request has at most; room for them is made at once.
const USUAL_FIELDS: usize = 16;

/// What a chat request says about itself. All spans are byte offsets into the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatPeek {
    /// The model's name.
    pub model: Option<Spanned<String>>,
    /// Whether a stream is wanted; `None` also for `null`.
    pub stream: Option<Spanned<bool>>,
    /// The options of the stream; `None` also for `null`.
    pub stream_options: Option<Spanned<StreamOptions>>,
    /// The old bound on output tokens.
    pub max_tokens: Option<Spanned<u64>>,
    /// The new bound on output tokens.
    pub max_completion_tokens: Option<Spanned<u64>>,
    /// How many alternatives are wanted.
    pub n: Option<u64>,
    /// The conversation.
    pub messages: Option<MessagesSpan>,
    /// Tools or legacy functions are on offer.
    pub has_tools: bool,
    /// A response format other than text is asked for.
    pub structured: bool,
    /// Audio output is asked for.
    pub audio: bool,
    /// Where the value of `user` is, if it is a string.
    pub user: Option<Range<usize>>,
    /// `metadata.feature`, if it is a string.
    pub feature: Option<String>,
    /// The offset right after the opening brace: where new members can be put.
    pub first_field_at: usize,
    /// There is no member at all.
    pub is_empty_object: bool,
    /// Bytes of the values that the model reads: messages, tools, functions, response format.
    pub prompt_bytes: usize,
    /// Every top-level member in order.
    pub members: Vec<Member>,
}

/// A value and where its JSON text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The span of the JSON value alone, without key or comma.
    pub span: Range<usize>,
}

/// The conversation's place and length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessagesSpan {
    /// The span of the array.
    pub span: Range<usize>,
    /// How many messages it has.
    pub count: usize,
}

/// `stream_options`, as far as a gateway patches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Whether usage is wanted at the end of the stream; `None` also for `null`.
    pub include_usage: Option<bool>,
    /// Where the value of `include_usage` is, `null` included.
    pub include_usage_at: Option<Range<usize>>,
    /// The offset right after the opening brace.
    pub first_field_at: usize,
    /// There is no member in it.
    pub is_empty_object: bool,
}

/// One top-level member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its key, unescaped.
    pub key: Cow<'static, str>,
    /// From the quote that opens the key to the end of the value.
    pub span: Range<usize>,
    /// The value alone.
    pub value: Range<usize>,
}

/// Why a body cannot be taken as a chat request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeekError {
    /// Not JSON.
    InvalidJson {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What is wrong there.
        message: &'static str,
    },
    /// Nested more deeply than 64.
    TooDeep,
    /// JSON, but not an object.
    NotAnObject,
    /// More than [`MAX_FIELDS`] top-level members.
    TooManyFields,
    /// A member stands twice.
    DuplicateKey {
        /// Its key; a path for a member of `stream_options`.
        key: String,
    },
    /// A field has a value of the wrong type.
    WrongType {
        /// The field.
        field: &'static str,
        /// What it should be, in words.
        expected: &'static str,
    },
}

impl std::fmt::Display for PeekError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InvalidJson { line, column, message } => {
                write!(f, "the body is not valid JSON: {message} at line {line} column {column}")
            }
            Self::TooDeep => f.write_str("the JSON body is nested more than 64 levels deep"),
            Self::NotAnObject => f.write_str("the JSON body is not an object"),
            Self::TooManyFields => write!(f, "the body has more than {MAX_FIELDS} fields"),
            Self::DuplicateKey { key } => write!(f, "the field `{key}` stands twice"),
            Self::WrongType { field, expected } => write!(f, "`{field}` must be {expected}"),
        }
    }
}

impl std::error::Error for PeekError {}

impl ChatPeek {
    /// The top-level member with this key.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.key == key)
    }
}

/// Checks that `text` is JSON of any kind, nested no deeper than 64.
///
/// # Errors
/// [`PeekError::InvalidJson`] or [`PeekError::TooDeep`].
pub fn validate(text: &[u8]) -> Result<(), PeekError> {
    let check = || {
        let mut scanner = Scanner::new(text)?;
        scanner.skip()?;
        scanner.end()
    };
    check().map_err(|fault| located(text, fault))
}

/// Checks `body` and notes what a gateway must know of it.
///
/// # Errors
/// When the body is not JSON, not an object, too deep, has a member twice, or a field that is read
/// has the wrong type.
pub fn chat(body: &[u8]) -> Result<ChatPeek, PeekError> {
    scan_chat(body).map_err(|stop| match stop {
        Stop::Fault(fault) => located(body, fault),
        Stop::Refused(error) => error,
    })
}

/// Why the pass ended early.
enum Stop {
    Fault(Fault),
    Refused(PeekError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn located(text: &[u8], fault: Fault) -> PeekError {
    let Fault::Syntax { at, message } = fault else {
        return PeekError::TooDeep;
    };
    let before = text.get(..at).unwrap_or(text);
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    PeekError::InvalidJson { line, column: before.len() - line_start + 1, message }
}

fn scan_chat(body: &[u8]) -> Result<ChatPeek, Stop> {
    let mut scanner = Scanner::new(body)?;
    if scanner.kind() != Kind::Object {
        scanner.skip()?;
        scanner.end()?;
        return Err(Stop::Refused(PeekError::NotAnObject));
    }
    let mut peek = ChatPeek {
        first_field_at: scanner.position() + 1,
        members: Vec::with_capacity(USUAL_FIELDS),
        ..ChatPeek::default()
    };
    scanner.object(|scanner, key| {
        let name = key.unescaped();
        let value = scanner.skip()?;
        let field = FIELDS.iter().find(|field| field.name == name);
        note_member(&mut peek, &name, field, key.start, &value)?;
        match field {
            Some(field) => (field.read)(&mut peek, &Value { scanner, skipped: &value }),
            None => Ok(()),
        }
    })?;
    scanner.end()?;
    peek.is_empty_object = peek.members.is_empty();
    Ok(peek)
}

fn note_member(
    peek: &mut ChatPeek,
    name: &str,
    field: Option<&Field>,
    start: usize,
    value: &Skipped,
) -> Result<(), Stop> {
    if peek.member(name).is_some() {
        return Err(Stop::Refused(PeekError::DuplicateKey { key: name.to_owned() }));
    }
    if peek.members.len() == MAX_FIELDS {
        return Err(Stop::Refused(PeekError::TooManyFields));
    }
    let key = field.map_or_else(|| Cow::Owned(name.to_owned()), |field| Cow::Borrowed(field.name));
    peek.members.push(Member { key, span: start..value.span.end, value: value.span.clone() });
    Ok(())
}

/// A top-level value that was already checked.
struct Value<'s, 'a> {
    scanner: &'s Scanner<'a>,
    skipped: &'s Skipped,
}

impl Value<'_, '_> {
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
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<Spanned<T>>, Stop> {
        match self.text() {
            "null" => Ok(None),
            text => match text.parse() {
                Ok(value) => Ok(Some(Spanned { value, span: self.span() })),
                Err(_) => wrong(field, expected),
            },
        }
    }
}

fn wrong<T>(field: &'static str, expected: &'static str) -> Result<T, Stop> {
    Err(Stop::Refused(PeekError::WrongType { field, expected }))
}

/// A field that is read, and how. Fields that are only known by name need no allocation.
struct Field {
    name: &'static str,
    read: fn(&mut ChatPeek, &Value<'_, '_>) -> Result<(), Stop>,
}

const fn plain(name: &'static str) -> Field {
    Field { name, read: |_, _| Ok(()) }
}

const BOUND: &str = "a whole number or null";

static FIELDS: &[Field] = &[
    Field { name: "model", read: model },
    Field { name: "messages", read: messages },
    Field {
        name: "stream",
        read: |peek, value| {
            peek.stream = value.optional("stream", "true, false or null")?;
            Ok(())
        },
    },
    Field { name: "stream_options", read: stream_options },
    Field {
        name: "max_tokens",
        read: |peek, value| {
            peek.max_tokens = value.optional("max_tokens", BOUND)?;
            Ok(())
        },
    },
    Field {
        name: "max_completion_tokens",
        read: |peek, value| {
            peek.max_completion_tokens = value.optional("max_completion_tokens", BOUND)?;
            Ok(())
        },
    },
    Field {
        name: "n",
        read: |peek, value| {
            peek.n = value.optional("n", BOUND)?.map(|n| n.value);
            Ok(())
        },
    },
    Field { name: "tools", read: tools },
    Field { name: "functions", read: tools },
    Field { name: "response_format", read: response_format },
    Field { name: "modalities", read: modalities },
    Field {
        name: "audio",
        read: |peek, value| {
            peek.audio |= value.kind() != Kind::Null;
            Ok(())
        },
    },
    Field {
        name: "user",
        read: |peek, value| {
            peek.user = (value.kind() == Kind::String).then(|| value.span());
            Ok(())
        },
    },
    Field { name: "metadata", read: metadata },
    plain("temperature"),
    plain("top_p"),
    plain("stop"),
    plain("tool_choice"),
    plain("parallel_tool_calls"),
    plain("reasoning_effort"),
    plain("seed"),
    plain("presence_penalty"),
    plain("frequency_penalty"),
    plain("logprobs"),
    plain("top_logprobs"),
    plain("service_tier"),
    plain("store"),
];

fn model(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    let Some(name) = value.string() else {
        return wrong("model", "a string");
    };
    peek.model = Some(Spanned { value: name, span: value.span() });
    Ok(())
}

fn messages(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Array {
        return wrong("messages", "an array");
    }
    peek.prompt_bytes += value.span().len();
    peek.messages = Some(MessagesSpan { span: value.span(), count: value.skipped.members });
    Ok(())
}

fn tools(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.skipped.members > 0 {
        peek.has_tools = true;
        peek.prompt_bytes += value.span().len();
    }
    Ok(())
}

fn response_format(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Object {
        return Ok(());
    }
    let mut text = false;
    value.at().object(|scanner, key| {
        let member = scanner.skip()?;
        text |= *key.bytes() == *b"type" && scanner.slice(&member.span) == b"\"text\"";
        Ok::<(), Stop>(())
    })?;
    peek.structured = !text;
    peek.prompt_bytes += value.span().len();
    Ok(())
}

fn modalities(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Array {
        return Ok(());
    }
    value.at().array(|scanner, _| {
        let element = scanner.skip()?;
        peek.audio |= scanner.slice(&element.span) == b"\"audio\"";
        Ok::<(), Stop>(())
    })
}

fn metadata(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    if value.kind() != Kind::Object {
        return Ok(());
    }
    value.at().object(|scanner, key| {
        if *key.bytes() == *b"feature" && scanner.kind() == Kind::String {
            peek.feature = Some(scanner.string()?.unescaped().into_owned());
        } else {
            scanner.skip()?;
        }
        Ok::<(), Stop>(())
    })
}

fn stream_options(peek: &mut ChatPeek, value: &Value<'_, '_>) -> Result<(), Stop> {
    match value.kind() {
        Kind::Null => return Ok(()),
        Kind::Object => {}
        _ => return wrong("stream_options", "an object or null"),
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
