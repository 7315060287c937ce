//! F52: half of all answers are failures, and nobody may make it worse.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use route::State;
use serde_json::json;
use sim::{Delay, Profile, Rule};
use tokio::time::{Instant, interval, sleep_until};

use crate::harness::{Setup, Stage, ask};

fn errors(stage: &Stage) -> usize {
    stage.lines("request").iter().filter(|line| line["status"] != 200).count()
}

fn attempts(stage: &Stage, why: &str) -> usize {
    let lines = stage.lines("request");
    let all = lines.iter().filter_map(|line| line["attempts"].as_array()).flatten();
    all.filter(|attempt| attempt["why"] == why).count()
}

/// One at a time the budget's floor of three never binds: only three failures in a row reach the
/// client.
#[tokio::test(start_paused = true)]
async fn f52_at_half_failures_one_in_eight_requests_fails() {
    let stage = Setup { top: "breaker: { failures: 1000 }".to_owned(), ..Setup::default() }
        .usual_breaker()
        .start()
        .await;
    stage.script(vec![Rule { percent: 50, ..Rule::always("f18") }]);
    for _ in 0..400 {
        stage.ask(&ask("pair")).await;
    }
    // Four standard deviations of a binomial with p = 1/8 and n = 400.
    assert!(errors(&stage) <= 50 + 27, "{} of 400", errors(&stage));
    assert!(attempts(&stage, "retry") > 130, "{}", attempts(&stage, "retry"));
    stage.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn f52_every_second_failure_never_opens_a_breaker() {
    let stage = Setup::default().usual_breaker().start().await;
    stage.script(vec![
        Rule { every: 2, ..Rule::always("f18") }.at("a"),
        Rule { every: 2, ..Rule::always("f18") }.at("b"),
    ]);
    for _ in 0..200 {
        stage.ask(&ask("pair").streamed(true)).await.assert_complete();
    }
    assert_eq!((stage.state("a"), stage.state("b")), (State::Closed, State::Closed));
    stage.quiet().await;
}

/// Sends 2,000 requests a second for half a second, watching the budget meanwhile.
async fn storm(stage: &Stage) -> u32 {
    const REQUESTS: u32 = 1_000;
    let begin = Instant::now();
    let question = ask("pair").streamed(true);
    let mut running: FuturesUnordered<_> = (0..REQUESTS)
        .map(|number| {
            let question = &question;
            async move {
                sleep_until(begin + Duration::from_micros(500) * number).await;
                stage.ask(question).await.status
            }
        })
        .collect();
    let states = &stage.app.core.states;
    let mut watch = interval(Duration::from_micros(500));
    let (mut most, mut highest_share) = (0, 0);
    loop {
        tokio::select! {
            answered = running.next() => if answered.is_none() { break },
            _ = watch.tick() => {
                let (busy, active) = (states.retries.in_flight(), states.active.get());
                // Tokens outlive the requests that made room for them, and a few more than were
                // seen may have been active between two looks.
                most = most.max(active);
                assert!(busy <= (most / 5 + 1).max(3), "{busy} retries, at most {most} active");
                highest_share = highest_share.max(busy);
            }
        }
    }
    highest_share
}

#[tokio::test(start_paused = true)]
async fn f52_under_a_storm_retries_stay_within_a_fifth_of_the_active_requests() {
    let ttft = Delay::Fixed(Duration::from_millis(50));
    let pace = Profile { ttft, gap: Delay::Zero };
    let top = "breaker: { failures: 1000 }".to_owned();
    let stage = Setup { pace, top, ..Setup::default() }.usual_breaker().start().await;
    stage.script(vec![
        Rule { every: 2, ..Rule::always("f18") }.at("a"),
        Rule { every: 2, ..Rule::always("f18") }.at("b"),
    ]);
    let highest = storm(&stage).await;
    assert!(highest > 3, "the floor was passed, so the share did bind: {highest}");
    let requests = stage.lines("request").len();
    assert_eq!(requests, 1_000);
    let retries = attempts(&stage, "retry");
    assert!(retries * 5 <= requests, "{retries} retries for {requests} requests");
    // Without a retry two failures in a row reach the client, never more; and they are told why.
    assert!(errors(&stage) * 100 <= requests * 27, "{} errors", errors(&stage));
    let spent = |line: &serde_json::Value| line["notes"] == json!(["retry_budget_exhausted"]);
    assert!(stage.lines("request").iter().any(spent));
    let asked = stage.asked("a").len() + stage.asked("b").len();
    assert_eq!(asked, requests + retries + attempts(&stage, "fallback"));
    stage.quiet().await;
}
