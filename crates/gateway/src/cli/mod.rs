//! The command line: what was asked for, and the commands that only print.
//!
//! Data goes to `out`, which is standard output; errors and logs go to standard error. The exit
//! code is 0, 1 when something failed, 2 when the input was wrong. Reading a command line, and
//! commands that only print, touch nothing that serves: what serves is a [`Start`], and only
//! `start` knows how.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use catalog::{Kind, PicoUsd};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{self, DEFAULT_FILE};
use crate::telemetry::LogFormat;

mod check;
mod models;
mod print;
mod start;

#[cfg(test)]
mod tests;

/// The arguments of `weighbridge`.
#[derive(Debug, Parser)]
#[command(
    name = "weighbridge",
    version,
    about = "An LLM gateway: every request is weighed before it crosses.",
    after_help = "Without a command the gateway is served."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: ConfigFile,
    /// How log lines on standard error are written.
    #[arg(long, global = true, value_name = "text|json", default_value = "text",
        value_parser = PossibleValuesParser::new(["text", "json"]).map(log_format))]
    log_format: LogFormat,
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
struct ConfigFile {
    /// The configuration; `weighbridge.yaml` here, if it exists, when not given.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn log_format(word: String) -> LogFormat {
    if word == "json" { LogFormat::Json } else { LogFormat::Text }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway. Without a configuration: the providers whose usual keys are in the
    /// environment.
    Serve(ConfigFile),
    /// Runs the gateway with simulated providers and traffic; no keys needed.
    Demo,
    /// Checks the configuration and prints every problem with its line.
    Check(ConfigFile),
    /// Lists the models of the catalog with their prices, US dollars per million tokens.
    Models(Models),
    /// Says what would happen to a request, without sending it.
    Explain(Explain),
    /// Runs the simulated provider alone.
    Sim(Sim),
    /// Prints the JSON Schema of the configuration, or its reference page.
    Schema {
        /// JSON Schema for editors, or a page for people.
        #[arg(long, value_enum, default_value_t = SchemaFormat::Json)]
        format: SchemaFormat,
    },
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page, or that of one command.
    Man {
        /// The command.
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Explain {
    #[command(flatten)]
    config: ConfigFile,
    /// The model a client would ask for.
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// A request body as a client would send it.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Models {
    #[command(flatten)]
    config: ConfigFile,
    /// Only this provider's.
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// Only models of this kind.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(
        Kind::ALL.iter().map(|(name, _)| *name)))]
    kind: Option<String>,
    /// Only models whose input and output both cost at most this much per million tokens.
    #[arg(long, value_name = "USD", value_parser = PicoUsd::from_usd_per_million)]
    max_price: Option<PicoUsd>,
    /// Prints JSON, one array.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Sim {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// Which faults to play, and when.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Keep no journal of requests.
    #[arg(long)]
    no_journal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaFormat {
    Json,
    Markdown,
}

/// What is left to do after the command line was read.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: exit with this code.
    Exit(u8),
    Start(Start),
}

/// What to start. A path was named by the user or exists.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// The gateway; without a file the environment's keys configure the providers.
    Serve { file: Option<PathBuf>, log_format: LogFormat },
    /// The gateway with simulated providers.
    Demo { log_format: LogFormat },
    /// An explanation of what would happen to a request.
    Explain { file: Option<PathBuf>, model: String, request: Option<PathBuf> },
    /// The simulated provider alone.
    Sim { listen: SocketAddr, script: Option<PathBuf>, journal: bool, log_format: LogFormat },
}

/// Reads the process's arguments, does what they say and returns the exit code. Wrong arguments
/// end the process with code 2, `--help` and `--version` with 0.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(run(&mut io::stdout()))
}

fn run(out: &mut dyn Write) -> u8 {
    let cli = Cli::parse();
    if let Some(error) = misplaced(&cli) {
        error.exit();
    }
    let done = next(cli, out).and_then(|next| match next {
        Next::Exit(code) => Ok(code),
        Next::Start(start) => start::start(start, out),
    });
    done.unwrap_or_else(|error| failed(&error.to_string()))
}

/// Says on standard error that something failed.
fn failed(text: &str) -> u8 {
    // Nobody is left to be told when standard error itself is gone.
    let _ = writeln!(io::stderr(), "weighbridge: {text}");
    1
}

/// `-c` before a command would go unheard.
fn misplaced(cli: &Cli) -> Option<clap::Error> {
    let unheard = cli.config.config.is_some() && cli.command.is_some();
    let text = "`--config` stands after the command";
    unheard.then(|| Cli::command().error(ErrorKind::ArgumentConflict, text))
}

fn next(cli: Cli, out: &mut dyn Write) -> io::Result<Next> {
    let log_format = cli.log_format;
    let command = cli.command.unwrap_or(Command::Serve(cli.config));
    let start = match command {
        Command::Serve(file) => Start::Serve { file: file.found(), log_format },
        Command::Demo => Start::Demo { log_format },
        Command::Explain(Explain { config, model, request }) => {
            Start::Explain { file: config.found(), model, request }
        }
        Command::Sim(Sim { listen, script, no_journal }) => {
            Start::Sim { listen, script, journal: !no_journal, log_format }
        }
        Command::Models(models) => return models::run(models, out).map(Next::Exit),
        Command::Check(file) => return check::run(&file.named(), out).map(Next::Exit),
        Command::Schema { format } => return print::schema(format, out).map(Next::Exit),
        Command::Completions { shell } => return print::completions(shell, out).map(Next::Exit),
        Command::Man { command } => return print::man(command.as_deref(), out).map(Next::Exit),
    };
    Ok(Next::Start(start))
}

impl ConfigFile {
    /// The file named, or the usual one if it exists.
    fn found(self) -> Option<PathBuf> {
        let usual = || Path::new(DEFAULT_FILE).exists().then(|| PathBuf::from(DEFAULT_FILE));
        self.config.or_else(usual)
    }

    /// The file named, or the usual one.
    fn named(self) -> PathBuf {
        self.config.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
    }
}

/// Reads the configuration of `path` from this machine's disk and environment.
fn load(path: &Path) -> Result<config::Config, Vec<config::Problem>> {
    config::load(path, &config::system::env, &config::system::read)
}
