//! Chores of the repository, run as `cargo xtask <chore>`.
//!
//! A chore is a program and not a shell script so that it is checked, tested and the same on every
//! machine. Nothing here is part of the product, and no room of the product is used here.

mod tidy;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Chores of the repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks the house: walls between rooms, headers, sizes, duplication, words, dependencies.
    Tidy {
        /// Writes today's sizes and duplication into the ratchet instead of judging them.
        #[arg(long)]
        bless: bool,
    },
}

fn main() -> ExitCode {
    let verdict = match Arguments::parse().chore {
        Chore::Tidy { bless: false } => tidy::check(),
        Chore::Tidy { bless: true } => tidy::bless(),
    };
    match verdict {
        Ok(report) => say(&report),
        Err(error) => {
            // Nothing is left to do where stderr itself is gone.
            let _ = writeln!(io::stderr(), "xtask: {error}");
            ExitCode::from(2)
        }
    }
}

fn say(report: &tidy::Report) -> ExitCode {
    match (write!(io::stdout(), "{report}"), report.is_clean()) {
        (Ok(()), true) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
