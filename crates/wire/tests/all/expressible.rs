//! The reference page of what dialects cannot say, made by asking them.
//!
//! `WEIGHBRIDGE_BLESS=1 cargo nextest run -p wire expressible` writes it anew.

use crate::samples::{message, target, text};
use serde_json::{Map, Value, json};
use std::path::Path;
use wire::dialect::{DIALECTS, Dialect, Quirks};
use wire::hub::{
    Answer, Choice, Extra, Format, Media, Part, Reasoning, Request, Role, Signature, Stop,
    StopReason, Tool, ToolCall, ToolChoice, Usage,
};

/// Dialects that no client speaks to the gateway.
const UPSTREAM_ONLY: &[&str] = &["bedrock_converse", "cohere_v2"];

fn doors() -> impl Iterator<Item = &'static Dialect> {
    DIALECTS.iter().filter(|dialect| !UPSTREAM_ONLY.contains(&dialect.id))
}

type Wish = (&'static str, fn(&mut Request));

fn function(strict: Option<bool>) -> Tool {
    Tool::Function {
        name: "f".to_owned(),
        description: None,
        parameters: Some(json!({"type": "object", "properties": {}})),
        strict,
        extra: Extra::new(),
    }
}

fn ask(request: &mut Request, part: Part) {
    request.messages.push(message(Role::User, vec![part]));
}

fn base64(mime: &str) -> Media {
    Media::Base64 { mime: mime.to_owned(), data: "QUJD".to_owned() }
}

fn url() -> Media {
    Media::Url("https://example.com/a.png".to_owned())
}

/// Everything the hub can hold of a request, one at a time.
static WISHES: &[Wish] = &[
    ("`n` above 1", |request| request.n = Some(2)),
    ("`temperature`", |request| request.temperature = Some(0.5)),
    ("`top_p`", |request| request.top_p = Some(0.5)),
    ("`temperature` and `top_p` together", |request| {
        (request.temperature, request.top_p) = (Some(0.5), Some(0.5));
    }),
    ("`top_k`", |request| request.top_k = Some(5)),
    ("`stop`", |request| request.stop = vec!["END".to_owned()]),
    ("`stop` of white space", |request| request.stop = vec!["\n".to_owned()]),
    ("`stop`, more than five", |request| request.stop = ["a"; 6].map(str::to_owned).to_vec()),
    ("`seed`", |request| request.seed = Some(1)),
    ("`presence_penalty`", |request| request.presence_penalty = Some(0.5)),
    ("`frequency_penalty`", |request| request.frequency_penalty = Some(0.5)),
    ("`logprobs`", |request| request.logprobs = Some(true)),
    ("`top_logprobs`", |request| {
        (request.logprobs, request.top_logprobs) = (Some(true), Some(3));
    }),
    ("`response_format` `json_object`", |request| request.format = Some(Format::JsonObject)),
    ("`response_format` `json_schema`", |request| {
        let schema = json!({"type": "object"});
        let (name, description, strict) = (Some("x".to_owned()), None, None);
        request.format = Some(Format::JsonSchema { name, description, schema, strict });
    }),
    ("`reasoning_effort`", |request| {
        let effort = Some("high".to_owned());
        request.reasoning = Some(Reasoning { effort, ..Reasoning::default() });
    }),
    ("`reasoning_effort` with a forced tool", |request| {
        let effort = Some("high".to_owned());
        request.reasoning = Some(Reasoning { effort, ..Reasoning::default() });
        request.tools = vec![function(None)];
        request.tool_choice = Some(ToolChoice::Required);
    }),
    ("`user`", |request| request.user = Some("u".to_owned())),
    ("`service_tier` `flex`", |request| request.service_tier = Some("flex".to_owned())),
    ("tools", |request| request.tools = vec![function(None)]),
    ("`tool_choice` `none`", |request| {
        request.tools = vec![function(None)];
        request.tool_choice = Some(ToolChoice::None);
    }),
    ("`tool_choice` `required`", |request| {
        request.tools = vec![function(None)];
        request.tool_choice = Some(ToolChoice::Required);
    }),
    ("`tool_choice`, one tool", |request| {
        request.tools = vec![function(None)];
        request.tool_choice = Some(ToolChoice::Named("f".to_owned()));
    }),
    ("`parallel_tool_calls` `false`", |request| {
        request.tools = vec![function(None)];
        request.parallel_tool_calls = Some(false);
    }),
    ("a picture", |request| {
        ask(request, Part::Image { source: base64("image/png"), extra: Extra::new() });
    }),
    ("a picture by URL", |request| {
        ask(request, Part::Image { source: url(), extra: Extra::new() });
    }),
    ("a picture the provider stores", |request| {
        let source = Media::FileId("file_1".to_owned());
        ask(request, Part::Image { source, extra: Extra::new() });
    }),
    ("a PDF", |request| {
        let (source, name) = (base64("application/pdf"), Some("a.pdf".to_owned()));
        ask(request, Part::File { source, name, extra: Extra::new() });
    }),
    ("a PDF by URL", |request| {
        let source = Media::Url("https://example.com/a.pdf".to_owned());
        ask(request, Part::File { source, name: None, extra: Extra::new() });
    }),
    ("sound", |request| {
        ask(request, Part::Audio { source: base64("audio/wav"), extra: Extra::new() });
    }),
];

/// What only clients of one dialect can ask: the door, the wish, what it adds to the body.
#[rustfmt::skip]
static OWN_WISHES: &[(&str, &str, &str)] = &[
    ("openai_chat", "`logit_bias`", r#"{"logit_bias":{"1":5}}"#),
    ("openai_chat", "`modalities` and `audio`", r#"{"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}}"#),
    ("openai_chat", "`prediction`", r#"{"prediction":{"type":"content","content":"x"}}"#),
    ("openai_chat", "`verbosity`", r#"{"verbosity":"low"}"#),
    ("openai_chat", "`web_search_options`", r#"{"web_search_options":{}}"#),
    ("openai_chat", "`moderation`", r#"{"moderation":{"model":"x"}}"#),
    ("openai_chat", "a tool of the provider's own", r#"{"tools":[{"type":"custom","custom":{"name":"x"}}]}"#),
    ("openai_responses", "`previous_response_id`", r#"{"previous_response_id":"resp_1"}"#),
    ("openai_responses", "`conversation`", r#"{"conversation":"conv_1"}"#),
    ("openai_responses", "`background`", r#"{"background":true}"#),
    ("openai_responses", "`prompt`", r#"{"prompt":{"id":"pmpt_1"}}"#),
    ("openai_responses", "`truncation`", r#"{"truncation":"auto"}"#),
    ("openai_responses", "`max_tool_calls`", r#"{"max_tool_calls":3}"#),
    ("openai_responses", "`text.verbosity`", r#"{"text":{"verbosity":"low"}}"#),
    ("openai_responses", "a tool of the provider's own", r#"{"tools":[{"type":"web_search"}]}"#),
    ("openai_completions", "`suffix`", r#"{"suffix":"x"}"#),
    ("openai_completions", "`best_of`", r#"{"best_of":2}"#),
    ("openai_completions", "`echo`", r#"{"echo":true}"#),
    ("openai_completions", "`logit_bias`", r#"{"logit_bias":{"1":5}}"#),
    ("anthropic_messages", "`container`", r#"{"container":"c"}"#),
    ("anthropic_messages", "`context_management`", r#"{"context_management":{"edits":[]}}"#),
    ("anthropic_messages", "`mcp_servers`", r#"{"mcp_servers":[{"type":"url","url":"https://example.com","name":"x"}]}"#),
    ("anthropic_messages", "a tool of the provider's own", r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#),
    ("gemini", "`cachedContent`", r#"{"cachedContent":"cachedContents/1"}"#),
    ("gemini", "`safetySettings`", r#"{"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}"#),
    ("gemini", "`responseModalities`", r#"{"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}"#),
    ("gemini", "`mediaResolution`", r#"{"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"}}"#),
    ("gemini", "a tool of the provider's own", r#"{"tools":[{"googleSearch":{}}]}"#),
];

fn plain() -> Request {
    Request {
        model: "m".to_owned(),
        messages: vec![message(Role::User, vec![text("Q")])],
        max_tokens: Some(30_000),
        ..Request::default()
    }
}

/// The request as a client of `door` sends it; `None` if it cannot.
fn said(door: &Dialect, request: &Request) -> Option<Map<String, Value>> {
    let encoded = (door.encode_request)(request, &target("m", &Quirks::default()));
    let body = serde_json::from_slice(&encoded.body).expect("a JSON body");
    encoded.dropped.is_empty().then_some(body)
}

/// What `upstream` leaves out of the body that came through `door`.
fn lost(door: &Dialect, body: &Map<String, Value>, upstream: &Dialect) -> Vec<&'static str> {
    let body = Value::Object(body.clone()).to_string();
    let request = (door.decode_request)(body.as_bytes(), Some("m"), false).expect("a request");
    (upstream.encode_request)(&request, &target("m", &Quirks::default())).dropped
}

/// The bodies of everything that a client of `door` can ask, by the wish.
fn bodies(door: &Dialect) -> Vec<(&'static str, Map<String, Value>)> {
    let mut bodies = Vec::new();
    for (wish, set) in WISHES {
        let mut request = plain();
        set(&mut request);
        bodies.extend(said(door, &request).map(|body| (*wish, body)));
    }
    for (_, wish, more) in OWN_WISHES.iter().filter(|(of, ..)| *of == door.id) {
        let mut body = said(door, &plain()).expect("a plain request");
        let more: Map<String, Value> = serde_json::from_str(more).expect("an object");
        for (key, value) in more {
            match (body.get_mut(&key), value) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                (_, value) => {
                    body.insert(key, value);
                }
            }
        }
        bodies.push((*wish, body));
    }
    bodies
}

fn row(page: &mut String, cells: &[String]) {
    page.push_str(&format!("| {} |\n", cells.join(" | ")));
}

fn head(page: &mut String, first: &str, columns: &[&str]) {
    let names = columns.iter().map(|name| format!("`{name}`"));
    row(page, &[first.to_owned()].into_iter().chain(names).collect::<Vec<_>>());
    page.push_str(&format!("|{}\n", "---|".repeat(columns.len() + 1)));
}

fn requests(page: &mut String) {
    for door in doors() {
        let others: Vec<_> = DIALECTS.iter().filter(|other| other.id != door.id).collect();
        let columns: Vec<&str> = others.iter().map(|other| other.id).collect();
        page.push_str(&format!("\n## A client of `{}` asks\n\n", door.id));
        head(page, "", &columns);
        for (wish, body) in bodies(door) {
            let cell = |other: &&Dialect| {
                let names = lost(door, &body, other);
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                if names.is_empty() { String::new() } else { format!("lost: {}", names.join(", ")) }
            };
            let cells = others.iter().map(cell);
            let cells: Vec<String> = [wish.to_owned()].into_iter().chain(cells).collect();
            if cells.iter().skip(1).any(|cell| !cell.is_empty()) {
                row(page, &cells);
            }
        }
    }
}

type Feature = (&'static str, fn(&mut Answer), fn(&Answer) -> bool);

fn parts(answer: &Answer) -> &[Part] {
    answer.choices.first().map_or(&[], |choice| &choice.parts)
}

fn put(answer: &mut Answer, part: Part) {
    answer.choices[0].parts.push(part);
}

fn seal() -> Option<Signature> {
    Some(Signature { origin: "anthropic_messages", value: "c2VhbA==".to_owned() })
}

/// What an answer may hold, and whether it is still there.
static FEATURES: &[Feature] = &[
    ("its id", |answer| answer.id = "id-1".to_owned(), |answer| answer.id == "id-1"),
    ("the model's name", |answer| answer.model = "m-1".to_owned(), |answer| answer.model == "m-1"),
    (
        "its date",
        |answer| answer.created = Some(1_700_000_000),
        |answer| answer.created == Some(1_700_000_000),
    ),
    (
        "several alternatives",
        |answer| {
            let choice = Choice { index: 1, ..answer.choices[0].clone() };
            answer.choices.push(choice);
        },
        |answer| answer.choices.len() == 2,
    ),
    (
        "a refusal as such",
        |answer| put(answer, Part::Refusal("No.".to_owned())),
        |answer| parts(answer).iter().any(|part| matches!(part, Part::Refusal(_))),
    ),
    (
        "readable reasoning",
        |answer| {
            let thought = Part::Reasoning { text: "hm".to_owned(), signature: None };
            answer.choices[0].parts.insert(0, thought);
        },
        |answer| {
            parts(answer)
                .iter()
                .any(|part| matches!(part, Part::Reasoning { text, .. } if text == "hm"))
        },
    ),
    (
        "a seal on reasoning",
        |answer| {
            let thought = Part::Reasoning { text: "hm".to_owned(), signature: seal() };
            answer.choices[0].parts.insert(0, thought);
        },
        |answer| {
            parts(answer).iter().any(
                |part| matches!(part, Part::Reasoning { signature, .. } if *signature == seal()),
            )
        },
    ),
    (
        "reasoning that only its provider can read",
        |answer| {
            let (data, origin) = ("ZGF0YQ==".to_owned(), "anthropic_messages");
            answer.choices[0].parts.insert(0, Part::RedactedReasoning { data, origin });
        },
        |answer| {
            parts(answer).iter().any(
                |part| matches!(part, Part::RedactedReasoning { data, .. } if data == "ZGF0YQ=="),
            )
        },
    ),
    (
        "a tool call",
        |answer| {
            put(
                answer,
                Part::ToolCall(ToolCall {
                    id: "call_1".to_owned(),
                    name: "f".to_owned(),
                    arguments: "{}".to_owned(),
                    signature: None,
                    extra: Extra::new(),
                }),
            )
        },
        |answer| {
            parts(answer).iter().any(|part| {
        matches!(part, Part::ToolCall(call) if call.id == "call_1" && call.name == "f")
    })
        },
    ),
    (
        "a picture",
        |answer| {
            put(answer, Part::Image { source: base64("image/png"), extra: Extra::new() });
        },
        |answer| {
            parts(answer).iter().any(|part| matches!(part, Part::Image { .. }))
                || answer.choices[0].extra.values().any(|kept| kept.to_string().contains("QUJD"))
        },
    ),
    (
        "log probabilities",
        |answer| {
            answer.choices[0].logprobs = Some(json!({"content": [
            {"token": "A", "logprob": -0.5, "bytes": [65], "top_logprobs": []}], "refusal": null}));
        },
        |answer| answer.choices[0].logprobs.is_some(),
    ),
    (
        "the stop text that matched",
        |answer| {
            let sequence = Some("END".to_owned());
            let (reason, native) = (StopReason::Stop, "stop_sequence".to_owned());
            answer.choices[0].stop = Some(Stop { reason, native, sequence });
        },
        |answer| answer.choices[0].stop.as_ref().is_some_and(|stop| stop.sequence.is_some()),
    ),
    (
        "the end at the bound",
        |answer| {
            let (reason, native) = (StopReason::Length, "max_tokens".to_owned());
            answer.choices[0].stop = Some(Stop { reason, native, sequence: None });
        },
        |answer| {
            answer.choices[0].stop.as_ref().is_some_and(|stop| stop.reason == StopReason::Length)
        },
    ),
    (
        "the end by a filter",
        |answer| {
            let (reason, native) = (StopReason::ContentFilter, "refusal".to_owned());
            answer.choices[0].stop = Some(Stop { reason, native, sequence: None });
        },
        |answer| {
            answer.choices[0]
                .stop
                .as_ref()
                .is_some_and(|stop| stop.reason == StopReason::ContentFilter)
        },
    ),
    (
        "tokens from the cache",
        |answer| used(answer).cached_input = 4,
        |answer| answer.usage.is_some_and(|usage| usage.cached_input == 4),
    ),
    (
        "tokens written to the cache",
        |answer| used(answer).cache_write = 4,
        |answer| answer.usage.is_some_and(|usage| usage.cache_write == 4),
    ),
    (
        "tokens written to the cache for an hour",
        |answer| used(answer).cache_write_1h = 4,
        |answer| answer.usage.is_some_and(|usage| usage.cache_write_1h == 4),
    ),
    (
        "reasoning tokens",
        |answer| used(answer).reasoning = 4,
        |answer| answer.usage.is_some_and(|usage| usage.reasoning == 4),
    ),
    (
        "tokens of sound",
        |answer| used(answer).audio_output = 2,
        |answer| answer.usage.is_some_and(|usage| usage.audio_output == 2),
    ),
];

fn used(answer: &mut Answer) -> &mut Usage {
    answer.usage.get_or_insert_default()
}

fn answers(page: &mut String) {
    let doors: Vec<_> = doors().collect();
    let columns: Vec<&str> = doors.iter().map(|door| door.id).collect();
    page.push_str("\n## What an answer cannot carry to a client\n\n");
    head(page, "", &columns);
    for (feature, set, is_there) in FEATURES {
        let mut answer = plain_answer();
        set(&mut answer);
        let cell = |door: &&Dialect| {
            let body = (door.encode_answer)(&answer);
            let read = (door.decode_answer)(&body, &Quirks::default()).expect("an answer");
            if is_there(&read) { String::new() } else { "lost".to_owned() }
        };
        let cells: Vec<String> =
            [(*feature).to_owned()].into_iter().chain(doors.iter().map(cell)).collect();
        row(page, &cells);
    }
}

fn plain_answer() -> Answer {
    let stop = Stop { reason: StopReason::Stop, native: "stop".to_owned(), sequence: None };
    let choice = Choice { parts: vec![text("A")], stop: Some(stop), ..Choice::default() };
    Answer {
        id: "i".to_owned(),
        model: "m".to_owned(),
        choices: vec![choice],
        usage: Some(Usage { input: 9, output: 9, ..Usage::default() }),
        ..Answer::default()
    }
}

fn page() -> String {
    let mut page = String::from(
        "# What dialects cannot say to each other\n\n\
         Made by `crates/wire/tests/all/expressible.rs`, which asks the dialects. A request that \
         goes to a provider of another\ndialect may lose wishes; an empty cell is a wish that \
         arrives, and wishes that arrive everywhere are left out. The names\nof the lost are told \
         to the client, and with `strict` the request is refused instead. Quirks of a provider or \
         a model may\ntake more away.\n",
    );
    requests(&mut page);
    answers(&mut page);
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the page stands on the disk")]
fn the_page_of_dialects_says_what_they_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/dialects.md");
    let made = page();
    if std::env::var("WEIGHBRIDGE_BLESS").is_ok() {
        std::fs::write(&path, &made).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/reference/dialects.md is not what the dialects do; bless it");
}
