//! Looks into a request without taking it apart: one pass that checks the whole text and notes
//! where the few fields are that a gateway must know or patch. Which fields those are, a table for
//! each dialect says (see `words`).
//!
//! The text is checked as strictly as `serde_json` would (see `scan`), because a body that is
//! relayed untouched must not be the first thing an upstream chokes on. Duplicate top-level keys
//! are refused: the gateway and an upstream could otherwise act on different ones.
//!
//! Not done here: any judgement of the request beyond the types of the fields that are read.

mod fields;
mod words;

use std::borrow::Cow;
use std::ops::Range;

use fields::{Field, Value};

use crate::scan::{Fault, Kind, Scanner, Skipped};

/// More top-level fields than any real request has; bounds the search for duplicates.
pub const MAX_FIELDS: usize = 1024;

/// As many top-level fields as nearly every request has at most; room for them is made at once.
const USUAL_FIELDS: usize = 16;

/// What a request says about itself, in the words of OpenAI's chat. All spans are byte offsets into the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatPeek {
    /// The model's name.
    pub model: Option<Spanned<String>>,
    /// Whether a stream is wanted; `None` also for `null`.
    pub stream: Option<Spanned<bool>>,
    /// The options of the stream; `None` also for `null`.
    pub stream_options: Option<Spanned<StreamOptions>>,
    /// The bound on output tokens; in OpenAI's chat the old one.
    pub max_tokens: Option<Spanned<u64>>,
    /// The new bound on output tokens of OpenAI's chat.
    pub max_completion_tokens: Option<Spanned<u64>>,
    /// How many alternatives are wanted, and paid for.
    pub n: Option<u64>,
    /// The conversation, if it is a list.
    pub messages: Option<MessagesSpan>,
    /// Tools or legacy functions are on offer.
    pub has_tools: bool,
    /// An answer in a format other than text is asked for.
    pub structured: bool,
    /// Audio output is asked for.
    pub audio: bool,
    /// Where the value of the end user's id is, if it is a string.
    pub user: Option<Range<usize>>,
    /// `metadata.feature` or what stands for it, if it is a string.
    pub feature: Option<String>,
    /// The offset right after the opening brace: where new members can be put.
    pub first_field_at: usize,
    /// There is no member at all.
    pub is_empty_object: bool,
    /// Bytes of the values that the model reads: messages, instructions, tools, response format.
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

/// Why a body cannot be taken as a request.
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

/// Checks a request of OpenAI's chat and notes what a gateway must know of it.
///
/// # Errors
/// When the body is not JSON, not an object, too deep, has a member twice, or a field that is read
/// has the wrong type. So it is for all functions below.
pub fn chat(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::CHAT)
}

/// The same for OpenAI's Responses.
///
/// # Errors
/// As for [`chat`].
pub fn responses(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::RESPONSES)
}

/// The same for OpenAI's legacy completions. Every prompt of a list has its own answers.
///
/// # Errors
/// As for [`chat`].
pub fn completions(body: &[u8]) -> Result<ChatPeek, PeekError> {
    let mut peek = look(body, words::COMPLETIONS)?;
    let prompts = peek.messages.as_ref().map_or(1, |prompts| prompts.count.max(1));
    if prompts > 1 {
        peek.n = Some(peek.n.unwrap_or(1).saturating_mul(prompts as u64));
    }
    Ok(peek)
}

/// The same for Anthropic's messages.
///
/// # Errors
/// As for [`chat`].
pub fn anthropic(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::ANTHROPIC)
}

/// The same for Gemini.
///
/// # Errors
/// As for [`chat`].
pub fn gemini(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::GEMINI)
}

/// The same for Bedrock's Converse.
///
/// # Errors
/// As for [`chat`].
pub fn bedrock(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::BEDROCK)
}

/// The same for Cohere's chat.
///
/// # Errors
/// As for [`chat`].
pub fn cohere(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::COHERE)
}

/// The same for plain calls of any dialect: embeddings, reranking, moderation.
///
/// # Errors
/// As for [`chat`].
pub fn plain(body: &[u8]) -> Result<ChatPeek, PeekError> {
    look(body, words::PLAIN)
}

fn look(body: &[u8], table: &'static [Field]) -> Result<ChatPeek, PeekError> {
    scan(body, table).map_err(|stop| match stop {
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

fn scan(body: &[u8], table: &'static [Field]) -> Result<ChatPeek, Stop> {
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
        let field = table.iter().find(|field| field.name == name);
        note_member(&mut peek, &name, field, key.start, &value)?;
        match field {
            Some(field) => (field.read)(&mut peek, &Value::new(field.name, scanner, &value)),
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
