//! The admin listener: is it alive, is it ready, what does it measure.

pub mod health;

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::listen::Answer;
use crate::pipeline::Core;
use crate::pipeline::reply::Body;
use health::Health;

/// Answers the operators' requests.
pub struct Admin {
    /// What the metrics and breakers are read from.
    pub core: Arc<Core>,
    /// Whether requests are welcome.
    pub health: Arc<Health>,
}

impl Answer for Admin {
    type Body = Body;

    async fn answer(self: Arc<Self>, request: Request<Incoming>, _crowded: bool) -> Response<Body> {
        let path = request.uri().path();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "This path takes GET.\n");
        }
        match path {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" => self.ready(request.uri().query().unwrap_or("")),
            "/metrics" => self.metrics(),
            _ => text(
                StatusCode::NOT_FOUND,
                "There is /livez, /readyz[?verbose] and /metrics here.\n",
            ),
        }
    }
}

impl Admin {
    fn ready(&self, query: &str) -> Response<Body> {
        let ready = self.health.is_ready();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        if query.split('&').any(|word| word.split('=').next() == Some("verbose")) {
            let page = self.health.page(&self.core);
            return body(status, "application/json", page.to_string());
        }
        text(status, if ready { "ready\n" } else { "not ready\n" })
    }

    fn metrics(&self) -> Response<Body> {
        let now = self.core.world.tick(Instant::now());
        for cell in self.core.states.breakers() {
            let state = match cell.breaker.state(now) {
                route::State::Closed => 0,
                route::State::HalfOpen => 1,
                route::State::Open => 2,
            };
            self.core.telemetry.metrics.breaker(&cell.provider, &cell.region, state);
        }
        self.core.telemetry.metrics.in_flight.set(i64::from(self.core.states.active.get()));
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        body(StatusCode::OK, kind, self.core.telemetry.metrics.text())
    }
}

fn text(status: StatusCode, words: &'static str) -> Response<Body> {
    body(status, "text/plain; charset=utf-8", words.to_owned())
}

fn body(status: StatusCode, kind: &'static str, words: String) -> Response<Body> {
    let mut response = Response::new(Body::Full(Bytes::from(words)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
