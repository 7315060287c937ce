//! Step 5: the only loop. One lane after another is tried until one answers; after each failure
//! `route` decides whether to retry, fall back or stop. The loop itself decides nothing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ledger::Claim;
use route::{Admission, Choices, Outcome, Policy, Progress, Step, StopReason, Tick};
use tokio::time::{Instant, sleep, timeout};

use super::Core;
use super::compose;
use super::exchange::{Attempt, Exchange, Open, Shot};
use super::fire::{Aim, Arrived, Want, fire};
use super::lanes::Lane;
use super::lapse::{Cause, Lapse};
use super::plan::{self, Plan, Planned};
use super::settle;
use super::speech::Speech;
use crate::config::{MidStream, UpstreamStream};
use crate::failure::{Code, Failure};
use crate::telemetry::AttemptRecord;

/// The attempt loop of one request as a future that owns it, so that headers can be sent early
/// while it still runs.
pub struct Crossing {
    inner: Running<(Open, Result<Arrived, Failure>)>,
}

/// A future under way.
type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Crossing {
    /// Starts the loop.
    #[must_use]
    pub fn start(core: Arc<Core>, mut open: Open, plan: Plan) -> Self {
        Self {
            inner: Box::pin(async move {
                let result = run(&core, &mut open, plan).await;
                (open, result)
            }),
        }
    }
}

impl Future for Crossing {
    type Output = (Open, Result<Arrived, Failure>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

/// The next attempt to make.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Where.
    pub planned: Planned,
    /// With which credential.
    pub credential: usize,
    /// `first`, `retry`, `fallback`, `credential`, `hedge` or `continue`.
    pub why: &'static str,
    /// When the failure before it became known.
    pub since: Option<Instant>,
    /// The partial answer it has to continue.
    pub prefill: Option<Arc<str>>,
}

/// What is left of a request's plan.
struct Course {
    plan: Plan,
    lanes: VecDeque<Planned>,
    progress: Progress,
    detoured: bool,
}

async fn run(core: &Arc<Core>, open: &mut Open, plan: Plan) -> Result<Arrived, Failure> {
    let mut course = Course::new(core, open, plan);
    core.states.hedges.deposit();
    let mut leg = course.next_lane(core, "first", None);
    let mut last: Option<Lapse> = None;
    while let Some(current) = leg.take() {
        let failed = match course.run_leg(core, open, current.clone()).await {
            Ok(arrived) => return Ok(arrived),
            Err(Halt::Lapse(lapse)) => lapse,
            Err(Halt::Refused(failure)) => return Err(failure),
            Err(Halt::BreakerOpen) => {
                open.skipped.push((Arc::clone(&current.planned.lane.id), "breaker_open"));
                if open.attempts.is_empty() && open.passed_over.is_none() {
                    open.passed_over = Some((Arc::clone(&current.planned.lane), "breaker_open"));
                }
                // Nothing was sent there: whoever is next begins the request, or is fallen back to.
                let why = if last.is_none() { "first" } else { "fallback" };
                leg = course.next_lane(core, why, current.since);
                continue;
            }
        };
        leg = course.after(core, open, &current, &failed).await;
        last = Some(failed);
    }
    Err(exhausted(open, last))
}

/// The request's failure once nothing is left to try: the last lapse speaks for all.
fn exhausted(open: &Open, last: Option<Lapse>) -> Failure {
    let tried = open.tried();
    let Some(lapse) = last else {
        let message = format!("{} Skipped: {tried}.", Code::AllUpstreamsUnavailable.row().sentence);
        return Failure::because(Code::AllUpstreamsUnavailable, message)
            .retry_after(Some(std::time::Duration::from_secs(1)));
    };
    let mut failure = lapse.into_failure(&tried);
    if failure.retry_after.is_none() {
        failure.should_retry = Some(false);
    }
    failure
}

/// Why a leg gave no answer.
enum Halt {
    /// The attempt failed and was booked.
    Lapse(Lapse),
    /// The ledger refused it; nothing was sent.
    Refused(Failure),
    /// The breaker opened since the plan was made; nothing was sent.
    BreakerOpen,
}

impl Course {
    fn new(core: &Core, open: &Open, mut plan: Plan) -> Self {
        let failover = &plan.group.failover;
        let policy = Policy {
            max_attempts: failover.max_attempts,
            retries: failover.retries,
            retry_after_patience: failover.retry_after_patience,
        };
        let progress = Progress::new(policy, core.world.tick(open.deadline));
        Self { lanes: std::mem::take(&mut plan.lanes), plan, progress, detoured: false }
    }

    /// The next lane that is still available.
    fn next_lane(&mut self, core: &Core, why: &'static str, since: Option<Instant>) -> Option<Leg> {
        let now = core.world.tick(Instant::now());
        while let Some(planned) = self.lanes.pop_front() {
            if plan::blocked(&planned.lane, now).is_none() {
                let credential = planned.lane.free_credential(now, None).unwrap_or(0);
                return Some(Leg { planned, credential, why, since, prefill: None });
            }
        }
        None
    }

    fn is_lane_left(&self, now: Tick) -> bool {
        self.lanes.iter().any(|planned| plan::blocked(&planned.lane, now).is_none())
    }

    async fn run_leg(
        &mut self,
        core: &Arc<Core>,
        open: &mut Open,
        leg: Leg,
    ) -> Result<Arrived, Halt> {
        let want = want(open, &self.plan);
        let (first, aim) = begin(core, open, &leg, want)?;
        let shot = shot_of(open, first);
        let mut running: Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(fire(Arc::clone(core), shot, aim));
        let Some(after) = self.hedge_after(core, open, &leg) else {
            let result = running.await;
            return conclude(core, open, first, result);
        };
        if let Ok(result) = timeout(after, &mut running).await {
            drop(running);
            return conclude(core, open, first, result);
        }
        let Some((second, mut hedging)) = self.start_hedge(core, open, want) else {
            let result = running.await;
            return conclude(core, open, first, result);
        };
        let (winner, loser, result) = tokio::select! {
            result = &mut running => (first, second, result),
            result = &mut hedging => (second, first, result),
        };
        if result.is_ok() {
            drop((running, hedging));
            settle::lapsed(core, open, loser, &Lapse::new(Cause::HedgeLost), false);
            return conclude(core, open, winner, result);
        }
        // One of the two failed: it is booked, and the other is waited for.
        let failed = conclude(core, open, winner, result);
        drop(failed);
        let result = if loser == first { running.await } else { hedging.await };
        conclude(core, open, loser, result)
    }

    /// When a second attempt may start beside the first, if this route hedges.
    fn hedge_after(&self, core: &Core, open: &Open, leg: &Leg) -> Option<std::time::Duration> {
        let hedge = &self.plan.group.failover.hedge;
        let now = core.world.tick(Instant::now());
        if !hedge.enabled
            || !self.is_lane_left(now)
            || !open.attempts.iter().all(|a| a.record.why != "hedge")
        {
            return None;
        }
        Some(leg.planned.lane.state.ttft.hedge_after(now, hedge.after))
    }

    #[expect(clippy::type_complexity, reason = "a boxed future is what it is")]
    fn start_hedge(
        &mut self,
        core: &Arc<Core>,
        open: &mut Open,
        want: Want,
    ) -> Option<(usize, Pin<Box<dyn Future<Output = Result<Arrived, Lapse>> + Send>>)> {
        let token = core.states.retries.try_take(core.states.active.get())?;
        let leg = if core.states.hedges.try_take() && self.progress.start_hedge() {
            self.next_lane(core, "hedge", None)
        } else {
            None
        };
        let begun = leg.and_then(|leg| begin(core, open, &leg, want).ok());
        let Some((second, aim)) = begun else {
            core.states.retries.give_back(token);
            return None;
        };
        if let Some(attempt) = open.attempts.get_mut(second) {
            attempt.token = Some(token);
        }
        let shot = shot_of(open, second);
        Some((second, Box::pin(fire(Arc::clone(core), shot, aim))))
    }

    /// Asks `route` what comes after a failure and prepares it.
    async fn after(
        &mut self,
        core: &Core,
        open: &mut Open,
        leg: &Leg,
        lapse: &Lapse,
    ) -> Option<Leg> {
        let now = core.world.tick(Instant::now());
        let lane = &leg.planned.lane;
        let credential = lane.free_credential(now, Some(leg.credential));
        let token = core.states.retries.try_take(core.states.active.get());
        let choices = Choices {
            other_deployment: self.is_lane_left(now),
            other_credential: credential.is_some(),
            context_fallback: !self.detoured && !self.plan.group.context_fallbacks.is_empty(),
            content_fallback: !self.detoured && !self.plan.group.content_fallbacks.is_empty(),
            retry_budget: token.is_some(),
        };
        let outcome = Outcome {
            class: lapse.class,
            resend: lapse.cause.row().resend,
            retry_after: lapse.retry_after,
        };
        let step = self.progress.next(now, &outcome, &choices, &mut open.chance);
        let since = Some(lapse.known_at);
        let next = match step {
            Step::Stop(reason) => {
                if reason == StopReason::RetryBudgetExhausted {
                    open.notes.push("retry_budget_exhausted");
                }
                None
            }
            Step::Resend => Some(Leg { why: "retry", since, ..leg.clone() }),
            Step::Retry { delay } => {
                // Kept by the exchange while it waits, since its client may leave meanwhile.
                open.retry_token(token);
                sleep(delay).await;
                return Some(Leg { why: "retry", since: Some(Instant::now()), ..leg.clone() });
            }
            Step::NextCredential => {
                let credential = credential.unwrap_or(leg.credential);
                Some(Leg { credential, why: "credential", since, ..leg.clone() })
            }
            Step::Fallback => self.next_lane(core, "fallback", since),
            Step::ContextFallback => self.detour(core, open, true, since),
            Step::ContentFallback => self.detour(core, open, false, since),
        };
        if let Some(token) = token {
            core.states.retries.give_back(token);
        }
        next
    }

    fn detour(
        &mut self,
        core: &Core,
        open: &mut Open,
        context: bool,
        since: Option<Instant>,
    ) -> Option<Leg> {
        let group = &self.plan.group;
        let groups = if context { &group.context_fallbacks } else { &group.content_fallbacks };
        self.lanes = plan::detour(core, open, groups);
        self.detoured = true;
        self.next_lane(core, "fallback", since)
    }
}

fn shot_of(open: &Open, index: usize) -> Arc<Shot> {
    #[expect(clippy::expect_used, reason = "`begin` has just put it there")]
    open.attempts
        .get(index)
        .and_then(|attempt| attempt.shot.clone())
        .expect("a begun attempt has its shot")
}

fn conclude(
    core: &Core,
    open: &mut Open,
    index: usize,
    result: Result<Arrived, Lapse>,
) -> Result<Arrived, Halt> {
    match result {
        Ok(arrived) => {
            settle::committed(core, open, index);
            Ok(arrived)
        }
        Err(lapse) => {
            settle::lapsed(core, open, index, &lapse, false);
            Err(Halt::Lapse(lapse))
        }
    }
}

fn want(open: &Exchange, plan: &Plan) -> Want {
    if !open.streams() {
        return Want::Whole;
    }
    let along = plan.group.failover.mid_stream == MidStream::Continue && open.is_plain_text();
    Want::Stream { usage: open.wants_usage(), along }
}

/// Starts an attempt: passes the breaker, reserves the cost, encodes the request.
fn begin(core: &Core, open: &mut Open, leg: &Leg, want: Want) -> Result<(usize, Aim), Halt> {
    let lane = &leg.planned.lane;
    let now = Instant::now();
    let ask_stream = asks_stream(open, lane, want);
    let (ticket, probe) = match lane.breaker.breaker.admit(core.world.tick(now)) {
        Admission::Pass(ticket) => (ticket, false),
        Admission::Probe(ticket) => (ticket, true),
        Admission::Open { .. } => return Err(Halt::BreakerOpen),
    };
    let index = open.attempts.len();
    let permit = match core.ledger.reserve(claim(open, lane, index)) {
        Ok(permit) => permit,
        Err(refusal) => {
            settle::verdict(core, lane, ticket, route::Verdict::Ignored);
            return Err(Halt::Refused(refused(refusal)));
        }
    };
    lane.state.outstanding.begin();
    let attempt = Attempt {
        lane: Arc::clone(lane),
        credential: leg.credential,
        shot: Some(Arc::new(Shot::new(permit))),
        token: open.take_retry_token(),
        ticket: Some(ticket),
        probe,
        started: now,
        content_bytes: 0,
        usage: None,
        since: leg.since,
        record: record(lane, leg.why),
    };
    open.attempts.push(attempt);
    let composed = compose::call(open, leg, ask_stream).map_err(|lapse| {
        settle::lapsed(core, open, index, &lapse, false);
        Halt::Lapse(lapse)
    })?;
    let aim = Aim {
        lane: Arc::clone(lane),
        origin: composed.origin,
        quirks: composed.quirks,
        call: composed.call,
        talk: composed.talk,
        proof: composed.proof,
        timeouts: leg.planned.timeouts,
        deadline: open.deadline,
        id: Arc::clone(&open.id_text),
        asked_unix: open.asked_unix(&core.world),
        alternatives: if open.dropped.contains(&"n") { 1 } else { open.peek.n.unwrap_or(1) },
        ask_stream,
        want,
    };
    Ok((index, aim))
}

/// Starts the continuation of a cut answer on another lane.
///
/// # Errors
/// The lapse; it was booked if the attempt had begun.
pub async fn continue_on(
    core: &Arc<Core>,
    open: &mut Open,
    planned: Planned,
    prefill: Option<&str>,
) -> Result<Arrived, Lapse> {
    let credential =
        planned.lane.free_credential(core.world.tick(Instant::now()), None).unwrap_or(0);
    let prefill = prefill.map(Arc::from);
    let leg = Leg { planned, credential, why: "continue", since: Some(Instant::now()), prefill };
    let (index, aim) = begin(core, open, &leg, Want::Events)?;
    let shot = shot_of(open, index);
    let result = fire(Arc::clone(core), shot, aim).await;
    Ok(conclude(core, open, index, result)?)
}

impl From<Halt> for Lapse {
    /// Why a continuation did not come; the original error speaks for itself.
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Lapse(lapse) => lapse,
            Halt::Refused(_) | Halt::BreakerOpen => Self::new(Cause::Inexpressible),
        }
    }
}

/// What a client is told of a claim that was refused.
#[must_use]
pub fn refused(refusal: ledger::Refusal) -> Failure {
    match refusal {
        ledger::Refusal::BudgetExceeded => Failure::new(Code::BudgetExceeded),
        ledger::Refusal::LedgerUnavailable => Failure::new(Code::LedgerUnavailable),
    }
}

fn asks_stream(open: &Exchange, lane: &Lane, want: Want) -> bool {
    if lane.never_streams || open.peek.audio || !matches!(open.door, Speech::Chat(_)) {
        return false;
    }
    let never =
        open.group.as_ref().is_some_and(|group| group.upstream_stream == UpstreamStream::Never);
    want != Want::Whole || !never
}

/// No provider gives more alternatives (OpenAI's reference: `n` is at most 128); who asks for more
/// is refused there, not by a reservation beyond all bounds.
const MOST_ALTERNATIVES: u64 = 128;

/// What an attempt may cost at most, and who pays.
#[must_use]
pub fn claim(open: &Exchange, lane: &Lane, index: usize) -> Claim {
    let input_bound = open.body.len() as u64;
    let asked = open.peek.max_completion_tokens.as_ref().or(open.peek.max_tokens.as_ref());
    let each = asked.map_or(lane.max_output, |asked| asked.value.min(lane.max_output));
    let output_bound = each.saturating_mul(open.peek.n.unwrap_or(1).clamp(1, MOST_ALTERNATIVES));
    let usage = wire::hub::Usage { input: input_bound, output: output_bound, ..Default::default() };
    Claim {
        request_id: open.id,
        attempt: u32::try_from(index).unwrap_or(u32::MAX),
        principal: open.principal.clone(),
        provider: Arc::clone(&lane.provider),
        model: Arc::clone(&lane.model),
        input_bound,
        output_bound,
        bound: catalog::cost(&lane.price, &usage),
    }
}

/// The record of an attempt that begins.
#[must_use]
pub fn record(lane: &Lane, why: &'static str) -> AttemptRecord {
    AttemptRecord {
        deployment: Arc::clone(&lane.id),
        listed: lane.listed,
        provider: Arc::clone(&lane.provider),
        model: Arc::clone(&lane.model),
        region: Arc::clone(&lane.region),
        why,
        outcome: "ok",
        detail: None,
        status: None,
        ledger: "open",
        decision_us: None,
        ttft_us: None,
        duration_us: 0,
        input_tokens: 0,
        output_tokens: 0,
        cost_nanousd: 0,
    }
}
