//! Running the gateway: listeners, signals, draining.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ledger::Journal;
use store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::reload::Watch;
use super::{App, Parts};
use crate::config::{self, Config};
use crate::listen::{Gate, serve_listener};
use crate::telemetry::{LogFormat, LogSink, Telemetry};
use crate::upstream::SystemNetwork;
use crate::world::World;

/// How to serve.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// How logs look.
    pub log_format: LogFormat,
}

/// Why the gateway did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration is wrong: every problem with its place.
    Config(Vec<config::Problem>),
    /// Something else; one sentence with the remedy.
    Other(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(problems) => {
                problems.iter().try_for_each(|problem| writeln!(f, "{problem}"))
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

/// Reads the configuration of `options`, from its file or from the environment. `None` means that
/// neither names a provider.
///
/// # Errors
/// When the file is wrong.
pub fn configuration(options: &ServeOptions) -> Result<Option<Config>, StartError> {
    use config::system::{env, read};
    let Some(path) = &options.file else {
        return match config::from_environment(&env, &read) {
            Ok(config) => placed(config).map(Some),
            Err(none) if none.problems.is_empty() => Ok(None),
            Err(wrong) => Err(StartError::Config(wrong.problems)),
        };
    };
    config::load(path, &env, &read).map(Some).map_err(StartError::Config)
}

/// Without a file, the addresses come from the environment as well, as in the demo.
fn placed(mut config: Config) -> Result<Config, StartError> {
    let server = &mut config.server;
    for (name, place) in
        [(LISTEN_ENV, &mut server.listen), (ADMIN_LISTEN_ENV, &mut server.admin_listen)]
    {
        let Some(text) = config::system::env(name) else { continue };
        *place = text.parse().map_err(|_| {
            StartError::Other(format!(
                "{name}: `{text}` is no address; write one like 127.0.0.1:4000"
            ))
        })?;
    }
    if !server.listen.ip().is_loopback() {
        let text = format!(
            "{LISTEN_ENV}: without keys of its own the gateway serves only this machine; write a \
             configuration with `auth: {{ keys: [...] }}` to listen on {}",
            server.listen
        );
        return Err(StartError::Other(text));
    }
    Ok(config)
}

/// The variable that says where clients connect, when no file does.
pub const LISTEN_ENV: &str = "WEIGHBRIDGE_LISTEN";
/// The variable that says where the admin listener is, when no file does.
pub const ADMIN_LISTEN_ENV: &str = "WEIGHBRIDGE_ADMIN_LISTEN";

/// A gateway with its listeners bound.
pub struct Bound {
    /// The gateway.
    pub app: App,
    data: TcpListener,
    admin: TcpListener,
    store: Arc<Store>,
    log: LogSink,
    signals: Signals,
}

impl Bound {
    /// Binds the listeners, opens the store and takes the signals, which from now on no longer end
    /// the process by themselves.
    ///
    /// # Errors
    /// When an address is taken or the data directory cannot be used.
    pub async fn new(config: Config, log_format: LogFormat) -> Result<Self, StartError> {
        let signals = Signals::new()
            .map_err(|error| StartError::Other(format!("signals cannot be received: {error}")))?;
        let data = listen(config.server.listen, "server.listen").await?;
        let admin = listen(config.server.admin_listen, "server.admin_listen").await?;
        let store =
            Store::open(&config.data_dir).map_err(|error| StartError::Other(error.to_string()))?;
        let store = Arc::new(store);
        let log = LogSink::stderr(log_format)
            .map_err(|error| StartError::Other(format!("the request log cannot start: {error}")))?;
        let parts = Parts {
            network: Arc::new(SystemNetwork),
            world: World::system(),
            telemetry: Telemetry::new(log.clone()),
            journal: Arc::clone(&store) as Arc<dyn Journal>,
        };
        Ok(Self { app: App::assemble(config, parts), data, admin, store, log, signals })
    }

    /// Where the data listener is.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn data_addr(&self) -> io::Result<SocketAddr> {
        self.data.local_addr()
    }

    /// Where the admin listener is.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn admin_addr(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until SIGTERM or SIGINT, then drains: not ready, a while of accepting, no more
    /// accepting, until the last request has ended or the time to drain is over. What is still under
    /// way then is cut and settled.
    ///
    /// # Errors
    /// When the ledger's last entries cannot be written.
    pub async fn run(self, watch: Option<Watch>) -> io::Result<()> {
        let Signals { mut stop, mut hangup } = self.signals;
        let (close_data, data_gate) = Gate::new();
        let (close_admin, admin_gate) = Gate::new();
        let limits = self.app.limits();
        let data = tokio::spawn(serve_listener(self.data, self.app.data(), limits, data_gate));
        tokio::spawn(serve_listener(self.admin, self.app.admin(), limits, admin_gate));
        let watching = match watch {
            Some(watch) => {
                let watching = tokio::spawn(watch.run(self.app.clone(), hangup));
                stop.asked().await;
                Some(watching)
            }
            // Nothing to read again: the terminal is gone, and so are we.
            None => {
                tokio::select! {
                    () = stop.asked() => {}
                    _ = hangup.recv() => {}
                }
                None
            }
        };
        let server = self.app.core.snapshot.load().config.server.clone();
        self.app.health.set_ready(false);
        tracing::info!("stopping: no longer ready, draining");
        let hurried = timeout(server.drain_accept, stop.asked()).await.is_ok();
        let _ = close_data.send(true);
        let _ = data.await;
        let patience = if hurried { Duration::ZERO } else { server.drain };
        if timeout(patience, close_data.closed()).await.is_err() {
            tracing::warn!("requests were still under way when the time to drain was over");
        }
        drop(close_data);
        settled(&self.app).await;
        drop(close_admin);
        if let Some(watching) = watching {
            watching.abort();
        }
        self.store.flush().map_err(io::Error::other)?;
        self.log.flush();
        Ok(())
    }
}

/// Abandoned exchanges are settled by a task; it gets a moment.
async fn settled(app: &App) {
    for _ in 0..100 {
        if app.core.states.active.get() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn listen(addr: SocketAddr, key: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr).await.map_err(|error| {
        StartError::Other(match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "{addr} is in use by another program. Stop it, or choose another address with `{key}` \
                 in the configuration (without one: {LISTEN_ENV} and {ADMIN_LISTEN_ENV})."
            ),
            io::ErrorKind::PermissionDenied => {
                format!("{addr} needs more rights. Choose a port above 1023 with `{key}`.")
            }
            _ => format!("{addr} (`{key}`) cannot be listened on: {error}."),
        })
    })
}

struct Stop {
    term: Signal,
    int: Signal,
}

/// The signals that mean something here.
struct Signals {
    stop: Stop,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let (term, int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { stop: Stop { term, int }, hangup: signal(SignalKind::hangup())? })
    }
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Serves, from configuration to the last settled request. Without any provider it runs the demo.
///
/// # Errors
/// When it cannot start.
pub async fn serve(options: ServeOptions) -> Result<(), StartError> {
    let watch = options.file.as_deref().map(Watch::new);
    let Some(config) = configuration(&options)? else {
        return super::demo::demo(options.log_format).await;
    };
    let bound = Bound::new(config, options.log_format).await?;
    announce(&bound)?;
    let other = |error: io::Error| StartError::Other(error.to_string());
    bound.run(watch).await.map_err(other)
}

fn announce(bound: &Bound) -> Result<(), StartError> {
    let other = |error: io::Error| StartError::Other(error.to_string());
    let (data, admin) = (bound.data_addr().map_err(other)?, bound.admin_addr().map_err(other)?);
    let snapshot = bound.app.core.snapshot.load();
    let providers: Vec<&str> = snapshot.config.providers.iter().map(|p| p.id.as_str()).collect();
    tracing::info!(providers = providers.join(","), models = snapshot.listed().len(), "loaded");
    tracing::info!("ready: http://{data}/v1 (admin: http://{admin})");
    let first = snapshot.listed().into_iter().next();
    if let (config::Auth::Open, Some(model)) = (&snapshot.config.auth, first) {
        // Whoever closed standard output does not want to read it.
        let _ = writeln!(
            io::stdout(),
            "curl http://{data}/v1/chat/completions -H 'Content-Type: application/json' -d \
             '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
        );
    }
    Ok(())
}
