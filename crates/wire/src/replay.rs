//! An unstreamed answer as a stream, and a stream as an unstreamed answer, both in the hub's terms.
//!
//! What the events cannot hold (extras, media, parts that only one dialect knows) is not in the
//! stream. A client that reads it sees text, reasoning, calls, stop and usage as if they had come
//! live.

use crate::dialect::gemini;
use crate::hub::{Answer, Choice, Event, Extra, Part, Signature, ToolCall, Usage};
use serde_json::Value;

/// The events that tell `answer`, from start to end mark.
#[must_use]
pub fn events_of(answer: &Answer) -> Vec<Event> {
    let mut events = vec![Event::Start {
        id: answer.id.clone(),
        model: answer.model.clone(),
        created: answer.created,
        usage: answer.usage.map(at_start),
    }];
    for choice in &answer.choices {
        tell(choice, &mut events);
    }
    events.extend(answer.usage.map(Event::Usage));
    events.push(Event::Done);
    events
}

/// At the start only the input is known.
fn at_start(usage: Usage) -> Usage {
    Usage { output: 0, reasoning: 0, audio_output: 0, ..usage }
}

fn tell(choice: &Choice, events: &mut Vec<Event>) {
    let mut logprobs = choice.logprobs.clone();
    let mut calls = 0;
    for part in &choice.parts {
        if let Part::ToolCall(call) = part {
            tell_call(choice.index, calls, call, events);
            calls += 1;
        } else {
            tell_part(choice.index, part, &mut logprobs, events);
        }
    }
    let stop = choice.stop.clone();
    events.extend(stop.map(|stop| Event::Stop { choice: choice.index, stop }));
}

fn tell_call(choice: u32, index: u32, call: &ToolCall, events: &mut Vec<Event>) {
    events.push(Event::ToolStart {
        choice,
        index,
        id: call.id.clone(),
        name: call.name.clone(),
        signature: call.signature.clone(),
    });
    let fragment = call.arguments.clone();
    events.push(Event::ToolArguments { choice, index, fragment });
}

fn tell_part(choice: u32, part: &Part, logprobs: &mut Option<Value>, events: &mut Vec<Event>) {
    match part {
        Part::Text { text, .. } => {
            let logprobs = logprobs.take();
            events.push(Event::Text { choice, text: text.clone(), logprobs });
        }
        Part::Refusal(text) => events.push(Event::Refusal { choice, text: text.clone() }),
        Part::Reasoning { text, signature } => {
            if !text.is_empty() {
                events.push(Event::Reasoning { choice, text: text.clone() });
            }
            let seal = signature.clone();
            events.extend(seal.map(|signature| Event::ReasoningSignature { choice, signature }));
        }
        Part::RedactedReasoning { data, origin } => {
            events.push(Event::RedactedReasoning { choice, data: data.clone(), origin });
        }
        _ => {}
    }
}

/// The answer that these events tell. Reported failures are not part of an answer.
#[must_use]
pub fn answer_of(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut calls = Vec::new();
    for event in events {
        match event {
            Event::Start { id, model, created, usage } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
                answer.created = *created;
                answer.usage = *usage;
            }
            Event::Usage(usage) => answer.usage = Some(*usage),
            Event::Error(_) | Event::Ping | Event::Done => {}
            event => gather(event, &mut answer, &mut calls),
        }
    }
    answer.choices.sort_by_key(|choice| choice.index);
    answer
}

/// Where the parts of calls stand: alternative, number of the call, place among the parts.
type Places = Vec<(u32, u32, usize)>;

fn gather(event: &Event, answer: &mut Answer, calls: &mut Places) {
    let Some(number) = event.choice() else { return };
    let choice = match answer.choices.iter().position(|choice| choice.index == number) {
        Some(place) => answer.choices.get_mut(place),
        None => {
            answer.choices.push(Choice { index: number, ..Choice::default() });
            answer.choices.last_mut()
        }
    };
    let Some(choice) = choice else { return };
    match event {
        Event::ToolStart { index, id, name, signature, .. } => {
            calls.push((number, *index, choice.parts.len()));
            choice.parts.push(Part::ToolCall(ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                signature: signature.clone(),
                extra: Extra::new(),
            }));
        }
        Event::ToolArguments { index, fragment, .. } => {
            let place = calls.iter().find(|(of, call, _)| (*of, *call) == (number, *index));
            let part = place.and_then(|(_, _, place)| choice.parts.get_mut(*place));
            if let Some(Part::ToolCall(call)) = part {
                call.arguments.push_str(fragment);
            }
        }
        Event::Stop { stop, .. } => choice.stop = Some(stop.clone()),
        event => grow(event, choice),
    }
}

/// Adds a piece to the last part if it is of the same kind, else as a new part.
fn grow(event: &Event, choice: &mut Choice) {
    match (choice.parts.last_mut(), event) {
        (Some(Part::Text { text, .. }), Event::Text { text: more, .. })
        | (Some(Part::Refusal(text)), Event::Refusal { text: more, .. })
        | (Some(Part::Reasoning { text, signature: None }), Event::Reasoning { text: more, .. }) => {
            text.push_str(more)
        }
        (
            Some(Part::Reasoning { signature: none @ None, .. }),
            Event::ReasoningSignature { signature, .. },
        ) if seals_what_was(signature) => *none = Some(signature.clone()),
        (_, event) => choice.parts.extend(part_of(event)),
    }
    if let Event::Text { logprobs: Some(more), .. } = event {
        add_logprobs(&mut choice.logprobs, more);
    }
}

/// Gemini's signatures bind to the part after them, all others to the reasoning before.
fn seals_what_was(signature: &Signature) -> bool {
    signature.origin != gemini::ID
}

fn part_of(event: &Event) -> Option<Part> {
    match event {
        Event::Text { text, .. } => Some(Part::Text { text: text.clone(), extra: Extra::new() }),
        Event::Refusal { text, .. } => Some(Part::Refusal(text.clone())),
        Event::Reasoning { text, .. } => {
            Some(Part::Reasoning { text: text.clone(), signature: None })
        }
        Event::ReasoningSignature { signature, .. } => {
            Some(Part::Reasoning { text: String::new(), signature: Some(signature.clone()) })
        }
        Event::RedactedReasoning { data, origin, .. } => {
            Some(Part::RedactedReasoning { data: data.clone(), origin })
        }
        _ => None,
    }
}

/// Log probabilities come as lists per piece; the answer's is all of them in order.
fn add_logprobs(sum: &mut Option<Value>, more: &Value) {
    let Some(Value::Object(sum)) = sum else {
        *sum = Some(more.clone());
        return;
    };
    for (key, value) in more.as_object().into_iter().flatten() {
        match (sum.get_mut(key), value) {
            (Some(Value::Array(list)), Value::Array(more)) => list.extend(more.iter().cloned()),
            (_, value) => {
                sum.insert(key.clone(), value.clone());
            }
        }
    }
}
