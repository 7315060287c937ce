//! The paths of the data listener.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::doors::{self, Door};
use super::{count, models};
use crate::failure::{Code, Failure};
use crate::listen::Answer;
use crate::pipeline::accept::Inbound;
use crate::pipeline::leftover;
use crate::pipeline::passage;
use crate::pipeline::reply::{self, Body};
use crate::pipeline::speech::Speech;
use crate::pipeline::{self, Core};

/// Answers the clients' requests.
pub struct Data(pub Arc<Core>);

impl Answer for Data {
    type Body = Body;

    async fn answer(self: Arc<Self>, request: Request<Incoming>, crowded: bool) -> Response<Body> {
        let core = Arc::clone(&self.0);
        let guessed = doors::of_head(request.uri().path(), request.headers());
        // A panic is one request's failure; its exchange is settled by the task that sweeps.
        let answered =
            AssertUnwindSafe(route(Arc::clone(&core), request, crowded)).catch_unwind().await;
        answered.unwrap_or_else(|_| {
            tracing::error!("a request panicked");
            fail(&core, guessed, &Failure::new(Code::InternalError))
        })
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
    let (dialect, answered) = match door {
        Door::Talk(door, said) => {
            let inbound = Inbound { door, said, headers: parts.headers, body, arrived };
            return pipeline::cross(core, inbound).await;
        }
        Door::Count(dialect, said) => {
            let inbound = Inbound {
                door: Speech::Chat(dialect),
                said,
                headers: parts.headers,
                body,
                arrived,
            };
            return count::count(&core, inbound).await;
        }
        Door::Passage(path, said) => {
            return passage::pass(core, parts, (path, said), body, arrived).await;
        }
        Door::Models(dialect) => (dialect, models::list(&core, &parts.headers, dialect)),
        Door::Model(dialect, id) => (dialect, models::one(&core, &parts.headers, dialect, &id)),
    };
    answered.unwrap_or_else(|failure| fail(&core, Speech::Chat(dialect), &failure))
}

/// The door that a request's path and method lead to.
fn entered(parts: &Parts) -> Result<Door, Failure> {
    let path = parts.uri.path();
    let Some((methods, door)) = doors::door(parts) else {
        let message = format!("There is nothing at {} {path}.", parts.method);
        return Err(Failure::because(Code::UnknownPath, message));
    };
    let asked = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    if !methods.contains(asked) {
        let message = format!("{path} takes {}, not {}.", listed(methods), parts.method);
        return Err(Failure::because(Code::MethodNotAllowed, message));
    }
    Ok(door)
}

fn listed(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
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
    let mut response = fail(core, doors::guessed(parts), failure);
    if failure.code == Code::MethodNotAllowed
        && let Some((methods, _)) = doors::door(parts)
        && let Ok(method) = HeaderValue::from_str(&listed(methods))
    {
        response.headers_mut().insert(ALLOW, method);
    }
    if !usable {
        leftover::closes(&mut response);
    }
    response
}

fn fail(core: &Core, door: Speech, failure: &Failure) -> Response<Body> {
    let id = format!("req_{:032x}", core.world.request_id());
    reply::failure(door, &id, failure)
}
