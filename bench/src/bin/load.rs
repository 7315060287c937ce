//! `load JOB`: does one job (JSON, see `yardstick::load::Job`) and prints its report as JSON.
//!
//! It prints `ready` when connected and warm, waits for a line, then begins. Streams that are held
//! open stay open until its input ends.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use yardstick::Said;
use yardstick::load::{self, Job, Report, Shape};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            // Nobody to tell when this fails too.
            let _ = writeln!(io::stderr(), "load: {said}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Said<()> {
    let text = std::env::args().nth(1).ok_or("usage: load JOB (a JSON object)")?;
    let job: Job = serde_json::from_str(&text).map_err(|error| format!("the job: {error}"))?;
    // Sleeping threads wake to the microsecond instead of 50 late, where the kernel allows it.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
    let Shape::Hold(count) = job.shape else { return print(&load::run(&job, ready)?) };
    let (held, report) = load::hold(&job, count, ready)?;
    print(&report)?;
    io::stdin().lock().read_line(&mut String::new()).map_err(|error| error.to_string())?;
    drop(held);
    Ok(())
}

fn ready() -> Said<()> {
    say("ready")?;
    io::stdin().lock().read_line(&mut String::new()).map_err(|error| error.to_string())?;
    Ok(())
}

fn print(report: &Report) -> Said<()> {
    say(&serde_json::to_string(report).map_err(|error| error.to_string())?)
}

fn say(line: &str) -> Said<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).map_err(|error| error.to_string())
}
