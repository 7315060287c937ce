//! The whole room at work: a discrete-event simulation of many requests over two deployments.
//!
//! No clock and no sockets: events lie in a heap, upstreams are functions of (deployment, number of
//! the call, moment, dice). It plays what no single rule can show: the sequence of a trip, the death
//! of an upstream under load, and what the retry budget does to an outage.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use route::{
    Admission, Blocked, Breaker, BreakerSettings, Candidate, Chance, Choices, Class, Entry, Group,
    Outcome, Plan, Policy, Progress, RetryBudget, RetryToken, SkipReason, SplitMix64, State, Step,
    StopReason, Strategy, Tick, Ticket, Verdict,
};

const A: usize = 0;
const B: usize = 1;

/// One call as an upstream sees it.
struct Call {
    deployment: usize,
    /// How many calls this deployment has had before.
    number: u32,
    at: Tick,
}

/// What an upstream answers, after how long.
type Upstream = fn(&Call, &mut SplitMix64) -> (Result<(), Class>, Duration);

struct Request {
    lanes: VecDeque<usize>,
    progress: Progress,
    retry: Option<RetryToken>,
}

enum Event {
    Arrive,
    Start { request: Request, deployment: usize },
    End { request: Request, deployment: usize, ticket: Ticket, result: Result<(), Class> },
}

/// An event in the heap: ordered by moment, then by the order in which it was put there.
struct Due(Tick, u64, Event);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// What happened to the requests.
#[derive(Debug, Default)]
struct Tally {
    requests: u32,
    answered: u32,
    failed: u32,
    out_of_budget: u32,
    unavailable: u32,
    retries: u32,
    calls: Vec<(Tick, usize)>,
}

impl Tally {
    fn failed_share(&self) -> f64 {
        f64::from(self.failed + self.unavailable) / f64::from(self.requests)
    }

    fn calls_to(&self, deployment: usize) -> usize {
        self.calls.iter().filter(|call| call.1 == deployment).count()
    }

    fn called_at(&self, deployment: usize, at: Tick) -> usize {
        self.calls.iter().filter(|call| **call == (at, deployment)).count()
    }
}

struct World {
    upstream: Upstream,
    breakers: [Breaker; 2],
    budget: RetryBudget,
    policy: Policy,
    active: u32,
    queue: BinaryHeap<Reverse<Due>>,
    put: u64,
    dice: SplitMix64,
    called: [u32; 2],
    tally: Tally,
}

impl World {
    fn new(upstream: Upstream, failures: u32) -> Self {
        let settings = BreakerSettings { failures, ..BreakerSettings::default() };
        Self {
            upstream,
            breakers: [Breaker::new(settings), Breaker::new(settings)],
            budget: RetryBudget::default(),
            policy: Policy::default(),
            active: 0,
            queue: BinaryHeap::new(),
            put: 0,
            dice: SplitMix64::new(52),
            called: [0, 0],
            tally: Tally::default(),
        }
    }

    fn put(&mut self, at: Tick, event: Event) {
        self.put += 1;
        self.queue.push(Reverse(Due(at, self.put, event)));
    }

    /// Lets requests arrive evenly from `from` on.
    fn arrivals(&mut self, from: Tick, count: u32, every: Duration) {
        for number in 0..count {
            self.put(from.after(every * number), Event::Arrive);
        }
    }

    /// Plays until nothing is left to happen.
    fn run(&mut self) {
        while let Some(Reverse(Due(now, _, event))) = self.queue.pop() {
            match event {
                Event::Arrive => self.arrive(now),
                Event::Start { request, deployment } => self.start(now, request, deployment),
                Event::End { request, deployment, ticket, result } => {
                    let verdict = result.map_or_else(Class::verdict, |()| Verdict::Success);
                    let _ = self.breakers[deployment].record(now, ticket, verdict);
                    self.end(now, request, deployment, result);
                }
            }
        }
        assert_eq!((self.active, self.budget.in_flight()), (0, 0), "everything was given back");
        let done = self.tally.answered + self.tally.failed + self.tally.unavailable;
        assert_eq!(done, self.tally.requests, "each request ends once");
    }

    fn arrive(&mut self, now: Tick) {
        self.tally.requests += 1;
        let entries = [A, B].map(|deployment| {
            let blocked = self.breakers[deployment].peek(now);
            let reason = SkipReason::BreakerOpen;
            let blocked = blocked.map(|until| Blocked { reason, until });
            Entry { deployment, candidate: Candidate::default(), blocked }
        });
        let strategy = Strategy::by_name("ordered").unwrap();
        let group = Group { entries: &entries, strategy };
        let Ok(plan) = Plan::build(&[group], &mut self.dice) else {
            self.tally.unavailable += 1;
            return;
        };
        self.active += 1;
        let lanes = plan.lanes.iter().map(|lane| lane.deployment).collect();
        let deadline = now.after(Duration::from_secs(600));
        let progress = Progress::new(self.policy, deadline);
        self.next_lane(now, Request { lanes, progress, retry: None });
    }

    fn next_lane(&mut self, now: Tick, mut request: Request) {
        match request.lanes.pop_front() {
            Some(deployment) => self.start(now, request, deployment),
            None => {
                self.tally.unavailable += 1;
                self.active -= 1;
            }
        }
    }

    fn start(&mut self, now: Tick, mut request: Request, deployment: usize) {
        let ticket = match self.breakers[deployment].admit(now) {
            Admission::Pass(ticket) | Admission::Probe(ticket) => ticket,
            Admission::Open { .. } => {
                request.retry.take().into_iter().for_each(|token| self.budget.give_back(token));
                return self.next_lane(now, request);
            }
        };
        let call = Call { deployment, number: self.called[deployment], at: now };
        self.called[deployment] += 1;
        self.tally.calls.push((now, deployment));
        let (result, took) = (self.upstream)(&call, &mut self.dice);
        self.put(now.after(took), Event::End { request, deployment, ticket, result });
    }

    fn end(
        &mut self,
        now: Tick,
        mut request: Request,
        deployment: usize,
        result: Result<(), Class>,
    ) {
        request.retry.take().into_iter().for_each(|token| self.budget.give_back(token));
        let Err(class) = result else {
            self.tally.answered += 1;
            self.active -= 1;
            return;
        };
        let token = self.budget.try_take(self.active);
        let bounded = self.budget.in_flight() <= self.budget.allowed(self.active);
        assert!(token.is_none() || bounded, "a token was given out past the bound");
        let choices = Choices {
            other_deployment: !request.lanes.is_empty(),
            retry_budget: token.is_some(),
            ..Choices::default()
        };
        let step = request.progress.next(now, &Outcome::of(class), &choices, &mut self.dice);
        match (step, token) {
            (Step::Retry { delay }, Some(token)) => {
                self.tally.retries += 1;
                request.retry = Some(token);
                self.put(now.after(delay), Event::Start { request, deployment });
            }
            (step, token) => {
                token.into_iter().for_each(|token| self.budget.give_back(token));
                self.go_on(now, request, step);
            }
        }
    }

    fn go_on(&mut self, now: Tick, request: Request, step: Step) {
        match step {
            Step::Fallback => self.next_lane(now, request),
            Step::Stop(reason) => {
                self.tally.out_of_budget += u32::from(reason == StopReason::RetryBudgetExhausted);
                self.tally.failed += 1;
                self.active -= 1;
            }
            other => panic!("{other:?} was not open"),
        }
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Each call fails with a 500 by the toss of a coin.
fn coin(_: &Call, dice: &mut SplitMix64) -> (Result<(), Class>, Duration) {
    let took = ms(20 + dice.below(40));
    if dice.below(2) == 0 { (Err(Class::ServerError500), took) } else { (Ok(()), took) }
}

/// Every second call fails with a 500, and all take the same time.
fn alternating(call: &Call, _: &mut SplitMix64) -> (Result<(), Class>, Duration) {
    let even = call.number.is_multiple_of(2);
    (if even { Err(Class::ServerError500) } else { Ok(()) }, ms(40))
}

#[test]
fn three_502s_keep_everyone_away_for_thirty_seconds_then_one_of_a_hundred_probes() {
    fn recovers(call: &Call, _: &mut SplitMix64) -> (Result<(), Class>, Duration) {
        let down = call.deployment == A && call.number < 3;
        (if down { Err(Class::Server) } else { Ok(()) }, ms(10))
    }
    let mut world = World::new(recovers, 3);
    // The third request arrives at 2.0 s and fails at 2.01 s: open until 32.01 s.
    world.arrivals(Tick::ZERO, 32, ms(1_000));
    let due = Tick::from_millis(32_010);
    world.arrivals(Tick::from_nanos(due.nanos() - 1), 1, ms(0));
    world.arrivals(due, 100, ms(0));
    world.arrivals(due.after(ms(11)), 50, ms(0));
    world.run();
    assert_eq!(world.tally.answered, 183);
    assert_eq!(world.tally.called_at(A, due), 1, "one probe");
    assert_eq!(world.tally.called_at(B, due), 99);
    assert_eq!(world.tally.called_at(A, due.after(ms(11))), 50, "closed by its success");
    assert_eq!(world.tally.calls_to(A), 3 + 1 + 50, "not one call while it was open");
}

#[test]
fn the_death_of_an_upstream_under_load_fails_no_request() {
    fn dies(call: &Call, dice: &mut SplitMix64) -> (Result<(), Class>, Duration) {
        let dead = call.deployment == A && call.at >= Tick::from_millis(5_000);
        if dead { (Err(Class::Connect), ms(1)) } else { (Ok(()), ms(50 + dice.below(200))) }
    }
    let mut world = World::new(dies, 3);
    world.arrivals(Tick::ZERO, 200 * 95, ms(5));
    world.run();
    assert_eq!((world.tally.failed, world.tally.unavailable), (0, 0));
    let after = world.tally.calls.iter().filter(|call| call.0 >= Tick::from_millis(5_000));
    let knocks = after.filter(|call| call.1 == A).count();
    // Good answers that were under way keep breaking the row for a quarter of a second, at most 50
    // requests; then two probes in the ninety seconds, half a minute apart.
    assert!((5..=55).contains(&knocks), "{knocks} calls to a dead upstream");
}

#[test]
fn at_one_failure_in_two_three_attempts_leave_one_request_in_eight() {
    // A quiet gateway: the floor of the budget covers every retry. The breaker is kept out, since a
    // row of three comes up in any long series of tosses.
    let mut world = World::new(coin, u32::MAX);
    world.arrivals(Tick::ZERO, 40_000, ms(1_000));
    world.run();
    let share = world.tally.failed_share();
    assert!((share - 0.125).abs() < 0.007, "{share}");
    assert_eq!(world.tally.out_of_budget, 0);
}

#[test]
fn under_heavy_load_the_budget_keeps_retries_under_a_fifth_of_the_requests() {
    let mut world = World::new(coin, u32::MAX);
    world.arrivals(Tick::ZERO, 40_000, Duration::from_micros(500));
    world.run();
    let tally = &world.tally;
    assert!(tally.retries > 0 && tally.retries * 5 <= tally.requests, "{}", tally.retries);
    // Whoever got no retry still had both deployments.
    assert!(tally.failed_share() < 0.25, "{}", tally.failed_share());
    let lanes = tally.calls.len() - tally.retries as usize;
    assert!(tally.calls.len() * 10 <= lanes * 12, "{} calls, {lanes} lanes", tally.calls.len());
}

#[test]
fn a_total_outage_is_not_amplified() {
    fn down(_: &Call, _: &mut SplitMix64) -> (Result<(), Class>, Duration) {
        (Err(Class::ServerError500), ms(40))
    }
    // Without any breaker, so that only the budget stands between the outage and the crowd.
    let mut world = World::new(down, u32::MAX);
    world.arrivals(Tick::ZERO, 20_000, Duration::from_micros(500));
    world.run();
    assert_eq!(world.tally.answered, 0);
    assert!(world.tally.retries * 5 <= world.tally.requests, "{}", world.tally.retries);
}

#[test]
fn strictly_alternating_failures_never_open_a_breaker() {
    let mut world = World::new(alternating, 3);
    world.arrivals(Tick::ZERO, 40_000, Duration::from_micros(500));
    world.run();
    assert_eq!(world.tally.unavailable, 0);
    let end = Tick::from_millis(21_000);
    assert!(world.breakers.iter().all(|breaker| breaker.state(end) == State::Closed));
    assert!(world.tally.failed_share() <= 0.25, "{}", world.tally.failed_share());
}
