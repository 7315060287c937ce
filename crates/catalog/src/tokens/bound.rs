//! Upper bounds of input tokens that need no tokenizer, for hard caps.
//!
//! A byte-level tokenizer makes at most one token of a byte, and JSON writes no text shorter than
//! it is. So the bytes of the request body bound the tokens of everything that stands in it as
//! text. What does not stand in it is added: the chat frame, a provider's preamble for tools, and
//! media, which can cost more tokens than their bytes (a tiny picture, a link to a long document).

use super::image::ImageRule;
use crate::model::Model;
use wire::hub::{Media, Part, Request};

/// Tokens of frame around a message, more than any published chat template adds beyond the bytes.
const FRAME_PER_MESSAGE: u64 = 8;
/// Tokens that begin and end a prompt.
const FRAME: u64 = 16;
/// The largest published preamble for tools (Anthropic, 530), rounded up.
const TOOLS_PREAMBLE: u64 = 600;

/// The bound for a request of texts: its body's bytes and the frame of its messages.
#[must_use]
pub const fn input_bound_bytes(body_len: u64, messages: u64) -> u64 {
    body_len.saturating_add(messages.saturating_mul(FRAME_PER_MESSAGE)).saturating_add(FRAME)
}

/// The bound for any request, whose body has `body_len` bytes in the dialect it is sent in.
#[must_use]
pub fn input_bound(body_len: u64, request: &Request, model: &Model) -> u64 {
    let messages = (request.messages.len() as u64).saturating_add(request.system.len() as u64);
    let tools = if request.tools.is_empty() { 0 } else { TOOLS_PREAMBLE };
    input_bound_bytes(body_len, messages)
        .saturating_add(tools)
        .saturating_add(media_bound(request, model))
}

/// What the media of a request may add to its bytes. A document the gateway cannot page through may
/// fill the model's whole window.
fn media_bound(request: &Request, model: &Model) -> u64 {
    let rule = model.image.unwrap_or(ImageRule::UNKNOWN);
    let in_messages = request.messages.iter().flat_map(|message| &message.parts);
    let mut open: Vec<&Part> = request.system.iter().chain(in_messages).collect();
    let mut bound = 0_u64;
    while let Some(part) = open.pop() {
        let more = match part {
            Part::Image { source, extra } => rule.picture(source, extra).0,
            Part::File { .. } | Part::Audio { source: Media::Url(_) | Media::FileId(_), .. } => {
                model.context
            }
            Part::ToolResult { content, .. } => {
                open.extend(content);
                0
            }
            _ => 0,
        };
        bound = bound.saturating_add(more);
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::tokens::count_chat;
    use proptest::prelude::*;
    use serde_json::json;
    use wire::hub::{Extra, Message, Role};

    #[test]
    fn a_link_to_a_picture_is_bounded_by_the_rule_not_by_its_bytes() {
        let model = Catalog::embedded().model("openai", "gpt-4o-mini").unwrap();
        let source = Media::Url("https://example.org/a.png".to_owned());
        let parts = vec![Part::Image { source, extra: Extra::new() }];
        let messages = vec![Message { role: Role::User, parts, extra: Extra::new() }];
        let request = Request { messages, ..Request::default() };
        assert!(input_bound(100, &request, model) > 2833 + 8 * 5667);
    }

    proptest! {
        #[test]
        fn the_exact_count_of_texts_never_exceeds_the_bound(
            texts in proptest::collection::vec(any::<String>(), 0..6)
        ) {
            let model = Catalog::embedded().model("openai", "gpt-4o").unwrap();
            let body = json!({ "messages": texts.iter().map(|text| json!({
                "role": "user", "content": text,
            })).collect::<Vec<_>>() });
            let messages = texts.into_iter().map(|text| Message {
                role: Role::User,
                parts: vec![Part::Text { text, extra: Extra::new() }],
                extra: Extra::new(),
            });
            let request = Request { messages: messages.collect(), ..Request::default() };
            let body_len = body.to_string().len() as u64;
            let count = count_chat(&request, model);
            prop_assert!(count.tokens <= input_bound(body_len, &request, model));
            let messages = request.messages.len() as u64;
            prop_assert!(count.tokens <= input_bound_bytes(body_len, messages));
        }
    }
}
