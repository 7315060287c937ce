//! `demo`: the real gateway in front of simulated providers, with some traffic of its own.
//!
//! Four vendors in three dialects, each with its own pace and now and then a fault, so that fallbacks
//! and breakers can be watched. The configuration is a file like any other, held as text below.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use route::{Chance, SplitMix64};
use sim::{Delay, Profile, ProviderSettings, Sim, SimSettings};
use tokio::net::TcpStream;

use super::serve::{Bound, StartError};
use crate::config;
use crate::telemetry::LogFormat;

/// The key that the demo accepts.
pub const KEY: &str = "wb_demo_key";
/// The demo repeats itself from this seed.
const SEED: u64 = 42;
/// Requests of the demo's own traffic come this far apart on average.
const PACE: Duration = Duration::from_millis(1500);

/// A simulated vendor: catalog id, p50 and p99 of its first token and of the gaps between tokens, in
/// milliseconds.
const VENDORS: &[(&str, [u64; 4])] = &[
    ("openai", [250, 900, 12, 40]),
    ("anthropic", [400, 1200, 15, 45]),
    ("gemini", [150, 600, 6, 20]),
    ("deepseek", [300, 1500, 20, 60]),
];

/// Runs the demo until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub async fn demo(log_format: LogFormat) -> Result<(), StartError> {
    let other = |error: std::io::Error| StartError::Other(error.to_string());
    let sim = Sim::new(SimSettings { seed: SEED, ..SimSettings::default() });
    let mut vendors = Vec::new();
    for (name, pace) in VENDORS {
        let provider = sim.provider(ProviderSettings {
            profile: profile(*pace),
            ..ProviderSettings::named(name)
        });
        vendors.push((*name, provider.start().await.map_err(other)?));
    }
    let text = configuration(
        &vendors.iter().map(|(name, running)| (*name, running.addr)).collect::<Vec<_>>(),
    );
    let config = config::parse(&text, "demo.yaml", &config::system::env, &config::system::read)
        .map_err(StartError::Config)?;
    let bound = Bound::new(config, log_format).await?;
    let (data, admin) = (bound.data_addr().map_err(other)?, bound.admin_addr().map_err(other)?);
    welcome(data, admin);
    let traffic = tokio::spawn(traffic(data));
    let ended = bound.run(None).await.map_err(other);
    traffic.abort();
    ended
}

fn profile([ttft50, ttft99, gap50, gap99]: [u64; 4]) -> Profile {
    let delay = |p50, p99| Delay::LogNormal {
        p50: Duration::from_millis(p50),
        p99: Duration::from_millis(p99),
    };
    Profile { ttft: delay(ttft50, ttft99), gap: delay(gap50, gap99) }
}

/// The demo's configuration for vendors at these addresses.
#[must_use]
pub fn configuration(vendors: &[(&str, SocketAddr)]) -> String {
    let mut text = String::from(
        "server: { listen: \"${WEIGHBRIDGE_LISTEN:-127.0.0.1:4000}\", admin_listen: \"${WEIGHBRIDGE_ADMIN_LISTEN:-127.0.0.1:4001}\", drain_accept: 0s }\n\
         data_dir: \"${WEIGHBRIDGE_DATA_DIR:-./weighbridge-data}\"\n",
    );
    text.push_str(&format!(
        "auth: {{ keys: [ {{ name: demo, key: {KEY}, team: demo }} ] }}\nproviders:\n"
    ));
    for (name, addr) in vendors {
        let path = if *name == "gemini" { "/v1beta" } else { "/v1" };
        text.push_str(&format!(
            "  {name}: {{ base_url: \"http://{addr}{path}\", api_key: sim }}\n"
        ));
    }
    text.push_str(
        "models:\n\
         \x20 fast:\n\
         \x20   deployments: [gemini/gemini-2.0-flash, openai/gpt-4o-mini]\n\
         \x20   strategy: least_latency\n\
         \x20   fallbacks: [smart]\n\
         \x20 smart:\n\
         \x20   deployments: [anthropic/claude-3-5-sonnet-latest, openai/gpt-4o]\n\
         \x20 cheap:\n\
         \x20   deployments: [deepseek/deepseek-chat, gemini/gemini-2.0-flash]\n\
         \x20   strategy: least_cost\n",
    );
    text
}

fn welcome(data: SocketAddr, admin: SocketAddr) {
    // Whoever closed standard output does not want to read it.
    let _ = writeln!(
        std::io::stdout(),
        "weighbridge demo is ready: simulated OpenAI, Anthropic, Gemini and DeepSeek behind the real gateway.\n\
         No provider keys were needed; set OPENAI_API_KEY (or another provider's) to serve the real ones.\n\
         \n\
         \x20 base URL  http://{data}/v1\n\
         \x20 key       {KEY}\n\
         \x20 models    fast, smart, cheap, or provider/model\n\
         \x20 metrics   http://{admin}/metrics\n\
         \x20 health    http://{admin}/readyz?verbose\n\
         \n\
         Try it:\n\
         \n\
         curl http://{data}/v1/chat/completions -H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json' -d '{{\"model\":\"fast\",\"messages\":[{{\"role\":\"user\",\"content\":\"What is a weighbridge?\"}}]}}'\n\
         \n\
         and streamed:\n\
         \n\
         curl -N http://{data}/v1/chat/completions -H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json' -d '{{\"model\":\"smart\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"What is a weighbridge?\"}}]}}'\n"
    );
}

const QUESTIONS: &[(&str, &str, &str)] = &[
    ("fast", "support-chat", "Where is my order?"),
    ("smart", "contract-review", "Which clause limits the liability?"),
    ("cheap", "summarise", "Summarise this ticket in one sentence."),
    ("fast", "autocomplete", "Complete: the quick brown fox"),
];

/// A little traffic, so that there is something to look at.
async fn traffic(gateway: SocketAddr) {
    let mut chance = SplitMix64::new(SEED);
    loop {
        tokio::time::sleep(PACE.mul_f64(0.5 + chance.below(1000) as f64 / 1000.0)).await;
        let number = usize::try_from(chance.next_u64() % QUESTIONS.len() as u64).unwrap_or(0);
        if let Some((model, feature, question)) = QUESTIONS.get(number) {
            let stream = chance.below(2) == 0;
            tokio::spawn(ask(gateway, model, feature, question, stream));
        }
    }
}

async fn ask(gateway: SocketAddr, model: &str, feature: &str, question: &str, stream: bool) {
    let body = serde_json::json!({
        "model": model,
        "stream": stream,
        "messages": [{ "role": "user", "content": question }],
    });
    let request = http::Request::post("/v1/chat/completions")
        .header("host", gateway.to_string())
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .header("x-weighbridge-feature", feature)
        .body(Full::new(Bytes::from(body.to_string())));
    // The demo's traffic is decoration: what fails shows in the gateway's own log.
    let (Ok(request), Ok(io)) = (request, TcpStream::connect(gateway).await) else { return };
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(io)).await else { return };
    let driver = tokio::spawn(connection);
    if let Ok(response) = sender.send_request(request).await {
        let _ = response.into_body().collect().await;
    }
    drop(sender);
    let _ = driver.await;
}

/// A simulator on its own, as `weighbridge sim` runs it.
///
/// # Errors
/// When the address is taken or the script is wrong.
pub async fn simulator(
    addr: SocketAddr,
    script: Option<String>,
    journal: bool,
) -> Result<(), StartError> {
    let sim = Sim::new(SimSettings { seed: SEED, journal, ..SimSettings::default() });
    if let Some(script) = script {
        let script = serde_json::from_str(&script)
            .map_err(|error| StartError::Other(format!("the script is not valid: {error}")))?;
        sim.script(script).map_err(|error| StartError::Other(format!("the script: {error}")))?;
    }
    let listener = tokio::net::TcpListener::bind(addr)
        .await
        .map_err(|error| StartError::Other(format!("{addr} cannot be listened on: {error}")))?;
    let addr = listener.local_addr().map_err(|error| StartError::Other(error.to_string()))?;
    tracing::info!(
        "simulated providers at http://{addr}/v1 and http://{addr}/v1beta; journal at /sim/journal"
    );
    let serving = Arc::clone(&sim);
    tokio::select! {
        () = serving.listen(listener) => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
