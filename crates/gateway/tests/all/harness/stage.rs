//! The gateway and its simulator, put together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use gateway::app::{App, Parts};
use gateway::config;
use gateway::listen::{Gate, serve_io};
use gateway::telemetry::{LogFormat, LogSink, Telemetry};
use gateway::upstream::{Network, SystemNetwork};
use gateway::world::World;
use ledger::journal::Memory;
use route::{Admission, State as BreakerState, Verdict};
use serde_json::Value;
use sim::{Entry, MemoryPeer, Profile, ProviderSettings, Rule, Script, Sim, SimSettings};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::client::{Ask, Live, Reply, send};
use super::network::{Hosts, Place};

/// The stage's wall clock begins here: 2025-06-15, noon.
pub(crate) const UNIX_MS: i64 = 1_749_988_800_000;

/// The strikes of a breaker so patient that a test can count them.
const PATIENCE: u32 = 50;

/// What a stage is built from; the defaults are two healthy providers in the OpenAI dialect.
pub(crate) struct Setup {
    /// What is behind `a.sim`; A itself when absent.
    pub(crate) place_a: Option<Place>,
    /// What is behind `b.sim`; B itself when absent.
    pub(crate) place_b: Option<Place>,
    /// A's dialect.
    pub(crate) dialect: &'static str,
    /// A's address, scheme and host; `http://a.sim` when absent.
    pub(crate) url_a: Option<String>,
    /// Further keys of provider A, as inner lines of a YAML flow map (`http2: true`).
    pub(crate) keys_a: String,
    /// Further top-level lines of the configuration.
    pub(crate) top: String,
    /// Further keys of every group (`upstream_stream: never`).
    pub(crate) group: String,
    /// Delays of both providers.
    pub(crate) pace: Profile,
    /// A certificate (DER) that `ca_file: ca.pem` stands for.
    pub(crate) authority: Option<Vec<u8>>,
    /// Counts strikes instead of opening at the third.
    pub(crate) patient: bool,
    /// The simulator, when it exists already.
    pub(crate) sim: Option<Arc<Sim>>,
    /// Uses the kernel's sockets and names instead of pipes.
    pub(crate) sockets: bool,
    /// B's dialect.
    pub(crate) dialect_b: &'static str,
    /// B says other words than A when this is not "".
    pub(crate) voice_b: &'static str,
    /// Further models of both providers, as entries of a YAML flow map.
    pub(crate) models: String,
    /// Further groups, as whole lines.
    pub(crate) groups: String,
    /// The value of `auth`.
    pub(crate) auth: &'static str,
    /// Further providers, as whole lines.
    pub(crate) providers: String,
    /// What every file ending in `.toml` holds.
    pub(crate) catalog: String,
    /// What every file ending in `.json` holds.
    pub(crate) account: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            place_a: None,
            place_b: None,
            dialect: "openai_chat",
            url_a: None,
            keys_a: String::new(),
            top: String::new(),
            group: String::new(),
            pace: Profile::default(),
            authority: None,
            patient: true,
            sim: None,
            sockets: false,
            dialect_b: "openai_chat",
            voice_b: "",
            models: String::new(),
            groups: String::new(),
            auth: "open",
            providers: String::new(),
            catalog: String::new(),
            account: String::new(),
        }
    }
}

/// A simulator whose wall clock is the stage's.
pub(crate) fn simulator() -> Arc<Sim> {
    let wall = UNIX_EPOCH + Duration::from_millis(UNIX_MS.unsigned_abs());
    Sim::new(SimSettings { seed: 7, wall: Some(wall), ..SimSettings::default() })
}

impl Setup {
    /// A speaks this dialect.
    pub(crate) fn dialect(dialect: &'static str) -> Self {
        Self { dialect, ..Self::default() }
    }

    /// This is behind A's name.
    pub(crate) fn a_is(peer: MemoryPeer) -> Self {
        Self { place_a: Some(Place::Peer(peer)), ..Self::default() }
    }

    /// The breaker opens at the third failure, as by default.
    pub(crate) fn usual_breaker(self) -> Self {
        Self { patient: false, ..self }
    }

    /// Puts the stage together on the current runtime.
    pub(crate) async fn start(self) -> Stage {
        let sim = self.sim.clone().unwrap_or_else(simulator);
        let named = |name: &str, voice: &str| ProviderSettings {
            profile: self.pace,
            voice: voice.to_owned(),
            ..ProviderSettings::named(name)
        };
        let (a, b) = (sim.provider(named("a", "")), sim.provider(named("b", self.voice_b)));
        let mut running = Vec::new();
        let mut url_b = "http://b.sim".to_owned();
        let mut url_a = self.url_a.clone();
        if self.sockets {
            let served = b.start().await.unwrap();
            url_b = format!("http://{}", served.addr);
            running.push(served);
            if url_a.is_none() {
                let served = a.start().await.unwrap();
                url_a = Some(format!("http://{}", served.addr));
                running.push(served);
            }
        }
        let peer = |place: &Option<Place>, provider| {
            place.clone().unwrap_or(Place::Peer(MemoryPeer::Provider(provider)))
        };
        let hosts = Arc::new(Hosts::new(BTreeMap::from([
            ("a.sim".to_owned(), peer(&self.place_a, a)),
            ("b.sim".to_owned(), peer(&self.place_b, b)),
        ])));
        let network: Arc<dyn Network> =
            if self.sockets { Arc::new(SystemNetwork) } else { Arc::clone(&hosts) as _ };
        let yaml = self.yaml(url_a.as_deref().unwrap_or("http://a.sim"), &url_b);
        Stage::assemble(&self, &yaml, network, hosts, sim, running)
    }

    fn yaml(&self, url_a: &str, url_b: &str) -> String {
        let path = |dialect: &str| match dialect {
            "gemini" | "gemini_embed" => "/v1beta",
            "bedrock_converse" => "",
            "cohere_v2" | "cohere_embed" | "cohere_rerank" => "/v2",
            "voyage_embeddings" | "voyage_rerank" => "/voyage/v1",
            _ => "/v1",
        };
        let (path_a, path_b) = (path(self.dialect), path(self.dialect_b));
        let model = "models: { m: { input: $1, output: $2, context: 100000, max_output: 4096 }";
        let (dialect, keys, top, group) = (self.dialect, &self.keys_a, &self.top, &self.group);
        let (dialect_b, models, groups, auth) =
            (self.dialect_b, &self.models, &self.groups, self.auth);
        let providers = &self.providers;
        let keyed = if keys.contains("api_keys") { "" } else { "api_key: key-of-a, " };
        let patient = match self.patient {
            true => format!("breaker: {{ failures: {PATIENCE} }}"),
            false => String::new(),
        };
        format!(
            "auth: {auth}\n{patient}\n{top}\nopen_catalog: true\nproviders:\n\
             \x20 a: {{ dialect: {dialect}, base_url: \"{url_a}{path_a}\", {keyed}{model}, {models} }}, {keys} }}\n\
             \x20 b: {{ dialect: {dialect_b}, base_url: \"{url_b}{path_b}\", api_key: key-of-b, {model}, {models} }} }}\n\
             {providers}models:\n\
             \x20 pair: {{ deployments: [a/m, b/m], strategy: ordered, {group} }}\n\
             \x20 solo: {{ deployments: [a/m], {group} }}\n\
             \x20 other: {{ deployments: [b/m], {group} }}\n\
             \x20 wide: {{ deployments: [a/m], context_fallbacks: [other], content_fallbacks: [other], {group} }}\n\
             {groups}"
        )
    }

    fn config(&self, yaml: &str) -> config::Config {
        let pem = self.authority.as_ref().map(|der| {
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        });
        let read = |path: &std::path::Path| {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("toml") => return Ok(self.catalog.clone()),
                Some("json") => return Ok(self.account.clone()),
                _ => {}
            }
            pem.clone().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
        };
        config::parse(yaml, "stage.yaml", &|_| None, &read).unwrap_or_else(|problems| {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}\n{yaml}", told.join("\n"))
        })
    }
}

/// A gateway with its providers.
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) sim: Arc<Sim>,
    pub(crate) books: Arc<Memory>,
    pub(crate) hosts: Arc<Hosts>,
    sink: LogSink,
    lines: Mutex<Vec<Value>>,
    gate: Gate,
    tasks: usize,
    _running: Vec<sim::net::Running>,
    _close: watch::Sender<bool>,
}

impl Stage {
    /// Two healthy providers.
    pub(crate) async fn new() -> Self {
        Setup::default().start().await
    }

    /// A plays this fault for every request.
    pub(crate) async fn with_fault(fault: &str) -> Self {
        let stage = Self::new().await;
        stage.fault(fault);
        stage
    }

    fn assemble(
        setup: &Setup,
        yaml: &str,
        network: Arc<dyn Network>,
        hosts: Arc<Hosts>,
        sim: Arc<Sim>,
        running: Vec<sim::net::Running>,
    ) -> Self {
        let sink = LogSink::memory(LogFormat::Json);
        let books = Arc::<Memory>::default();
        let parts = Parts {
            network,
            world: World::seeded(11, UNIX_MS),
            telemetry: Telemetry::new(sink.clone()),
            journal: Arc::clone(&books) as _,
        };
        let app = App::assemble(setup.config(yaml), parts);
        let (close, gate) = Gate::new();
        let tasks = alive_tasks();
        let lines = Mutex::default();
        Self { app, sim, books, hosts, sink, lines, gate, tasks, _running: running, _close: close }
    }

    /// A plays this fault from now on.
    pub(crate) fn fault(&self, fault: &str) {
        self.script(vec![Rule::always(fault).at("a")]);
    }

    /// Sets the simulator's script.
    pub(crate) fn script(&self, rules: Vec<Rule>) {
        self.sim.script(Script { rules }).unwrap();
    }

    /// Asks on a fresh connection and reads the whole answer.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        self.begin(ask).await.whole().await
    }

    /// Asks on a fresh connection and waits for the head only.
    pub(crate) async fn begin(&self, ask: &Ask) -> Live {
        send(self.dial(), ask).await
    }

    /// A connection to the gateway on which nothing was said yet.
    pub(crate) fn dial(&self) -> sim::memory::End {
        let (client, server) = sim::memory::pipe();
        let (data, limits) = (self.app.data(), self.app.limits());
        tokio::spawn(serve_io(server, data, limits, self.gate.clone()));
        client
    }

    /// What the provider of this name was asked, in order.
    pub(crate) fn asked(&self, provider: &str) -> Vec<Entry> {
        let mut entries = self.sim.journal();
        entries.retain(|entry| entry.provider == provider);
        entries
    }

    /// How often A and B were asked.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.asked("a").len(), self.asked("b").len())
    }

    /// Every line of the request log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        let mut lines = self.lines.lock().unwrap();
        let fresh = self.sink.take();
        lines.extend(fresh.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        lines.clone()
    }

    /// The lines of one kind, `request` or `fallback`.
    pub(crate) fn lines(&self, event: &str) -> Vec<Value> {
        let mut lines = self.log();
        lines.retain(|line| line["event"] == event);
        lines
    }

    /// The newest request's line.
    pub(crate) fn last_request(&self) -> Value {
        self.lines("request").pop().unwrap_or_default()
    }

    /// Outcome and booking of the newest request's attempts.
    pub(crate) fn attempts(&self) -> Vec<(String, String, String)> {
        let line = self.last_request();
        let word =
            |attempt: &Value, key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
        let attempts = line["attempts"].as_array().cloned().unwrap_or_default();
        attempts
            .iter()
            .map(|one| (word(one, "deployment"), word(one, "outcome"), word(one, "ledger")))
            .collect()
    }

    fn breaker(&self, provider: &str) -> Arc<gateway::pipeline::state::BreakerCell> {
        let mut cells = self.app.core.states.breakers();
        cells.retain(|cell| &*cell.provider == provider);
        cells.pop().unwrap()
    }

    /// Adds one counted failure to a provider's breaker.
    pub(crate) fn strike(&self, provider: &str) {
        let cell = self.breaker(provider);
        let now = self.app.core.world.tick(Instant::now());
        if let Admission::Pass(ticket) | Admission::Probe(ticket) = cell.breaker.admit(now) {
            cell.breaker.record(now, ticket, Verdict::Failure);
        }
    }

    /// The state of a provider's breaker.
    pub(crate) fn state(&self, provider: &str) -> BreakerState {
        self.breaker(provider).breaker.state(self.app.core.world.tick(Instant::now()))
    }

    /// How many counted failures in a row a patient breaker holds. Opens it, so it comes last.
    pub(crate) fn strikes(&self, provider: &str) -> u32 {
        let mut left = 0;
        while self.state(provider) == BreakerState::Closed {
            self.strike(provider);
            left += 1;
        }
        PATIENCE - left
    }

    /// Waits at most two seconds until nothing of any request is left: no reservation, no request at
    /// a provider, no task and no connection but pooled ones.
    pub(crate) async fn quiet(&self) {
        let until = Instant::now() + Duration::from_secs(2);
        while let Err(left) = self.is_quiet() {
            assert!(Instant::now() < until, "{left}");
            sleep(Duration::from_millis(20)).await;
        }
        let totals = self.app.core.ledger.totals();
        let booked: i64 = self.books.entries().iter().map(|entry| entry.cost.as_nanousd()).sum();
        assert_eq!(totals.settled.as_nanousd(), booked, "the counters equal the books");
        let told: i64 =
            self.lines("request").iter().filter_map(|l| l["cost_nanousd"].as_i64()).sum();
        assert_eq!(told, booked, "the log equals the books");
    }

    fn is_quiet(&self) -> Result<(), String> {
        let totals = self.app.core.ledger.totals();
        if totals.open_permits != 0 || totals.reserved.as_nanousd() != 0 {
            return Err(format!("a reservation is open: {totals:?}"));
        }
        if self.app.core.states.active.get() != 0 {
            return Err("a request is under way".to_owned());
        }
        let retries = self.app.core.states.retries.in_flight();
        if retries != 0 {
            return Err(format!("{retries} shares of the retry budget are out"));
        }
        let running = self.sim.journal().into_iter().find(|e| e.ending == sim::Ending::Running);
        if let Some(entry) = running {
            return Err(format!("an upstream was not cancelled: {entry:?}"));
        }
        if self.gate.connections() != 0 {
            return Err("a client's connection is open".to_owned());
        }
        // A pooled connection has a driver here and one or two tasks at the simulator; each of the
        // two pools has a sweeper while it remembers connections.
        let pooled = self.sim.open_connections();
        let (now, most) = (alive_tasks(), self.tasks + 2 + 4 * pooled);
        if now > most {
            return Err(format!("{now} tasks, {most} expected, {pooled} connections"));
        }
        Ok(())
    }

    /// What `/metrics` would say.
    pub(crate) fn metrics(&self) -> String {
        self.app.core.telemetry.metrics.text()
    }
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
