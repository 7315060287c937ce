//! The input tokens of a chat request: texts, the frame around every message, tools, media.
//!
//! Exact means what the provider bills. That is so for OpenAI's models that do not reason, when the
//! request is made of plain texts: three tokens a message, one for its role, one more for a name,
//! and three to prime the reply (OpenAI's cookbook, "How to count tokens"). Tools are rendered into
//! the prompt in forms that nobody publishes, reasoning models have frames of their own, and files
//! are paged by the provider; all these are counted as close as the request shows, with a margin.

use super::image::ImageRule;
use super::{Count, Encoding, measure};
use crate::model::Model;
use wire::hub::{Media, Message, Part, Request, Tool, ToolCall};

/// Tokens around a message in OpenAI's chat frame, its role included.
const MESSAGE_FRAME: u64 = 4;
/// Tokens that begin the reply.
const REPLY_PRIMING: u64 = 3;
/// Tokens of a name beyond its text.
const NAME_FRAME: u64 = 1;
/// Tokens around a tool call or a tool, and how far off that may be.
const TOOL_FRAME: u64 = 8;
/// What offering any tools adds (Anthropic publishes 264 to 530 for its models; others less).
const TOOLS_PREAMBLE: Count = Count { tokens: 250, exact: false, margin: 290 };
/// A document whose pages cannot be seen.
const UNSEEN_FILE: Count = Count { tokens: 4096, exact: false, margin: 4096 };
/// Characters of base64 PDF per token, as such files often are; far from sure.
const FILE_CHARS_PER_TOKEN: u64 = 24;
/// Characters of base64 sound per token: 32 tokens a second at 64 kbit a second.
const AUDIO_CHARS_PER_TOKEN: u64 = 333;

/// Counts the input tokens of `request` as `model` would.
#[must_use]
pub fn count_chat(request: &Request, model: &Model) -> Count {
    let mut tally = Tally::new(model);
    tally.system(&request.system);
    for message in &request.messages {
        tally.message(message);
    }
    tally.tools(&request.tools);
    if request.format.as_ref().is_some_and(|format| !matches!(format, wire::hub::Format::Text)) {
        tally.format(request);
    }
    tally.add(REPLY_PRIMING, 0);
    tally.total
}

/// A running total.
struct Tally {
    encoding: Encoding,
    image: ImageRule,
    /// How far off the frame of one message may be.
    frame_margin: u64,
    total: Count,
}

impl Tally {
    fn new(model: &Model) -> Self {
        let known_frame = model.tokenizer.is_exact() && !model.capabilities.reasoning;
        Self {
            encoding: model.tokenizer,
            image: model.image.unwrap_or(ImageRule::UNKNOWN),
            frame_margin: if known_frame { 0 } else { 2 },
            total: Count { tokens: 0, exact: known_frame, margin: 0 },
        }
    }

    /// Adds tokens that are sure to `margin`; exactness stays as it was.
    fn add(&mut self, tokens: u64, margin: u64) {
        self.total.tokens = self.total.tokens.saturating_add(tokens);
        self.total.margin = self.total.margin.saturating_add(margin);
    }

    fn add_count(&mut self, count: Count) {
        self.add(count.tokens, count.margin);
        self.total.exact &= count.exact;
    }

    fn add_estimate(&mut self, tokens: u64, margin: u64) {
        self.add_count(Count { tokens, exact: false, margin });
    }

    fn text(&mut self, text: &str) {
        self.add_count(measure(self.encoding, text));
    }

    fn frame(&mut self) {
        self.add(MESSAGE_FRAME, self.frame_margin);
    }

    /// Leading instructions: every part as a message of its own, which is right for a single one.
    fn system(&mut self, parts: &[Part]) {
        for _ in parts {
            self.frame();
        }
        self.parts(parts);
        self.total.exact &= parts.len() <= 1;
    }

    fn message(&mut self, message: &Message) {
        self.frame();
        if let Some(name) = message.extra.get("name").and_then(|name| name.as_str()) {
            self.text(name);
            self.add(NAME_FRAME, 0);
        }
        self.total.exact &= message.parts.len() <= 1;
        self.parts(&message.parts);
    }

    /// Counts parts and the parts inside tool results, however deep.
    fn parts(&mut self, parts: &[Part]) {
        let mut open: Vec<&Part> = parts.iter().collect();
        while let Some(part) = open.pop() {
            if let Part::ToolResult { content, .. } = part {
                self.add_estimate(TOOL_FRAME, TOOL_FRAME);
                open.extend(content);
            } else {
                self.part(part);
            }
        }
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text { text, .. } => self.text(text),
            Part::Refusal(text) => self.text(text),
            Part::Image { source, extra } => {
                let (tokens, seen) = self.image.picture(source, extra);
                self.add_estimate(tokens, if seen { 0 } else { tokens });
            }
            Part::File { source, .. } => self.add_count(unseen(source, FILE_CHARS_PER_TOKEN)),
            Part::Audio { source, .. } => self.add_count(unseen(source, AUDIO_CHARS_PER_TOKEN)),
            Part::ToolCall(call) => self.tool_call(call),
            Part::ToolResult { .. } => {}
            Part::Reasoning { text, .. } => self.loosely(text),
            Part::RedactedReasoning { data, .. } => self.loosely(data),
            Part::Other { value, .. } => self.loosely(&value.to_string()),
        }
    }

    /// Text that the provider may leave out of the prompt or render otherwise.
    fn loosely(&mut self, text: &str) {
        let tokens = measure(self.encoding, text).upper();
        self.add_estimate(tokens, tokens);
    }

    fn tool_call(&mut self, call: &ToolCall) {
        self.text(&call.name);
        self.text(&call.arguments);
        self.add_estimate(TOOL_FRAME, TOOL_FRAME);
    }

    /// Tools as their JSON text, which is somewhat longer than the forms seen in prompts.
    fn tools(&mut self, tools: &[Tool]) {
        if !tools.is_empty() && !self.encoding.is_exact() {
            self.add_count(TOOLS_PREAMBLE);
        }
        for tool in tools {
            self.tool(tool);
        }
    }

    fn tool(&mut self, tool: &Tool) {
        self.add_estimate(TOOL_FRAME, TOOL_FRAME);
        match tool {
            Tool::Function { name, description, parameters, .. } => {
                self.text(name);
                self.text(description.as_deref().unwrap_or_default());
                if let Some(schema) = parameters {
                    self.schema(schema);
                }
            }
            Tool::Native { value, .. } => self.loosely(&value.to_string()),
        }
    }

    fn schema(&mut self, schema: &serde_json::Value) {
        let count = measure(self.encoding, &schema.to_string());
        self.add_estimate(count.tokens, count.margin.saturating_add(count.tokens / 2));
    }

    fn format(&mut self, request: &Request) {
        self.add_estimate(TOOL_FRAME, TOOL_FRAME);
        if let Some(wire::hub::Format::JsonSchema { schema, .. }) = &request.format {
            self.schema(schema);
        }
    }
}

/// A file or a sound, by the length of its base64 text.
fn unseen(source: &Media, chars_per_token: u64) -> Count {
    match source {
        Media::Base64 { data, .. } => {
            let tokens = (data.len() as u64).div_ceil(chars_per_token);
            Count { tokens, exact: false, margin: tokens }
        }
        Media::Url(_) | Media::FileId(_) => UNSEEN_FILE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use proptest::prelude::*;
    use serde_json::json;
    use wire::hub::{Extra, Role};

    fn model(provider: &str, id: &str) -> &'static Model {
        Catalog::embedded().model(provider, id).unwrap()
    }

    fn said(role: Role, text: &str) -> Message {
        let part = Part::Text { text: text.to_owned(), extra: Extra::new() };
        Message { role, parts: vec![part], extra: Extra::new() }
    }

    fn asking(messages: Vec<Message>) -> Request {
        Request { messages, ..Request::default() }
    }

    #[test]
    fn a_greeting_costs_what_openai_bills() {
        // "hi" is billed as 8 prompt tokens: 1 of text, 4 of frame, 3 of priming.
        let count = count_chat(&asking(vec![said(Role::User, "hi")]), model("openai", "gpt-4o"));
        assert_eq!(count, Count { tokens: 8, exact: true, margin: 0 });
    }

    #[test]
    fn the_cookbook_conversation_costs_what_the_cookbook_says() {
        let named = |name: &str, text: &str| Message {
            extra: Extra::from_iter([("name".to_owned(), json!(name))]),
            ..said(Role::System, text)
        };
        let request = asking(vec![
            said(
                Role::System,
                "You are a helpful, pattern-following assistant that translates corporate jargon \
                 into plain English.",
            ),
            named("example_user", "New synergies will help drive top-line growth."),
            named("example_assistant", "Things working well together will increase revenue."),
            named(
                "example_user",
                "Let's circle back when we have more bandwidth to touch base on opportunities for \
                 increased leverage.",
            ),
            named(
                "example_assistant",
                "Let's talk later when we're less busy about how to do better.",
            ),
            said(
                Role::User,
                "This late pivot means we don't have time to boil the ocean for the client \
                 deliverable.",
            ),
        ]);
        assert_eq!(count_chat(&request, model("openai", "gpt-4")).tokens, 129);
        assert_eq!(count_chat(&request, model("openai", "gpt-4o")).tokens, 124);
    }

    #[test]
    fn tools_pictures_and_foreign_models_are_never_called_exact() {
        let tool = Tool::Function {
            name: "weather".to_owned(),
            description: Some("The weather in a city.".to_owned()),
            parameters: Some(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
            strict: None,
            extra: Extra::new(),
        };
        let plain = asking(vec![said(Role::User, "How is it in Oslo?")]);
        let with_tool = Request { tools: vec![tool], ..plain.clone() };
        let picture = Part::Image {
            source: Media::Url("https://example.org/a.png".to_owned()),
            extra: Extra::new(),
        };
        let mut with_picture = plain.clone();
        with_picture.messages[0].parts = vec![picture];
        let gpt = model("openai", "gpt-4o");
        for (request, model) in [
            (&with_tool, gpt),
            (&with_picture, gpt),
            (&plain, model("openai", "gpt-5")),
            (&plain, model("anthropic", "claude-sonnet-4-5")),
        ] {
            let count = count_chat(request, model);
            assert!(!count.exact && count.margin > 0, "{count:?}");
        }
        assert!(count_chat(&plain, gpt).exact);
        assert_eq!(count_chat(&with_picture, gpt).tokens, 7 + 1445);
    }

    #[test]
    fn results_inside_results_are_counted() {
        let mut part = Part::Text { text: "deep".to_owned(), extra: Extra::new() };
        for _ in 0..10_000 {
            part = Part::ToolResult {
                call_id: String::new(),
                name: None,
                content: vec![part],
                is_error: false,
                extra: Extra::new(),
            };
        }
        let mut tally = Tally::new(model("openai", "gpt-4o"));
        tally.parts(std::slice::from_ref(&part));
        assert_eq!(tally.total.tokens, 10_000 * TOOL_FRAME + 1);
        // Taken apart by hand: dropping nested values recurses.
        while let Part::ToolResult { content, .. } = &mut part {
            let Some(inner) = content.pop() else { break };
            part = inner;
        }
    }

    proptest! {
        #[test]
        fn plain_texts_add_up_to_their_counts_and_frames(
            texts in proptest::collection::vec("\\PC{0,40}", 1..6)
        ) {
            let request = asking(texts.iter().map(|text| said(Role::User, text)).collect());
            let texts: u64 = texts.iter().map(|t| crate::tokens::count(Encoding::O200k, t)).sum();
            let frames = MESSAGE_FRAME * request.messages.len() as u64 + REPLY_PRIMING;
            let count = count_chat(&request, model("openai", "gpt-4o-mini"));
            prop_assert_eq!(count, Count { tokens: texts + frames, exact: true, margin: 0 });
        }
    }
}
