//! `bench`: runs everything and prints one table.
//!
//! It builds nothing and talks to loopback only. What it started it ends, however it ends itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use yardstick::Said;
use yardstick::child::Launcher;
use yardstick::fallback::{self, Decisions};
use yardstick::figure::{Figure, table};
use yardstick::memory::{self, Memory};
use yardstick::rounds::{self, Effort, Runs};
use yardstick::subject::{self, Programs, Subject, Who};
use yardstick::verdict::{Measured, figures};

/// Rounds stop here, so that the whole stays under four minutes.
const ROUNDS_TIME: Duration = Duration::from_secs(170);

/// A request sent later than this after its intended time is late, microseconds.
const LATE_US: f64 = 1_000.0;

/// How to read the table.
const LEGEND: &str = "Medians of the rounds; ratios are taken inside a round. `over direct`: the column \
    direct is the whole latency, the others are what they add to it.\n";

/// Measures Weighbridge against a proxy that does nothing.
#[derive(Debug, Parser)]
struct Args {
    /// The gateway; beside this program when left out.
    #[arg(long)]
    weighbridge: Option<PathBuf>,
    /// Few and short rounds: for a first look, not for figures.
    #[arg(long)]
    quick: bool,
    /// How often everything is repeated.
    #[arg(long)]
    rounds: Option<usize>,
    /// Where the figures are written as JSON; its directory holds logs too.
    #[arg(long, default_value = "bench/out/latest.json")]
    out: PathBuf,
}

/// Where everything is, for the length of the program.
struct Bench {
    launcher: Launcher,
    programs: Programs,
    quick: bool,
    notes: Vec<String>,
    _alone: File,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(said) => {
            tell(&format!("bench: {said}"));
            ExitCode::FAILURE
        }
    }
}

/// Progress, on standard error.
fn tell(line: &str) {
    // Nobody to tell when this fails too.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether the gateway was measured at all. A missed goal is a figure, not a failure.
fn run(args: &Args) -> Said<bool> {
    let mut bench = Bench::new(args)?;
    let (mut upstream_running, upstream) = subject::upstream(&bench.launcher, &bench.programs)?;
    let sim = subject::simulator(&bench.launcher, &bench.programs);
    let sim = bench.noted("simulator", sim);
    let sim_address = sim.as_ref().map(|(_, address)| *address);
    let memory = bench.memory(upstream)?;
    let subjects = bench.subjects(upstream, sim_address)?;
    let runs = rounds::all(
        &bench.launcher,
        &bench.programs.load,
        &subjects,
        bench.effort(args.rounds),
        |line| {
            tell(line);
            upstream_running.check()
        },
    )?;
    let ours = subjects.iter().find(|subject| subject.who == Who::Ours);
    let decisions = bench.decisions(ours, upstream, sim.is_some());
    bench.notes.extend(doubts(&runs));
    let measured = Measured { runs, memory, decisions };
    bench.report(&figures(&measured), &measured, &args.out)?;
    Ok(ours.is_some())
}

/// What speaks against some of the runs.
fn doubts(runs: &Runs) -> Vec<String> {
    let failed = runs.failed().map(|run| {
        let why = run.report.failure.as_deref().unwrap_or("no request was answered");
        format!("{}, {:?}: {} requests failed: {why}", run.scenario, run.who, run.report.failed)
    });
    let late = runs.0.iter().filter(|run| run.report.lag.p90_us > LATE_US).count();
    let all = runs.0.len();
    let late = (late > 0).then(|| {
        format!(
            "in {late} of {all} runs a tenth of the requests left over 1 ms late: a busy machine"
        )
    });
    failed.chain(late).collect()
}

/// A lock that lasts as long as the file is open: two benches at once would measure each other.
fn alone(file: &Path) -> Said<File> {
    let lock = File::create(file).map_err(|error| format!("{}: {error}", file.display()))?;
    lock.try_lock().map_err(|_| "another bench is running in this tree".to_owned())?;
    Ok(lock)
}

impl Bench {
    fn new(args: &Args) -> Said<Self> {
        let here = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut programs = Programs::in_dir(here.parent().unwrap_or(Path::new(".")));
        if let Some(ours) = &args.weighbridge {
            programs.ours =
                fs::canonicalize(ours).map_err(|error| format!("{}: {error}", ours.display()))?;
        }
        let parent = args.out.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        let alone = alone(&parent.join("lock"))?;
        let dir = parent.join("run");
        // What an earlier run left there is of no use.
        let _ = fs::remove_dir_all(&dir);
        let dir = fs::create_dir_all(&dir).and_then(|()| fs::canonicalize(&dir));
        let dir = dir.map_err(|error| format!("{}: {error}", parent.display()))?;
        let launcher = Launcher::new(&dir);
        let mut notes = Vec::new();
        if !launcher.is_pinning() {
            notes.push("not pinned to cores: `taskset` or a second core is missing".to_owned());
        }
        Ok(Self { launcher, programs, quick: args.quick, notes, _alone: alone })
    }

    fn effort(&self, rounds: Option<usize>) -> Effort {
        let (usual, seconds) = if self.quick { (1, 0.5) } else { (5, 1.5) };
        let until = Instant::now() + ROUNDS_TIME;
        Effort { rounds: rounds.unwrap_or(usual), seconds, until }
    }

    /// What failed becomes a note, once, and its figures stay empty.
    fn noted<T>(&mut self, what: &str, said: Said<T>) -> Option<T> {
        let said = said.map_err(|said| format!("{what}: {said}"));
        if let Err(note) = &said
            && !self.notes.contains(note)
        {
            self.notes.push(note.clone());
        }
        said.ok()
    }

    fn subjects(&mut self, upstream: SocketAddr, sim: Option<SocketAddr>) -> Said<Vec<Subject>> {
        let mut subjects = vec![
            Subject::direct(upstream),
            subject::null(&self.launcher, &self.programs, upstream)?,
        ];
        let nginx = subject::nginx(&self.launcher, upstream);
        subjects.extend(self.noted("nginx", nginx).flatten());
        let ours = subject::ours(&self.launcher, &self.programs, upstream, sim);
        subjects.extend(self.noted("weighbridge", ours));
        Ok(subjects)
    }

    /// Memory is read from processes of their own: load leaves its traces.
    fn memory(&mut self, upstream: SocketAddr) -> Said<Vec<(Who, Memory)>> {
        let streams = if self.quick { 500 } else { 2_000 };
        let mut found = Vec::new();
        for subject in self.subjects(upstream, None)?.into_iter().skip(1) {
            let memory = memory::of(&self.launcher, &self.programs.load, &subject, streams);
            let what = format!("memory, {:?}", subject.who);
            found.extend(self.noted(&what, memory).map(|memory| (subject.who, memory)));
        }
        tell("memory read");
        Ok(found)
    }

    fn decisions(
        &mut self,
        ours: Option<&Subject>,
        upstream: SocketAddr,
        has_sim: bool,
    ) -> Option<Decisions> {
        let faults = if self.quick { 200 } else { 1_000 };
        let (launcher, load) = (&self.launcher, &self.programs.load);
        let measured = fallback::measure(launcher, load, ours?, upstream, has_sim, faults);
        let decisions = self.noted("fallback", measured)?;
        if let Some(failure) = &decisions.failure {
            let failed = decisions.failed;
            self.notes.push(format!("fallback: {failed} requests failed: {failure}"));
        }
        if decisions.outside.count < faults {
            let seen = decisions.outside.count;
            self.notes.push(format!("fallback: {seen} of {faults} faults led to another attempt"));
        }
        Some(decisions)
    }

    fn report(&self, figures: &[Figure], measured: &Measured, out: &Path) -> Said<()> {
        let json = serde_json::json!({
            "quick": self.quick,
            "pinned": self.launcher.is_pinning(),
            "rounds": measured.runs.rounds(),
            "figures": figures,
            "runs": measured.runs,
            "memory": measured.memory,
            "decisions": measured.decisions,
            "notes": self.notes,
        });
        fs::write(out, format!("{json:#}\n"))
            .map_err(|error| format!("{}: {error}", out.display()))?;
        let notes: String = self.notes.iter().map(|note| format!("note: {note}\n")).collect();
        let logs = self.launcher.dir().display();
        let text = format!("\n{}{LEGEND}{notes}logs: {logs}\n", table(figures));
        io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
    }
}
