//! The ways an upstream converses.
//!
//! Each dialect reads its JSON into an [`Ask`] and renders an [`Answer`] whole or as a stream; one
//! row of functions each. The formats are written out by hand from plain JSON, apart from the
//! gateway's encoders on purpose. What is said is decided elsewhere; keys and errors follow from
//! the [`Vendor`]; HTTP is elsewhere too.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod cohere;
pub(crate) mod completions;
pub(crate) mod frames;
pub(crate) mod gemini;
pub(crate) mod openai;
pub(crate) mod responses;
pub(crate) mod vendor;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ask::{Ask, Complaint};
use crate::reply::{Reply, Step};
pub(crate) use vendor::Vendor;

/// The second every answer claims to be made in (2026-01-01T00:00:00Z): answers must not depend on
/// the clock.
pub(crate) const CREATED: u64 = 1_767_225_600;

/// The wire format of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `POST /v1/chat/completions`, Azure's deployments among them.
    OpenAi,
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/messages`, Vertex's `:rawPredict` among them.
    Anthropic,
    /// `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
    Gemini,
    /// `POST /model/{model}/converse` and `/converse-stream`.
    Bedrock,
    /// `POST /v2/chat`.
    Cohere,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::Responses,
        Self::Completions,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Cohere,
    ];
}

/// How the events of a stream are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Events {
    /// Server-sent events with data alone.
    Data,
    /// Server-sent events with names.
    Named,
    /// Binary frames.
    Frames,
}

/// What makes a dialect.
struct Format {
    vendor: Vendor,
    events: Events,
    read: fn(&Value, &PathFacts) -> Result<Ask, Complaint>,
    whole: fn(&Ask, &Answer, &str) -> Value,
    stream: fn(&Ask, &Answer, &str) -> Vec<Step>,
    /// Where the list is that holds the answers.
    list: &'static str,
}

static OPENAI: Format = Format {
    vendor: Vendor::OpenAi,
    events: Events::Data,
    read: openai::read,
    whole: openai::whole,
    stream: openai::stream,
    list: "/choices",
};

static RESPONSES: Format = Format {
    events: Events::Named,
    read: responses::read,
    whole: responses::whole,
    stream: responses::stream,
    list: "/output",
    ..OPENAI
};

static COMPLETIONS: Format = Format {
    read: completions::read,
    whole: completions::whole,
    stream: completions::stream,
    ..OPENAI
};

static ANTHROPIC: Format = Format {
    vendor: Vendor::Anthropic,
    events: Events::Named,
    read: anthropic::read,
    whole: anthropic::whole,
    stream: anthropic::stream,
    list: "/content",
};

static GEMINI: Format = Format {
    vendor: Vendor::Google,
    events: Events::Data,
    read: gemini::read,
    whole: gemini::whole,
    stream: gemini::stream,
    list: "/candidates",
};

static BEDROCK: Format = Format {
    vendor: Vendor::Aws,
    events: Events::Frames,
    read: bedrock::read,
    whole: bedrock::whole,
    stream: bedrock::stream,
    list: "/output/message/content",
};

static COHERE: Format = Format {
    vendor: Vendor::Cohere,
    events: Events::Named,
    read: cohere::read,
    whole: cohere::whole,
    stream: cohere::stream,
    list: "/message/content",
};

impl Dialect {
    fn format(self) -> &'static Format {
        match self {
            Self::OpenAi => &OPENAI,
            Self::Responses => &RESPONSES,
            Self::Completions => &COMPLETIONS,
            Self::Anthropic => &ANTHROPIC,
            Self::Gemini => &GEMINI,
            Self::Bedrock => &BEDROCK,
            Self::Cohere => &COHERE,
        }
    }

    /// Who speaks it at home.
    pub(crate) fn vendor(self) -> Vendor {
        self.format().vendor
    }

    pub(crate) fn read(self, body: &Value, path: &PathFacts) -> Result<Ask, Complaint> {
        (self.format().read)(body, path)
    }

    /// The whole answer as one JSON body.
    pub(crate) fn whole(self, ask: &Ask, answer: &Answer, id: &str) -> Value {
        (self.format().whole)(ask, answer, id)
    }

    /// The reply with the whole answer in one body or as events.
    pub(crate) fn render(self, ask: &Ask, answer: &Answer, id: &str, stream: bool) -> Reply {
        let json = |body: String| Reply::whole(200, JSON, body, answer.usage.output);
        let format = self.format();
        if stream && self == Self::Gemini && !ask.sse {
            return json(gemini::array(ask, answer, id));
        }
        if !stream {
            return json((format.whole)(ask, answer, id).to_string());
        }
        let kind = if self.is_binary() { frames::CONTENT_TYPE } else { EVENT_STREAM };
        Reply::stream(kind, (format.stream)(ask, answer, id))
    }

    /// Whether its streams are frames rather than text.
    pub(crate) fn is_binary(self) -> bool {
        self.format().events == Events::Frames
    }

    /// Whether its events have names.
    pub(crate) fn names_events(self) -> bool {
        self.format().events == Events::Named
    }

    /// The JSON pointer of the list that holds the answers.
    pub(crate) fn list(self) -> &'static str {
        self.format().list
    }

    /// One event of a stream.
    pub(crate) fn event(self, name: &str, data: &str) -> Bytes {
        match self.format().events {
            Events::Named => Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
            Events::Data => Bytes::from(format!("data: {data}\n\n")),
            Events::Frames => frames::event(name, data),
        }
    }

    /// An event that cannot be read.
    pub(crate) fn broken_event(self) -> Bytes {
        let broken = r#"{"choices":[{"delta":{"conte"#;
        match self {
            Self::Bedrock => frames::corrupt(&self.event("contentBlockDelta", broken)),
            Self::Responses => self.event("response.output_text.delta", broken),
            Self::Cohere => self.event("content-delta", broken),
            _ => self.event("content_block_delta", broken),
        }
    }

    /// The events that end a stream with an error; `place` is the number of events before.
    pub(crate) fn error_events(
        self,
        complaint: &Complaint,
        ask: &Ask,
        id: &str,
        place: usize,
    ) -> Vec<Step> {
        let events = match self {
            Self::Responses => responses::failure(complaint, ask, id, place),
            Self::Bedrock => vec![bedrock::exception(complaint)],
            Self::Cohere => vec![cohere::failure(complaint)],
            _ => vec![self.event("error", &ask.vendor.error(complaint, id).to_string())],
        };
        events.into_iter().map(Step::noise).collect()
    }

    /// An event without content, as providers send to keep a connection alive. Frames have none.
    pub(crate) fn ping(self) -> Step {
        Step::noise(match self {
            Self::Anthropic => self.event("ping", r#"{"type":"ping"}"#),
            Self::Bedrock => Bytes::new(),
            _ => Bytes::from_static(b": keep-alive\n\n"),
        })
    }

    /// The list of models in this dialect's shape.
    pub(crate) fn models(self, ids: &[String]) -> Value {
        match self {
            Self::Gemini => {
                json!({ "models": ids.iter().map(|id| gemini::model(id)).collect::<Vec<_>>() })
            }
            Self::Anthropic => json!({
                "data": ids.iter().map(|id| anthropic::model(id)).collect::<Vec<_>>(),
                "has_more": false, "first_id": ids.first(), "last_id": ids.last(),
            }),
            _ => json!({
                "object": "list",
                "data": ids.iter().map(|id| openai::model(id)).collect::<Vec<_>>(),
            }),
        }
    }
}

/// What the path says about a request: some vendors put the model and the streaming there.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathFacts {
    /// "" when it is in the body.
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) sse: bool,
    /// A resource named in the path, such as a file.
    pub(crate) resource: String,
    /// Whose words and keys, when not the dialect's own.
    pub(crate) vendor: Option<Vendor>,
    /// Google's cloud, where only bearer tokens count.
    pub(crate) vertex: bool,
    /// Azure's version was missing.
    pub(crate) versionless: bool,
}

impl PathFacts {
    pub(crate) fn vendor_of(&self, dialect: Dialect) -> Vendor {
        self.vendor.unwrap_or_else(|| dialect.vendor())
    }

    /// The model of the path, else of the body; "" for none.
    pub(crate) fn model_in(&self, body: &Value) -> String {
        if self.model.is_empty() {
            crate::ask::word(body, "model").to_owned()
        } else {
            self.model.clone()
        }
    }
}

pub(crate) const JSON: &str = "application/json";

pub(crate) const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Puts one more field into an object.
pub(crate) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}
