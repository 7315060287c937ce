//! The doors as their clients know them: how a question is asked, and where the answer stands.
//!
//! Written by hand from the vendors' formats, apart from the gateway's own encoders.

use serde_json::{Value, json};

use crate::harness::{Ask, Reply, post};

pub(super) const QUESTION: &str = "How much does the bridge over the river weigh?";

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Whole,
    Stream,
    Tool,
    ToolStream,
}

impl Wish {
    pub(super) const ALL: [Self; 4] = [Self::Whole, Self::Stream, Self::Tool, Self::ToolStream];

    pub(super) fn streams(self) -> bool {
        matches!(self, Self::Stream | Self::ToolStream)
    }

    pub(super) fn calls(self) -> bool {
        matches!(self, Self::Tool | Self::ToolStream)
    }
}

/// A door: paths are of keys parted by `/`, with `*` for every element of a list.
pub(super) struct Tongue {
    pub(super) id: &'static str,
    path: &'static str,
    stream_path: &'static str,
    body: fn() -> Value,
    /// `None`: it has no tools.
    tools: Option<fn() -> Value>,
    text: &'static [&'static str],
    finish: &'static [&'static str],
    names: &'static [&'static str],
    arguments: &'static [&'static str],
    input: &'static [&'static str],
    output: &'static [&'static str],
    /// Finish after words, and after a call.
    ends: (&'static str, &'static str),
    /// Where an error says its sentence.
    pub(super) complaint: &'static str,
}

/// An answer, understood.
#[derive(Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) text: String,
    pub(super) finish: String,
    pub(super) names: Vec<String>,
    /// Arguments of calls, as text.
    pub(super) arguments: String,
    pub(super) input: u64,
    pub(super) output: u64,
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
}

fn messages() -> Value {
    json!([{ "role": "user", "content": QUESTION }])
}

fn openai_tools() -> Value {
    json!([{ "type": "function", "function": { "name": "weigh", "parameters": schema() } }])
}

pub(super) static TONGUES: &[Tongue] =
    &[CHAT, AZURE, RESPONSES, MESSAGES, GEMINI, COMPLETIONS, COHERE];

pub(super) const CHAT: Tongue = Tongue {
    id: "openai_chat",
    path: "/v1/chat/completions",
    stream_path: "/v1/chat/completions",
    body: || json!({ "messages": messages(), "stream_options": { "include_usage": true } }),
    tools: Some(openai_tools),
    text: &["choices/*/message/content", "choices/*/delta/content"],
    finish: &["choices/*/finish_reason"],
    names: &[
        "choices/*/message/tool_calls/*/function/name",
        "choices/*/delta/tool_calls/*/function/name",
    ],
    arguments: &[
        "choices/*/message/tool_calls/*/function/arguments",
        "choices/*/delta/tool_calls/*/function/arguments",
    ],
    input: &["usage/prompt_tokens"],
    output: &["usage/completion_tokens"],
    ends: ("stop", "tool_calls"),
    complaint: "error/message",
};

const AZURE: Tongue = Tongue {
    id: "azure",
    path: "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
    stream_path: "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
    ..CHAT
};

const RESPONSES: Tongue = Tongue {
    id: "openai_responses",
    path: "/v1/responses",
    stream_path: "/v1/responses",
    body: || json!({ "input": QUESTION }),
    tools: Some(|| json!([{ "type": "function", "name": "weigh", "parameters": schema() }])),
    text: &["output/*/content/*/text", "response/output/*/content/*/text"],
    finish: &["status", "response/status"],
    names: &["output/*/name", "response/output/*/name"],
    arguments: &["output/*/arguments", "response/output/*/arguments"],
    input: &["usage/input_tokens", "response/usage/input_tokens"],
    output: &["usage/output_tokens", "response/usage/output_tokens"],
    ends: ("completed", "completed"),
    complaint: "error/message",
};

const MESSAGES: Tongue = Tongue {
    id: "anthropic_messages",
    path: "/v1/messages",
    stream_path: "/v1/messages",
    body: || json!({ "max_tokens": 400, "messages": messages() }),
    tools: Some(|| json!([{ "name": "weigh", "input_schema": schema() }])),
    text: &["content/*/text", "delta/text"],
    finish: &["stop_reason", "delta/stop_reason"],
    names: &["content/*/name", "content_block/name"],
    arguments: &["content/*/input", "delta/partial_json"],
    input: &["usage/input_tokens", "message/usage/input_tokens"],
    output: &["usage/output_tokens"],
    ends: ("end_turn", "tool_use"),
    complaint: "error/message",
};

const GEMINI: Tongue = Tongue {
    id: "gemini",
    path: "/v1beta/models/{model}:generateContent",
    stream_path: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    body: || json!({ "contents": [{ "role": "user", "parts": [{ "text": QUESTION }] }] }),
    tools: Some(
        || json!([{ "functionDeclarations": [{ "name": "weigh", "parametersJsonSchema": schema() }] }]),
    ),
    text: &["candidates/*/content/parts/*/text"],
    finish: &["candidates/*/finishReason"],
    names: &["candidates/*/content/parts/*/functionCall/name"],
    arguments: &["candidates/*/content/parts/*/functionCall/args"],
    input: &["usageMetadata/promptTokenCount"],
    output: &["usageMetadata/candidatesTokenCount"],
    ends: ("STOP", "STOP"),
    complaint: "error/message",
};

const COMPLETIONS: Tongue = Tongue {
    id: "openai_completions",
    path: "/v1/completions",
    stream_path: "/v1/completions",
    body: || {
        json!({ "prompt": QUESTION, "max_tokens": 400,
            "stream_options": { "include_usage": true } })
    },
    tools: None,
    text: &["choices/*/text"],
    ends: ("stop", ""),
    ..CHAT
};

const COHERE: Tongue = Tongue {
    id: "cohere_v2",
    path: "/v2/chat",
    stream_path: "/v2/chat",
    body: || json!({ "messages": messages() }),
    tools: Some(openai_tools),
    text: &[
        "message/content/*/text",
        "message/tool_plan",
        "delta/message/content/text",
        "delta/message/tool_plan",
    ],
    finish: &["finish_reason", "delta/finish_reason"],
    names: &["message/tool_calls/*/function/name", "delta/message/tool_calls/function/name"],
    arguments: &[
        "message/tool_calls/*/function/arguments",
        "delta/message/tool_calls/function/arguments",
    ],
    input: &["usage/tokens/input_tokens", "delta/usage/tokens/input_tokens"],
    output: &["usage/tokens/output_tokens", "delta/usage/tokens/output_tokens"],
    ends: ("COMPLETE", "TOOL_CALL"),
    complaint: "message",
};

impl Tongue {
    /// Whether it can say this.
    pub(super) fn can(&self, wish: Wish) -> bool {
        self.tools.is_some() || !wish.calls()
    }

    /// The finish that follows.
    pub(super) fn end(&self, wish: Wish) -> &'static str {
        if wish.calls() { self.ends.1 } else { self.ends.0 }
    }

    /// Asks a model.
    pub(super) fn ask(&self, model: &str, wish: Wish) -> Ask {
        let template = if wish.streams() { self.stream_path } else { self.path };
        let in_path = template.contains("{model}");
        let mut ask = post(template.replace("{model}", model), (self.body)());
        if !in_path {
            ask = ask.with("model", model.into());
        }
        if wish.streams() && self.id != "gemini" {
            ask = ask.with("stream", true.into());
        }
        if !wish.streams() {
            ask.body.as_object_mut().unwrap().remove("stream_options");
        }
        match self.tools.filter(|_| wish.calls()) {
            Some(tools) => ask.with("tools", tools()),
            None => ask,
        }
    }

    /// Reads an answer, streamed or not.
    pub(super) fn hear(&self, reply: &Reply) -> Heard {
        let streamed = reply.header("content-type").starts_with("text/event-stream");
        let said = if streamed { reply.chunks() } else { vec![reply.json()] };
        let all = |places: &[&str]| {
            let found = said
                .iter()
                .flat_map(|value| places.iter().flat_map(move |place| find(value, place)));
            found.cloned().collect::<Vec<Value>>()
        };
        let words = |places: &[&str]| all(places).iter().map(word).collect::<Vec<_>>();
        let most = |places: &[&str]| all(places).iter().filter_map(Value::as_u64).max();
        let mut names = words(self.names);
        names.retain(|name| !name.is_empty());
        Heard {
            text: words(self.text).concat(),
            finish: words(self.finish)
                .into_iter()
                .rfind(|word| !word.is_empty())
                .unwrap_or_default(),
            names,
            arguments: words(self.arguments).concat(),
            input: most(self.input).unwrap_or_default(),
            output: most(self.output).unwrap_or_default(),
        }
    }

    /// The sentence of an error.
    pub(super) fn complaint(&self, reply: &Reply) -> String {
        find(&reply.json(), self.complaint).first().map(|found| word(found)).unwrap_or_default()
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Every value at a place.
pub(super) fn find<'v>(value: &'v Value, place: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for key in place.split('/') {
        found = match key {
            "*" => found.into_iter().filter_map(Value::as_array).flatten().collect(),
            key => found.into_iter().filter_map(|value| value.get(key)).collect(),
        };
    }
    found
}
