//! One request for an answer, from its key to its entry in the journal.
//!
//! The order is a vendor's: key, JSON, meaning, then the answer, which a fault may replace or bend.
//! The delays of the profile are put between the steps here too.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::answer::{self, Manner, Usage};
use crate::ask::{Ask, Complaint};
use crate::chance::{Chance, fnv1a};
use crate::dialect::{Dialect, PathFacts};
use crate::fault::{FaultCall, How, Scene};
use crate::journal::{Ending, Entry, Ticket};
use crate::reply::{Billing, Kind, Reply, Step};
use crate::request::{Incoming, Route, last_four, route};
use crate::settings::{Profile, ProviderSettings};
use crate::sim::{Prepared, Provider, Sim, State};

/// A request on its way to a reply.
pub(crate) struct Call<'a> {
    pub(crate) sim: &'a Sim,
    pub(crate) provider: &'a ProviderSettings,
    pub(crate) incoming: &'a Incoming,
    pub(crate) dialect: Dialect,
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) key: String,
}

impl Call<'_> {
    pub(crate) fn chat(&self, facts: &PathFacts) -> Prepared {
        let asked = self.dialect.check_key(&self.key).and_then(|()| self.read(facts));
        match asked {
            Ok(ask) => self.converse(&ask),
            Err(complaint) => {
                let body = self.dialect.error(&complaint, &self.id).to_string();
                let ask = Ask::new(self.dialect, facts.model.clone());
                self.booked(&ask, None, Reply::json(complaint.status, body), Usage::default())
            }
        }
    }

    fn read(&self, facts: &PathFacts) -> Result<Ask, Complaint> {
        let body: Value = serde_json::from_slice(&self.incoming.body).map_err(|error| {
            Complaint::new(
                400,
                format!("We could not parse the JSON body of your request. ({error})"),
            )
        })?;
        let ask = self.dialect.read(&body, facts)?;
        let goes_on = ask.prefill.is_none() || ask.model.contains("prefill");
        if goes_on { Ok(ask) } else { Err(self.dialect.no_prefill()) }
    }

    fn converse(&self, ask: &Ask) -> Prepared {
        let (call, mut chance) = self.fault(ask);
        let Some(call) = call else {
            let (reply, usage) = self.healthy(ask, &Manner::default(), &mut chance);
            return self.booked(ask, None, reply, usage);
        };
        let wall = self.sim.wall_now();
        let scene = Scene { ask, id: &self.id, call: &call, wall };
        let input = Usage { input: ask.input_tokens, ..Usage::default() };
        let (mut reply, usage) = match call.fault.how {
            How::Instead(make) => (make(&scene), input),
            How::Bend { manner, shape } => {
                let mut changed = Manner::default();
                manner(&call, &mut changed);
                let (mut reply, usage) = self.healthy(ask, &changed, &mut chance);
                reply.billing = call.fault.billing;
                shape(&scene, &mut reply);
                (reply, usage)
            }
            How::Listener | How::Sequence(_) => (self.not_here(&call), input),
        };
        if reply.billing == Billing::Nothing {
            reply.billing = call.fault.billing;
        }
        self.booked(ask, Some(&call), reply, usage)
    }

    /// The fault named by the request's header or model, else by the script; with the chance of
    /// this request.
    fn fault(&self, ask: &Ask) -> (Option<FaultCall>, Chance) {
        let mut state = self.sim.state();
        let named = self.incoming.header("x-sim-fault").and_then(FaultCall::parse);
        let named = named.or_else(|| FaultCall::in_model(&ask.model));
        let State { playing, chance, sequences, .. } = &mut *state;
        let scripted = || playing.decide(&self.provider.name, &ask.model, &self.key, chance);
        let mut call = named.or_else(scripted);
        let own = Chance::new(chance.next());
        if let Some((How::Sequence(decide), asked)) = call.as_ref().map(|c| (&c.fault.how, c)) {
            let who = (self.provider.name.clone(), ask.model.clone());
            let count = sequences.entry(who).or_default();
            call = decide(*count, asked, chance).and_then(FaultCall::parse);
            *count += 1;
        }
        (call, own)
    }

    fn healthy(&self, ask: &Ask, manner: &Manner, chance: &mut Chance) -> (Reply, Usage) {
        let answer = answer::answer(self.sim.settings.seed, self.provider, ask, manner);
        let stream = ask.stream != manner.flip_stream;
        let mut reply = self.dialect.render(ask, &answer, &self.id, stream);
        reply.billing = Billing::Usage;
        pace(&mut reply, self.provider.profile_of(&ask.model), chance);
        (reply, answer.usage)
    }

    fn not_here(&self, call: &FaultCall) -> Reply {
        let message = format!("{} is played by a listener, not by a request", call.fault.id);
        let complaint = Complaint::new(400, message);
        Reply::json(400, self.dialect.error(&complaint, &self.id).to_string())
    }

    /// Writes the entry and hands out the ticket.
    fn booked(&self, ask: &Ask, fault: Option<&FaultCall>, reply: Reply, usage: Usage) -> Prepared {
        let name = self.dialect.id_header();
        let reply = reply.header(name, Cow::Owned(format!("req_{}", self.id)));
        if self.sim.settings.journal {
            let entry = self.entry(ask, fault, reply.status);
            self.sim.state().books.open(entry);
        }
        let ticket = Ticket {
            number: self.number,
            id: self.id.clone(),
            provider: self.provider.name.clone(),
            model: ask.model.clone(),
            price: self.provider.price_of(&ask.model),
            usage,
            billing: reply.billing,
        };
        Prepared { reply, ticket: Some(ticket) }
    }

    fn entry(&self, ask: &Ask, fault: Option<&FaultCall>, status: u16) -> Entry {
        let incoming = self.incoming;
        Entry {
            id: self.id.clone(),
            number: self.number,
            provider: self.provider.name.clone(),
            arrived_us: self.sim.micros(Instant::now()),
            dialect: self.dialect,
            model: ask.model.clone(),
            stream: ask.stream,
            key: last_four(&self.key).to_owned(),
            protocol: incoming.protocol,
            connection: incoming.connection,
            path: incoming.public_path(),
            headers: incoming.public_headers(),
            body_bytes: incoming.body.len() as u64,
            body_hash: fnv1a(&incoming.body),
            fault: fault.map(ToString::to_string).unwrap_or_default(),
            status,
            first_byte_us: None,
            bytes_sent: 0,
            sent_hash: 0,
            tokens_sent: 0,
            disconnected_us: None,
            ended_us: None,
            ending: Ending::Running,
            cost_nanousd: 0,
        }
    }
}

/// Puts the delays of a profile between the steps. An unstreamed answer comes when its last token
/// would.
fn pace(reply: &mut Reply, profile: Profile, chance: &mut Chance) {
    let first = profile.ttft.draw(chance);
    let mut whole = first;
    if !profile.gap.is_zero() {
        let mut paced = Vec::with_capacity(reply.body.len() * 2);
        let mut started = false;
        for step in std::mem::take(&mut reply.body) {
            if step.is(Kind::Token) && std::mem::replace(&mut started, true) {
                paced.push(Step::Wait(profile.gap.draw(chance)));
            }
            if let Step::Send { kind: Kind::Whole, tokens, .. } = &step {
                whole += (1..*tokens).map(|_| profile.gap.draw(chance)).sum::<Duration>();
            }
            paced.push(step);
        }
        reply.body = paced;
    }
    if !whole.is_zero() {
        reply.before.push(Step::Wait(whole));
    }
}

/// An early refusal of a body that is still coming, when the request's head or the beginning of its
/// body asks for F48.
pub(crate) fn early_refusal(provider: &Provider, incoming: &Incoming) -> Option<Prepared> {
    const LOOKED_AT: usize = 4_096;
    let start = incoming.body.get(..incoming.body.len().min(LOOKED_AT))?;
    let text = String::from_utf8_lossy(start);
    let named = [&incoming.path, text.as_ref()];
    let named = named.iter().any(|place| place.to_ascii_lowercase().contains("fault-f48"));
    let header = incoming.header("x-sim-fault").and_then(FaultCall::parse);
    let asked = named || header.is_some_and(|call| call.fault.id == "f48");
    let call = FaultCall::parse("f48").filter(|_| asked)?;
    let mounted = provider.sim.mounted(&incoming.path);
    let (settings, path) =
        mounted.unwrap_or_else(|| (Arc::clone(&provider.settings), incoming.path.as_str()));
    let Route::Chat(dialect, facts) = route(&incoming.method, path) else { return None };
    let this = provider.call(&settings, incoming, dialect);
    let ask = Ask::new(dialect, facts.model);
    let scene = Scene { ask: &ask, id: &this.id, call: &call, wall: provider.sim.wall_now() };
    let How::Instead(make) = call.fault.how else { return None };
    Some(this.booked(&ask, Some(&call), make(&scene), Usage::default()))
}
