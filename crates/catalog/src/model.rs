//! A model of a provider: its limits, its price, what it can do, how its tokens are counted.

use crate::price::Price;
use crate::quirks::QuirkSet;
use crate::tokens::Encoding;
use crate::tokens::image::ImageRule;
use serde::Deserialize;
use wire::dialect::Quirks;

/// Input tokens assumed for a model nobody described: the window of common open-weight models.
const USUAL_CONTEXT: u64 = 131_072;
/// Output tokens assumed for a model nobody described.
const USUAL_MAX_OUTPUT: u64 = 8_192;

/// One row of `data/models.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The provider's id.
    pub provider: String,
    /// The provider's name for the model.
    pub id: String,
    /// What it is asked for.
    pub kind: Kind,
    /// The dialect that alone serves it, where its provider's others do not.
    pub only: Option<String>,
    /// Further names that the provider knows; sent as asked.
    pub aliases: Vec<String>,
    /// Names that only this catalog knows; `id` is sent instead.
    pub nicknames: Vec<String>,
    /// Input tokens it takes at most; 0 where nobody says, as of models of pictures and sound.
    pub context: u64,
    /// Output tokens it gives at most, reasoning included; 0 where answers are not made of tokens.
    pub max_output: u64,
    /// What it charges.
    pub price: Price,
    /// The day the price was read, `YYYY-MM-DD`; empty for a price given by the user.
    pub price_date: String,
    /// Where the price was read.
    pub source: String,
    /// How its tokens are counted.
    pub tokenizer: Encoding,
    /// What a picture costs, for models that see.
    pub image: Option<ImageRule>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Its peculiarities: the provider's with the model's own laid over.
    pub quirks: Quirks,
    /// Those of them that its own row names.
    pub own_quirks: QuirkSet,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Conversations.
    #[default]
    Chat,
    /// The continuation of a text.
    Completion,
    /// Vectors of texts.
    Embedding,
    /// The order of documents by relevance.
    Rerank,
    /// Verdicts on content.
    Moderation,
    /// Pictures.
    Image,
    /// Speech from text.
    Speech,
    /// Text from speech.
    Transcription,
}

impl Kind {
    /// All kinds with their names in the data.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("chat", Self::Chat),
        ("completion", Self::Completion),
        ("embedding", Self::Embedding),
        ("rerank", Self::Rerank),
        ("moderation", Self::Moderation),
        ("image", Self::Image),
        ("speech", Self::Speech),
        ("transcription", Self::Transcription),
    ];

    /// Its name in the data.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("chat", |(name, _)| name)
    }

    /// Whether answers are text made token by token.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Self::Chat | Self::Completion)
    }
}

impl Model {
    /// A model that no row describes: usual limits, an estimated token count with a wide margin,
    /// tools and sampling, no quirks. Callers set what they know better.
    #[must_use]
    pub fn undescribed(provider: &str, id: &str, price: Price) -> Self {
        Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            kind: Kind::Chat,
            only: None,
            aliases: Vec::new(),
            nicknames: Vec::new(),
            context: USUAL_CONTEXT,
            max_output: USUAL_MAX_OUTPUT,
            price,
            price_date: String::new(),
            source: String::new(),
            tokenizer: Encoding::UNKNOWN,
            image: None,
            capabilities: Capabilities { tools: true, sampling: true, ..Capabilities::default() },
            quirks: Quirks::default(),
            own_quirks: QuirkSet::default(),
        }
    }

    /// The name to send upstream when a user asked for the model as `asked`.
    #[must_use]
    pub fn upstream_name<'a>(&'a self, asked: &'a str) -> &'a str {
        if self.aliases.iter().any(|alias| alias == asked) { asked } else { &self.id }
    }

    /// All names the model is found by, its id first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.aliases).chain(&self.nicknames).map(String::as_str)
    }
}

/// What a model can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<Capability>")]
pub struct Capabilities {
    /// It calls tools.
    pub tools: bool,
    /// It sees pictures.
    pub vision: bool,
    /// It hears audio.
    pub audio: bool,
    /// It reads PDF files.
    pub pdf: bool,
    /// It continues a partial answer given as the last assistant turn.
    pub prefill: bool,
    /// It takes temperature, `top_p` and penalties.
    pub sampling: bool,
    /// It reasons before it answers.
    pub reasoning: bool,
    /// It follows a JSON schema.
    pub json_schema: bool,
}

impl Capabilities {
    /// The names of what it can do, as in the data.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.tools, "tools"),
            (self.vision, "vision"),
            (self.audio, "audio"),
            (self.pdf, "pdf"),
            (self.prefill, "prefill"),
            (self.sampling, "sampling"),
            (self.reasoning, "reasoning"),
            (self.json_schema, "json_schema"),
        ];
        all.into_iter().filter_map(|(has, name)| has.then_some(name))
    }
}

/// A capability's name in the data.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Capability {
    Tools,
    Vision,
    Audio,
    Pdf,
    Prefill,
    Sampling,
    Reasoning,
    JsonSchema,
}

impl From<Vec<Capability>> for Capabilities {
    fn from(names: Vec<Capability>) -> Self {
        let mut all = Self::default();
        for name in names {
            let flag = match name {
                Capability::Tools => &mut all.tools,
                Capability::Vision => &mut all.vision,
                Capability::Audio => &mut all.audio,
                Capability::Pdf => &mut all.pdf,
                Capability::Prefill => &mut all.prefill,
                Capability::Sampling => &mut all.sampling,
                Capability::Reasoning => &mut all.reasoning,
                Capability::JsonSchema => &mut all.json_schema,
            };
            *flag = true;
        }
        all
    }
}
