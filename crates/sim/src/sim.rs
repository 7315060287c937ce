//! The simulator and its providers.
//!
//! [`Sim`] holds the seed, the books and the script; a [`Provider`] is one vendor's face of it and
//! serves connections. Deciding what to send is done here, as a function from a request to a
//! [`Reply`]; sending it is the business of `http1` and `http2`. The one lock is held for the few
//! lines that touch books or script, never across a wait.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant;

use crate::admin;
use crate::answer::{self, Manner, Usage};
use crate::ask::{Ask, Complaint};
use crate::chance::{Chance, fnv1a};
use crate::dialect::{Dialect, PathFacts};
use crate::fault::{FaultCall, How, Scene};
use crate::journal::{Bill, Books, Ending, Entry, Tally, Ticket};
use crate::reply::{Billing, Kind, Reply, Step};
use crate::request::{Incoming, Route, route};
use crate::script::{Playing, Script, ScriptError};
use crate::settings::{Profile, ProviderSettings, SimSettings};

/// Simulated providers with one seed, one journal and one bill.
pub struct Sim {
    settings: SimSettings,
    birth: Instant,
    wall: SystemTime,
    numbers: AtomicU64,
    connections: AtomicU64,
    open: AtomicUsize,
    providers: RwLock<Vec<Arc<ProviderSettings>>>,
    state: Mutex<State>,
}

struct State {
    books: Books,
    playing: Playing,
    chance: Chance,
    /// How often the sequences of F20 and F52 were called, by provider and model.
    sequences: HashMap<(String, String), u64>,
}

/// One vendor's face of a simulator.
#[derive(Clone)]
pub struct Provider {
    pub(crate) sim: Arc<Sim>,
    pub(crate) settings: Arc<ProviderSettings>,
}

/// A reply with what has to be booked when it is over.
pub(crate) struct Prepared {
    pub(crate) reply: Reply,
    pub(crate) ticket: Option<Ticket>,
}

/// Counts a connection while it lives.
pub(crate) struct OpenConnection {
    sim: Arc<Sim>,
    pub(crate) number: u64,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.sim.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sim {
    /// A simulator. Must be called inside a tokio runtime, whose clock it uses.
    #[must_use]
    pub fn new(settings: SimSettings) -> Arc<Self> {
        let provider = Arc::new(settings.provider.clone());
        let state = State {
            books: Books { capacity: settings.journal_capacity.max(1), ..Books::default() },
            playing: Playing::default(),
            chance: Chance::new(settings.seed),
            sequences: HashMap::new(),
        };
        Arc::new(Self {
            birth: Instant::now(),
            wall: settings.wall.unwrap_or_else(SystemTime::now),
            numbers: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            providers: RwLock::new(vec![provider]),
            state: Mutex::new(state),
            settings,
        })
    }

    /// Mounts a provider. Its name is also the first segment of its paths on ports shared by
    /// several; a provider of the same name is replaced for connections made from now on.
    pub fn provider(self: &Arc<Self>, settings: ProviderSettings) -> Provider {
        let settings = Arc::new(settings);
        let mut providers = self.providers.write().unwrap_or_else(PoisonError::into_inner);
        providers.retain(|other| other.name != settings.name);
        providers.push(Arc::clone(&settings));
        Provider { sim: Arc::clone(self), settings }
    }

    /// The provider made from the settings.
    #[must_use]
    pub fn default_provider(self: &Arc<Self>) -> Provider {
        let settings = Arc::new(self.settings.provider.clone());
        Provider { sim: Arc::clone(self), settings }
    }

    /// Requests so far, the oldest first; empty when the journal is off.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.state().books.entries.iter().cloned().collect()
    }

    /// The bill so far.
    #[must_use]
    pub fn bill(&self) -> Bill {
        self.state().books.bill.clone()
    }

    /// Sets the script, replacing the old one.
    ///
    /// # Errors
    /// When a rule names an unknown fault or one that only a listener can play.
    pub fn script(&self, script: Script) -> Result<(), ScriptError> {
        let playing = Playing::new(script)?;
        self.state().playing = playing;
        Ok(())
    }

    /// Forgets journal, bill, script and sequences, and starts the seed again. Connections stay.
    pub fn reset(&self) {
        let mut state = self.state();
        let capacity = state.books.capacity;
        state.books = Books { capacity, ..Books::default() };
        state.playing = Playing::default();
        state.chance = Chance::new(self.settings.seed);
        state.sequences.clear();
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections ever accepted.
    #[must_use]
    pub fn accepted_connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// The instant from which the journal counts.
    #[must_use]
    pub fn birth(&self) -> Instant {
        self.birth
    }

    pub(crate) fn connect(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Ordering::Relaxed);
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        OpenConnection { sim: Arc::clone(self), number }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.birth);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// Books a request that is over.
    pub(crate) fn settle(&self, ticket: &Ticket, tally: &Tally) {
        let now = self.micros(Instant::now());
        let first_byte = tally.first_byte.map(|at| self.micros(at));
        let row = ticket.row(tally);
        self.state().books.close(row, ticket.number, self.settings.journal, |entry| {
            entry.first_byte_us = first_byte;
            entry.bytes_sent = tally.bytes;
            entry.sent_hash = tally.hash.value();
            entry.tokens_sent = tally.tokens;
            entry.ending = tally.ending;
            entry.ended_us = Some(now);
            entry.disconnected_us = (tally.ending == Ending::ClientGone).then_some(now);
        });
    }

    /// The provider whose name is the first segment of a path, with the rest of the path.
    fn mounted<'a>(&self, path: &'a str) -> Option<(Arc<ProviderSettings>, &'a str)> {
        let (first, _) = path.strip_prefix('/')?.split_once('/')?;
        let providers = self.providers.read().unwrap_or_else(PoisonError::into_inner);
        let found = providers.iter().find(|provider| provider.name == first)?;
        Some((Arc::clone(found), path.get(first.len() + 1..)?))
    }
}

/// A request on its way to a reply.
struct Call<'a> {
    sim: &'a Sim,
    provider: &'a ProviderSettings,
    incoming: &'a Incoming,
    dialect: Dialect,
    number: u64,
    id: String,
    key: String,
}

impl Provider {
    /// The simulator behind it.
    #[must_use]
    pub fn sim(&self) -> &Arc<Sim> {
        &self.sim
    }

    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Decides what is sent to a request.
    pub(crate) fn answer(&self, incoming: &Incoming) -> Prepared {
        let path = incoming.path.as_str();
        let mounted = self.sim.mounted(path);
        let (provider, path) =
            mounted.unwrap_or_else(|| (Arc::clone(&self.settings), incoming.path.as_str()));
        let unbooked = |reply| Prepared { reply, ticket: None };
        match route(&incoming.method, path) {
            Route::Chat(dialect, facts) => self.call(&provider, incoming, dialect).chat(&facts),
            Route::Models(dialect) => unbooked(self.models(&provider, incoming, dialect)),
            Route::Admin(what) => {
                unbooked(admin::answer(&self.sim, &incoming.method, what, &incoming.body))
            }
            Route::Unknown => {
                let complaint = Complaint::new(404, format!("Invalid URL ({path})"));
                unbooked(Reply::json(404, Dialect::OpenAi.error(&complaint, "0").to_string()))
            }
        }
    }

    fn call<'a>(
        &'a self,
        provider: &'a ProviderSettings,
        incoming: &'a Incoming,
        dialect: Dialect,
    ) -> Call<'a> {
        let number = self.sim.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}-{number}", provider.name);
        let key = incoming.key(dialect);
        Call { sim: &self.sim, provider, incoming, dialect, number, id, key }
    }

    fn models(&self, provider: &ProviderSettings, incoming: &Incoming, dialect: Dialect) -> Reply {
        let versioned = incoming.header("anthropic-version").is_some();
        let dialect = if versioned { Dialect::Anthropic } else { dialect };
        if let Err(complaint) = dialect.check_key(&incoming.key(dialect)) {
            return Reply::json(complaint.status, dialect.error(&complaint, "0").to_string());
        }
        let mut ids: Vec<String> = provider.models.iter().map(|row| row.contains.clone()).collect();
        if ids.is_empty() {
            ids.push(format!("sim-{}", provider.tokens));
        }
        Reply::json(200, dialect.models(&ids).to_string())
    }
}

impl Call<'_> {
    fn chat(&self, facts: &PathFacts) -> Prepared {
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
        let wall = self.sim.wall + self.sim.birth.elapsed();
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
            key: crate::request::last_four(&self.key).to_owned(),
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
    let places = [incoming.header("x-sim-fault").unwrap_or_default(), &incoming.path, &text];
    let asked = places.iter().any(|place| place.to_ascii_lowercase().contains("f48"));
    let call = FaultCall::parse("f48").filter(|_| asked)?;
    let mounted = provider.sim.mounted(&incoming.path);
    let (settings, path) =
        mounted.unwrap_or_else(|| (Arc::clone(&provider.settings), incoming.path.as_str()));
    let Route::Chat(dialect, facts) = route(&incoming.method, path) else { return None };
    let this = provider.call(&settings, incoming, dialect);
    let ask = Ask::new(dialect, facts.model);
    let scene = Scene { ask: &ask, id: &this.id, call: &call, wall: provider.sim.wall };
    let How::Instead(make) = call.fault.how else { return None };
    Some(this.booked(&ask, Some(&call), make(&scene), Usage::default()))
}
