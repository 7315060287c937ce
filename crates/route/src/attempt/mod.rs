//! The brain of the attempt loop: an attempt has failed, what now?
//!
//! The loop itself lives with the sockets; here is only its judgement, so that every sequence of
//! failures can be played through without any. Three distances, nearest first: another key for the
//! same deployment, the same deployment again (**retry**), another deployment (**fallback**).
//!
//! - Fallback is immediate. Waiting before a *different* deployment helps nobody.
//! - A retry comes at most once in a request (`Policy::retries`), inside the retry budget, after a
//!   random 50-500 ms, so that a crowd that failed together does not return together. A 500 is
//!   retried where it happened, since it is mostly the bad luck of one backend behind a balancer;
//!   any other failure, a reset included, is retried only when there is nowhere else to go.
//! - A wait the upstream asked for is granted only if it is shorter than `retry_after_patience`, and
//!   never cut short: without that patience we move on or stop.
//! - What the client did wrong stays wrong elsewhere: stop. Prompts that are too long or refused go
//!   on only along the fallbacks configured for exactly that.
//! - After the first byte that the client has seen there is nothing left to decide.
//!
//! Every start counts towards `Policy::max_attempts`, other keys and hedges included; only the
//! resend after a pool race does not, because that request never reached anyone.
//!
//! It does not recognise failures (the classification table does), start hedges, or sleep.

mod class;

pub use class::{Class, Resend};

use std::time::Duration;

use crate::chance::Chance;
use crate::tick::Tick;
use class::Way;

/// The bounds of one request's attempts, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts of all kinds together; 0 is taken as 1.
    pub max_attempts: u32,
    /// Retries on a deployment already tried, over the whole request.
    pub retries: u32,
    /// A `Retry-After` shorter than this is waited for.
    pub retry_after_patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_attempts: 3, retries: 1, retry_after_patience: Duration::ZERO }
    }
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What kind of failure it was.
    pub class: Class,
    /// Whether the request may be sent again; [`Class::resend`] is the usual value.
    pub resend: Resend,
    /// How long the upstream asked us to stay away; zero counts as not asked.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// An outcome with the usual answer to "may it be sent again", and no `Retry-After`.
    #[must_use]
    pub fn of(class: Class) -> Self {
        Self { class, resend: class.resend(), retry_after: None }
    }
}

/// What is still open to this request, as the caller knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choices {
    /// Another lane of the plan is left.
    pub other_deployment: bool,
    /// Another credential for the deployment just tried is left, and not in cooldown.
    pub other_credential: bool,
    /// A lane for prompts that are too long is left.
    pub context_fallback: bool,
    /// A lane for prompts that were refused is left.
    pub content_fallback: bool,
    /// A retry token was free (or is already held).
    pub retry_budget: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: answer the client with the failure at hand.
    Stop(StopReason),
    /// The same deployment on a fresh connection, at once. Not an attempt, needs no retry token.
    Resend,
    /// The same deployment again after `delay`, holding a retry token.
    Retry {
        /// How long to wait first.
        delay: Duration,
    },
    /// The next lane of the plan, at once.
    Fallback,
    /// The next lane for prompts that are too long, at once.
    ContextFallback,
    /// The next lane for prompts that were refused, at once.
    ContentFallback,
    /// The same deployment with its next credential, at once.
    NextCredential,
}

/// Why there is no next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The failure is the answer: no other attempt could end differently.
    Final,
    /// `Policy::max_attempts` have been made.
    AttemptsExhausted,
    /// No deployment, credential or retry is left.
    NothingLeft,
    /// A retry would have been next, but too many are in flight.
    RetryBudgetExhausted,
    /// The client has seen a part of the answer, or the request must not be sent again.
    Committed,
    /// The time for the whole request is over.
    TotalTimeout,
    /// The client has left.
    ClientGone,
}

/// The shortest and the longest wait before a retry.
const JITTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// How long a rate limit lasts that does not say so.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// One request's way through its attempts.
#[derive(Debug, Clone)]
pub struct Progress {
    policy: Policy,
    deadline: Tick,
    attempts: u32,
    retries: u32,
    resent: bool,
}

impl Progress {
    /// The state of a request whose first attempt is about to start, and which must be over by
    /// `deadline`.
    #[must_use]
    pub fn new(policy: Policy, deadline: Tick) -> Self {
        Self { policy, deadline, attempts: 1, retries: 0, resent: false }
    }

    /// Attempts started so far, the running one included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Counts a hedge as an attempt; false, and nothing counted, when no attempt is left for it.
    #[must_use = "a refused hedge must not start"]
    pub fn start_hedge(&mut self) -> bool {
        let room = self.attempts_left();
        self.attempts += u32::from(room);
        room
    }

    /// Decides what follows the failure `outcome`. Any step but `Stop` and `Resend` is counted as
    /// the start of another attempt.
    pub fn next(
        &mut self,
        now: Tick,
        outcome: &Outcome,
        choices: &Choices,
        chance: &mut dyn Chance,
    ) -> Step {
        let step = self.within_attempts(self.wish(now, outcome, choices, chance));
        match step {
            Step::Stop(_) => {}
            Step::Resend => self.resent = true,
            Step::Retry { .. } => {
                self.retries += 1;
                self.attempts += 1;
            }
            Step::Fallback
            | Step::ContextFallback
            | Step::ContentFallback
            | Step::NextCredential => {
                self.resent = false;
                self.attempts += 1;
            }
        }
        step
    }

    /// The best next step, were attempts without number.
    fn wish(
        &self,
        now: Tick,
        outcome: &Outcome,
        choices: &Choices,
        chance: &mut dyn Chance,
    ) -> Step {
        let way = outcome.class.way();
        match way {
            Way::Stop(reason) => Step::Stop(reason),
            _ if outcome.resend == Resend::Never => Step::Stop(StopReason::Committed),
            _ if now >= self.deadline => Step::Stop(StopReason::TotalTimeout),
            Way::Context => only_if(choices.context_fallback, Step::ContextFallback),
            Way::Content => only_if(choices.content_fallback, Step::ContentFallback),
            Way::Elsewhere => only_if(choices.other_deployment, Step::Fallback),
            Way::Key if choices.other_credential => Step::NextCredential,
            Way::Key => fallback_or(choices, StopReason::NothingLeft),
            Way::Fresh if !self.resent => Step::Resend,
            // A second race in a row is no race: the upstream closes fresh connections too.
            Way::Fresh | Way::Same | Way::Other => {
                let wait = self.wait(now, outcome, chance);
                self.retry_or_fallback(way, wait, choices)
            }
        }
    }

    /// Orders the two: a retry first where the failure is bad luck or the upstream named a moment
    /// worth waiting for, the other deployment first everywhere else.
    fn retry_or_fallback(&self, way: Way, wait: Option<Wait>, choices: &Choices) -> Step {
        let wait = wait.filter(|_| self.retries < self.policy.retries);
        let Some(wait) = wait else { return fallback_or(choices, StopReason::NothingLeft) };
        if !choices.retry_budget {
            return fallback_or(choices, StopReason::RetryBudgetExhausted);
        }
        if way == Way::Other && !wait.asked_for && choices.other_deployment {
            return Step::Fallback;
        }
        Step::Retry { delay: wait.delay }
    }

    /// The wait before a retry; none when the upstream asks for more than our patience, or when the
    /// request would be over first.
    fn wait(&self, now: Tick, outcome: &Outcome, chance: &mut dyn Chance) -> Option<Wait> {
        let unsaid = (outcome.class == Class::RateLimited).then_some(DEFAULT_RETRY_AFTER);
        let asked = outcome.retry_after.filter(|wait| !wait.is_zero()).or(unsaid);
        let wait = match asked {
            Some(delay) if delay < self.policy.retry_after_patience => {
                Wait { delay, asked_for: true }
            }
            Some(_) => return None,
            None => Wait { delay: jitter(chance), asked_for: false },
        };
        (now.after(wait.delay) < self.deadline).then_some(wait)
    }

    fn attempts_left(&self) -> bool {
        self.attempts < self.policy.max_attempts
    }

    /// Turns what would need one attempt too many into the end; other ends keep their reason.
    fn within_attempts(&self, wish: Step) -> Step {
        match wish {
            _ if self.attempts_left() => wish,
            Step::Resend
            | Step::Stop(
                StopReason::Final
                | StopReason::Committed
                | StopReason::TotalTimeout
                | StopReason::ClientGone,
            ) => wish,
            _ => Step::Stop(StopReason::AttemptsExhausted),
        }
    }
}

/// A wait before a retry.
#[derive(Debug, Clone, Copy)]
struct Wait {
    delay: Duration,
    /// The upstream named it; otherwise it is jitter.
    asked_for: bool,
}

fn only_if(open: bool, step: Step) -> Step {
    if open { step } else { Step::Stop(StopReason::Final) }
}

fn fallback_or(choices: &Choices, reason: StopReason) -> Step {
    if choices.other_deployment { Step::Fallback } else { Step::Stop(reason) }
}

/// Full jitter over the whole span, both ends included.
fn jitter(chance: &mut dyn Chance) -> Duration {
    let (shortest, longest) = JITTER;
    let span = u64::try_from((longest - shortest).as_micros()).unwrap_or(0);
    shortest + Duration::from_micros(chance.below(span + 1))
}
