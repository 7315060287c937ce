//! Child processes: pinned to a core, allowed many sockets, and never left behind.
//!
//! A child is killed when its guard is dropped, and by the kernel when the bench itself is killed
//! (`setpriv --pdeathsig`), where that program is installed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Said;
use crate::load::{Job, Report};

/// A program has this long to listen.
const START: Duration = Duration::from_secs(10);
/// How often it is tried.
const TRY_EVERY: Duration = Duration::from_millis(20);
/// Raises the soft limit of open files to the hard one, then becomes the program.
const RAISE_FILES: &str = "ulimit -n \"$(ulimit -Hn)\" 2>/dev/null; exec \"$@\"";

/// Which core a program may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Core {
    /// The one of the programs under load.
    Measured,
    /// The one of everything else.
    Other,
}

/// A running program.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How programs are started on this machine.
#[derive(Debug, Clone)]
pub struct Launcher {
    dir: PathBuf,
    taskset: bool,
    setpriv: bool,
}

impl Launcher {
    /// Logs go to `dir`.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            dir: dir.to_owned(),
            taskset: cores > 1 && is_installed("taskset"),
            setpriv: is_installed("setpriv"),
        }
    }

    /// Whether programs are pinned to cores.
    #[must_use]
    pub fn is_pinning(&self) -> bool {
        self.taskset
    }

    /// Where logs and temporary files go.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts a program with an environment of its own and its output in files named after `name`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, name: &str, core: Core, program: &Path, args: &[&str]) -> Said<Running> {
        let log = self.dir.join(format!("{name}.log"));
        let output = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let mut command = self.command(core, program, args);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        spawn(&mut command, name)
    }

    fn command(&self, core: Core, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", RAISE_FILES, "sh"]);
        if self.setpriv {
            command.args(["setpriv", "--pdeathsig", "KILL", "--"]);
        }
        if self.taskset {
            command.args(["taskset", "-c", if core == Core::Measured { "0" } else { "1" }]);
        }
        command.arg(program).args(args).current_dir(&self.dir).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.dir);
        command
    }
}

fn spawn(command: &mut Command, name: &str) -> Said<Running> {
    let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    Ok(Running { child, name: name.to_owned() })
}

fn is_installed(program: &str) -> bool {
    find_program(program).is_some()
}

/// Where a program is installed.
#[must_use]
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|dir| dir.join(program)).find(|file| file.is_file())
}

impl Running {
    /// Its process id. The shell in front has become the program by the time that it listens.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Makes sure that it still runs.
    ///
    /// # Errors
    /// When it has ended; says how.
    pub fn check(&mut self) -> Said<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended early, {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    /// Waits until it answers on an address.
    ///
    /// # Errors
    /// When it ended, or did not listen in time.
    pub fn wait_for(&mut self, address: SocketAddr, is_up: fn(SocketAddr) -> bool) -> Said<()> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if is_up(address) {
                return Ok(());
            }
            self.check()?;
            thread::sleep(TRY_EVERY);
        }
        Err(format!("{} does not answer on {address}", self.name))
    }
}

/// Whether something listens there.
#[must_use]
pub fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, TRY_EVERY).is_ok()
}

/// A loopback address that nobody uses just now.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Said<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    listener.and_then(|listener| listener.local_addr()).map_err(|error| error.to_string())
}

/// A load program that is connected, warm, and waits for the word.
#[derive(Debug)]
pub struct Load {
    running: Running,
    output: BufReader<std::process::ChildStdout>,
}

impl Launcher {
    /// Starts a load program and waits until it is ready.
    ///
    /// # Errors
    /// When it fails before.
    pub fn load(&self, program: &Path, job: &Job) -> Said<Load> {
        let text = serde_json::to_string(job).map_err(|error| error.to_string())?;
        let mut command = self.command(Core::Other, program, &[&text]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut running = spawn(&mut command, "load")?;
        let output = running.child.stdout.take().ok_or("load has no output")?;
        let mut load = Load { running, output: BufReader::new(output) };
        match load.line()?.as_str() {
            "ready" => Ok(load),
            other => Err(format!("load says `{other}`")),
        }
    }
}

impl Load {
    /// Gives the word and waits for the report. Streams held open stay open until this is dropped.
    ///
    /// # Errors
    /// When the program fails.
    pub fn report(&mut self) -> Said<Report> {
        let input = self.running.child.stdin.as_mut().ok_or("load has no input")?;
        input.write_all(b"go\n").map_err(|error| format!("load: {error}"))?;
        serde_json::from_str(&self.line()?).map_err(|error| format!("load's report: {error}"))
    }

    fn line(&mut self) -> Said<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| format!("load: {error}"))?;
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_guard_leaves_no_process() {
        let launcher = Launcher::new(&std::env::temp_dir());
        let sleep = find_program("sleep").unwrap();
        let running = launcher.start("bench-test-sleep", Core::Other, &sleep, &["60"]).unwrap();
        let proc = PathBuf::from(format!("/proc/{}", running.pid()));
        assert!(proc.exists());
        drop(running);
        assert!(!proc.exists());
    }

    #[test]
    fn a_program_that_ends_is_not_waited_for() {
        let launcher = Launcher::new(&std::env::temp_dir());
        let no = find_program("false").unwrap();
        let mut running = launcher.start("bench-test-false", Core::Other, &no, &[]).unwrap();
        let said = running.wait_for(free_address().unwrap(), listens).unwrap_err();
        assert!(said.contains("ended early"), "{said}");
    }
}
