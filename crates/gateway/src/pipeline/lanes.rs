//! The configuration, resolved for the request path: every name looked up, every header written.
//!
//! A [`Snapshot`] is built once per configuration and never changes; requests keep the one they
//! began with. What must outlive it (breakers, cooldowns, latencies) is in `state.rs` and shared by
//! key, so a reload does not forget that a provider is down.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{Catalog, Model, Price};
use http::HeaderMap;
use route::{Strategy, Tick};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use wire::dialect::Quirks;
use wire::error::Reported;

use super::proof::Proof;
use super::speech::Speech;
use super::state::{BreakerCell, CredentialState, LaneState, States};
use crate::config::{
    self, BaseUrl, Config, Failover, Provider, Timeouts, UnknownPrice, UpstreamStream, nearest,
};
use crate::upstream::{Origin, Scheme, TrustedRoots};

/// Everything that requests look up.
#[derive(Debug)]
pub struct Snapshot {
    /// The configuration this was built from.
    pub config: Config,
    /// The names clients use.
    pub groups: Vec<Arc<Group>>,
    /// Names to groups: model groups, `provider/model` and bare model names.
    names: HashMap<Arc<str>, usize>,
    states: Arc<States>,
}

/// A public model name with its deployments and rules.
#[derive(Debug)]
pub struct Group {
    /// The name.
    pub name: Arc<str>,
    /// It is another name of a model, which `GET /v1/models` lists under its first one.
    pub alias: bool,
    /// The deployments with their weights.
    pub lanes: Vec<(Arc<Lane>, u32)>,
    /// The order among them.
    pub strategy: &'static Strategy,
    /// Indices of the groups tried when these are exhausted.
    pub fallbacks: Vec<usize>,
    /// Indices of the groups for prompts that do not fit.
    pub context_fallbacks: Vec<usize>,
    /// Indices of the groups for prompts a filter refused.
    pub content_fallbacks: Vec<usize>,
    /// The clocks.
    pub timeouts: Timeouts,
    /// Attempts, retries, hedges.
    pub failover: Failover,
    /// Whether upstreams are asked for streams.
    pub upstream_stream: UpstreamStream,
    /// Whether nothing of a request may be left out.
    pub strict: bool,
}

/// A deployment: a model at a provider, with everything needed to call it.
#[derive(Debug)]
pub struct Lane {
    /// `provider/model`.
    pub id: Arc<str>,
    /// Configuration or catalog name its model; otherwise only a client does.
    pub listed: bool,
    /// The provider's id.
    pub provider: Arc<str>,
    /// The id of the catalog's row it follows, for the table of errors.
    pub vendor: Arc<str>,
    /// The upstream's name of the model.
    pub model: Arc<str>,
    /// The provider's region, or empty.
    pub region: Arc<str>,
    /// The ways to talk to it, its usual one first.
    pub faces: Vec<Face>,
    /// Ways to prove who we are, tried in turn.
    pub credentials: Vec<Credential>,
    /// What a token costs.
    pub price: Price,
    /// The largest answer.
    pub max_output: u64,
    /// The context window.
    pub context: u64,
    /// Whether it continues a partial answer given as the last assistant turn.
    pub prefill: bool,
    /// The provider cannot stream.
    pub never_streams: bool,
    /// The provider's own clocks.
    pub timeouts: crate::config::TimeoutOverrides,
    /// Load, latency and cooldown.
    pub state: Arc<LaneState>,
    /// The breaker of its provider and region.
    pub breaker: Arc<BreakerCell>,
}

impl Lane {
    /// The way to talk to it for a client that speaks `door`: the client's own dialect if it is
    /// spoken there, else the usual one for such requests. `None`: it serves nothing of the kind.
    #[must_use]
    pub fn face(&self, door: Speech) -> Option<&Face> {
        let own = self.faces.iter().find(|face| face.speech.id() == door.id());
        own.or_else(|| self.faces.iter().find(|face| face.speech.is_like(door)))
    }

    /// The first credential that is not set aside, starting behind `after`, which is left out.
    #[must_use]
    pub fn free_credential(&self, now: Tick, after: Option<usize>) -> Option<usize> {
        let count = self.credentials.len();
        let start = after.map_or(self.state.next_credential(count), |index| index + 1);
        let order = (0..count).map(|step| (start + step) % count);
        order.filter(|index| Some(*index) != after).find(|index| {
            let credential = self.credentials.get(*index);
            credential.is_some_and(|credential| credential.state.set_aside(now).is_none())
        })
    }

    /// What the upstream reported, without our credentials: some repeat in their errors the key
    /// that they were sent.
    #[must_use]
    pub fn discreet(&self, mut reported: Reported) -> Reported {
        for secret in self.credentials.iter().filter_map(Credential::secret) {
            if reported.message.contains(secret) {
                reported.message = reported.message.replace(secret, "[credential]");
            }
        }
        for face in &self.faces {
            let authority = format!("{}:{}", face.origin.host, face.origin.port);
            if reported.message.contains(&authority) {
                reported.message = reported.message.replace(&authority, "[upstream]");
            }
        }
        reported
    }

    /// Whether only rate limits set it aside: no credential was refused.
    #[must_use]
    pub fn is_limited(&self, now: Tick) -> bool {
        self.credentials.iter().all(|credential| credential.state.refused.active(now).is_none())
    }

    /// What a usual request costs, to compare deployments by: three input tokens for one of output.
    #[must_use]
    pub fn typical_cost(&self) -> u64 {
        let usage = wire::hub::Usage { input: 3000, output: 1000, ..Default::default() };
        u64::try_from(catalog::cost(&self.price, &usage).as_nanousd()).unwrap_or(0)
    }
}

/// One way to talk to a deployment.
#[derive(Debug)]
pub struct Face {
    /// The wire format.
    pub speech: Speech,
    /// Peculiarities of provider and model.
    pub quirks: Quirks,
    /// Where it is.
    pub origin: Arc<Origin>,
    /// The path before the dialect's own.
    path_prefix: String,
    /// What stands instead of the dialect's own path, unstreamed and streamed.
    path: Option<String>,
    stream_path: Option<String>,
    /// The fixed header fields with each credential, in the order of the lane's credentials.
    pub headers: Vec<HeaderMap>,
    /// What else proves each credential, in the same order.
    pub proofs: Vec<Arc<Proof>>,
}

impl Face {
    /// The target of a request for `model`, given the dialect's own path.
    #[must_use]
    pub fn target(&self, model: &str, stream: bool, own: impl FnOnce() -> String) -> String {
        let instead = if stream { self.stream_path.as_ref() } else { None };
        let path = match instead.or(self.path.as_ref()) {
            Some(template) => template.replace("{model}", &percent_encoded(model)),
            None => own(),
        };
        format!("{}{path}", self.path_prefix)
    }

    /// What proves a credential besides header fields.
    #[must_use]
    pub fn proof(&self, credential: usize) -> Arc<Proof> {
        self.proofs.get(credential).or(self.proofs.first()).map(Arc::clone).unwrap_or_default()
    }

    /// Another path of the same API.
    #[must_use]
    pub fn beside(&self, path: &str) -> String {
        format!("{}{path}", self.path_prefix)
    }
}

/// What is asked for without a model is booked under this name.
const PASSED_THROUGH: &str = "passthrough";

/// A model's name as one segment of a path.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// One credential.
#[derive(Debug)]
pub struct Credential {
    /// What must never be shown.
    pub secret: String,
    /// Its cooldowns.
    pub state: Arc<CredentialState>,
}

/// A shorter credential is no secret, and may be a word of any sentence.
const MIN_SECRET: usize = 8;

impl Credential {
    /// The secret, if it is one.
    fn secret(&self) -> Option<&str> {
        (self.secret.len() >= MIN_SECRET).then_some(&self.secret)
    }
}

/// Why a name could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// No such name; the nearest known ones.
    Unknown(Vec<String>),
    /// The provider is there but the model's price is not known.
    PriceUnknown,
}

impl Snapshot {
    /// Resolves a configuration.
    #[must_use]
    pub fn build(config: Config, states: &Arc<States>) -> Self {
        let mut snapshot =
            Self { groups: Vec::new(), names: HashMap::new(), states: Arc::clone(states), config };
        let mut lanes = LaneTable::default();
        snapshot.add_groups(&mut lanes);
        if snapshot.config.open_catalog {
            snapshot.add_catalog(&mut lanes);
        }
        snapshot
    }

    fn add_groups(&mut self, lanes: &mut LaneTable) {
        for group in &self.config.groups {
            let members = group.deployments.iter().filter_map(|deployment| {
                let provider = self.config.providers.get(deployment.provider)?;
                let lane = lanes.lane(provider, &deployment.model, &self.config, &self.states);
                Some((lane, deployment.weight))
            });
            let name: Arc<str> = Arc::from(group.name.as_str());
            self.names.insert(Arc::clone(&name), self.groups.len());
            self.groups.push(Arc::new(Group {
                name,
                alias: false,
                lanes: members.collect(),
                strategy: Strategy::by_name(&group.strategy).unwrap_or(ordered()),
                fallbacks: group.fallbacks.clone(),
                context_fallbacks: group.context_fallbacks.clone(),
                content_fallbacks: group.content_fallbacks.clone(),
                timeouts: group.timeouts,
                failover: group.failover,
                upstream_stream: group.upstream_stream,
                strict: group.strict,
            }));
        }
    }

    fn add_catalog(&mut self, lanes: &mut LaneTable) {
        for provider in &self.config.providers {
            for (model, alias) in model_names(provider, &self.config.catalog) {
                let lane = lanes.lane(provider, &model, &self.config, &self.states);
                let number = self.groups.len();
                let group = Group { alias, ..single(&self.config, Arc::clone(&lane)) };
                self.groups.push(Arc::new(group));
                self.names.entry(Arc::clone(&lane.id)).or_insert(number);
                self.names.entry(Arc::from(model)).or_insert(number);
            }
        }
    }

    /// The group a client's model name means.
    ///
    /// # Errors
    /// When no group, deployment or model has this name, or nobody knows its price.
    pub fn resolve(&self, name: &str) -> Result<Arc<Group>, Unresolved> {
        if let Some(group) = self.names.get(name).and_then(|number| self.groups.get(*number)) {
            return Ok(Arc::clone(group));
        }
        self.adhoc(name).unwrap_or_else(|| Err(Unresolved::Unknown(self.near(name))))
    }

    /// `provider/model` with a model that neither catalog nor configuration knows.
    fn adhoc(&self, name: &str) -> Option<Result<Arc<Group>, Unresolved>> {
        if !self.config.open_catalog {
            return None;
        }
        let (provider, model) = name.split_once('/').filter(|(_, model)| is_name(model))?;
        let (_, provider) = self.config.provider(provider)?;
        if self.config.unknown_price == UnknownPrice::Refuse {
            return Some(Err(Unresolved::PriceUnknown));
        }
        // Clients can name any number of models: all that nobody lists share one state.
        let state = self.states.lane(&Arc::from(format!("{}/*", provider.id)));
        let id: Arc<str> = Arc::from(format!("{}/{model}", provider.id));
        let lane = build_lane(id, state, provider, model, &self.config, &self.states);
        let lane = Arc::new(Lane { listed: false, ..lane });
        Some(Ok(Arc::new(single(&self.config, lane))))
    }

    /// The provider for requests that name no model, as a deployment: the one that the
    /// configuration names, else the first that speaks OpenAI's dialects.
    #[must_use]
    pub fn passage(&self) -> Option<Arc<Lane>> {
        let providers = &self.config.providers;
        let speaks = |provider: &&Provider| {
            provider.usual().is_some_and(|face| face.dialect.starts_with("openai_"))
        };
        let named = self.config.passthrough.and_then(|number| providers.get(number));
        let provider = named.or_else(|| providers.iter().find(speaks))?;
        let id: Arc<str> = Arc::from(format!("{}/{PASSED_THROUGH}", provider.id));
        let state = self.states.lane(&id);
        let lane = build_lane(id, state, provider, PASSED_THROUGH, &self.config, &self.states);
        // Files and lists of them cost nothing; what costs names its model.
        Some(Arc::new(Lane { price: Price::default(), ..lane }))
    }

    fn near(&self, name: &str) -> Vec<String> {
        let tail = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let mut near: Vec<String> = self
            .names
            .keys()
            .filter(|known| !tail.is_empty() && known.to_ascii_lowercase().contains(&tail))
            .map(|known| known.to_string())
            .collect();
        near.sort_by_key(|known| (known.len(), known.clone()));
        near.truncate(3);
        if near.is_empty() {
            let known = self.groups.iter().map(|group| &*group.name);
            near.extend(nearest(name, known).map(str::to_owned));
        }
        near
    }

    /// Every name that `GET /v1/models` lists: groups first, then deployments.
    #[must_use]
    pub fn listed(&self) -> Vec<Arc<str>> {
        let listed = self.groups.iter().filter(|group| !group.alias);
        listed.map(|group| Arc::clone(&group.name)).collect()
    }

    /// Whether a name may be a metric label.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }
}

/// The longest model name that is passed on without anybody having listed it.
const MAX_NAME: usize = 128;

/// Whether a client's word may stand for a model: some dialects write it into a path, which must
/// lead nowhere else.
fn is_name(model: &str) -> bool {
    let plain = |segment: &str| !matches!(segment, "" | "." | "..");
    model.len() <= MAX_NAME && !model.contains(char::is_control) && model.split('/').all(plain)
}

fn ordered() -> &'static Strategy {
    #[expect(clippy::indexing_slicing, reason = "the table is a constant that is never empty")]
    &route::STRATEGIES[0]
}

/// The names that a provider's models are asked for by, and whether each is an alias.
fn model_names(provider: &Provider, catalog: &Catalog) -> Vec<(String, bool)> {
    let own = provider.models.iter().map(|model| (model.name.clone(), false));
    let known = provider.catalog_id.as_deref().into_iter().flat_map(|id| {
        let models = catalog.models().filter(move |model| model.provider == id);
        models.flat_map(|model| model.names().map(|name| (name.to_owned(), name != model.id)))
    });
    own.chain(known).collect()
}

/// The group of one deployment, under the configuration's general rules.
fn single(config: &Config, lane: Arc<Lane>) -> Group {
    Group {
        name: Arc::clone(&lane.id),
        alias: false,
        lanes: vec![(lane, 1)],
        strategy: ordered(),
        fallbacks: Vec::new(),
        context_fallbacks: Vec::new(),
        content_fallbacks: Vec::new(),
        timeouts: config.timeouts,
        failover: config.failover,
        upstream_stream: config.upstream_stream,
        strict: config.strict,
    }
}

/// Lanes already built, so that one deployment is one lane in however many groups it stands.
#[derive(Default)]
struct LaneTable {
    by_id: HashMap<Arc<str>, Arc<Lane>>,
}

impl LaneTable {
    fn lane(
        &mut self,
        provider: &Provider,
        model: &str,
        config: &Config,
        states: &States,
    ) -> Arc<Lane> {
        let id: Arc<str> = Arc::from(format!("{}/{model}", provider.id));
        if let Some(lane) = self.by_id.get(&id) {
            return Arc::clone(lane);
        }
        let state = states.lane(&id);
        let lane = Arc::new(build_lane(Arc::clone(&id), state, provider, model, config, states));
        self.by_id.insert(id, Arc::clone(&lane));
        lane
    }
}

/// The largest answer assumed where nobody says one.
const DEFAULT_MAX_OUTPUT: u64 = 4096;
/// The context window assumed where nobody says one.
const DEFAULT_CONTEXT: u64 = 128_000;

fn build_lane(
    id: Arc<str>,
    state: Arc<LaneState>,
    provider: &Provider,
    model: &str,
    config: &Config,
    states: &States,
) -> Lane {
    let known = provider.catalog_id.as_deref().and_then(|id| config.catalog.model(id, model));
    let facts = Facts::of(provider, model, known, config);
    let faces = provider.faces.iter().filter_map(|face| build_face(provider, face, known));
    Lane {
        listed: true,
        provider: Arc::from(provider.id.as_str()),
        vendor: Arc::from(provider.catalog_id.as_deref().unwrap_or(&provider.id)),
        model: Arc::from(known.map_or(model, |known| known.upstream_name(model))),
        region: Arc::from(provider.region.as_str()),
        faces: faces.collect(),
        credentials: super::credentials::of(provider, states),
        price: facts.price,
        max_output: facts.max_output,
        context: facts.context,
        prefill: facts.prefill,
        never_streams: provider.stream == UpstreamStream::Never,
        timeouts: provider.timeouts,
        state,
        breaker: states.breaker(provider, config.breaker),
        id,
    }
}

fn build_face(provider: &Provider, face: &config::Face, known: Option<&Model>) -> Option<Face> {
    let speech = Speech::find(&face.dialect).filter(|_| face.serves(known))?;
    Some(Face {
        quirks: face.quirks_of(known),
        origin: Arc::new(origin(provider, &face.base_url)),
        path_prefix: face.base_url.path_prefix.trim_end_matches('/').to_owned(),
        path: face.path.clone(),
        stream_path: face.stream_path.clone(),
        headers: super::credentials::headers(provider, face),
        proofs: super::credentials::proofs(provider),
        speech,
    })
}

fn origin(provider: &Provider, base: &BaseUrl) -> Origin {
    let scheme = if base.https { Scheme::Https } else { Scheme::Http };
    let roots = provider.ca_file.as_deref().map(|pem| {
        let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
        TrustedRoots::from_der(certificates.map(|certificate| certificate.to_vec()))
    });
    Origin {
        http2: provider.http2,
        trusted_roots: roots.unwrap_or_default(),
        ..Origin::new(scheme, base.host.clone(), base.port)
    }
}

/// What is known of a model, whoever says it: the configuration before the catalog.
struct Facts {
    price: Price,
    max_output: u64,
    context: u64,
    prefill: bool,
}

impl Facts {
    fn of(provider: &Provider, model: &str, known: Option<&Model>, config: &Config) -> Self {
        let own = provider.custom_model(model);
        let assumed = match &config.unknown_price {
            UnknownPrice::Assume(price) => price.clone(),
            UnknownPrice::Refuse => Price::default(),
        };
        let price =
            own.map(|own| own.price.clone()).or_else(|| known.map(|known| known.price.clone()));
        let max_output = own.and_then(|own| own.max_output).or(known.map(|known| known.max_output));
        let context = own.and_then(|own| own.context).or(known.map(|known| known.context));
        Self {
            price: price.unwrap_or(assumed),
            max_output: max_output.unwrap_or(DEFAULT_MAX_OUTPUT),
            context: context.unwrap_or(DEFAULT_CONTEXT),
            prefill: own
                .map_or(known.is_some_and(|known| known.capabilities.prefill), |own| own.prefill),
        }
    }
}
