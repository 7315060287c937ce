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
use crate::dialect::{Dialect, PathFacts, Vendor};
use crate::fault::{FaultCall, How, Scene};
use crate::journal::{Ending, Entry, Ticket};
use crate::plain::{Errand, PlainCall};
use crate::reply::{Billing, Kind, Reply, Step};
use crate::request::{Incoming, last_four};
use crate::route::{Route, route};
use crate::script::Line;
use crate::settings::{Profile, ProviderSettings};
use crate::shelf;
use crate::sim::{Prepared, Provider, Sim, State};

/// A request on its way to a reply.
pub(crate) struct Call<'a> {
    pub(crate) sim: &'a Sim,
    pub(crate) provider: &'a ProviderSettings,
    pub(crate) incoming: &'a Incoming,
    pub(crate) dialect: Dialect,
    pub(crate) vendor: Vendor,
    pub(crate) facts: PathFacts,
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) key: String,
}

/// What decides how a request is answered.
struct Cue {
    fault: Option<FaultCall>,
    line: Option<Arc<Line>>,
    chance: Chance,
}

impl Call<'_> {
    /// Answers a turn of a conversation.
    pub(crate) fn chat(&self) -> Prepared {
        match self.admitted().and_then(|()| self.read()) {
            Ok(ask) => self.perform(&ask, &|manner| self.said(&ask, manner)),
            Err(complaint) => self.refused(&complaint),
        }
    }

    /// Answers a call that is no conversation.
    pub(crate) fn plain(&self, plain: &PlainCall) -> Prepared {
        let errand = Errand {
            incoming: self.incoming,
            facts: &self.facts,
            body: serde_json::from_slice(&self.incoming.body).unwrap_or(Value::Null),
            id: &self.id,
            shelf: &self.sim.shelf,
        };
        let admitted = if plain.keyless { Ok(()) } else { self.admitted() };
        match admitted.and_then(|()| (plain.answer)(&errand)) {
            Ok(done) => {
                let input_tokens = done.usage.input;
                let ask = Ask { input_tokens, ..self.unread(done.model.clone()) };
                self.perform(&ask, &|_| (done.reply.clone(), done.usage))
            }
            Err(complaint) => self.refused(&complaint),
        }
    }

    fn admitted(&self) -> Result<(), Complaint> {
        if let Err(complaint) = self.vendor.check_key(&self.key) {
            let google = self.facts.vertex && self.vendor != Vendor::Google;
            return Err(if google { Vendor::Google.bad_key() } else { complaint });
        }
        if self.facts.versionless {
            return Err(Complaint::new(404, "Resource not found").code("404"));
        }
        Ok(())
    }

    /// A request of which only the model is known.
    fn unread(&self, model: String) -> Ask {
        Ask { vendor: self.vendor, ..Ask::new(self.dialect, model) }
    }

    fn refused(&self, complaint: &Complaint) -> Prepared {
        let ask = self.unread(self.facts.model.clone());
        self.booked(&ask, None, self.vendor.refusal(complaint, &self.id), Usage::default())
    }

    fn read(&self) -> Result<Ask, Complaint> {
        let mut body: Value = serde_json::from_slice(&self.incoming.body).map_err(|error| {
            Complaint::new(
                400,
                format!("We could not parse the JSON body of your request. ({error})"),
            )
        })?;
        if self.dialect == Dialect::Responses {
            shelf::recall(&self.sim.shelf, &mut body)?;
        }
        let ask = self.dialect.read(&body, &self.facts)?;
        let ask = Ask { vendor: self.vendor, ..ask };
        let goes_on = ask.prefill.is_none() || ask.model.contains("prefill");
        if goes_on { Ok(ask) } else { Err(self.vendor.no_prefill()) }
    }

    /// Books the healthy reply that `make` makes, or what a fault makes of it.
    fn perform(&self, ask: &Ask, make: &dyn Fn(&Manner) -> (Reply, Usage)) -> Prepared {
        let Cue { fault, line, mut chance } = self.cue(ask);
        let mut manner = Manner { line, ..Manner::default() };
        let mut healthy = |manner: &Manner| {
            let (mut reply, usage) = make(manner);
            reply.billing = Billing::Usage;
            pace(&mut reply, self.provider.profile_of(&ask.model), &mut chance);
            (reply, usage)
        };
        let Some(call) = fault else {
            let (reply, usage) = healthy(&manner);
            return self.booked(ask, None, reply, usage);
        };
        let wall = self.sim.wall_now();
        let scene = Scene { ask, id: &self.id, call: &call, wall };
        let input = Usage { input: ask.input_tokens, ..Usage::default() };
        let (mut reply, usage) = match call.fault.how {
            How::Instead(make) => (make(&scene), input),
            How::Bend { manner: change, shape } => {
                change(&call, &mut manner);
                let (mut reply, usage) = healthy(&manner);
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

    /// The fault named by the request's header or model, else what the script says; with the
    /// chance of this request.
    fn cue(&self, ask: &Ask) -> Cue {
        let mut state = self.sim.state();
        let named = self.incoming.header("x-sim-fault").and_then(FaultCall::parse);
        let named = named.or_else(|| FaultCall::in_model(&ask.model));
        let State { playing, chance, sequences, .. } = &mut *state;
        let (mut fault, line) = match named {
            Some(named) => (Some(named), None),
            None => playing.decide(&self.provider.name, ask, &self.key, chance),
        };
        let own = Chance::new(chance.next());
        if let Some((How::Sequence(decide), asked)) = fault.as_ref().map(|c| (&c.fault.how, c)) {
            let who = (self.provider.name.clone(), ask.model.clone());
            let count = sequences.entry(who).or_default();
            fault = decide(*count, asked, chance).and_then(FaultCall::parse);
            *count += 1;
        }
        Cue { fault, line, chance: own }
    }

    fn said(&self, ask: &Ask, manner: &Manner) -> (Reply, Usage) {
        let answer = answer::answer(self.sim.settings.seed, self.provider, ask, manner);
        let stream = ask.stream != manner.flip_stream;
        let mut reply = self.dialect.render(ask, &answer, &self.id, stream);
        if ask.dialect == Dialect::Responses {
            shelf::keep(&self.sim.shelf, ask, self.dialect.whole(ask, &answer, &self.id));
        }
        reply.billing = Billing::Usage;
        (reply, answer.usage)
    }

    fn not_here(&self, call: &FaultCall) -> Reply {
        let message = format!("{} is played by a listener, not by a request", call.fault.id);
        self.vendor.refusal(&Complaint::new(400, message), &self.id)
    }

    /// Writes the entry and hands out the ticket.
    fn booked(&self, ask: &Ask, fault: Option<&FaultCall>, reply: Reply, usage: Usage) -> Prepared {
        let name = self.vendor.id_header();
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
            scheme: incoming.scheme(),
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
    let (dialect, facts) = match route(&incoming.method, path) {
        Route::Chat(dialect, facts) => (dialect, facts),
        Route::Plain(plain, facts) => (plain.dialect, facts),
        _ => return None,
    };
    let this = provider.call(&settings, incoming, dialect, facts);
    let ask = this.unread(this.facts.model.clone());
    let scene = Scene { ask: &ask, id: &this.id, call: &call, wall: provider.sim.wall_now() };
    let How::Instead(make) = call.fault.how else { return None };
    Some(this.booked(&ask, Some(&call), make(&scene), Usage::default()))
}
