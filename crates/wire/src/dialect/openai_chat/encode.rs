//! Writes a request for an upstream, with the upstream's quirks.
//!
//! Extras are written only when they came from this dialect. Seals of other providers on reasoning
//! are never sent; readable reasoning goes by the quirk.

use super::content::{self, Extras};
use super::{ID, details, thought_signature};
use crate::dialect::{Encoded, Quirks, ReasoningContent, Target};
use crate::dropped::Dropped;
use crate::fields::{merge, put};
use crate::hub::{
    Extra, Format, Message, Part, Reasoning, Request, Role, Tool, ToolCall, ToolChoice,
};
use serde_json::{Map, Value, json};

/// Writes the body for `target`.
pub(super) fn encode_request(request: &Request, target: &Target<'_>) -> Encoded {
    let own = request.origin == ID;
    let extras = match own {
        true => Extras::Own,
        false if target.quirks.cache_control => Extras::CacheControl,
        false => Extras::Foreign,
    };
    let mut writer = Writer {
        request,
        target,
        own,
        extras,
        body: Map::new(),
        dropped: Dropped::of(request, ID, &[]),
    };
    writer.set("model", Some(target.model));
    let messages = writer.messages();
    writer.set("messages", Some(messages));
    writer.stream();
    writer.bound();
    writer.sampling();
    writer.tools();
    writer.rest();
    let body = Value::Object(writer.body).to_string().into_bytes();
    Encoded { body, dropped: writer.dropped.names() }
}

struct Writer<'a> {
    request: &'a Request,
    target: &'a Target<'a>,
    /// The request came from this dialect: its extras are ours.
    own: bool,
    extras: Extras,
    body: Map<String, Value>,
    dropped: Dropped,
}

impl Writer<'_> {
    fn quirks(&self) -> &Quirks {
        self.target.quirks
    }

    fn set(&mut self, key: &str, value: Option<impl Into<Value>>) {
        put(&mut self.body, key, value);
    }

    /// Sets a field if the upstream takes it; notes it as dropped if not.
    fn set_unless(&mut self, refused: bool, key: &'static str, value: Option<impl Into<Value>>) {
        self.dropped.add_if(refused && value.is_some(), key);
        self.set(key, value.filter(|_| !refused));
    }

    fn stream(&mut self) {
        if self.target.stream {
            self.set("stream", Some(true));
            let options = json!({ "include_usage": true });
            self.set("stream_options", Some(options).filter(|_| !self.quirks().no_stream_options));
        }
    }

    fn bound(&mut self) {
        let newer = self.quirks().max_completion_tokens;
        let key = if newer { "max_completion_tokens" } else { "max_tokens" };
        self.set(key, self.request.max_tokens);
    }

    fn sampling(&mut self) {
        let request = self.request;
        let refused = self.quirks().no_sampling;
        let highest = match self.quirks().max_temperature_centi {
            0 => f64::INFINITY,
            centi => f64::from(centi) / 100.0,
        };
        self.set_unless(refused, "temperature", request.temperature.map(|t| t.min(highest)));
        self.set_unless(refused, "top_p", request.top_p);
        self.set_unless(refused || !self.own, "top_k", request.top_k);
        self.set_unless(refused, "presence_penalty", request.presence_penalty);
        self.set_unless(refused, "frequency_penalty", request.frequency_penalty);
        let seed = if self.quirks().random_seed { "random_seed" } else { "seed" };
        self.set(seed, request.seed);
        self.set("logprobs", request.logprobs);
        self.set("top_logprobs", request.top_logprobs);
        self.set("n", request.n);
        let stop = Some(request.stop.clone()).filter(|stop| !stop.is_empty());
        self.set("stop", stop);
    }

    fn tools(&mut self) {
        let tools: Vec<Value> =
            self.request.tools.iter().filter_map(|t| tool(t, self.extras)).collect();
        self.dropped.add_if(tools.len() < self.request.tools.len(), "tools");
        if !tools.is_empty() {
            self.set("tools", Some(tools));
            let choice = self.request.tool_choice.as_ref();
            let written = choice.and_then(tool_choice);
            self.dropped.add_if(choice.is_some() && written.is_none(), "tool_choice");
            self.set("tool_choice", written);
            let refused = self.quirks().no_parallel_tool_calls;
            self.set_unless(refused, "parallel_tool_calls", self.request.parallel_tool_calls);
        }
    }

    fn rest(&mut self) {
        let request = self.request;
        self.set("response_format", request.format.as_ref().map(format));
        self.set("reasoning_effort", request.reasoning.as_ref().and_then(effort));
        self.set("user", request.user.as_deref());
        let tier = request.service_tier.as_deref();
        let lost = tier.is_some_and(|tier| !self.own && !USUAL_TIERS.contains(&tier));
        self.dropped.add_if(lost, "service_tier");
        if self.own {
            self.set("service_tier", request.service_tier.as_deref());
            let streamed = self.target.stream && !self.quirks().no_stream_options;
            let kept = |key: &str| streamed || key != "stream_options";
            let extra = request.extra.iter().filter(|(key, _)| kept(key));
            merge(&mut self.body, &extra.map(|(k, v)| (k.clone(), v.clone())).collect());
        }
    }

    fn messages(&mut self) -> Vec<Value> {
        let parts = self.request.messages.iter().flat_map(|message| &message.parts);
        for part in parts.chain(&self.request.system) {
            let within: &[Part] =
                if let Part::ToolResult { content, .. } = part { content } else { &[] };
            for part in within.iter().chain([part]) {
                content::lost(part, self.own).into_iter().for_each(|name| self.dropped.add(name));
            }
        }
        let mut out = Vec::new();
        if !self.request.system.is_empty() {
            let parts: Vec<&Part> = self.request.system.iter().collect();
            out.push(self.message("system", &parts, &Extra::new()));
        }
        for message in &self.request.messages {
            let parts: Vec<&Part> = message.parts.iter().collect();
            match message.role {
                Role::System => out.push(self.message("system", &parts, &message.extra)),
                Role::User => self.user(message, &mut out),
                Role::Assistant => out.push(self.assistant(message)),
            }
        }
        if let Some(prefill) = self.target.prefill {
            let mut message = json!({ "role": "assistant", "content": prefill });
            if let (Some(field), Some(map)) =
                (&self.quirks().prefill_field, message.as_object_mut())
            {
                map.insert(field.clone(), true.into());
            }
            out.push(message);
        }
        out
    }

    fn message(&self, role: &str, parts: &[&Part], extra: &Extra) -> Value {
        self.finished(
            json!({ "role": role, "content": content::encode(parts, self.extras) }),
            extra,
        )
    }

    fn finished(&self, mut message: Value, extra: &Extra) -> Value {
        if let Some(map) = message.as_object_mut() {
            merge(map, &self.extras.kept(extra));
        }
        message
    }

    /// Results of tools come first, each as its own message, as OpenAI wants them right behind
    /// the calls. Their pictures move into the user's message, because a result holds text only.
    fn user(&self, message: &Message, out: &mut Vec<Value>) {
        let mut moved = Vec::new();
        let mut said = Vec::new();
        for part in &message.parts {
            let Part::ToolResult { call_id, name, content, extra, .. } = part else {
                said.push(part);
                continue;
            };
            let is_text = |part: &&Part| matches!(part, Part::Text { .. });
            let (texts, others): (Vec<&Part>, Vec<&Part>) = content.iter().partition(is_text);
            moved.extend(others);
            let mut result = json!({
                "role": "tool",
                "tool_call_id": self.call_id(call_id),
                "content": content::encode(&texts, self.extras),
            });
            if let (true, Some(name), Some(map)) = (self.own, name, result.as_object_mut()) {
                map.insert("name".to_owned(), name.as_str().into());
            }
            out.push(self.finished(result, extra));
        }
        let only_results = said.is_empty() && !message.parts.is_empty();
        moved.extend(said);
        if !moved.is_empty() || !only_results {
            out.push(self.message("user", &moved, &message.extra));
        }
    }

    fn assistant(&self, message: &Message) -> Value {
        let is_content = |part: &&Part| match part {
            Part::Text { .. } => true,
            Part::Other { value, .. } => !is_tool_call(value),
            _ => false,
        };
        let said: Vec<&Part> = message.parts.iter().filter(is_content).collect();
        let calls: Vec<Value> = message.parts.iter().filter_map(|part| self.call(part)).collect();
        let refusal = refusal(&message.parts);
        let mut map = Map::new();
        map.insert("role".to_owned(), "assistant".into());
        let silent = said.is_empty() && (!calls.is_empty() || refusal.is_some());
        let content = if silent { Value::Null } else { content::encode(&said, self.extras) };
        map.insert("content".to_owned(), content);
        put(&mut map, "refusal", refusal);
        put(&mut map, "reasoning_content", self.reasoning(&message.parts, !calls.is_empty()));
        let sealed = self.sealed(&message.parts);
        put(&mut map, details::FIELD, Some(sealed).filter(|sealed| !sealed.is_empty()));
        put(&mut map, "tool_calls", Some(calls).filter(|calls| !calls.is_empty()));
        self.finished(map.into(), &message.extra)
    }

    fn reasoning(&self, parts: &[Part], has_calls: bool) -> Option<String> {
        let text = reasoning_text(parts);
        match self.quirks().reasoning_content {
            ReasoningContent::Strip => None,
            ReasoningContent::Keep => text,
            ReasoningContent::Inject => has_calls.then(|| text.unwrap_or_default()),
        }
    }

    /// The sealed items that a host of this dialect gave, for hosts that take reasoning back.
    fn sealed(&self, parts: &[Part]) -> Vec<Value> {
        let refused = self.quirks().reasoning_content == ReasoningContent::Strip;
        let item = |part: &Part| match part {
            Part::RedactedReasoning { data, origin: ID } if !refused => details::whole(data),
            _ => None,
        };
        parts.iter().filter_map(item).collect()
    }

    fn call(&self, part: &Part) -> Option<Value> {
        match part {
            Part::ToolCall(call) => Some(tool_call(call, &self.call_id(&call.id), self.own).into()),
            Part::Other { origin: ID, value } if is_tool_call(value) => Some(value.clone()),
            _ => None,
        }
    }

    fn call_id(&self, id: &str) -> String {
        if self.quirks().short_tool_ids { short_id(id) } else { id.to_owned() }
    }
}

/// Other dialects' words for the tier that everybody gets.
const USUAL_TIERS: &[&str] = &["auto", "default", "standard", "standard_only"];

/// A tool call other than a function's, kept whole.
fn is_tool_call(value: &Value) -> bool {
    value.get("id").is_some() && value.get("type").and_then(Value::as_str) == Some("custom")
}

/// All refusal text of a message.
pub(super) fn refusal(parts: &[Part]) -> Option<String> {
    gathered(parts, |part| match part {
        Part::Refusal(text) => Some(text),
        _ => None,
    })
}

/// All readable reasoning of a message.
pub(super) fn reasoning_text(parts: &[Part]) -> Option<String> {
    gathered(parts, |part| match part {
        Part::Reasoning { text, .. } => Some(text),
        _ => None,
    })
}

/// The texts that `pick` finds, in one; `None` when there are none or all are empty.
pub(super) fn gathered(parts: &[Part], pick: fn(&Part) -> Option<&String>) -> Option<String> {
    let text: String = parts.iter().filter_map(pick).map(String::as_str).collect();
    Some(text).filter(|text| !text.is_empty())
}

/// A call as OpenAI writes it. The thought signature goes only where `own` says that the format
/// had it before.
pub(super) fn tool_call(call: &ToolCall, id: &str, own: bool) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("id".to_owned(), id.into());
    map.insert("type".to_owned(), "function".into());
    let function = json!({ "name": call.name, "arguments": call.arguments });
    map.insert("function".to_owned(), function);
    if own {
        if let Some(extension) = thought_signature(call.signature.as_ref()) {
            map.extend(extension);
        }
        merge(&mut map, &call.extra);
    }
    map
}

/// The id that hosts with nine-character ids accept: the id itself, or nine letters and digits
/// made of its FNV-1a hash, so that call and result still agree.
fn short_id(id: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut short = String::with_capacity(9);
    for _ in 0..9 {
        let digit = usize::try_from(hash % 62).ok().and_then(|at| DIGITS.get(at));
        short.push(char::from(*digit.unwrap_or(&b'0')));
        hash /= 62;
    }
    short
}

fn tool(tool: &Tool, extras: Extras) -> Option<Value> {
    let Tool::Function { name, description, parameters, strict, extra } = tool else {
        return match tool {
            Tool::Native { origin: ID, value } => Some(value.clone()),
            _ => None,
        };
    };
    let mut function = Map::new();
    put(&mut function, "name", Some(name.as_str()));
    put(&mut function, "description", description.as_deref());
    put(&mut function, "parameters", parameters.clone());
    put(&mut function, "strict", *strict);
    let mut map = Map::new();
    put(&mut map, "type", Some("function"));
    put(&mut map, "function", Some(function));
    merge(&mut map, &extras.kept(extra));
    Some(map.into())
}

fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => Some("auto".into()),
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Named(name) => {
            Some(json!({ "type": "function", "function": { "name": name } }))
        }
        ToolChoice::Other { origin: ID, value } => Some(value.clone()),
        ToolChoice::Other { .. } => None,
    }
}

fn format(format: &Format) -> Value {
    let (name, description, schema, strict) = match format {
        Format::Text => return json!({ "type": "text" }),
        Format::JsonObject => return json!({ "type": "json_object" }),
        Format::JsonSchema { name, description, schema, strict } => {
            (name, description, schema, strict)
        }
    };
    let mut inner = Map::new();
    // OpenAI demands a name.
    put(&mut inner, "name", Some(name.as_deref().unwrap_or("answer")));
    put(&mut inner, "description", description.as_deref());
    put(&mut inner, "schema", Some(schema.clone()));
    put(&mut inner, "strict", *strict);
    json!({ "type": "json_schema", "json_schema": inner })
}

/// The effort asked for. A budget alone is turned into the effort of about that size; the bounds
/// are a quarter and a whole of the 8,192 tokens that a medium effort usually takes.
pub(crate) fn effort(reasoning: &Reasoning) -> Option<&str> {
    if let Some(effort) = &reasoning.effort {
        return Some(effort);
    }
    match reasoning.budget_tokens? {
        ..0 => None,
        0 => Some("none"),
        1..=2_048 => Some("low"),
        2_049..=8_192 => Some("medium"),
        _ => Some("high"),
    }
}
