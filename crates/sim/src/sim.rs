//! The simulator and its providers.
//!
//! [`Sim`] holds the seed, the books and the script; a [`Provider`] is one vendor's face of it and
//! serves connections. Deciding what to send is a function from a request to a
//! [`Reply`]; sending it is the business of `http1` and `http2`. The one lock is held for the few
//! lines that touch books or script, never across a wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use tokio::time::Instant;

use crate::admin;
use crate::ask::Complaint;
use crate::call::Call;
use crate::chance::Chance;
use crate::dialect::{Dialect, PathFacts, Vendor};
use crate::journal::{Bill, Books, Ending, Entry, Tally, Ticket};
use crate::reply::Reply;
use crate::request::Incoming;
use crate::route::{Route, route};
use crate::script::{Playing, Script, ScriptError};
use crate::settings::{ProviderSettings, SimSettings};
use crate::shelf::Shelf;

/// Simulated providers with one seed, one journal and one bill.
pub struct Sim {
    pub(crate) settings: SimSettings,
    birth: Instant,
    wall: SystemTime,
    numbers: AtomicU64,
    connections: AtomicU64,
    open: AtomicUsize,
    received: AtomicU64,
    pub(crate) shelf: Mutex<Shelf>,
    providers: RwLock<Vec<Arc<ProviderSettings>>>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) books: Books,
    pub(crate) playing: Playing,
    pub(crate) chance: Chance,
    /// How often the sequences of F20 and F52 were called, by provider and model.
    pub(crate) sequences: HashMap<(String, String), u64>,
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
            received: AtomicU64::new(0),
            shelf: Mutex::new(Shelf::default()),
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

    /// Forgets journal, bill, script, sequences and what was stored, and starts the seed again. Connections stay.
    pub fn reset(&self) {
        let mut state = self.state();
        let capacity = state.books.capacity;
        state.books = Books { capacity, ..Books::default() };
        state.playing = Playing::default();
        state.chance = Chance::new(self.settings.seed);
        state.sequences.clear();
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Shelf::default();
    }

    /// Bytes ever read of requests, counted as they come (HTTP/1 after the first read of a
    /// connection, heads included; HTTP/2 bodies), so that a test can see a body arrive before it
    /// ends.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn received(&self, count: usize) {
        self.received.fetch_add(count as u64, Ordering::Relaxed);
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

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wall-clock time by the runtime's clock.
    pub(crate) fn wall_now(&self) -> SystemTime {
        self.wall.checked_add(self.birth.elapsed()).unwrap_or(self.wall)
    }

    pub(crate) fn micros(&self, at: Instant) -> u64 {
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
            entry.sent_hash = tally.hash.unwrap_or_default().value();
            entry.tokens_sent = tally.tokens;
            entry.ending = tally.ending;
            entry.ended_us = Some(now);
            entry.disconnected_us = (tally.ending == Ending::ClientGone).then_some(now);
        });
    }

    /// The provider whose name is the first segment of a path, with the rest of the path. `sim` is
    /// the segment of the simulator's own pages.
    pub(crate) fn mounted<'a>(&self, path: &'a str) -> Option<(Arc<ProviderSettings>, &'a str)> {
        let (first, _) = path.strip_prefix('/')?.split_once('/')?;
        if first == "sim" {
            return None;
        }
        let providers = self.providers.read().unwrap_or_else(PoisonError::into_inner);
        let found = providers.iter().find(|provider| provider.name == first)?;
        Some((Arc::clone(found), path.get(first.len() + 1..)?))
    }
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
            Route::Chat(dialect, facts) => self.call(&provider, incoming, dialect, facts).chat(),
            Route::Plain(plain, facts) => {
                self.call(&provider, incoming, plain.dialect, facts).plain(plain)
            }
            Route::Models(dialect) => unbooked(self.models(&provider, incoming, dialect)),
            Route::Admin(what) => {
                unbooked(admin::answer(&self.sim, &incoming.method, what, &incoming.body))
            }
            Route::Unknown => {
                let complaint = Complaint::new(404, format!("Invalid URL ({path})"));
                unbooked(Vendor::OpenAi.refusal(&complaint, "0"))
            }
        }
    }

    pub(crate) fn call<'a>(
        &'a self,
        provider: &'a ProviderSettings,
        incoming: &'a Incoming,
        dialect: Dialect,
        facts: PathFacts,
    ) -> Call<'a> {
        let number = self.sim.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}-{number}", provider.name);
        let vendor = facts.vendor_of(dialect);
        let key = incoming.key(vendor, facts.vertex);
        Call { sim: &self.sim, provider, incoming, dialect, vendor, facts, number, id, key }
    }

    fn models(&self, provider: &ProviderSettings, incoming: &Incoming, dialect: Dialect) -> Reply {
        let versioned = incoming.header("anthropic-version").is_some();
        let dialect = if versioned { Dialect::Anthropic } else { dialect };
        let vendor = dialect.vendor();
        if let Err(complaint) = vendor.check_key(&incoming.key(vendor, false)) {
            return vendor.refusal(&complaint, "0");
        }
        let mut ids: Vec<String> = provider.models.iter().map(|row| row.contains.clone()).collect();
        if ids.is_empty() {
            ids.push(format!("sim-{}", provider.tokens));
        }
        Reply::json(200, dialect.models(&ids).to_string())
    }
}
