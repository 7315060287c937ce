//! The chat requests that are sent, as ready bytes with one number patched per request.
//!
//! They look like the n-th turn of a conversation: everything but the last message is the same each
//! time, and the last one is new each time. A gateway that remembers what it counted may use that,
//! and one that remembers whole requests gains nothing.

/// Digits of the number that makes a request unique.
const DIGITS: usize = 16;
/// Bytes of one message of the history.
const MESSAGE_BYTES: usize = 1024;
/// Filler with words, spaces and an escape, so that a scanner cannot skip it blindly.
const PROSE: &str = "The harbour master wrote down each crate, its weight and who had sent it. \
    When two ledgers disagreed he weighed again, \\\"twice if need be\\\", and only then let it pass.\\n";

/// One request, ready to be sent again and again.
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
    number_at: usize,
}

impl Request {
    /// A chat request whose body has about `prompt_bytes` bytes, at least a few hundred.
    #[must_use]
    pub fn chat(model: &str, stream: bool, prompt_bytes: usize) -> Self {
        let (body, number_in_body) = chat_body(model, stream, prompt_bytes);
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer sk-bench\r\n\
             content-type: application/json\r\naccept: application/json\r\n\
             user-agent: bench\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let number_at = head.len() + number_in_body;
        Self { bytes: [head, body].concat().into_bytes(), number_at }
    }

    /// A request without a body.
    #[must_use]
    pub fn get(path: &str) -> Self {
        let head = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        Self { number_at: head.len(), bytes: head.into_bytes() }
    }

    /// The bytes of the request with this number in its last message.
    pub fn numbered(&mut self, number: u64) -> &[u8] {
        let text = format!("{number:0DIGITS$}");
        if let Some(place) = self.bytes.get_mut(self.number_at..self.number_at + DIGITS) {
            let last = text.as_bytes().iter().rev().chain(std::iter::repeat(&b'0'));
            place.iter_mut().rev().zip(last).for_each(|(digit, new)| *digit = *new);
        }
        &self.bytes
    }
}

/// The body, and where its number stands.
fn chat_body(model: &str, stream: bool, prompt_bytes: usize) -> (String, usize) {
    let streamed = if stream { "\"stream\":true," } else { "" };
    let mut body = format!(
        "{{\"model\":\"{model}\",{streamed}\"temperature\":0.2,\"max_tokens\":256,\"messages\":[\
         {{\"role\":\"system\",\"content\":\"You keep the books of a harbour.\"}}"
    );
    let mut role = ["user", "assistant"].into_iter().cycle();
    while body.len() + MESSAGE_BYTES + 256 < prompt_bytes {
        push_message(&mut body, role.next().unwrap_or("user"), MESSAGE_BYTES);
    }
    body.push_str(",{\"role\":\"user\",\"content\":\"Crate ");
    let number_at = body.len();
    body.push_str(&"0".repeat(DIGITS));
    push_prose(&mut body, prompt_bytes.saturating_sub(number_at + DIGITS + 4));
    body.push_str("\"}]}");
    (body, number_at)
}

fn push_message(body: &mut String, role: &str, bytes: usize) {
    body.push_str(&format!(",{{\"role\":\"{role}\",\"content\":\""));
    push_prose(body, bytes);
    body.push_str("\"}");
}

/// Whole sentences, so that no escape is cut, then dots up to the length.
fn push_prose(body: &mut String, bytes: usize) {
    for _ in 0..bytes / PROSE.len() {
        body.push_str(PROSE);
    }
    body.push_str(&".".repeat(bytes % PROSE.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(bytes: &[u8]) -> serde_json::Value {
        let text = std::str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn bodies_are_json_of_about_the_size_asked_for() {
        for size in [4 << 10, 200_000] {
            let mut request = Request::chat("bench-1", true, size);
            let length = request.numbered(7).len();
            assert!(length.abs_diff(size) < 512, "{length} for {size}");
            let body = body_of(request.numbered(7));
            assert_eq!(body["stream"], true);
            assert_eq!(body["model"], "bench-1");
        }
    }

    #[test]
    fn only_the_last_message_differs_between_two_requests() {
        let mut request = Request::chat("bench-1", false, 4096);
        let one = body_of(request.numbered(1));
        let two = body_of(request.numbered(u64::MAX));
        let (one, two) = (one["messages"].as_array().unwrap(), two["messages"].as_array().unwrap());
        let history = one.len() - 1;
        assert!(history >= 3);
        assert_eq!(one[..history], two[..history]);
        assert_ne!(one[history], two[history]);
    }
}
