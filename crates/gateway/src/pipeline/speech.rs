//! What is spoken, by a client or to an upstream: a conversation's dialect or a plain call's.
//!
//! Both kinds are rows of `wire`; this is the one place that tells them apart. A request is only
//! ever served by a dialect that is like its own: a conversation by a conversation, vectors by
//! vectors.

use wire::dialect::{self, Dialect, openai_chat};
use wire::error::Problem;
use wire::peek::{ChatPeek, PeekError};
use wire::plain::{self, PlainDialect};

/// A wire format.
#[derive(Debug, Clone, Copy)]
pub enum Speech {
    /// Conversations, streamed or not.
    Chat(&'static Dialect),
    /// Calls that are answered whole.
    Plain(&'static PlainDialect),
    /// OpenAI's other interfaces (audio, pictures, files, batches), passed through unread.
    Passage,
}

impl Speech {
    /// The format with this id.
    #[must_use]
    pub fn find(id: &str) -> Option<Self> {
        let chat = dialect::find(id).map(Self::Chat);
        chat.or_else(|| plain::find(id).map(Self::Plain))
    }

    /// Its id in configuration and data.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Chat(dialect) => dialect.id,
            Self::Plain(dialect) => dialect.id,
            Self::Passage => "passthrough",
        }
    }

    /// Whether requests of the other can be answered by this one.
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Chat(_), Self::Chat(_)) => true,
            (Self::Plain(one), Self::Plain(other)) => one.kind == other.kind,
            (Self::Chat(dialect), Self::Passage) => dialect.id.starts_with("openai_"),
            _ => false,
        }
    }

    /// What its requests are for, for people.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Chat(_) => "conversations",
            Self::Passage => "such requests",
            Self::Plain(dialect) => match dialect.kind {
                plain::Kind::Embed => "embeddings",
                plain::Kind::Rerank => "reranking",
                plain::Kind::Moderate => "moderation",
            },
        }
    }

    /// Whether usage comes at the end of a stream only for clients that ask; elsewhere it is part
    /// of the format.
    #[must_use]
    pub fn asks_usage(self) -> bool {
        matches!(self.id(), "openai_chat" | "openai_completions")
    }

    /// Whether its clients know the comments of event streams. Google's own SDK for Python takes any
    /// line for data.
    #[must_use]
    pub fn takes_comments(self) -> bool {
        self.id() != "gemini"
    }

    /// Looks for the fields of a request that the gateway itself must know.
    ///
    /// # Errors
    /// When the body is no JSON object, or one of them has the wrong type.
    pub fn peek(self, body: &[u8]) -> Result<ChatPeek, PeekError> {
        match self {
            Self::Chat(dialect) => (dialect.peek)(body),
            Self::Plain(dialect) => (dialect.peek)(body),
            Self::Passage => wire::peek::chat(body),
        }
    }

    /// Our error as an unstreamed body.
    #[must_use]
    pub fn encode_error(self, problem: &Problem<'_>) -> Vec<u8> {
        match self {
            Self::Chat(dialect) => (dialect.encode_error)(problem),
            Self::Plain(dialect) => (dialect.encode_error)(problem),
            Self::Passage => (openai_chat::DIALECT.encode_error)(problem),
        }
    }

    /// Our error as the last bytes of a stream. Plain calls have none.
    #[must_use]
    pub fn encode_stream_error(self, problem: &Problem<'_>) -> Vec<u8> {
        match self {
            Self::Chat(dialect) => (dialect.encode_stream_error)(problem),
            Self::Plain(_) | Self::Passage => Vec::new(),
        }
    }
}
