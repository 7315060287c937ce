//! What the fuzzers do with an input: the laws that hold for any bytes at all. The same functions
//! run over the kept inputs in the tests.
//!
//! The first byte of an input chooses what it is read as, the rest is the text.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;
use wire::classify::{Sighting, classify, classify_reported};
use wire::dialect::{DIALECTS, Dialect, Quirks, Seen, Target, find};
use wire::error::DecodeError;
use wire::frames::{FrameError, Framer, Framing};
use wire::hub::{Answer, Event, Request, StopReason};
use wire::peek;
use wire::plain::{PLAIN_DIALECTS, PlainDialect};
use wire::sse::{Frame, FrameKind};
use wire::{dialect, eventstream, replay, splice, translate};

type Body = fn(u8, &[u8]);

/// The targets that are no dialect of conversations.
static OTHERS: &[(&str, Body)] = &[
    ("sse", |choice, text| any_stream(Framing::Sse, choice, text)),
    ("eventstream", any_eventstream),
    ("classify", any_failure),
    ("peek", any_body),
    ("plain", any_plain),
];

/// The names of all targets.
pub(crate) fn targets() -> impl Iterator<Item = &'static str> {
    DIALECTS.iter().map(|dialect| dialect.id).chain(OTHERS.iter().map(|(name, _)| *name))
}

/// Gives one input to the target; panics where a law is broken.
pub(crate) fn run(target: &str, input: &[u8]) {
    let Some((&choice, text)) = input.split_first() else { return };
    if let Some(dialect) = find(target) {
        return conversation(dialect, choice, text);
    }
    let body = OTHERS.iter().find(|(name, _)| *name == target).expect("a target");
    (body.1)(choice, text);
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", lossy(bytes)))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Two opposite sets of peculiarities; one bit of the choice takes one.
fn quirks(choice: u8) -> Quirks {
    match choice & 0x80 {
        0 => Quirks::default(),
        _ => Quirks {
            max_completion_tokens: true,
            no_sampling: true,
            random_seed: true,
            reasoning_content: dialect::ReasoningContent::Inject,
            reasoning_outside_completion: true,
            top_level_cached_tokens: true,
            prefill_field: Some("prefix".to_owned()),
            short_tool_ids: true,
            effort_reasoning: true,
            schema_as_tool: true,
            ..Quirks::default()
        },
    }
}

fn conversation(dialect: &Dialect, choice: u8, text: &[u8]) {
    let quirks = quirks(choice);
    match choice % 4 {
        0 => any_request(dialect, &quirks, choice & 0x40 != 0, text),
        1 => any_answer(dialect, &quirks, text),
        2 => any_events(dialect, &quirks, 1 + usize::from(choice >> 2 & 0xf), text),
        _ => {
            let status = 200 + u16::from(choice >> 2) * 8;
            let reported = (dialect.decode_error)(status, text);
            let _ = classify_reported("p", dialect.id, status, &reported);
        }
    }
}

/// What is read as a request, every dialect can write, and read what it wrote itself.
fn any_request(dialect: &Dialect, quirks: &Quirks, prefill: bool, text: &[u8]) {
    let Ok(mut request) = read(dialect, text) else { return };
    for upstream in DIALECTS {
        written(upstream, quirks, prefill, &request);
    }
    request.drop_seals();
    written(dialect, quirks, prefill, &request);
}

fn read(dialect: &Dialect, text: &[u8]) -> Result<Request, DecodeError> {
    (dialect.decode_request)(text, (!dialect.model_in_body).then_some("m"), true)
}

fn written(upstream: &Dialect, quirks: &Quirks, prefill: bool, request: &Request) {
    let prefill = prefill.then_some("So ");
    let target = Target { model: "up", stream: true, default_max_tokens: 4096, quirks, prefill };
    let encoded = (upstream.encode_request)(request, &target);
    json(&encoded.body);
    if let Err(error) = read(upstream, &encoded.body) {
        panic!("{} refuses its own request: {error}\n{}", upstream.id, lossy(&encoded.body));
    }
}

/// What is read as an answer, every dialect can tell, and read what it told.
fn any_answer(dialect: &Dialect, quirks: &Quirks, text: &[u8]) {
    let Ok(answer) = (dialect.decode_answer)(text, quirks) else { return };
    for door in DIALECTS {
        let told = (door.encode_answer)(&answer);
        json(&told);
        if let Err(error) = (door.decode_answer)(&told, &Quirks::default()) {
            panic!("{} refuses its own answer: {error}\n{}", door.id, lossy(&told));
        }
    }
    let events = replay::events_of(&answer);
    retold(&events, true);
    same_once_more(&replay::answer_of(&events));
}

/// Replaying loses nothing that replaying has gathered.
fn same_once_more(answer: &Answer) {
    let again = replay::answer_of(&replay::events_of(answer));
    assert_eq!(again.choices, answer.choices);
}

/// The events of a stream, whatever its bytes: the same in any chunks, the same to the meter, and
/// every dialect can tell them.
fn any_events(dialect: &Dialect, quirks: &Quirks, size: usize, text: &[u8]) {
    // Bare text is the data of one event; so a corpus needs no checksums.
    let framed;
    let (framing, text) = match dialect.framing {
        Framing::EventStream if !text.starts_with(&[0]) => {
            framed = lines_as_messages(text);
            (Framing::EventStream, framed.as_slice())
        }
        framing => (framing, text),
    };
    let (frames, failed) = cut(framing, text, text.len().max(1));
    assert_eq!(cut(framing, text, size), (frames.clone(), failed), "chunks of {size}");

    let mut decoder = (dialect.decode_events)(quirks);
    let mut meter = (dialect.meter)(quirks);
    let mut aggregate = (dialect.aggregate)();
    let (mut events, mut told, mut sound) = (Vec::new(), Sum::default(), true);
    let mut metered = Sum::default();
    for frame in frames.iter().filter(|frame| frame.kind == FrameKind::Event) {
        let (name, data) = (frame.event.as_deref(), &frame.data);
        let mut new = Vec::new();
        let decoded = decoder.event(name, data, &mut new).is_ok();
        let seen = meter.event(name, data);
        if let Err(error) = &seen {
            // No provider writes a field twice, nests so deeply or leaves UTF-8; readers of one
            // kind refuse it, those of the other do not.
            let odd = ["duplicate field", "nested too deeply", "not UTF-8"];
            let odd = odd.iter().any(|odd| error.message.contains(odd));
            assert!(!decoded || odd, "the meter refuses {}: {error}", lossy(data));
        }
        sound &= decoded && seen.is_ok();
        told.add(&translate::seen(&new));
        metered.add(&seen.unwrap_or_default());
        events.append(&mut new);
        let _ = aggregate.event(name, data);
    }
    if sound {
        assert_eq!(metered, told, "{}: the meter and the reader\n{events:?}", dialect.id);
    }
    decoder.end(&mut events);
    retold(&events, false);
    let whole = aggregate.finish();
    json(&whole);
    let _ = (dialect.decode_answer)(&whole, quirks);
}

/// What must be seen of a stream even where its events are out of shape: its end and its failure.
/// All the rest is only promised of events as providers send them.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    failed: bool,
    done: bool,
}

impl Sum {
    fn add(&mut self, seen: &dialect::Seen) {
        self.failed |= seen.error.is_some();
        self.done |= seen.done;
    }
}

/// Every dialect tells the events as whole frames of its own, and reads them without harm. Where
/// they come in order, its meter sees the same stop, usage and end in them as its reader.
fn retold(events: &[Event], in_order: bool) {
    let sound = events.iter().position(|event| matches!(event, Event::Error(_)));
    let events = events.get(..sound.unwrap_or(events.len())).unwrap_or_default();
    for door in DIALECTS {
        let mut writer = (door.encode_events)(true);
        let mut out = Vec::new();
        events.iter().for_each(|event| writer.event(event, &mut out));
        writer.end(&mut out);
        let (frames, failed) = cut(door.framing, &out, out.len().max(1));
        assert_eq!(failed, None, "{}", door.id);
        let mut reader = (door.decode_events)(&Quirks::default());
        let mut meter = (door.meter)(&Quirks::default());
        let mut again = Vec::new();
        let mut metered = Seen::default();
        for frame in frames.iter().filter(|frame| frame.kind == FrameKind::Event) {
            let (name, data) = (frame.event.as_deref(), &frame.data);
            // What comes out of all order may be told out of order, and be refused for it.
            let read = reader.event(name, data, &mut again);
            let seen = meter.event(name, data);
            assert!(!in_order || (read.is_ok() && seen.is_ok()), "{}: {}", door.id, lossy(data));
            add(&mut metered, seen.unwrap_or_default());
        }
        if in_order {
            let read = translate::seen(&again);
            // A meter takes a plain stop at its word where a reader sees that calls came before.
            let plain = |stop| if stop == StopReason::ToolCalls { StopReason::Stop } else { stop };
            let kept = |seen: Seen| (seen.stop.map(plain), seen.usage, seen.error, seen.done);
            assert_eq!(kept(metered), kept(read), "{}: {}", door.id, lossy(&out));
        }
        reader.end(&mut again);
    }
}

/// The last word counts, but a failed alternative outweighs the others.
fn add(sum: &mut Seen, seen: Seen) {
    let failed = sum.stop == Some(StopReason::Error);
    sum.stop = seen.stop.filter(|_| !failed).or(sum.stop);
    sum.usage = seen.usage.or(sum.usage);
    sum.error = sum.error.take().or(seen.error);
    sum.done |= seen.done;
}

/// The frames of a stream that comes in chunks, and why it could not be cut any further.
fn cut(framing: Framing, text: &[u8], size: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = Framer::new(framing, 1 << 12);
    let mut frames = Vec::new();
    for chunk in text.chunks(size) {
        framer.push(Bytes::copy_from_slice(chunk));
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    frames.extend(framer.finish());
    (frames, None)
}

/// Lines `name data` as messages of the binary framing; a name after `!` is an exception's.
fn lines_as_messages(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, data) = line.split_at(end);
        let name = lossy(name);
        let (exception, name) = match name.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, name.as_str()),
        };
        eventstream::encode(name, exception, data, &mut out);
    }
    out
}

/// The chunks never change the frames, and the frames are the stream.
fn any_stream(framing: Framing, choice: u8, text: &[u8]) {
    let size = 1 + usize::from(choice & 0x1f);
    let (frames, failed) = cut(framing, text, text.len().max(1));
    assert_eq!(cut(framing, text, size), (frames.clone(), failed), "chunks of {size}");
    let raw: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
    assert!(text.starts_with(&raw));
    if framing == Framing::Sse && failed.is_none() {
        assert_eq!(raw, text);
    }
}

fn any_eventstream(choice: u8, text: &[u8]) {
    any_stream(Framing::EventStream, choice, text);
    let messages = lines_as_messages(text);
    any_stream(Framing::EventStream, choice, &messages);
    let (frames, failed) = cut(Framing::EventStream, &messages, 1 + usize::from(choice));
    if failed.is_none() {
        let data: Vec<_> = frames.iter().map(|frame| frame.data.len()).collect();
        let lines = text.split(|byte| *byte == b'\n');
        let expected: Vec<_> = lines
            .map(|line| line.iter().position(|byte| *byte == b' ').map_or(0, |at| line.len() - at))
            .collect();
        assert_eq!(data, expected);
    }
}

/// Any answer gets a verdict, under any header.
fn any_failure(choice: u8, text: &[u8]) {
    let (head, body) = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => text.split_at(end),
        None => (&b""[..], text),
    };
    let head = lossy(head);
    let header = |name: &str| head.split_once(':').filter(|(key, _)| *key == name).map(|(_, v)| v);
    for dialect in DIALECTS {
        let verdict = classify(&Sighting {
            provider: "p",
            dialect: dialect.id,
            status: 200 + u16::from(choice) * 2,
            header: &header,
            body,
            now_unix_ms: 1_700_000_000_000,
        });
        assert!(verdict.retry_after_ms.is_none_or(|wait| wait < 1 << 53));
    }
}

/// What the look into a request accepts is JSON, and stays JSON when it is patched.
fn any_body(choice: u8, text: &[u8]) {
    let sound = serde_json::from_slice::<&RawValue>(text).is_ok();
    assert!(sound || peek::validate(text).is_err(), "{}", lossy(text));
    let dialect = DIALECTS.get(usize::from(choice) % DIALECTS.len()).expect("a dialect");
    let Ok(peeked) = (dialect.peek)(text) else { return };
    assert!(sound, "{}", lossy(text));
    let patches = splice::ChatPatches {
        model: dialect.model_in_body.then_some("a \"new\" model"),
        stream: Some(choice & 0x80 != 0),
        include_usage: choice & 0x40 != 0,
        max_tokens: (choice & 0x20 != 0).then_some(("max_tokens", 7)),
        remove: &["user", "metadata"],
        ..splice::ChatPatches::default()
    };
    let pieces = splice::splice(&Bytes::copy_from_slice(text), &mut patches.edits(&peeked));
    let patched = pieces.concat();
    let again = (dialect.peek)(&patched).unwrap_or_else(|error| {
        panic!("{error}: {} became {}", lossy(text), lossy(&patched));
    });
    if let Some(model) = patches.model {
        assert_eq!(again.model.as_ref().map(|model| model.value.as_str()), Some(model));
    }
    assert!(again.member("user").is_none() && again.member("metadata").is_none());
}

/// Plain calls: what one dialect reads, every other of its kind can write.
fn any_plain(choice: u8, text: &[u8]) {
    let Some(dialect) = PLAIN_DIALECTS.get(usize::from(choice >> 2) % PLAIN_DIALECTS.len().max(1))
    else {
        return;
    };
    let alike = || PLAIN_DIALECTS.iter().filter(|other| other.kind == dialect.kind);
    let quirks = Quirks::default();
    match choice % 4 {
        0 => {
            let Ok(ask) = (dialect.decode_ask)(text, Some("m")) else { return };
            for upstream in alike() {
                if let Ok(encoded) = (upstream.encode_ask)(&ask, "up", &quirks) {
                    json(&encoded.body);
                }
                (upstream.path)("up", &ask);
            }
        }
        1 => any_reply(dialect, text),
        2 => {
            let _ = (dialect.usage)(text, &quirks);
        }
        _ => {
            (dialect.decode_error)(400, text);
        }
    }
}

fn any_reply(dialect: &PlainDialect, text: &[u8]) {
    let quirks = Quirks::default();
    let Ok(reply) = (dialect.decode_reply)(text, &quirks) else { return };
    for asked in SMALL_ASKS {
        for door in PLAIN_DIALECTS.iter().filter(|other| other.kind == dialect.kind) {
            let Ok(ask) = (door.decode_ask)(asked.as_bytes(), Some("m")) else { continue };
            json(&(door.encode_reply)(&reply, &ask));
        }
    }
}

/// A request of each kind, for answers to be told to.
static SMALL_ASKS: &[&str] = &[
    r#"{"model":"m","input":"a","encoding_format":"base64"}"#,
    r#"{"model":"m","input":["a","b"]}"#,
    r#"{"model":"m","texts":["a"],"input_type":"search_query","embedding_types":["float"]}"#,
    r#"{"model":"m","query":"q","documents":["a","b"],"return_documents":true}"#,
    r#"{"content":{"parts":[{"text":"a"}]}}"#,
    r#"{"requests":[{"content":{"parts":[{"text":"a"}]}}]}"#,
];
