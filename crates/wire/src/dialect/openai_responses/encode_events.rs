//! Writes a stream for a client.
//!
//! The order is fixed: `response.created` and `response.in_progress`, then the items (see `growing`),
//! then one `response.completed`, `.incomplete` or `.failed` with the whole answer. A message or a
//! piece of reasoning ends when something else begins; calls stay open until the answer stops,
//! because some hosts send pieces of several calls by turns. An answer that has no stop reason is
//! never closed, so that it cannot pass for a complete one. There is no `[DONE]`.

use super::growing::{Call, Lines, Message, Place, Said, Thought};
use super::response::Head;
use super::tools::Known;
use super::{failure, thought, usage, words};
use crate::dialect::{EncodeEvents, gemini};
use crate::error::{Problem, Reported};
use crate::hub::{Answer, Event, Request, Signature, Stop, StopReason, Usage};
use crate::replay::events_of;
use serde_json::{Map, Value, json};

/// Writes the events of one stream. Only the first alternative has a place here.
#[derive(Debug, Default)]
pub(super) struct Writer {
    head: Head,
    known: Known,
    started: bool,
    closed: bool,
    sequence: u64,
    /// The items by their place; null until an item is done.
    output: Vec<Value>,
    open: Option<Open>,
    calls: Vec<Call>,
    stop: Option<Stop>,
    usage: Option<Usage>,
}

#[derive(Debug)]
enum Open {
    Message(Message),
    Thought(Thought),
}

impl EncodeEvents for Writer {
    fn asked(&mut self, request: &Request) {
        self.head.asked(request);
        self.known = Known::of(&request.tools);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        match event {
            Event::Start { id, model, created, usage } => {
                self.head.name(id, model, *created);
                self.usage = usage.or(self.usage);
                self.begin(out);
            }
            Event::Text { choice: 0, text, logprobs } => {
                self.say(Said::Text, text, logprobs.as_ref(), out);
            }
            Event::Refusal { choice: 0, text } => self.say(Said::Refusal, text, None, out),
            Event::Reasoning { choice: 0, text } => self.think(text, out),
            Event::ReasoningSignature { choice: 0, signature } => self.seal(signature, out),
            Event::RedactedReasoning { choice: 0, data, origin } => {
                self.close(out);
                self.sealed(thought::redacted_for_client(data, origin), out);
            }
            Event::ToolStart { choice: 0, index, id, name, signature } => {
                self.call(*index, (id, name), signature.as_ref(), out);
            }
            Event::ToolArguments { choice: 0, index, fragment } => {
                let call = self.calls.iter_mut().find(|call| call.number == *index);
                let mut lines = Lines { sequence: &mut self.sequence, out };
                call.into_iter().for_each(|call| call.argue(fragment, &mut lines));
            }
            Event::Stop { choice: 0, stop } => {
                self.begin(out);
                self.close_all(out);
                self.stop = Some(stop.clone());
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(reported) => self.fail(reported, out),
            Event::Done => self.end(out),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.closed || self.stop.is_none() {
            return;
        }
        self.begin(out);
        self.close_all(out);
        self.closed = true;
        let response = self.response();
        let status = response.get("status").and_then(Value::as_str).unwrap_or("completed");
        let kind = format!("response.{status}");
        self.lines(out).tell(&kind, json!({ "response": response }));
    }
}

impl Writer {
    /// The answer as its stream would end with it.
    pub(super) fn whole(answer: &Answer, asked: Option<&Request>) -> Map<String, Value> {
        let mut writer = Self::default();
        let mut unheard = Vec::new();
        asked.into_iter().for_each(|request| writer.asked(request));
        for event in events_of(answer).iter().filter(|event| **event != Event::Done) {
            writer.event(event, &mut unheard);
        }
        writer.close_all(&mut unheard);
        writer.response()
    }

    fn lines<'a>(&'a mut self, out: &'a mut Vec<u8>) -> Lines<'a> {
        Lines { sequence: &mut self.sequence, out }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let response = self.head.response("in_progress", Vec::new());
        let mut lines = self.lines(out);
        lines.tell("response.created", json!({ "response": response }));
        lines.tell("response.in_progress", json!({ "response": response }));
    }

    /// Room for a new item.
    fn place(&mut self, prefix: &str) -> Place {
        let at = self.output.len();
        self.output.push(Value::Null);
        Place { at, id: self.head.item_id(prefix, at) }
    }

    fn keep(&mut self, (at, item): (usize, Value)) {
        if let Some(place) = self.output.get_mut(at) {
            *place = item;
        }
    }

    /// Ends the open message or reasoning.
    fn close(&mut self, out: &mut Vec<u8>) {
        let mut lines = Lines { sequence: &mut self.sequence, out };
        let done = match self.open.take() {
            Some(Open::Message(message)) => message.end(&mut lines),
            Some(Open::Thought(thought)) => thought.end(&mut lines),
            None => return,
        };
        self.keep(done);
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        for call in std::mem::take(&mut self.calls) {
            let done = call.end(&mut self.lines(out));
            self.keep(done);
        }
    }

    fn say(&mut self, said: Said, piece: &str, logprobs: Option<&Value>, out: &mut Vec<u8>) {
        if piece.is_empty() && logprobs.is_none() {
            return;
        }
        self.begin(out);
        if !matches!(self.open, Some(Open::Message(_))) {
            self.close(out);
            let place = self.place("msg");
            self.open = Some(Open::Message(Message::begin(place, &mut self.lines(out))));
        }
        let mut lines = Lines { sequence: &mut self.sequence, out };
        if let Some(Open::Message(message)) = &mut self.open {
            message.say(said, piece, logprobs, &mut lines);
        }
    }

    fn think(&mut self, piece: &str, out: &mut Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        self.thought(out);
        let mut lines = Lines { sequence: &mut self.sequence, out };
        if let Some(Open::Thought(thought)) = &mut self.open {
            thought.think(piece, &mut lines);
        }
    }

    fn thought(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        if !matches!(self.open, Some(Open::Thought(_))) {
            self.close(out);
            let place = self.place("rs");
            self.open = Some(Open::Thought(Thought::begin(place, &mut self.lines(out))));
        }
    }

    /// Gemini's seals bind to what follows, all others to the reasoning before.
    fn seal(&mut self, signature: &Signature, out: &mut Vec<u8>) {
        if signature.origin == gemini::ID {
            self.close(out);
        }
        self.sealed(thought::for_client(signature), out);
    }

    fn sealed(&mut self, seal: String, out: &mut Vec<u8>) {
        self.thought(out);
        if let Some(Open::Thought(thought)) = &mut self.open {
            thought.seal(seal);
        }
        self.close(out);
    }

    fn call(
        &mut self,
        number: u32,
        names: (&str, &str),
        signature: Option<&Signature>,
        out: &mut Vec<u8>,
    ) {
        self.begin(out);
        self.close(out);
        if let Some(signature) = signature {
            self.sealed(thought::for_client(signature), out);
        }
        let kind = self.known.kind(names.1);
        let place = self.place(Call::prefix(&kind));
        let call = Call::begin(place, number, names, kind, &mut self.lines(out));
        self.calls.push(call);
    }

    fn fail(&mut self, reported: &Reported, out: &mut Vec<u8>) {
        self.begin(out);
        self.closed = true;
        let problem = Problem {
            status: reported.status.unwrap_or(502),
            kind: reported.kind.as_deref().unwrap_or("upstream_error"),
            code: reported.code.as_deref().unwrap_or("server_error"),
            message: &reported.message,
            param: reported.param.as_deref(),
            request_id: None,
        };
        failure::write(&self.head, self.done(), self.sequence, &problem, out);
    }

    /// The items that are done.
    fn done(&self) -> Vec<Value> {
        self.output.iter().filter(|item| !item.is_null()).cloned().collect()
    }

    fn response(&self) -> Map<String, Value> {
        let (status, reason) = self.stop.as_ref().map_or(("completed", None), words::status);
        let mut response = self.head.response(status, self.done());
        if let Some(reason) = reason {
            response.insert("incomplete_details".to_owned(), json!({ "reason": reason }));
        }
        if let Some(usage) = &self.usage {
            response.insert("usage".to_owned(), usage::write(usage));
        }
        if let Some(stop) = self.stop.as_ref().filter(|stop| stop.reason == StopReason::Error) {
            let message = format!("the model failed: {}", stop.native);
            let error = json!({ "code": "server_error", "message": message });
            response.insert("error".to_owned(), error);
        }
        response
    }
}

/// Appends one complete frame: type and number, then the fields of `data`.
pub(super) fn frame(kind: &str, sequence: u64, data: Value, out: &mut Vec<u8>) {
    let mut map = Map::new();
    map.insert("type".to_owned(), kind.into());
    map.insert("sequence_number".to_owned(), sequence.into());
    if let Value::Object(data) = data {
        map.extend(data);
    }
    let data = Value::Object(map);
    out.extend_from_slice(format!("event: {kind}\ndata: {data}\n\n").as_bytes());
}
