//! The commands that run something: a runtime, the log, and the call into `app`.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::filter::LevelFilter;

use super::{Start, failed, load};
use crate::app::serve::{ServeOptions, StartError};
use crate::app::{demo, explain, serve};
use crate::config::{self, Config, LogLevel};
use crate::telemetry::LogFormat;

/// Runs what was asked for until it ends, and returns the exit code.
pub(super) fn start(start: Start, out: &mut dyn Write) -> io::Result<u8> {
    let runtime = runtime()?;
    match start {
        Start::Serve { file, log_format } => Ok(serving(&runtime, file, log_format)),
        Start::Demo { log_format } => {
            log(LevelFilter::INFO, log_format);
            Ok(ended(runtime.block_on(demo::demo(log_format))))
        }
        Start::Explain { file, model, request } => {
            explaining(&runtime, file.as_deref(), &model, request.as_deref(), out)
        }
        Start::Sim { listen, script, journal, log_format } => {
            log(LevelFilter::INFO, log_format);
            let script = match script.map(|path| config::system::read(&path)).transpose() {
                Ok(script) => script,
                Err(error) => return Ok(refused(&format!("the script cannot be read: {error}"))),
            };
            Ok(ended(runtime.block_on(demo::simulator(listen, script, journal))))
        }
    }
}

/// One thread where there is one core: a scheduler for several would only wake itself.
fn runtime() -> io::Result<Runtime> {
    let alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let mut builder =
        if alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

fn serving(runtime: &Runtime, file: Option<PathBuf>, log_format: LogFormat) -> u8 {
    let options = ServeOptions { file, log_format };
    // Read here for the log's level, and once more by what serves: the log must stand first.
    match serve::configuration(&options) {
        Ok(config) => log(level(config.as_ref()), log_format),
        Err(error) => return ended(Err(error)),
    }
    ended(runtime.block_on(serve::serve(options)))
}

fn level(config: Option<&Config>) -> LevelFilter {
    match config.map_or(LogLevel::Info, |config| config.log.level) {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Sends messages to standard error. A second call changes nothing.
fn log(level: LevelFilter, format: LogFormat) {
    let colours = io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level);
    let lines = lines.with_ansi(colours);
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

fn ended(result: Result<(), StartError>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(StartError::Other(text)) => failed(&text),
        Err(wrong @ StartError::Config(_)) => refused(&wrong.to_string()),
    }
}

/// Says on standard error what was wrong with the input.
fn refused(text: &str) -> u8 {
    // Nobody is left to be told when standard error itself is gone.
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
    2
}

fn explaining(
    runtime: &Runtime,
    file: Option<&Path>,
    model: &str,
    request: Option<&Path>,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let config = match file {
        Some(path) => load(path).map_err(StartError::Config),
        None => config::from_environment(&config::system::env, &config::system::read)
            .map_err(|none| StartError::Other(none.to_string())),
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => return Ok(refused(&error.to_string())),
    };
    let body = match request.map(config::system::read).transpose() {
        Ok(body) => body.map(String::into_bytes),
        Err(error) => return Ok(refused(&format!("the request cannot be read: {error}"))),
    };
    match runtime.block_on(explain::explain(config, model, body)) {
        Ok(text) => out.write_all(text.as_bytes()).map(|()| 0),
        Err(text) => Ok(refused(&text)),
    }
}
