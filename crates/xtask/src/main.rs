//! Chores of the repository, run as `cargo xtask <chore>`.
//!
//! A chore is a program and not a shell script so that it is checked, tested and the same on every
//! machine. Nothing here is part of the product, and no room of the product is used here.

mod catalog;
mod tidy;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
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
    /// Makes the catalog's models from the price lists of LiteLLM and models.dev, and tells where
    /// these differ.
    Catalog {
        /// The directory of the lists.
        #[arg(long, value_name = "DIR", default_value = "../shared/data/prices")]
        data: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().chore {
        Chore::Tidy { bless: false } => judged(tidy::check()),
        Chore::Tidy { bless: true } => judged(tidy::bless()),
        Chore::Catalog { data } => made(&data),
    }
}

fn judged(verdict: Result<tidy::Report, String>) -> ExitCode {
    match verdict {
        Ok(report) => say(&report, report.is_clean()),
        Err(error) => failed(&error),
    }
}

fn made(lists: &Path) -> ExitCode {
    match catalog::make(lists) {
        Ok(outcome) => say(&outcome, true),
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    // Nothing is left to do where stderr itself is gone.
    let _ = writeln!(io::stderr(), "xtask: {error}");
    ExitCode::from(2)
}

fn say(report: &dyn Display, good: bool) -> ExitCode {
    match (write!(io::stdout(), "{report}"), good) {
        (Ok(()), true) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
