//! How many input tokens a request would have, without sending it: `POST /v1/messages/count_tokens`
//! and Gemini's `countTokens`.
//!
//! Counted here, with the same code that weighs requests: the answer costs nothing, comes at once,
//! and is there for every model, whether or not its provider counts.

use std::sync::Arc;

use bytes::Bytes;
use catalog::Model;
use http::Response;
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::pipeline::Core;
use crate::pipeline::accept::{self, Inbound};
use crate::pipeline::exchange::Exchange;
use crate::pipeline::lanes::Lane;
use crate::pipeline::plan;
use crate::pipeline::reply::{self, Body};

/// Counts.
pub async fn count(core: &Core, inbound: Inbound) -> Response<Body> {
    let door = inbound.door;
    let open = match accept::accept(core, inbound).await {
        Ok(open) => open,
        Err(early) => return reply::early(core, door, early),
    };
    let counted = counted(&open);
    let id = Arc::clone(&open.id_text);
    // Nothing was sent and nothing reserved, so that there is nothing to settle.
    let _ = open.close();
    match counted {
        Ok(answer) => reply::json(&id, Bytes::from(answer.to_string())),
        Err(failure) => reply::failure(door, &id, &failure),
    }
}

fn counted(exchange: &Exchange) -> Result<Value, Failure> {
    let name = exchange.model();
    let group = exchange.snapshot.resolve(name).map_err(|why| plan::unresolved(name, &why))?;
    let request = exchange.request().map_err(|error| {
        Failure::because(Code::InvalidRequest, format!("{error}.")).on(error.path.clone())
    })?;
    let Some((lane, _)) = group.lanes.first() else {
        return Err(Failure::new(Code::AllUpstreamsUnavailable));
    };
    let tokens = catalog::tokens::count_chat(request, &described(exchange, lane)).tokens;
    Ok(match exchange.door.id() {
        "gemini" => json!({ "totalTokens": tokens }),
        _ => json!({ "input_tokens": tokens }),
    })
}

/// What is known of a deployment's model.
fn described(exchange: &Exchange, lane: &Lane) -> Model {
    let known = exchange.snapshot.config.catalog.model(&lane.vendor, &lane.model);
    known
        .cloned()
        .unwrap_or_else(|| Model::undescribed(&lane.provider, &lane.model, lane.price.clone()))
}
