//! Every recording there is: which dialect it is of, and that it says the same to everybody.
//!
//! [`FILES`] tells what each file is; a file that no row knows fails. Each call is read whole or as
//! a stream, in chunks of any size, by reader, meter and aggregate, is told to the clients of every
//! door and understood by them, and its text is what the raw recording holds.

use crate::meaning::{Meaning, framed, of_stream, of_whole};
use crate::samples::{dialect, recorded};
use serde_json::Value;
use wire::dialect::{Dialect, Quirks};
use wire::eventstream;
use wire::frames::Framing;
use wire::hub::{Event, StopReason};
use wire::translate::{Known, StreamTranslator, answer as translated};

/// What a recording is.
#[derive(Clone, Copy)]
enum Is {
    /// A conversation in this dialect.
    Talk(&'static str),
    /// The body of a refusal in this dialect.
    Refusal(&'static str),
    /// A stream of this dialect that ends in a failure.
    Failure(&'static str),
    /// An answer to a plain call in this dialect.
    Plain(&'static str),
    /// Nothing that is read here, and why.
    Nothing(&'static str),
}

use Is::{Failure, Nothing, Plain, Refusal, Talk};

const CHAT: &str = "openai_chat";
const RESPONSES: &str = "openai_responses";
const ANTHROPIC: &str = "anthropic_messages";
const GEMINI: &str = "gemini";
const BEDROCK: &str = "bedrock_converse";
const COHERE: &str = "cohere_v2";
const INTERACTIONS: &str = "Google's Interactions API, which has no door";

/// The beginning of a file's path, and what it is. The first row that fits counts.
static FILES: &[(&str, Is)] = &[
    ("alibaba/", Talk(CHAT)),
    ("amazon-bedrock/amazon-bedrock-reranking", Nothing("Bedrock's agent runtime")),
    ("amazon-bedrock/", Talk(BEDROCK)),
    ("anthropic/anthropic-skill", Nothing("the Skills API")),
    ("anthropic/", Talk(ANTHROPIC)),
    ("anthropic-sdk/", Talk(ANTHROPIC)),
    ("azure/azure-deepseek", Talk(CHAT)),
    ("azure/", Talk(RESPONSES)),
    ("cohere/", Talk(COHERE)),
    ("deepseek/", Talk(CHAT)),
    ("google/google-429", Refusal(GEMINI)),
    ("google/google-live", Nothing("the Live API over WebSockets")),
    ("google/google-search", Nothing(INTERACTIONS)),
    ("google/google-", Talk(GEMINI)),
    ("google/", Nothing(INTERACTIONS)),
    ("google-vertex/google-vertex-embedding", Nothing("Vertex's predict call for embeddings")),
    ("groq/", Talk(CHAT)),
    ("mistral/mistral-transcription", Nothing("speech, which is passed on as it is")),
    ("mistral/", Talk(CHAT)),
    ("moonshotai/", Talk(CHAT)),
    ("open-responses/", Talk(RESPONSES)),
    ("openai/azure-model-router", Talk(CHAT)),
    ("openai/gpt-image", Refusal(CHAT)),
    ("openai/openai-completion", Talk("openai_completions")),
    ("openai/openai-error.1.chunks", Failure(RESPONSES)),
    ("openai/openai-error.1.json", Refusal(RESPONSES)),
    ("openai/openai-image.json", Nothing("a picture, which is passed on as it is")),
    ("openai/openai-skill", Nothing("the Skills API")),
    ("openai/openai-text", Talk(CHAT)),
    ("openai/parallel-tool-call-wrapper.1.chunks", Nothing("its first and last line were cut off")),
    ("openai/reasoning-model-", Refusal(CHAT)),
    ("openai/", Talk(RESPONSES)),
    ("openai-compatible/", Talk(CHAT)),
    ("perplexity/", Talk(CHAT)),
    ("togetherai/togetherai-reranking", Plain("cohere_rerank")),
    ("voyage/voyage-embedding", Plain("voyage_embeddings")),
    ("xai/xai-text-with-reasoning", Talk(RESPONSES)),
    ("xai/xai-t", Talk(CHAT)),
    ("xai/", Talk(RESPONSES)),
];

/// Hosts with their own way of counting.
static HABITS: &[(&str, &str)] = &[
    ("moonshotai/", "top_level_cached_tokens = true"),
    ("openai-compatible/xai", "reasoning_outside_completion = true"),
    ("xai/", "reasoning_outside_completion = true"),
];

static DOORS: &[&str] = &[CHAT, RESPONSES, ANTHROPIC, GEMINI];

/// One answer of a recording.
struct Call {
    file: String,
    dialect: &'static Dialect,
    quirks: Quirks,
    body: Body,
}

enum Body {
    Whole(String),
    Stream(Vec<u8>),
}

fn files() -> Vec<(String, String, Is)> {
    let mut folders: Vec<&str> =
        FILES.iter().filter_map(|(path, _)| path.split('/').next()).collect();
    folders.dedup();
    let mut files = Vec::new();
    for folder in folders {
        for (name, content) in recorded(folder) {
            let path = format!("{folder}/{name}");
            let row = FILES.iter().find(|(start, _)| path.starts_with(start));
            let (_, is) = row.unwrap_or_else(|| panic!("no row knows {path}"));
            files.push((path, content, *is));
        }
    }
    files
}

fn quirks(path: &str) -> Quirks {
    let habit = HABITS.iter().find(|(start, _)| path.starts_with(start));
    toml::from_str(habit.map_or("", |(_, toml)| toml)).expect("good quirks")
}

fn calls(wanted: fn(Is) -> Option<&'static str>) -> Vec<Call> {
    let mut calls = Vec::new();
    for (path, content, is) in files() {
        let Some(id) = wanted(is) else { continue };
        let dialect = dialect(id);
        for (at, body) in bodies(dialect, &path, &content).into_iter().enumerate() {
            let file = format!("{path} #{at}");
            calls.push(Call { file, dialect, quirks: quirks(&path), body });
        }
    }
    calls
}

/// The answers in a file: some hold several, one after another.
fn bodies(dialect: &Dialect, path: &str, content: &str) -> Vec<Body> {
    if path.ends_with(".json") {
        return vec![Body::Whole(content.to_owned())];
    }
    if content.starts_with("event:") || content.starts_with("data:") {
        return vec![Body::Stream(content.as_bytes().to_vec())];
    }
    let mut answers: Vec<Vec<&str>> = vec![Vec::new()];
    for line in content.lines().filter(|line| !line.trim().is_empty()) {
        let begins = ["message_start", "response.created", "message-start"]
            .iter()
            .any(|kind| line.contains(&format!("\"type\":\"{kind}\"")));
        if begins && answers.last().is_some_and(|answer| !answer.is_empty()) {
            answers.push(Vec::new());
        }
        answers.last_mut().expect("one at least").push(line);
    }
    answers.iter().map(|lines| Body::Stream(stream(dialect, lines))).collect()
}

fn stream(dialect: &Dialect, lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        if dialect.framing == Framing::Sse {
            out.extend_from_slice(format!("data: {line}\n\n").as_bytes());
            continue;
        }
        let event: Value = serde_json::from_str(line).expect("JSON");
        for (name, data) in event.as_object().expect("an event by its name") {
            eventstream::encode(name, false, data.to_string().as_bytes(), &mut out);
        }
    }
    out
}

fn talk(is: Is) -> Option<&'static str> {
    match is {
        Talk(id) => wire::dialect::find(id).map(|dialect| dialect.id),
        _ => None,
    }
}

/// What the provider itself says, found by the places of its texts alone.
fn raw_text(id: &str, payload: &Value) -> String {
    let at = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let each =
        |pointer: &str| payload.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let texts = |value: &Value| value["text"].as_str().unwrap_or_default().to_owned();
    match id {
        CHAT => at("/choices/0/delta/content").to_owned() + at("/choices/0/message/content"),
        "openai_completions" => at("/choices/0/text").to_owned(),
        RESPONSES if at("/type") == "response.output_text.delta" => at("/delta").to_owned(),
        RESPONSES => each("/output")
            .filter(|item| item["type"] == "message")
            .flat_map(|item| item["content"].as_array().into_iter().flatten())
            .map(texts)
            .collect(),
        ANTHROPIC if at("/delta/type") == "text_delta" => at("/delta/text").to_owned(),
        ANTHROPIC => each("/content").filter(|block| block["type"] == "text").map(texts).collect(),
        GEMINI => each("/candidates/0/content/parts")
            .filter(|part| part["thought"] != true)
            .map(texts)
            .collect(),
        BEDROCK if payload.get("delta").is_some() => at("/delta/text").to_owned(),
        BEDROCK => each("/output/message/content").map(texts).collect(),
        COHERE if payload.get("delta").is_some() => {
            at("/delta/message/content/text").to_owned() + at("/delta/message/tool_plan")
        }
        _ => {
            let content: String = each("/message/content").map(texts).collect();
            at("/message/tool_plan").to_owned() + &content
        }
    }
}

fn raw(call: &Call) -> String {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    match &call.body {
        Body::Whole(text) => raw_text(call.dialect.id, &read(text.as_bytes())),
        Body::Stream(bytes) => framed(call.dialect.framing, bytes, bytes.len())
            .iter()
            .map(|(_, data)| raw_text(call.dialect.id, &read(data)))
            .collect(),
    }
}

fn understood(call: &Call) -> Meaning {
    match &call.body {
        Body::Whole(text) => of_whole(call.dialect, &call.quirks, text.as_bytes()),
        Body::Stream(bytes) => of_stream(call.dialect, &call.quirks, bytes, bytes.len()),
    }
}

/// Whether the recorder left out events in the middle of the stream.
fn is_abridged(call: &Call) -> bool {
    call.file.starts_with("openai/openai-phase.1.chunks")
}

/// Parts of an answer that are lists of texts in Mistral's way are not found by [`raw_text`].
fn has_plain_texts(call: &Call) -> bool {
    !call.file.starts_with("mistral/mistral-reasoning")
}

/// Whether the recording tells a usage at all.
fn tells_usage(call: &Call) -> bool {
    let bytes = match &call.body {
        Body::Whole(text) => text.as_bytes(),
        Body::Stream(bytes) => bytes,
    };
    let text = String::from_utf8_lossy(bytes);
    text.contains("\"usage\":{") || text.contains("\"usage\": {") || text.contains("usageMetadata")
}

/// What is not as it must be, gathered over all recordings.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn check<T: PartialEq + std::fmt::Debug>(&mut self, is: &T, expected: &T, what: &str) {
        if is != expected {
            self.0.push(format!("{what}\n  is       {is:?}\n  expected {expected:?}"));
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} wrong\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn every_recording_is_known() {
    for (path, _, is) in files() {
        if let Nothing(why) = is {
            println!("{path} is not read: {why}");
        }
    }
}

#[test]
fn every_recorded_call_has_its_text_an_end_and_its_usage() {
    let mut wrong = Wrong::default();
    for call in calls(talk) {
        let meaning = understood(&call);
        let file = &call.file;
        if has_plain_texts(&call) {
            wrong.check(&meaning.text, &raw(&call), file);
        }
        wrong.check(&meaning.stop.is_some(), &true, file);
        wrong.check(&meaning.output.is_some(), &tells_usage(&call), file);
    }
    wrong.none();
}

#[test]
fn every_recorded_stream_says_the_same_in_any_chunks_to_reader_meter_and_aggregate() {
    let mut wrong = Wrong::default();
    for call in calls(talk) {
        let Body::Stream(bytes) = &call.body else { continue };
        let (from, file) = (call.dialect, &call.file);
        let expected = understood(&call);
        for size in [1, 7, 1000] {
            let is = of_stream(from, &call.quirks, bytes, size);
            wrong.check(&is, &expected, &format!("{file}: chunks of {size}"));
        }
        let mut aggregate = (from.aggregate)();
        let mut meter = (from.meter)(&call.quirks);
        let (mut usage, mut stop) = (None, None);
        for (name, data) in framed(from.framing, bytes, 1000) {
            aggregate.event(name.as_deref(), &data).expect(file);
            let seen = meter.event(name.as_deref(), &data).expect(file);
            usage = seen.usage.or(usage);
            stop = seen.stop.or(stop);
        }
        let mut sum = of_whole(from, &call.quirks, &aggregate.finish());
        if is_abridged(&call) {
            sum.text.clone_from(&expected.text);
        }
        wrong.check(&sum, &expected, &format!("{file}: aggregate"));
        let total = usage.map(|usage| (usage.total_input(), usage.total_output()));
        let all = expected.input.zip(expected.output);
        wrong.check(&total, &all, &format!("{file}: usage of the meter"));
        wrong.check(&stop, &expected.stop, &format!("{file}: stop of the meter"));
    }
    wrong.none();
}

fn told(call: &Call, door: &Dialect) -> Meaning {
    let plain = Quirks::default();
    match &call.body {
        Body::Whole(text) => {
            let whole =
                translated(call.dialect, &call.quirks, text.as_bytes(), door, &Known::at(1));
            of_whole(door, &plain, &whole.expect(&call.file))
        }
        Body::Stream(bytes) => {
            let mut translator =
                StreamTranslator::new(call.dialect, &call.quirks, door, true).known(&Known::at(1));
            let mut out = Vec::new();
            for (name, data) in framed(call.dialect.framing, bytes, 333) {
                translator.frame(name.as_deref(), &data, &mut out).expect(&call.file);
            }
            translator.end(&mut out);
            translator.close(&mut out);
            of_stream(door, &plain, &out, 100)
        }
    }
}

#[test]
fn every_recorded_call_is_told_to_every_client() {
    let mut wrong = Wrong::default();
    for call in calls(talk) {
        let expected = understood(&call);
        for door in DOORS {
            let mut is = told(&call, dialect(door));
            if expected.output.is_none() {
                // Some dialects must tell a usage and tell zero.
                (is.input, is.output) = (None, None);
            }
            if call.file.starts_with("anthropic/anthropic-programmatic-tool-calling") {
                // The provider has answered these calls itself; elsewhere calls are to be answered.
                is.stop = expected.stop;
            }
            if expected.stop == Some(StopReason::Length) {
                // Arguments that were cut off are no object, which Gemini's must be.
                is.calls.clone_from(&expected.calls);
            }
            wrong.check(&is, &expected, &format!("{} -> {door}", call.file));
        }
    }
    wrong.none();
}

#[test]
fn every_recorded_refusal_and_failure_is_read_as_one() {
    for (path, content, is) in files() {
        if let Refusal(id) = is {
            let reported = (dialect(id).decode_error)(400, content.as_bytes());
            assert!(!reported.message.is_empty(), "{path}");
        }
    }
    let failures = calls(|is| match is {
        Failure(id) => Some(id),
        _ => None,
    });
    for Call { file, dialect, quirks, body } in failures {
        let Body::Stream(bytes) = body else { panic!("{file} is no stream") };
        let mut decoder = (dialect.decode_events)(&quirks);
        let mut events = Vec::new();
        for (name, data) in framed(dialect.framing, &bytes, 64) {
            decoder.event(name.as_deref(), &data, &mut events).expect(&file);
        }
        assert!(events.iter().any(|event| matches!(event, Event::Error(_))), "{file}");
        assert!(!events.contains(&Event::Done), "{file}");
    }
}

#[test]
fn every_recorded_plain_call_is_read() {
    for (path, content, is) in files() {
        let Plain(id) = is else { continue };
        let dialect = wire::plain::find(id).expect(id);
        let reply = (dialect.decode_reply)(content.as_bytes(), &Quirks::default()).expect(&path);
        assert_eq!(reply.usage, (dialect.usage)(content.as_bytes(), &Quirks::default()), "{path}");
        assert!(reply.usage.is_some_and(|usage| usage.input > 0), "{path}");
    }
}
