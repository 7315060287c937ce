//! From runs to figures: medians, ratios inside a round, and whether each goal is met.

use crate::fallback::Decisions;
use crate::figure::Figure;
use crate::histogram::Quantiles;
use crate::median;
use crate::memory::Memory;
use crate::rounds::{Run, Runs};
use crate::scenario::{LONG_STREAM, SCENARIOS, SHORT_STREAM, Scenario};
use crate::subject::Who;

/// The most a relayed event may cost, as a multiple of the null proxy's.
const EVENT_GOAL: f64 = 1.5;
/// How much later than through the null proxy the first text may come, milliseconds.
const FIRST_TEXT_GOAL_MS: f64 = 0.3;
/// Memory at rest, MB.
const IDLE_GOAL_MB: f64 = 40.0;
/// Memory of an open stream, KiB.
const STREAM_GOAL_KIB: f64 = 40.0;
/// Known failure to the next attempt, 99 of 100, milliseconds.
const DECISION_GOAL_MS: f64 = 5.0;

/// Everything that was measured.
#[derive(Debug)]
pub struct Measured {
    /// The rounds.
    pub runs: Runs,
    /// Memory of those that were started for it.
    pub memory: Vec<(Who, Memory)>,
    /// Decision times, if ours ran.
    pub decisions: Option<Decisions>,
}

/// All figures in the order of the table.
#[must_use]
pub fn figures(measured: &Measured) -> Vec<Figure> {
    let runs = &measured.runs;
    let mut figures: Vec<Figure> =
        SCENARIOS.iter().map(|scenario| cpu_per_request(runs, scenario)).collect();
    figures.extend([cpu_per_event(runs), events_per_second(runs)]);
    figures.push(first_text(runs));
    for scenario in SCENARIOS {
        figures.push(added(runs, scenario.name, "p50", |quantiles| quantiles.p50_us));
        figures.push(added(runs, scenario.name, "p99", |quantiles| quantiles.p99_us));
    }
    figures.extend(memory(&measured.memory));
    figures.extend(decisions(measured.decisions.as_ref()));
    figures
}

/// A value of every round's run, if it has it.
fn values(runs: &Runs, who: Who, value: impl Fn(usize, Who) -> Option<f64>) -> Option<f64> {
    let found: Vec<f64> = (0..runs.rounds()).filter_map(|round| value(round, who)).collect();
    (!found.is_empty()).then(|| median(&found))
}

/// A figure of costs: medians by subject, and medians of the ratios within each round.
fn compared(runs: &Runs, what: String, cost: impl Fn(usize, Who) -> Option<f64>) -> Figure {
    let ratio = |other: Who| {
        values(runs, other, |round, other| {
            let base = cost(round, other).filter(|base| *base > 0.0)?;
            Some(cost(round, Who::Ours)? / base)
        })
    };
    Figure {
        what,
        null: values(runs, Who::Null, &cost),
        nginx: values(runs, Who::Nginx, &cost),
        ours: values(runs, Who::Ours, &cost),
        to_null: ratio(Who::Null),
        to_nginx: ratio(Who::Nginx),
        ..Figure::default()
    }
}

fn at_most(figure: Figure, goal: f64) -> Figure {
    let met = figure.to_null.map(|ratio| ratio <= goal);
    Figure { goal: Some(format!("<= {goal} x null")), met, ..figure }
}

fn cpu_per_request(runs: &Runs, scenario: &Scenario) -> Figure {
    let what = format!("CPU us / request: {}", scenario.name);
    let figure =
        compared(runs, what, |round, who| runs.find(round, scenario.name, who).and_then(sound_cpu));
    at_most(figure, scenario.goal)
}

/// The CPU time of a run that is worth comparing: failures are cheaper or dearer than answers.
fn sound_cpu(run: &Run) -> Option<f64> {
    run.cpu_us.filter(|_| run.report.failed == 0 && run.report.answered > 0)
}

/// What one more event costs: the difference between long and short streams, by event.
fn event_us(runs: &Runs, round: usize, who: Who) -> Option<f64> {
    let long = runs.find(round, LONG_STREAM, who)?;
    let short = runs.find(round, SHORT_STREAM, who)?;
    let events = |run: &Run| run.report.events as f64 / run.report.answered.max(1) as f64;
    let more = events(long) - events(short);
    (more > 0.0).then_some((sound_cpu(long)? - sound_cpu(short)?) / more)
}

fn cpu_per_event(runs: &Runs) -> Figure {
    let what = "CPU us / relayed event".to_owned();
    at_most(compared(runs, what, |round, who| event_us(runs, round, who)), EVENT_GOAL)
}

fn events_per_second(runs: &Runs) -> Figure {
    compared(runs, "relayed events / s and core".into(), |round, who| {
        event_us(runs, round, who).filter(|us| *us > 0.0).map(|us| 1e6 / us)
    })
}

fn first_text(runs: &Runs) -> Figure {
    let millis = |round: usize, who| {
        let run = runs.find(round, LONG_STREAM, who)?;
        (run.report.answered > 0).then_some(run.report.first_content.p50_us / 1e3)
    };
    let later =
        values(runs, Who::Ours, |round, who| Some(millis(round, who)? - millis(round, Who::Null)?));
    Figure {
        what: "first text p50 ms, streamed".into(),
        direct: values(runs, Who::Direct, millis),
        null: values(runs, Who::Null, millis),
        nginx: values(runs, Who::Nginx, millis),
        ours: values(runs, Who::Ours, millis),
        goal: Some(format!("<= null + {FIRST_TEXT_GOAL_MS}")),
        met: later.map(|later| later <= FIRST_TEXT_GOAL_MS),
        ..Figure::default()
    }
}

/// Latency over going direct, for everyone but the upstream; of the upstream the whole.
fn added(runs: &Runs, scenario: &'static str, name: &str, of: fn(&Quantiles) -> f64) -> Figure {
    let whole = |round, who| {
        let run = runs.find(round, scenario, who)?;
        (run.report.answered > 0).then(|| of(&run.report.latency) / 1e3)
    };
    let more = |round, who| Some(whole(round, who)? - whole(round, Who::Direct)?);
    Figure {
        what: format!("{name} ms over direct: {scenario}"),
        direct: values(runs, Who::Direct, whole),
        null: values(runs, Who::Null, more),
        nginx: values(runs, Who::Nginx, more),
        ours: values(runs, Who::Ours, more),
        ..Figure::default()
    }
}

fn memory(memory: &[(Who, Memory)]) -> [Figure; 2] {
    let figure = |what: &str, goal: f64, of: fn(&Memory) -> f64| {
        let find = |who| memory.iter().find(|(known, _)| *known == who).map(|(_, found)| of(found));
        let ours = find(Who::Ours);
        Figure {
            what: what.to_owned(),
            null: find(Who::Null),
            nginx: find(Who::Nginx),
            ours,
            goal: Some(format!("< {goal}")),
            met: ours.map(|value| value < goal),
            ..Figure::default()
        }
    };
    let streams = memory.iter().map(|(_, found)| found.streams).max().unwrap_or(0);
    [
        figure("memory at rest, MB", IDLE_GOAL_MB, |found| found.idle_mb),
        figure(&format!("memory / open stream, KiB ({streams} open)"), STREAM_GOAL_KIB, |found| {
            found.stream_kib
        }),
    ]
}

fn decisions(decisions: Option<&Decisions>) -> Vec<Figure> {
    let outside = decisions.map(|decisions| decisions.outside).filter(|found| found.count > 0);
    let inside = decisions.and_then(|decisions| decisions.inside);
    let figure = |what: &str, count: u64, ms: Option<f64>, goal: Option<f64>| Figure {
        what: format!("fallback decision {what} ms ({count} faults)"),
        ours: ms,
        goal: goal.map(|goal| format!("<= {goal}")),
        met: goal.zip(ms).map(|(goal, ms)| ms <= goal),
        ..Figure::default()
    };
    let seen = outside.map_or(0, |found| found.count);
    let told = inside.map_or(0, |found| found.count);
    let goal = Some(DECISION_GOAL_MS);
    vec![
        figure("p50, seen outside", seen, outside.map(|found| found.p50_us / 1e3), None),
        figure("p99, seen outside", seen, outside.map(|found| found.p99_us / 1e3), goal),
        figure("p50, own metric", told, inside.map(|found| found.p50_ms), None),
        figure("p99, own metric", told, inside.map(|found| found.p99_ms), goal),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Report;

    fn run(round: usize, scenario: &'static str, who: Who, cpu_us: f64, events: u64) -> Run {
        let report = Report { answered: 10, events: events * 10, ..Report::default() };
        Run { round, scenario, who, cpu_us: Some(cpu_us), report }
    }

    fn find<'a>(figures: &'a [Figure], what: &str) -> &'a Figure {
        figures.iter().find(|figure| figure.what.contains(what)).unwrap()
    }

    fn judged(runs: Vec<Run>) -> Vec<Figure> {
        figures(&Measured { runs: Runs(runs), memory: vec![], decisions: None })
    }

    #[test]
    fn ratios_are_taken_inside_a_round() {
        let short = |round, who, cpu| run(round, SHORT_STREAM, who, cpu, 2);
        let found = judged(vec![
            short(0, Who::Null, 10.0),
            short(0, Who::Ours, 20.0),
            short(1, Who::Null, 100.0),
            short(1, Who::Ours, 210.0),
            short(2, Who::Null, 10.0),
            short(2, Who::Ours, 90.0),
        ]);
        let figure = find(&found, SHORT_STREAM);
        assert_eq!((figure.to_null, figure.met), (Some(2.1), Some(true)));
    }

    #[test]
    fn an_event_costs_the_difference_of_long_and_short_streams() {
        let found = judged(vec![
            run(0, SHORT_STREAM, Who::Null, 30.0, 2),
            run(0, LONG_STREAM, Who::Null, 620.0, 61),
            run(0, SHORT_STREAM, Who::Ours, 60.0, 2),
            run(0, LONG_STREAM, Who::Ours, 1_240.0, 61),
        ]);
        let figure = find(&found, "CPU us / relayed event");
        assert_eq!((figure.null, figure.ours), (Some(10.0), Some(20.0)));
        assert_eq!((figure.to_null, figure.met), (Some(2.0), Some(false)));
    }

    #[test]
    fn a_run_with_failures_is_no_figure() {
        let mut failed = run(0, SHORT_STREAM, Who::Ours, 1.0, 2);
        failed.report.failed = 1;
        let found = judged(vec![run(0, SHORT_STREAM, Who::Null, 30.0, 2), failed]);
        let figure = find(&found, SHORT_STREAM);
        assert_eq!((figure.ours, figure.met), (None, None));
    }
}
