//! The paths of the data listener.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;
use wire::dialect::{Dialect, openai_chat};

use super::models;
use crate::failure::{Code, Failure};
use crate::listen::Answer;
use crate::pipeline::accept::Inbound;
use crate::pipeline::leftover;
use crate::pipeline::reply::{self, Body};
use crate::pipeline::{self, Core};

/// Answers the clients' requests.
pub struct Data(pub Arc<Core>);

impl Answer for Data {
    type Body = Body;

    async fn answer(self: Arc<Self>, request: Request<Incoming>, crowded: bool) -> Response<Body> {
        let core = Arc::clone(&self.0);
        // A panic is one request's failure; its exchange is settled by the task that sweeps.
        let answered =
            AssertUnwindSafe(route(Arc::clone(&core), request, crowded)).catch_unwind().await;
        answered.unwrap_or_else(|_| {
            tracing::error!("a request panicked");
            fail(&core, &Failure::new(Code::InternalError))
        })
    }
}

/// Where a path leads.
enum Door {
    Chat(&'static Dialect),
    Models,
    Model(String),
}

/// The doors with the method each takes.
fn door(path: &str) -> Option<(Method, Door)> {
    match path {
        "/v1/chat/completions" | "/chat/completions" => {
            Some((Method::POST, Door::Chat(&openai_chat::DIALECT)))
        }
        "/v1/models" | "/models" => Some((Method::GET, Door::Models)),
        _ => {
            let id = path.strip_prefix("/v1/models/").filter(|id| !id.is_empty())?;
            Some((Method::GET, Door::Model(id.to_owned())))
        }
    }
}

async fn route(core: Arc<Core>, request: Request<Incoming>, crowded: bool) -> Response<Body> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    if crowded {
        let wait = std::time::Duration::from_millis(500);
        let failure = Failure::new(Code::Overloaded).retry_after(Some(wait));
        return turned_away(&core, &parts, body, &failure).await;
    }
    let door = match entered(&parts) {
        Ok(door) => door,
        Err(failure) => return turned_away(&core, &parts, body, &failure).await,
    };
    match door {
        Door::Chat(door) => {
            let inbound = Inbound { door, headers: parts.headers, body, arrived };
            pipeline::cross(core, inbound).await
        }
        Door::Models => {
            models::list(&core, &parts.headers).unwrap_or_else(|failure| fail(&core, &failure))
        }
        Door::Model(id) => {
            models::one(&core, &parts.headers, &id).unwrap_or_else(|failure| fail(&core, &failure))
        }
    }
}

/// The door that a request's path and method lead to.
fn entered(parts: &Parts) -> Result<Door, Failure> {
    let path = parts.uri.path();
    let Some((method, door)) = door(path) else {
        let message = format!("There is nothing at {} {path}.", parts.method);
        return Err(Failure::because(Code::UnknownPath, message));
    };
    let asked = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    if *asked != method {
        let message = format!("{path} takes {method}, not {}.", parts.method);
        return Err(Failure::because(Code::MethodNotAllowed, message));
    }
    Ok(door)
}

/// An error for a request whose body nobody wanted.
async fn turned_away(
    core: &Core,
    parts: &Parts,
    mut body: Incoming,
    failure: &Failure,
) -> Response<Body> {
    let limit = core.snapshot.load().config.server.max_body_bytes;
    let usable = leftover::discard(&parts.headers, &mut body, limit).await;
    let mut response = fail(core, failure);
    if failure.code == Code::MethodNotAllowed
        && let Some((method, _)) = door(parts.uri.path())
        && let Ok(method) = HeaderValue::from_str(method.as_str())
    {
        response.headers_mut().insert(ALLOW, method);
    }
    if !usable {
        leftover::closes(&mut response);
    }
    response
}

fn fail(core: &Core, failure: &Failure) -> Response<Body> {
    let id = format!("req_{:032x}", core.world.request_id());
    reply::failure(&openai_chat::DIALECT, &id, failure)
}
