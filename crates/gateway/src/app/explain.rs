//! `explain`: what would happen to a request, without sending it.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use catalog::Model;
use tokio::time::Instant;
use wire::dialect::openai_chat;
use wire::peek;

use super::{App, Parts};
use crate::config::Config;
use crate::pipeline::exchange::{Asks, Exchange, Open, Said};
use crate::pipeline::speech::Speech;
use crate::pipeline::{plan, reply};
use crate::telemetry::{LogSink, Telemetry};
use crate::upstream::SystemNetwork;
use crate::world::World;

/// The request assumed when none is given.
const USUAL: &str = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;

/// Explains what would be done with a request for `model`. `body` is the request as JSON.
///
/// # Errors
/// A sentence when the request is none, or the model is not known.
pub async fn explain(config: Config, model: &str, body: Option<Vec<u8>>) -> Result<String, String> {
    let parts = Parts {
        network: Arc::new(SystemNetwork),
        world: World::system(),
        telemetry: Telemetry::new(LogSink::silent()),
        journal: Arc::new(ledger::journal::Memory::default()),
    };
    let app = App::assemble(config, parts);
    let body = Bytes::from(body.unwrap_or_else(|| USUAL.as_bytes().to_vec()));
    let mut seen = peek::chat(&body).map_err(|error| format!("the request: {error}"))?;
    let span = seen.model.as_ref().map_or(0..0, |named| named.span.clone());
    seen.model = Some(peek::Spanned { value: model.to_owned(), span });
    let exchange = Exchange::new(
        0,
        Instant::now(),
        app.core.snapshot.load_full(),
        Speech::Chat(&openai_chat::DIALECT),
        Said::default(),
        body,
        seen,
        Asks::default(),
        app.core.world.chance(),
    );
    let mut open = Open::new(exchange, app.core.abandoned.clone());
    let plan = plan::plan(&app.core, &mut open).map_err(|failure| failure.public)?;
    let text = told(&open, &plan);
    // Nothing was sent, so nothing is left to settle.
    let _ = open.close();
    Ok(text)
}

fn told(open: &Open, plan: &plan::Plan) -> String {
    let mut out = String::new();
    let failover = &plan.group.failover;
    let _ = writeln!(out, "model      {}", open.model());
    let _ = writeln!(out, "group      {} ({})", plan.group.name, plan.group.strategy.name);
    let _ = writeln!(
        out,
        "attempts   at most {}, {} of them a retry on the same deployment",
        failover.max_attempts, failover.retries
    );
    for (number, planned) in plan.lanes.iter().enumerate() {
        let _ = writeln!(out, "{:>2}. {}", number + 1, lane(open, planned));
    }
    for (id, reason) in &open.skipped {
        let _ = writeln!(out, " -  {id} skipped: {reason}");
    }
    let _ = writeln!(out, "budgets    none are configured");
    out
}

fn lane(open: &Open, planned: &plan::Planned) -> String {
    let lane = &planned.lane;
    let spoken = lane.face(open.door).map_or("nothing of the kind", |face| face.site.speech.id());
    let mut line = format!("{} ({spoken})", lane.id);
    let Ok(request) = open.request() else { return line };
    let undescribed = Model::undescribed(&lane.provider, &lane.model, lane.price.clone());
    let known =
        open.snapshot.config.catalog.model(&lane.vendor, &lane.model).unwrap_or(&undescribed);
    let count = catalog::tokens::count_chat(request, known);
    let each = request.max_tokens.unwrap_or(lane.max_output).min(lane.max_output);
    let output = each.saturating_mul(u64::from(request.n.unwrap_or(1).max(1)));
    let usage = wire::hub::Usage { input: count.tokens, output, ..Default::default() };
    let cost = catalog::cost(&lane.price, &usage);
    let kind = if count.exact { "exact" } else { "estimated" };
    let _ = write!(
        line,
        ": {} input tokens ({kind}), at most {output} output tokens, at most ${}",
        count.tokens,
        reply::usd(cost.as_nanousd())
    );
    if count.tokens > lane.context {
        let _ = write!(line, "; DOES NOT FIT its context of {}", lane.context);
    }
    line
}
