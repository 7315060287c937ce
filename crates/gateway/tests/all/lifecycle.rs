//! The running program: an upstream dies under load, SIGTERM under open streams, reloads under load.
//!
//! These use the real binary as a process of its own and TCP on the loopback, since signals, exit
//! codes, files and the ledger on disk are what they are about. Nothing here asserts how long
//! something takes; waits are bounded only so that a failure ends.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use gateway::listen::{Gate, serve_listener};
use ledger::{Kind, UsageSource};
use serde_json::Value;
use sim::{Delay, Profile, ProviderSettings, Sim, SimSettings};
use store::Store;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::harness::{Ask, Live, Reply, Stage, ask, send};

/// Nothing that is waited for takes longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program as a process, with what it says on standard error.
struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What is printed here is shown only for a test that failed.
            let said = self.lines();
            let last = said.iter().rev().take(20).rev();
            println!("{:?}, and it said last:", self.child.try_wait());
            last.for_each(|line| println!("    {line}"));
        }
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_weighbridge"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (into, from) = (Arc::clone(&lines), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        Self { child, lines, reader: Some(reader) }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The addresses in the line that says so.
    async fn addresses(&self, mark: &str) -> Vec<SocketAddr> {
        let line = until(mark, async || self.lines().into_iter().find(|l| l.contains(mark))).await;
        let urls = line.split("http://").skip(1);
        urls.filter_map(|url| {
            let end = url.find(|c: char| !c.is_ascii_digit() && !".:".contains(c));
            url[..end.unwrap_or(url.len())].parse().ok()
        })
        .collect()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end and everything it said.
    async fn ended(&mut self) -> ExitStatus {
        let status = until("exit", async || self.child.try_wait().unwrap()).await;
        self.reader.take().unwrap().join().unwrap();
        status
    }
}

/// Asks again until there is an answer.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        sleep(Duration::from_millis(3)).await;
    }
}

/// A gateway as a process with its files.
struct Gateway {
    program: Program,
    data: SocketAddr,
    admin: SocketAddr,
    dir: TempDir,
}

const ROW: &str = "{ input: $1, output: $2, context: 100000, max_output: 4096 }";

/// A configuration with the providers `a` and `b`, each with one model, and the group `pair`.
fn config(dir: &Path, upstreams: [SocketAddr; 2], model: &str, more: &str) -> String {
    let [a, b] = upstreams;
    let data = dir.join("data");
    format!(
        "auth: open\n\
         server: {{ listen: 127.0.0.1:0, admin_listen: 127.0.0.1:0, drain_accept: 1s }}\n\
         data_dir: {}\n\
         providers:\n\
         \x20 a: {{ dialect: openai_chat, base_url: \"http://{a}/v1\", api_key: k, models: {{ \"{model}\": {ROW} }} }}\n\
         \x20 b: {{ dialect: openai_chat, base_url: \"http://{b}/v1\", api_key: k, models: {{ \"{model}\": {ROW} }} }}\n\
         models:\n\
         \x20 pair: {{ deployments: [\"a/{model}\", \"b/{model}\"], strategy: least_busy }}\n\
         {more}",
        data.display(),
    )
}

impl Gateway {
    async fn start(upstreams: [SocketAddr; 2], model: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weighbridge.yaml");
        std::fs::write(&file, config(dir.path(), upstreams, model, "")).unwrap();
        Self::with_file(dir, &file).await
    }

    async fn with_file(dir: TempDir, file: &Path) -> Self {
        let program =
            Program::start(&["serve", "-c", file.to_str().unwrap(), "--log-format", "json"]);
        let addresses = program.addresses("ready: http://").await;
        let [data, admin] = addresses[..] else { panic!("{addresses:?}") };
        Self { program, data, admin, dir }
    }

    async fn begin(&self, asked: &Ask) -> Live {
        begin(self.data, asked).await
    }

    /// Status and body of a page of the admin listener.
    async fn page(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut said)).await.unwrap().unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The request log so far.
    fn requests(&self) -> Vec<Value> {
        let lines = self.program.lines();
        let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed.filter(|line| line["event"] == "request").collect()
    }

    /// A counter's value on the metrics page.
    async fn metric(&self, sample: &str) -> u64 {
        let (_, text) = self.page("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(sample));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }
}

async fn begin(gateway: SocketAddr, asked: &Ask) -> Live {
    let stream = TcpStream::connect(gateway).await.unwrap();
    stream.set_nodelay(true).unwrap();
    send(stream, asked).await
}

/// Requests at a steady rate until told to stop, every other one streamed.
async fn load(
    gateway: SocketAddr,
    every: Duration,
    mut going: tokio::sync::watch::Receiver<bool>,
) -> Vec<Reply> {
    let mut ticks = interval(every);
    let mut asked = Vec::new();
    while *going.borrow_and_update() {
        ticks.tick().await;
        let one = ask("pair").streamed(asked.len() % 2 == 0);
        asked.push(tokio::spawn(async move { begin(gateway, &one).await.whole().await }));
    }
    join_all(asked).await.into_iter().map(Result::unwrap).collect()
}

/// A simulator as a process of its own.
async fn simulator() -> (Program, SocketAddr) {
    let program = Program::start(&["sim", "--listen", "127.0.0.1:0"]);
    let addresses = program.addresses("simulated providers").await;
    (program, addresses[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_one_of_two_upstreams_fails_no_request() {
    let (mut a, at_a) = simulator().await;
    let (_b, at_b) = simulator().await;
    // 30 ms to the first token: some six requests are before their first byte at any time.
    let gateway = Gateway::start([at_a, at_b], "fault-f12:30ms").await;
    let (go, going) = tokio::sync::watch::channel(true);
    let running = tokio::spawn(load(gateway.data, Duration::from_millis(5), going));
    sleep(Duration::from_millis(1_500)).await;
    a.child.kill().unwrap();
    a.child.wait().unwrap();
    sleep(Duration::from_millis(2_000)).await;
    go.send(false).unwrap();
    let replies = running.await.unwrap();
    assert!(replies.len() >= 300, "{} requests", replies.len());
    let mut cut = 0;
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.raw());
        assert!(!reply.broken);
        if reply.in_band_error().is_empty() {
            reply.assert_complete();
        } else {
            // Only a stream that had begun may break off, and it says so.
            assert_ne!(reply.text(), "", "{}", reply.raw());
            cut += 1;
        }
    }
    assert!(cut <= 20, "{cut} of {} streams were under way", replies.len());
    let by = |lane: &str| {
        let served = replies.iter().filter(|r| r.header("x-weighbridge-model").starts_with(lane));
        served.count()
    };
    assert!(by("a/") > 30 && by("b/") > 100, "A {}, B {}", by("a/"), by("b/"));
    let rescued = replies.iter().filter(|r| !r.header("x-weighbridge-fallback-from").is_empty());
    assert!(rescued.count() > 0, "somebody was under way when A died");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_cuts_no_stream_and_the_books_on_disk_are_complete() {
    let gap = Delay::Fixed(Duration::from_millis(75));
    let sim = Sim::new(SimSettings::default());
    let profile = Profile { gap, ..Profile::default() };
    let provider = sim.provider(ProviderSettings { profile, ..ProviderSettings::named("a") });
    let upstream = provider.start().await.unwrap();
    let mut gateway = Gateway::start([upstream.addr; 2], "m-tokens-40").await;
    let data = gateway.data;

    // A stream's head comes with its first content, so these 200 are all under way.
    let streamed = ask("pair").streamed(true);
    let streams = join_all((0..200).map(|_| gateway.begin(&streamed))).await;
    let streams: Vec<_> = streams.into_iter().map(|live| tokio::spawn(live.whole())).collect();
    let plain = tokio::spawn(async move { begin(data, &ask("pair")).await.whole().await });
    let asked = async || (sim.journal().len() == 201).then_some(());
    until("the last request upstream", asked).await;
    assert_eq!(gateway.page("/readyz").await.0, 200);

    // A connection kept for later must not hold the exit up.
    let mut idle = TcpStream::connect(data).await.unwrap();
    idle.write_all(b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 1_024]).await.unwrap() > 0);

    gateway.program.signal("TERM");
    until("503", async || (gateway.page("/readyz").await.0 == 503).then_some(())).await;
    let late = begin(data, &ask("pair").streamed(true)).await;
    assert_eq!(late.status, 200, "new connections are still accepted");
    assert_eq!(gateway.page("/livez").await.0, 200);
    until("a refusal", async || TcpStream::connect(data).await.err()).await;
    assert!(streams.iter().any(|stream| !stream.is_finished()), "streams go on meanwhile");

    for stream in streams {
        stream.await.unwrap().assert_complete();
    }
    plain.await.unwrap().assert_complete();
    late.whole().await.assert_complete();
    assert_eq!(gateway.program.ended().await.code(), Some(0));
    drop(idle);

    let log = gateway.requests();
    assert_eq!(log.len(), 202);
    assert!(log.iter().all(|line| line["outcome"] == "ok"));
    let entries = Store::open(&gateway.dir.path().join("data")).unwrap().entries(0).unwrap();
    assert_eq!(entries.len(), 202, "one entry a request is on disk");
    let as_told = |kind, source| kind == Kind::Final && source == UsageSource::Provider;
    assert!(entries.iter().all(|entry| as_told(entry.kind, entry.usage_source)));
    let booked: i64 = entries.iter().map(|entry| entry.cost.as_nanousd()).sum();
    assert_eq!(booked, sim.bill().total_nanousd, "to the nano-dollar what the provider charges");
}

#[tokio::test]
async fn who_was_connected_when_the_listener_closed_is_still_answered() {
    let stage = Stage::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let waiting = join_all((0..20).map(|_| TcpStream::connect(addr))).await;
    let (close, gate) = Gate::new();
    close.send(true).unwrap();
    // The listener closes before it has accepted anybody.
    serve_listener(listener, stage.app.data(), stage.app.limits(), gate).await;
    assert!(TcpStream::connect(addr).await.is_err());
    for stream in waiting {
        let live = send(stream.unwrap(), &ask("pair")).await;
        assert_eq!(live.headers["connection"], "close");
        live.whole().await.assert_complete();
    }
    close.closed().await;
    stage.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_does_not_wait_for_what_is_under_way() {
    let gap = Delay::Fixed(Duration::from_secs(5));
    let sim = Sim::new(SimSettings::default());
    let profile = Profile { gap, ..Profile::default() };
    let provider = sim.provider(ProviderSettings { profile, ..ProviderSettings::named("a") });
    let upstream = provider.start().await.unwrap();
    let mut gateway = Gateway::start([upstream.addr; 2], "m").await;
    let stream = gateway.begin(&ask("pair").streamed(true)).await;
    gateway.program.signal("TERM");
    until("503", async || (gateway.page("/readyz").await.0 == 503).then_some(())).await;
    gateway.program.signal("TERM");
    let code = gateway.program.ended().await.code();
    assert_eq!(code, Some(0));
    drop(stream);
    let entries = Store::open(&gateway.dir.path().join("data")).unwrap().entries(0).unwrap();
    assert_eq!(entries.len(), 1, "what was under way is booked all the same");
    assert_eq!(entries[0].kind, Kind::Interrupted);
}

/// Puts a text in a file's place in one step, as editors and deployments do.
fn replace(file: &Path, text: &str) {
    let mut beside = PathBuf::from(file);
    beside.set_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

/// What a reload of the numbered configuration should lead to.
async fn assert_reloaded(gateway: &Gateway, number: usize, valid: usize, line: usize) {
    let seen = async || {
        let (_, text) = gateway.page("/readyz?verbose").await;
        let page: Value = serde_json::from_str(&text).unwrap();
        let problems = page["config"]["problems"].to_string();
        let (reloads, clean) = (page["config"]["reloads"].as_u64(), problems == "[]");
        let told = problems.contains(&format!("nonsense_{number}:"))
            || problems.contains(&format!("nonsense_{number}`"));
        let done = if line == 0 { clean && reloads == Some(valid as u64) } else { told };
        done.then_some(problems)
    };
    let problems = until(&format!("reload {number}"), seen).await;
    if line > 0 {
        assert!(problems.contains(&format!("weighbridge.yaml:{line}:1: ")), "{problems}");
    }
}

/// Every other configuration is invalid, in another line each time. Returns the text and the line
/// of the mistake, 0 when there is none.
fn numbered(valid: &str, number: usize) -> (String, usize) {
    if number.is_multiple_of(2) {
        return (format!("# {number}\n{valid}"), 0);
    }
    let before = number % 7;
    (format!("{}nonsense_{number}: true\n{valid}", "# a comment\n".repeat(before)), before + 1)
}

async fn assert_reloads(by_signal: bool, count: usize) {
    let sim = Sim::new(SimSettings::default());
    let upstream = sim.default_provider().start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join("weighbridge.yaml");
    // Behind a link the file's own directory is not watched, so that only the signal is heard.
    let real = if by_signal { dir.path().join("etc/real.yaml") } else { named.clone() };
    let valid = config(dir.path(), [upstream.addr; 2], "m", "");
    std::fs::create_dir_all(real.parent().unwrap()).unwrap();
    std::fs::write(&real, &valid).unwrap();
    if by_signal {
        std::os::unix::fs::symlink(&real, &named).unwrap();
    }
    let gateway = Gateway::with_file(dir, &named).await;
    let (go, going) = tokio::sync::watch::channel(true);
    let running = tokio::spawn(load(gateway.data, Duration::from_millis(20), going));
    for number in 0..count {
        let (text, line) = numbered(&valid, number);
        replace(&real, &text);
        if by_signal {
            gateway.program.signal("HUP");
        }
        assert_reloaded(&gateway, number, number / 2 + 1, line).await;
    }
    go.send(false).unwrap();
    let replies = running.await.unwrap();
    assert!(replies.len() > 20, "{} requests", replies.len());
    replies.iter().for_each(Reply::assert_complete);

    let half = count as u64 / 2;
    let total = "weighbridge_config_reloads_total";
    assert_eq!(gateway.metric(&format!("{total}{{result=\"ok\"}}")).await, half);
    assert_eq!(gateway.metric(&format!("{total}{{result=\"invalid\"}}")).await, half);
    let log = gateway.program.lines();
    for number in (1..count).step_by(2) {
        let line = numbered(&valid, number).1;
        let place = format!("weighbridge.yaml:{line}:1: ");
        let told = |l: &&String| l.contains(&format!("nonsense_{number}`")) && l.contains(&place);
        assert_eq!(log.iter().filter(told).count(), 1, "nonsense_{number} in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_reloads_by_signal_fail_no_request_and_tell_every_mistake() {
    assert_reloads(true, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_mounted_by_kubernetes_is_reloaded_when_its_directory_is_swapped() {
    use std::os::unix::fs::symlink;
    let sim = Sim::new(SimSettings::default());
    let upstream = sim.default_provider().start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let valid = config(dir.path(), [upstream.addr; 2], "m", "");
    for (version, text) in [("..1", valid.clone()), ("..2", numbered(&valid, 1).0)] {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("weighbridge.yaml"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/weighbridge.yaml", at("weighbridge.yaml")).unwrap();
    let file = at("weighbridge.yaml");
    symlink("..2", at("..data_tmp")).unwrap();
    let (from, to) = (at("..data_tmp"), at("..data"));
    let gateway = Gateway::with_file(dir, &file).await;
    std::fs::rename(from, to).unwrap();
    assert_reloaded(&gateway, 1, 0, numbered(&valid, 1).1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_is_reloaded_once_and_tells_every_mistake() {
    assert_reloads(false, 12).await;
}
