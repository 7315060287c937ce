//! The configuration, resolved for the request path: every name looked up, every header written.
//!
//! A [`Snapshot`] is built once per configuration and never changes; requests keep the one they
//! began with. What must outlive it (breakers, cooldowns, latencies) is in `state.rs` and shared by
//! key, so a reload does not forget that a provider is down.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{Catalog, Model, Price};
use route::{Strategy, Tick};
use wire::dialect::Quirks;
use wire::error::Reported;

use super::sites::{Credential, Premises, Site};
use super::speech::Speech;
use super::state::{BreakerCell, LaneState, States};
use crate::config::{Config, Failover, Provider, Timeouts, UnknownPrice, UpstreamStream, nearest};

/// Everything that requests look up.
#[derive(Debug)]
pub struct Snapshot {
    /// The configuration this was built from.
    pub config: Config,
    /// The names clients use.
    pub groups: Vec<Arc<Group>>,
    /// Names to groups: model groups, `provider/model` and bare model names.
    names: HashMap<Arc<str>, usize>,
    /// What the deployments of each provider share, in the configuration's order.
    premises: Vec<Premises>,
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
    pub credentials: Arc<[Credential]>,
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
        let own = self.faces.iter().find(|face| face.site.speech.id() == door.id());
        own.or_else(|| self.faces.iter().find(|face| face.site.speech.is_like(door)))
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
            let authority = format!("{}:{}", face.site.origin.host, face.site.origin.port);
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

/// One way to talk to a deployment: its provider's, with the model's peculiarities.
#[derive(Debug)]
pub struct Face {
    /// Where and how.
    pub site: Arc<Site>,
    /// Peculiarities of provider and model.
    pub quirks: Quirks,
}

/// What is asked for without a model is booked under this name.
const PASSED_THROUGH: &str = "passthrough";

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
        let premises = config.providers.iter().map(|each| Premises::of(each, states)).collect();
        let mut snapshot = Self {
            groups: Vec::new(),
            names: HashMap::new(),
            premises,
            states: Arc::clone(states),
            config,
        };
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
                let at = (provider, self.premises.get(deployment.provider)?);
                let lane = lanes.lane(at, &deployment.model, &self.config, &self.states);
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
        for at in self.config.providers.iter().zip(&self.premises) {
            for (model, alias) in model_names(at.0, &self.config.catalog) {
                let lane = lanes.lane(at, &model, &self.config, &self.states);
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
        let (number, provider) = self.config.provider(provider)?;
        let premises = self.premises.get(number)?;
        if self.config.unknown_price == UnknownPrice::Refuse {
            return Some(Err(Unresolved::PriceUnknown));
        }
        // Clients can name any number of models: all that nobody lists share one state.
        let state = self.states.lane(&Arc::from(format!("{}/*", provider.id)));
        let id: Arc<str> = Arc::from(format!("{}/{model}", provider.id));
        let at = (provider, premises);
        let lane = build_lane(id, state, at, model, &self.config, &self.states);
        let lane = Arc::new(Lane { listed: false, ..lane });
        Some(Ok(Arc::new(single(&self.config, lane))))
    }

    /// The provider for requests that name no model, or one that only the provider knows, as a
    /// deployment: the one that the configuration names, else the first that speaks OpenAI's
    /// dialects.
    #[must_use]
    pub fn passage(&self, model: &str) -> Option<Arc<Lane>> {
        let speaks = |provider: &Provider| {
            provider.usual().is_some_and(|face| face.dialect.starts_with("openai_"))
        };
        let first = || self.config.providers.iter().position(speaks);
        let number = self.config.passthrough.or_else(first)?;
        let (provider, premises) = (self.config.providers.get(number)?, self.premises.get(number)?);
        let id: Arc<str> = Arc::from(format!("{}/{PASSED_THROUGH}", provider.id));
        let state = self.states.lane(&id);
        let at = (provider, premises);
        let model = if model.is_empty() { PASSED_THROUGH } else { model };
        let lane = build_lane(id, state, at, model, &self.config, &self.states);
        // Files and lists of them cost nothing, and what nobody knows has no price.
        Some(Arc::new(Lane { listed: false, price: Price::default(), ..lane }))
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
        (provider, premises): (&Provider, &Premises),
        model: &str,
        config: &Config,
        states: &States,
    ) -> Arc<Lane> {
        let id: Arc<str> = Arc::from(format!("{}/{model}", provider.id));
        if let Some(lane) = self.by_id.get(&id) {
            return Arc::clone(lane);
        }
        let state = states.lane(&id);
        let lane = Arc::new(build_lane(
            Arc::clone(&id),
            state,
            (provider, premises),
            model,
            config,
            states,
        ));
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
    (provider, premises): (&Provider, &Premises),
    model: &str,
    config: &Config,
    states: &States,
) -> Lane {
    let known = provider.catalog_id.as_deref().and_then(|id| config.catalog.model(id, model));
    let facts = Facts::of(provider, model, known, config);
    let faces = provider.faces.iter().zip(&premises.sites).filter_map(|(face, site)| {
        let site = site.as_ref().filter(|_| face.serves(known))?;
        Some(Face { site: Arc::clone(site), quirks: face.quirks_of(known) })
    });
    Lane {
        listed: true,
        provider: Arc::clone(&premises.provider),
        vendor: Arc::clone(&premises.vendor),
        model: Arc::from(known.map_or(model, |known| known.upstream_name(model))),
        region: Arc::clone(&premises.region),
        faces: faces.collect(),
        credentials: Arc::clone(&premises.credentials),
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
