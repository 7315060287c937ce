//! Step 7: price the usage, close the reservation, tell the breaker, set cooldowns.
//!
//! Every attempt ends here exactly once: `lapsed`, `succeeded` or, when its client vanished,
//! through [`sweep`]. The permit is taken out of the attempt, so a second settlement has nothing to
//! settle.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledger::{Kind, Settlement, UsageSource};
use route::{Ticket, Transition, Verdict};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use wire::hub::Usage;

use super::Core;
use super::exchange::{Attempt, Ending, Exchange, Open};
use super::lanes::Lane;
use super::lapse::{Cause, Lapse};
use super::tell;

/// A rate limit without a stated end is assumed to last this long.
const RATE_LIMIT_COOLDOWN: Duration = Duration::from_secs(1);
/// A refused credential is left alone for this long.
const AUTH_COOLDOWN: Duration = Duration::from_secs(60);
/// An exhausted quota without a stated end is assumed to last this long.
const QUOTA_COOLDOWN: Duration = Duration::from_secs(3600);
/// No upstream may set itself aside for longer.
const MAX_COOLDOWN: Duration = Duration::from_secs(24 * 3600);
/// Local counts assume this many bytes of text a token.
const BYTES_PER_TOKEN: u64 = 4;
/// More tokens than any model takes or gives: usage beyond is a mistake of the upstream.
const ABSURD_TOKENS: u64 = 100_000_000;

/// An attempt's first content is here: it will be committed.
pub fn committed(core: &Core, open: &mut Open, index: usize) {
    let now = Instant::now();
    let tick = core.world.tick(now);
    let Some(attempt) = open.attempts.get_mut(index) else { return };
    let sent = attempt.sent().unwrap_or(attempt.started);
    let first = attempt.shot.as_ref().and_then(|shot| shot.first.get().copied()).unwrap_or(now);
    let ttft = first.saturating_duration_since(sent);
    attempt.lane.state.latency.observe(tick, ttft);
    attempt.lane.state.ttft.observe(tick, ttft);
    attempt.record.ttft_us = Some(micros(ttft));
    // A probe that speaks has proved its point; waiting for its end would keep everybody out.
    if attempt.probe
        && let Some(ticket) = attempt.ticket.take()
    {
        verdict(core, &Arc::clone(&attempt.lane), ticket, Verdict::Success);
    }
    open.first_content.get_or_insert(first);
}

/// An attempt failed. `delivered`: content of it had reached the client.
pub fn lapsed(core: &Core, open: &mut Open, index: usize, lapse: &Lapse, delivered: bool) {
    let input = counted_input(open);
    let Some(attempt) = open.attempts.get_mut(index) else { return };
    cool_down(core, attempt, lapse);
    attempt.usage = lapse.usage.as_deref().copied().or(attempt.usage);
    attempt.content_bytes = attempt.content_bytes.max(lapse.content_bytes);
    let kind = match lapse.cause.row().ledger {
        _ if delivered => Kind::Interrupted,
        // A refusal that the provider counted all the same has its price.
        Kind::Released if lapse.usage.is_some() => Kind::Failed,
        kind => kind,
    };
    let kind = if attempt.sent().is_none() && kind != Kind::Hedge { Kind::Released } else { kind };
    let usage = match kind {
        _ if attempt.sent().is_none() => Usage::default(),
        Kind::Released | Kind::Final => Usage::default(),
        Kind::Interrupted | Kind::Failed | Kind::Uncertain | Kind::Hedge => counted(attempt, input),
    };
    attempt.record.outcome = lapse.reason();
    attempt.record.detail.clone_from(&lapse.detail);
    attempt.record.status = lapse.status;
    let verdict = lapse.class.verdict();
    let told = kind == Kind::Failed;
    let source = if told { UsageSource::Provider } else { UsageSource::Counted };
    book(core, attempt, kind, usage, source, verdict);
}

/// An attempt's answer is complete.
pub fn succeeded(core: &Core, open: &mut Open, index: usize) {
    let input = counted_input(open);
    let Some(attempt) = open.attempts.get_mut(index) else { return };
    let told = attempt.usage.filter(is_sane);
    let note = match (attempt.usage, told) {
        (None, _) => Some("usage_missing"),
        (Some(_), None) => Some("usage_invalid"),
        _ => None,
    };
    let (usage, source) = match told {
        Some(usage) => (usage, UsageSource::Provider),
        None => (counted(attempt, input), UsageSource::Counted),
    };
    let raced = attempt.shot.as_ref().is_some_and(|shot| shot.raced.load(Ordering::Relaxed));
    let overrun = book(core, attempt, Kind::Final, usage, source, Verdict::Success);
    open.notes.extend(note);
    if raced {
        open.notes.push("pool_race");
    }
    if overrun {
        open.notes.push("overrun");
    }
}

fn is_sane(usage: &Usage) -> bool {
    usage.total_input() < ABSURD_TOKENS && usage.total_output() < ABSURD_TOKENS
}

fn counted_input(open: &Exchange) -> u64 {
    (open.peek.prompt_bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

fn known_input(attempt: &Attempt, counted: u64) -> Usage {
    match attempt.usage {
        Some(usage) if is_sane(&usage) && usage.total_input() > 0 => {
            Usage { output: 0, reasoning: 0, ..usage }
        }
        _ => Usage { input: counted, ..Usage::default() },
    }
}

/// The prompt and what arrived of the answer.
fn counted(attempt: &Attempt, input: u64) -> Usage {
    let output = counted_output(attempt.content_bytes);
    Usage { output, ..known_input(attempt, input) }
}

/// Tokens in so many bytes of an answer, as counted without the provider's help.
#[must_use]
pub fn counted_output(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Closes the reservation. Returns whether the cost went over it.
fn book(
    core: &Core,
    attempt: &mut Attempt,
    kind: Kind,
    usage: Usage,
    source: UsageSource,
    outcome: Verdict,
) -> bool {
    let now = Instant::now();
    if let Some(ticket) = attempt.ticket.take() {
        verdict(core, &Arc::clone(&attempt.lane), ticket, outcome);
    }
    if let Some(token) = attempt.token.take() {
        core.states.retries.give_back(token);
    }
    let sent = attempt.sent();
    let Some(shot) = attempt.shot.take() else { return false };
    attempt.lane.state.outstanding.end();
    let cost = catalog::cost(&attempt.lane.price, &usage);
    let record = &mut attempt.record;
    record.ledger = kind.name();
    record.duration_us = micros(now.saturating_duration_since(attempt.started));
    record.decision_us =
        attempt.since.zip(sent).map(|(since, sent)| micros(sent.saturating_duration_since(since)));
    record.input_tokens = usage.total_input();
    record.output_tokens = usage.total_output();
    record.cost_nanousd = cost.as_nanousd();
    let Some(shot) = Arc::into_inner(shot) else {
        tracing::error!(deployment = %attempt.lane.id, "an attempt was settled while its call still ran");
        return false;
    };
    let at_unix_ms = core.world.unix_ms(now);
    let settlement = Settlement { kind, usage, usage_source: source, cost, at_unix_ms };
    core.ledger.settle(shot.permit, settlement).overrun
}

/// Tells a breaker what became of an attempt.
pub fn verdict(core: &Core, lane: &Lane, ticket: Ticket, verdict: Verdict) {
    let now = core.world.tick(Instant::now());
    let cell = &lane.breaker;
    let Some(transition) = cell.breaker.record(now, ticket, verdict) else { return };
    let state = match transition {
        Transition::Closed => 0,
        Transition::Opened | Transition::Reopened => 2,
    };
    core.telemetry.metrics.breaker(&cell.provider, &cell.region, state);
    tracing::warn!(provider = %cell.provider, region = %cell.region, ?transition, "breaker");
}

fn cool_down(core: &Core, attempt: &Attempt, lapse: &Lapse) {
    let wait = |default: Duration| lapse.retry_after.unwrap_or(default).min(MAX_COOLDOWN);
    let until = |wait: Duration| core.world.tick(Instant::now()).after(wait);
    let lane = &attempt.lane;
    let credential = lane.credentials.get(attempt.credential).map(|credential| &credential.state);
    let class = lapse.class;
    match class {
        // One key, one limit: the deployment is set aside, so that other models of the provider go on.
        route::Class::RateLimited if lane.credentials.len() < 2 => {
            lane.state.cooldown.set_until(until(wait(RATE_LIMIT_COOLDOWN)));
        }
        route::Class::RateLimited => {
            credential.inspect(|c| c.limited.set_until(until(wait(RATE_LIMIT_COOLDOWN))));
        }
        route::Class::Quota => {
            tracing::error!(deployment = %lane.id, "the provider's quota or money is used up");
            credential.inspect(|c| c.refused.set_until(until(wait(QUOTA_COOLDOWN))));
        }
        route::Class::Auth => {
            tracing::error!(deployment = %lane.id, "the provider refused the credential");
            credential.inspect(|c| c.refused.set_until(until(AUTH_COOLDOWN)));
        }
        _ => {}
    }
}

/// Ends an exchange: whatever attempt is still open is settled, and the story is told.
pub fn finish(core: &Core, mut open: Open, ending: &Ending) -> Option<Box<Exchange>> {
    settle_open(core, &mut open);
    let exchange = open.close()?;
    core.states.active.end();
    tell::tell(core, &exchange, ending);
    Some(exchange)
}

/// The settling task: ends the exchanges whose client went away.
pub async fn sweep(core: Arc<Core>, mut abandoned: UnboundedReceiver<Box<Exchange>>) {
    while let Some(exchange) = abandoned.recv().await {
        let open = Open::new(*exchange, core.abandoned.clone());
        finish(&core, open, &Ending::Abandoned);
    }
}

/// Settles the attempts that nobody waits for any more, and gives back the share of the retry
/// budget that no attempt has taken over.
fn settle_open(core: &Core, open: &mut Open) {
    for index in 0..open.attempts.len() {
        let still_open = open.attempts.get(index).is_some_and(|attempt| attempt.shot.is_some());
        if still_open {
            let delivered = open.bytes_out > 0;
            lapsed(core, open, index, &Lapse::new(Cause::ClientGone), delivered);
        }
    }
    if let Some(token) = open.take_retry_token() {
        core.states.retries.give_back(token);
    }
}

/// Whole microseconds.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Attempt {
    /// When its request was on the wire.
    #[must_use]
    pub fn sent(&self) -> Option<Instant> {
        self.shot.as_ref().and_then(|shot| shot.sent.get().copied())
    }
}
