//! Plans: the requested group first, nobody twice, the blocked left out with a reason.

use proptest::prelude::*;
use route::{
    AllUnavailable, Blocked, Candidate, Entry, Group, Lane, Plan, SkipReason, Skipped, SplitMix64,
    Strategy as Rule, Tick,
};

fn open(deployment: usize) -> Entry {
    Entry { deployment, candidate: Candidate::default(), blocked: None }
}

fn blocked(deployment: usize, reason: SkipReason, until: u64) -> Entry {
    let blocked = Some(Blocked { reason, until: Tick::from_millis(until) });
    Entry { blocked, ..open(deployment) }
}

fn build(strategy: &str, groups: &[&[Entry]]) -> Result<Plan, AllUnavailable> {
    let strategy = Rule::by_name(strategy).unwrap();
    let groups: Vec<_> = groups.iter().map(|entries| Group { entries, strategy }).collect();
    Plan::build(&groups, &mut SplitMix64::new(1))
}

fn lanes(plan: &Plan) -> Vec<(usize, usize)> {
    plan.lanes.iter().map(|lane| (lane.group, lane.deployment)).collect()
}

#[test]
fn the_requested_group_comes_first_then_each_fallback_group() {
    let plan = build("ordered", &[&[open(5), open(2)], &[open(9)], &[open(1)]]).unwrap();
    assert_eq!(lanes(&plan), [(0, 5), (0, 2), (1, 9), (2, 1)]);
}

#[test]
fn a_deployment_named_twice_keeps_its_first_place() {
    let plan = build("ordered", &[&[open(5), open(5), open(2)], &[open(2), open(7)]]).unwrap();
    assert_eq!(lanes(&plan), [(0, 5), (0, 2), (1, 7)]);
}

#[test]
fn the_strategy_orders_inside_a_group_and_never_across() {
    let cost = |deployment, cost| Entry {
        candidate: Candidate { cost, ..Candidate::default() },
        ..open(deployment)
    };
    let plan = build("least_cost", &[&[cost(1, 9), cost(2, 5)], &[cost(3, 1)]]).unwrap();
    assert_eq!(lanes(&plan), [(0, 2), (0, 1), (1, 3)]);
}

#[test]
fn an_open_breaker_is_skipped_at_once_and_remembered() {
    let group = [blocked(0, SkipReason::BreakerOpen, 30_000), open(1)];
    let plan = build("ordered", &[&group]).unwrap();
    assert_eq!(plan.lanes, [Lane { deployment: 1, group: 0 }]);
    let until = Tick::from_millis(30_000);
    let skipped = Skipped { deployment: 0, group: 0, reason: SkipReason::BreakerOpen, until };
    assert_eq!(plan.skipped, [skipped]);
}

#[test]
fn with_everything_blocked_the_earliest_return_is_told() {
    let first = [blocked(0, SkipReason::BreakerOpen, 30_000)];
    let second =
        [blocked(1, SkipReason::CoolingDown, 7_000), blocked(0, SkipReason::BreakerOpen, 1)];
    let refusal = build("ordered", &[&first, &second]).unwrap_err();
    assert_eq!(refusal.retry_at, Some(Tick::from_millis(7_000)));
    assert_eq!(refusal.skipped.len(), 2);
    assert_eq!(refusal.to_string(), "all 2 deployments are unavailable");
}

#[test]
fn groups_without_deployments_have_no_moment_of_return() {
    assert_eq!(build("ordered", &[&[], &[]]).unwrap_err().retry_at, None);
}

fn entry() -> impl Strategy<Value = Entry> {
    (0_usize..8, prop::option::of(0_u64..100)).prop_map(|(deployment, until)| match until {
        Some(until) => blocked(deployment, SkipReason::CoolingDown, until),
        None => open(deployment),
    })
}

proptest! {
    #[test]
    fn each_deployment_ends_in_exactly_one_place(
        groups in prop::collection::vec(prop::collection::vec(entry(), 0..6), 0..4),
        row in 0..route::STRATEGIES.len(), seed in any::<u64>(),
    ) {
        let strategy = &route::STRATEGIES[row];
        let given: Vec<_> = groups.iter().map(|entries| Group { entries, strategy }).collect();
        let (lanes, skipped) = match Plan::build(&given, &mut SplitMix64::new(seed)) {
            Ok(plan) => {
                prop_assert!(!plan.lanes.is_empty());
                (plan.lanes, plan.skipped)
            }
            Err(refusal) => (Vec::new(), refusal.skipped),
        };
        prop_assert!(lanes.iter().map(|lane| lane.group).is_sorted());
        let mut placed: Vec<usize> = lanes.iter().map(|lane| lane.deployment).collect();
        placed.extend(skipped.iter().map(|skipped| skipped.deployment));
        placed.sort_unstable();
        let mut named: Vec<usize> = groups.iter().flatten().map(|e| e.deployment).collect();
        named.sort_unstable();
        named.dedup();
        prop_assert_eq!(placed, named);
    }
}
