//! Rounds: in each, every scenario is run against every subject in turn.
//!
//! Whatever else the machine does then hits all subjects alike, ratios are taken inside a round, and
//! the medians over the rounds are what is reported.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Said;
use crate::child::Launcher;
use crate::load::{Job, Report, Shape};
use crate::process::Cpu;
use crate::scenario::{SCENARIOS, Scenario};
use crate::subject::{Subject, Who};

/// Connections of the load program.
const CONNECTIONS: usize = 32;
/// What a program does after its last answer (accounting, log lines) still counts this long.
const AFTERMATH: Duration = Duration::from_millis(50);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds at the most.
    pub rounds: usize,
    /// How long each run is, seconds.
    pub seconds: f64,
    /// No new round begins after this.
    pub until: Instant,
}

/// One run of a scenario against a subject.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Which round.
    pub round: usize,
    /// Which scenario.
    pub scenario: &'static str,
    /// Which subject.
    pub who: Who,
    /// CPU time per request, microseconds; none for the upstream itself.
    pub cpu_us: Option<f64>,
    /// What the load program saw.
    pub report: Report,
}

/// All runs of all rounds.
#[derive(Debug, Default, Serialize)]
pub struct Runs(pub Vec<Run>);

impl Runs {
    /// The runs of a scenario against a subject, by round.
    pub fn of(&self, scenario: &str, who: Who) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(move |run| run.scenario == scenario && run.who == who)
    }

    /// The run of one round.
    #[must_use]
    pub fn find(&self, round: usize, scenario: &str, who: Who) -> Option<&Run> {
        self.of(scenario, who).find(|run| run.round == round)
    }

    /// How many rounds were run.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.0.iter().map(|run| run.round + 1).max().unwrap_or(0)
    }

    /// Runs in which some request failed.
    pub fn failed(&self) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(|run| run.report.failed > 0 || run.report.answered == 0)
    }
}

/// Runs the rounds. `after_round` is called with a line for each, and may stop them.
///
/// # Errors
/// When a subject or the load program is gone, or what `after_round` says.
pub fn all(
    launcher: &Launcher,
    load: &Path,
    subjects: &[Subject],
    effort: Effort,
    mut after_round: impl FnMut(&str) -> Said<()>,
) -> Said<Runs> {
    let mut runs = Runs::default();
    for round in 0..effort.rounds {
        if Instant::now() > effort.until {
            after_round("out of time: the remaining rounds are left out")?;
            break;
        }
        for scenario in SCENARIOS {
            for subject in subjects {
                let run = one(launcher, load, subject, scenario, effort.seconds)?;
                runs.0.push(Run { round, ..run });
            }
        }
        after_round(&format!("round {} of {}", round + 1, effort.rounds))?;
    }
    Ok(runs)
}

fn one(
    launcher: &Launcher,
    load: &Path,
    subject: &Subject,
    scenario: &Scenario,
    seconds: f64,
) -> Said<Run> {
    let job = Job {
        target: subject.address,
        model: scenario.model.to_owned(),
        stream: scenario.stream,
        prompt_bytes: scenario.prompt_bytes,
        shape: Shape::Open {
            rate: scenario.rate,
            count: (scenario.rate * seconds).ceil() as u64,
            connections: CONNECTIONS,
        },
    };
    let mut load = launcher.load(load, &job)?;
    let look = || subject.pid().map(Cpu::of).transpose();
    let before = look()?;
    let report = load.report()?;
    thread::sleep(AFTERMATH);
    let after = look()?;
    let nanos = before.zip(after).map(|(before, after)| after.nanos_since(&before));
    let requests = (report.answered + report.failed).max(1);
    let cpu_us = nanos.map(|nanos| nanos as f64 / 1e3 / requests as f64);
    Ok(Run { round: 0, scenario: scenario.name, who: subject.who, cpu_us, report })
}
