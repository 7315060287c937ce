//! The judgement after a failure: sequences of failures and the steps they lead to.

use std::time::Duration;

use proptest::prelude::*;
use route::{
    Choices,
    Class::{self, *},
    Outcome, Policy, Progress, Resend, SplitMix64,
    Step::{self, *},
    StopReason::{self, *},
    Tick, Verdict,
};

const ALL: [Class; 16] = [
    RateLimited,
    Quota,
    Auth,
    ContextLength,
    ContentPolicy,
    NotFound,
    ClientError,
    ServerError500,
    Reset,
    Server,
    Overloaded,
    Connect,
    Timeout,
    PoolRace,
    Class::TotalTimeout,
    Class::ClientGone,
];

const DEADLINE: Tick = Tick::from_millis(600_000);

/// Only the retry budget is free: a deployment alone.
const SOLO: Choices = Choices {
    other_deployment: false,
    other_credential: false,
    context_fallback: false,
    content_fallback: false,
    retry_budget: true,
};

const WITH_B: Choices = Choices { other_deployment: true, ..SOLO };

fn progress() -> Progress {
    Progress::new(Policy::default(), DEADLINE)
}

fn step(progress: &mut Progress, outcome: Outcome, choices: Choices) -> Step {
    progress.next(Tick::ZERO, &outcome, &choices, &mut SplitMix64::new(3))
}

fn first(class: Class, choices: Choices) -> Step {
    step(&mut progress(), Outcome::of(class), choices)
}

/// Plays one failure again and again on the deployments A, B... and tells who was called: "AAB".
fn calls(class: Class, deployments: &str, policy: Policy) -> (String, StopReason) {
    let mut progress = Progress::new(policy, DEADLINE);
    let mut lanes = deployments.chars();
    let mut here = lanes.next().unwrap();
    let mut called = String::from(here);
    loop {
        let other_deployment = !lanes.as_str().is_empty();
        let choices = Choices { other_deployment, ..SOLO };
        match step(&mut progress, Outcome::of(class), choices) {
            Stop(reason) => return (called, reason),
            Fallback => here = lanes.next().unwrap(),
            Retry { delay } => assert!((50..=500).contains(&delay.as_millis()), "{delay:?}"),
            Step::Resend => {}
            other => panic!("{other:?} was not open"),
        }
        called.push(here);
        assert!(called.len() < 20, "{called}");
    }
}

#[track_caller]
fn check(class: Class, deployments: &str, called: &str, reason: StopReason) {
    let found = calls(class, deployments, Policy::default());
    assert_eq!((found.0.as_str(), found.1), (called, reason), "{class:?} on {deployments}");
}

#[test]
fn a_500_is_retried_once_where_it_happened_then_falls_back() {
    check(ServerError500, "AB", "AAB", AttemptsExhausted);
    check(ServerError500, "A", "AA", NothingLeft);
}

#[test]
fn any_other_failure_falls_back_first_and_is_retried_only_on_the_last_deployment() {
    for class in [Server, Reset, Overloaded, Connect, Timeout] {
        check(class, "ABC", "ABC", AttemptsExhausted);
        check(class, "AB", "ABB", AttemptsExhausted);
        check(class, "A", "AA", NothingLeft);
    }
}

#[test]
fn one_retry_is_for_the_whole_request() {
    let many = Policy { max_attempts: 9, ..Policy::default() };
    assert_eq!(calls(ServerError500, "ABC", many), ("AABC".into(), NothingLeft));
    let none = Policy { retries: 0, ..many };
    assert_eq!(calls(ServerError500, "AB", none), ("AB".into(), NothingLeft));
}

#[test]
fn without_a_free_budget_a_500_falls_back_and_alone_says_so() {
    let broke = |choices| Choices { retry_budget: false, ..choices };
    assert_eq!(first(ServerError500, broke(WITH_B)), Fallback);
    assert_eq!(first(ServerError500, broke(SOLO)), Stop(RetryBudgetExhausted));
    assert_eq!(first(Timeout, broke(SOLO)), Stop(RetryBudgetExhausted));
    assert_eq!(first(RateLimited, broke(SOLO)), Stop(NothingLeft));
}

#[test]
fn a_rate_limit_falls_back_at_once_and_alone_is_the_answer() {
    check(RateLimited, "AB", "AB", NothingLeft);
    check(RateLimited, "A", "A", NothingLeft);
}

#[test]
fn a_retry_after_shorter_than_the_patience_is_waited_for_exactly() {
    let patience = Duration::from_secs(5);
    let policy = Policy { retry_after_patience: patience, ..Policy::default() };
    let limited = |seconds| Outcome {
        retry_after: Some(Duration::from_secs(seconds)),
        ..Outcome::of(RateLimited)
    };
    let next = |outcome, choices| step(&mut Progress::new(policy, DEADLINE), outcome, choices);
    let waits = |seconds| Retry { delay: Duration::from_secs(seconds) };
    assert_eq!(next(limited(4), WITH_B), waits(4));
    assert_eq!(next(limited(4), SOLO), waits(4));
    assert_eq!(next(limited(5), WITH_B), Fallback);
    assert_eq!(next(limited(5), SOLO), Stop(NothingLeft));
    // A rate limit that does not say so is taken as one second.
    assert_eq!(next(Outcome::of(RateLimited), SOLO), waits(1));
}

#[test]
fn nobody_is_asked_again_before_the_moment_it_named() {
    let retry_after = Some(Duration::from_secs(2));
    for class in [ServerError500, Overloaded] {
        let outcome = Outcome { retry_after, ..Outcome::of(class) };
        assert_eq!(step(&mut progress(), outcome, WITH_B), Fallback);
        assert_eq!(step(&mut progress(), outcome, SOLO), Stop(NothingLeft));
    }
}

#[test]
fn a_retry_after_of_zero_asks_for_nothing() {
    let zero = |class| Outcome { retry_after: Some(Duration::ZERO), ..Outcome::of(class) };
    assert!(matches!(step(&mut progress(), zero(ServerError500), SOLO), Retry { .. }));
    assert_eq!(step(&mut progress(), zero(RateLimited), SOLO), Stop(NothingLeft));
}

#[test]
fn a_refused_or_empty_credential_gives_way_to_the_next_then_to_another_deployment() {
    for class in [Auth, Quota] {
        let keys = Choices { other_credential: true, ..WITH_B };
        assert_eq!(first(class, keys), NextCredential);
        assert_eq!(first(class, WITH_B), Fallback);
        assert_eq!(first(class, SOLO), Stop(NothingLeft));
    }
}

#[test]
fn what_the_client_did_wrong_is_the_answer_whatever_is_open() {
    let everything = Choices {
        other_deployment: true,
        other_credential: true,
        context_fallback: true,
        content_fallback: true,
        retry_budget: true,
    };
    assert_eq!(first(ClientError, everything), Stop(Final));
    assert_eq!(first(Class::TotalTimeout, everything), Stop(StopReason::TotalTimeout));
    assert_eq!(first(Class::ClientGone, everything), Stop(StopReason::ClientGone));
}

#[test]
fn special_failures_take_only_their_own_way() {
    let context = Choices { context_fallback: true, ..WITH_B };
    let content = Choices { content_fallback: true, ..WITH_B };
    assert_eq!(first(ContextLength, context), ContextFallback);
    assert_eq!(first(ContextLength, content), Stop(Final));
    assert_eq!(first(ContentPolicy, content), ContentFallback);
    assert_eq!(first(ContentPolicy, context), Stop(Final));
    assert_eq!(first(NotFound, WITH_B), Fallback);
    assert_eq!(first(NotFound, SOLO), Stop(Final));
}

#[test]
fn a_pool_race_is_resent_once_without_being_an_attempt_then_is_a_reset() {
    let mut progress = progress();
    let race = Outcome::of(PoolRace);
    assert_eq!(step(&mut progress, race, WITH_B), Step::Resend);
    assert_eq!(progress.attempts(), 1);
    assert!(matches!(step(&mut progress, race, WITH_B), Retry { .. }));
    assert_eq!(step(&mut progress, race, WITH_B), Fallback);
    assert_eq!(step(&mut progress, race, SOLO), Step::Resend);
    assert_eq!(progress.attempts(), 3);
}

#[test]
fn after_the_first_visible_byte_there_is_no_other_attempt() {
    for class in [Server, Reset, Timeout, PoolRace, RateLimited, Auth] {
        let outcome = Outcome { resend: Resend::Never, ..Outcome::of(class) };
        assert_eq!(step(&mut progress(), outcome, WITH_B), Stop(Committed), "{class:?}");
    }
}

#[test]
fn a_wait_that_would_outlast_the_request_is_not_begun() {
    let late = |millis, choices| {
        let now = Tick::from_millis(millis);
        let outcome = Outcome::of(ServerError500);
        progress().next(now, &outcome, &choices, &mut SplitMix64::new(3))
    };
    assert_eq!(late(599_960, WITH_B), Fallback);
    assert_eq!(late(599_960, SOLO), Stop(NothingLeft));
    assert_eq!(late(600_000, WITH_B), Stop(StopReason::TotalTimeout));
}

#[test]
fn a_hedge_is_an_attempt_and_needs_one() {
    let mut progress = progress();
    assert!(progress.start_hedge() && progress.start_hedge());
    assert!(!progress.start_hedge());
    assert_eq!(progress.attempts(), 3);
    assert_eq!(step(&mut progress, Outcome::of(Server), WITH_B), Stop(AttemptsExhausted));
}

#[test]
fn the_breaker_counts_the_faults_of_upstreams_and_nothing_else() {
    let counted: Vec<_> = ALL.into_iter().filter(|c| c.verdict() == Verdict::Failure).collect();
    assert_eq!(counted, [ServerError500, Reset, Server, Overloaded, Connect, Timeout]);
    assert!(ALL.into_iter().all(|class| class.verdict() != Verdict::Success));
}

#[test]
fn what_may_have_been_processed_is_uncertain() {
    let uncertain: Vec<_> = ALL.into_iter().filter(|c| c.resend() == Resend::Uncertain).collect();
    assert_eq!(uncertain, [ServerError500, Reset, Server, Timeout]);
    let never: Vec<_> = ALL.into_iter().filter(|c| c.resend() == Resend::Never).collect();
    assert_eq!(never, [ClientError, Class::TotalTimeout, Class::ClientGone]);
}

fn choices() -> impl Strategy<Value = Choices> {
    prop::array::uniform5(any::<bool>()).prop_map(|[a, b, c, d, e]| Choices {
        other_deployment: a,
        other_credential: b,
        context_fallback: c,
        content_fallback: d,
        retry_budget: e,
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let resend = prop_oneof![Just(Resend::Safe), Just(Resend::Uncertain), Just(Resend::Never)];
    let wait = prop::option::of((0_u64..20).prop_map(Duration::from_secs));
    (0..ALL.len(), resend, wait).prop_map(|(class, resend, retry_after)| Outcome {
        class: ALL[class],
        resend,
        retry_after,
    })
}

proptest! {
    #[test]
    fn no_history_passes_a_bound_or_takes_a_way_that_is_closed(
        max_attempts in 0_u32..6, retries in 0_u32..3, patience in 0_u64..10, seed in any::<u64>(),
        history in prop::collection::vec((outcome(), choices(), 0_u64..100_000), 1..40),
    ) {
        let retry_after_patience = Duration::from_secs(patience);
        let policy = Policy { max_attempts, retries, retry_after_patience };
        let (mut progress, mut dice) = (Progress::new(policy, DEADLINE), SplitMix64::new(seed));
        let (mut now, mut starts, mut retried, mut resent) = (Tick::ZERO, 1_u32, 0, 0);
        for (outcome, choices, wait) in history {
            now = now.after(Duration::from_millis(wait));
            let open = match progress.next(now, &outcome, &choices, &mut dice) {
                Stop(_) => continue,
                Step::Resend => {
                    resent += 1;
                    prop_assert!(outcome.class == PoolRace && resent <= starts);
                    continue;
                }
                Retry { delay } => {
                    retried += 1;
                    prop_assert!(now.after(delay) < DEADLINE);
                    choices.retry_budget
                }
                Fallback => choices.other_deployment,
                ContextFallback => choices.context_fallback,
                ContentFallback => choices.content_fallback,
                NextCredential => choices.other_credential,
            };
            starts += 1;
            prop_assert!(open && outcome.resend != Resend::Never && now < DEADLINE);
            prop_assert!(starts <= max_attempts.max(1) && retried <= retries);
            prop_assert_eq!(progress.attempts(), starts);
        }
    }
}
