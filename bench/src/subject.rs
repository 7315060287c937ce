//! The programs that take turns under the same load: nothing at all, the null proxy, nginx, ours.
//!
//! Every one stands in front of the same upstream. Ours runs with its defaults on (request log to a
//! file, metrics, routing, ledger); only the breaker is told to be patient, because the fallback
//! measurement fails a thousand times in a row on purpose.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Said;
use crate::child::{Core, Launcher, Running, find_program, free_address, listens};
use crate::lane::fetch;
use crate::scenario::{FAULT_MODEL, MODELS, SIM_FAULT_MODEL, SIM_GROUP, SPARE_MODEL};

/// Who is under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The upstream itself.
    Direct,
    /// The pass-through without logic.
    Null,
    /// nginx, where installed.
    Nginx,
    /// Weighbridge.
    Ours,
}

/// The programs' files.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Weighbridge.
    pub ours: PathBuf,
    /// The null proxy.
    pub null: PathBuf,
    /// The upstream.
    pub upstream: PathBuf,
    /// The load program.
    pub load: PathBuf,
}

impl Programs {
    /// The ones in a directory of built programs.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            ours: dir.join("weighbridge"),
            null: dir.join("null-proxy"),
            upstream: dir.join("tiny-upstream"),
            load: dir.join("load"),
        }
    }
}

/// A program ready to take requests.
#[derive(Debug)]
pub struct Subject {
    /// Who it is.
    pub who: Who,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it tells its metrics, if it does.
    pub admin: Option<SocketAddr>,
    running: Option<Running>,
}

impl Subject {
    /// The upstream itself, as a subject that costs nothing.
    #[must_use]
    pub fn direct(upstream: SocketAddr) -> Self {
        Self { who: Who::Direct, address: upstream, admin: None, running: None }
    }

    /// Its process, unless it is the upstream itself.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Running::pid)
    }
}

/// Starts the upstream of all measurements.
///
/// # Errors
/// When it does not listen.
pub fn upstream(launcher: &Launcher, programs: &Programs) -> Said<(Running, SocketAddr)> {
    let address = free_address()?;
    let args = [address.to_string()];
    let program = programs.upstream.as_path();
    let mut running = launcher.start("tiny-upstream", Core::Other, program, &[&args[0]])?;
    running.wait_for(address, listens)?;
    Ok((running, address))
}

/// Starts the simulated providers that come with Weighbridge.
///
/// # Errors
/// When they do not listen.
pub fn simulator(launcher: &Launcher, programs: &Programs) -> Said<(Running, SocketAddr)> {
    let address = free_address()?;
    let args = ["sim", "--listen", &address.to_string()];
    let mut running = launcher.start("sim", Core::Other, &programs.ours, &args)?;
    running.wait_for(address, listens)?;
    Ok((running, address))
}

/// Starts the null proxy.
///
/// # Errors
/// When it does not listen.
pub fn null(launcher: &Launcher, programs: &Programs, upstream: SocketAddr) -> Said<Subject> {
    let address = free_address()?;
    let args = [address.to_string(), upstream.to_string()];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut running = launcher.start("null-proxy", Core::Measured, &programs.null, &args)?;
    running.wait_for(address, listens)?;
    Ok(Subject { who: Who::Null, address, admin: None, running: Some(running) })
}

/// Starts nginx, when it is installed, as one process with a pool of upstream connections.
///
/// # Errors
/// When it does not listen.
pub fn nginx(launcher: &Launcher, upstream: SocketAddr) -> Said<Option<Subject>> {
    let Some(program) = find_program("nginx") else { return Ok(None) };
    let address = free_address()?;
    let file = launcher.dir().join("nginx.conf");
    write(&file, &nginx_config(address, upstream))?;
    let dir = launcher.dir().to_string_lossy();
    let file = file.to_string_lossy();
    let args = ["-e", "stderr", "-p", dir.as_ref(), "-c", file.as_ref()];
    let mut running = launcher.start("nginx", Core::Measured, &program, &args)?;
    running.wait_for(address, listens)?;
    Ok(Some(Subject { who: Who::Nginx, address, admin: None, running: Some(running) }))
}

fn nginx_config(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  client_body_temp_path temp-body;
  proxy_temp_path temp-proxy;
  fastcgi_temp_path temp-fastcgi;
  uwsgi_temp_path temp-uwsgi;
  scgi_temp_path temp-scgi;
  keepalive_requests 100000000;
  upstream behind {{ server {upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen {address} backlog=4096;
    tcp_nodelay on;
    client_max_body_size 32m;
    client_body_buffer_size 1m;
    location / {{
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    )
}

/// Starts Weighbridge in front of the upstream, and of the simulator when there is one.
///
/// # Errors
/// When it is not ready in time; its log says why.
pub fn ours(
    launcher: &Launcher,
    programs: &Programs,
    upstream: SocketAddr,
    sim: Option<SocketAddr>,
) -> Said<Subject> {
    let (address, admin) = (free_address()?, free_address()?);
    let file = launcher.dir().join("weighbridge.yaml");
    write(&file, &our_config(launcher.dir(), address, admin, upstream, sim))?;
    let file = file.to_string_lossy();
    let args = ["serve", "-c", file.as_ref()];
    let mut running = launcher.start("weighbridge", Core::Measured, &programs.ours, &args)?;
    running.wait_for(admin, |admin| fetch(admin, "/readyz").is_ok())?;
    Ok(Subject { who: Who::Ours, address, admin: Some(admin), running: Some(running) })
}

fn our_config(
    dir: &Path,
    address: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    sim: Option<SocketAddr>,
) -> String {
    let provider = |name: &str, address: SocketAddr, models: &[&str]| {
        let price = "{ input: $1, output: $2, context: 1000000, max_output: 8192 }";
        let models: Vec<_> = models.iter().map(|model| format!("{model}: {price}")).collect();
        format!(
            "  {name}: {{ dialect: openai_chat, base_url: \"http://{address}/v1\", \
             api_key: sk-bench, models: {{ {} }} }}\n",
            models.join(", ")
        )
    };
    let names: Vec<&str> = MODELS.iter().map(|model| model.name).chain([FAULT_MODEL]).collect();
    let mut text = format!(
        "server: {{ listen: \"{address}\", admin_listen: \"{admin}\" }}\n\
         data_dir: \"{}\"\nauth: open\nbreaker: {{ failures: 1000, open_for: 1s }}\nproviders:\n",
        dir.join("data").display()
    );
    text.push_str(&provider("house", upstream, &names));
    text.push_str(&provider("spare", upstream, &[SPARE_MODEL]));
    if let Some(sim) = sim {
        text.push_str(&provider("sim", sim, &[SIM_FAULT_MODEL]));
    }
    text.push_str("models:\n");
    for model in MODELS {
        text.push_str(&format!(
            "  {0}: {{ deployments: [house/{0}], upstream_stream: {1} }}\n",
            model.name, model.upstream_stream
        ));
    }
    let spare = format!("spare/{SPARE_MODEL}");
    text.push_str(&format!("  {FAULT_MODEL}: {{ deployments: [house/{FAULT_MODEL}, {spare}] }}\n"));
    if sim.is_some() {
        let flaky = format!("sim/{SIM_FAULT_MODEL}");
        text.push_str(&format!("  {SIM_GROUP}: {{ deployments: [{flaky}, {spare}] }}\n"));
    }
    text
}

fn write(file: &Path, text: &str) -> Said<()> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
