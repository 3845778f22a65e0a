//! HTTP: the webhook and the probes on the public listener, metrics on the admin listener.
//!
//! Every answer except metrics has a JSON body. Not here: how events are stored ([`crate::intake`]), and binding sockets,
//! which the caller does.

pub mod admin;
mod health;
mod lingering;
mod refusal;
mod seats;
pub mod server;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::HeaderName;
use axum::routing::{get, post};
use sqlx::PgPool;
use tokio::sync::watch;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

pub use self::health::LastReady;
use self::refusal::Refusal;
pub use self::seats::{Peer, Seat};
use crate::intake::Intake;
use crate::intake::memory::BodyMemory;
use crate::stripe::signature::Secrets;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In bytes. A client may send an id of its own, but not fill the log with it.
const MAX_LOGGED_ID: usize = 64;

/// What the handlers need. Holds no clock.
#[derive(Debug, Clone)]
pub struct App {
    /// Where verified events go.
    pub intake: Intake,
    /// The memory for bodies, over all requests.
    pub bodies: BodyMemory,
    /// A delivery must be signed with one of these, which change when they are rotated.
    pub secrets: watch::Receiver<Arc<Secrets>>,
    /// How old a signature may be, and how far in the future.
    pub tolerance: Duration,
    /// Maximum size of one request body, in bytes.
    pub max_body: usize,
    /// When the database was last found ready.
    pub last_ready: LastReady,
    /// For probes and scrapes; intake has a connection of its own.
    pub pool: PgPool,
    /// The newest migration that this binary needs.
    pub required_version: i64,
}

/// The public routes.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/webhooks/stripe", post(webhook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    finish(routes, app)
}

/// What public and admin routes share: answers to a wrong path or method, a span with a request id, and a 503 after a
/// panic.
fn finish(routes: Router<Arc<App>>, app: App) -> Router {
    routes
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .with_state(Arc::new(app))
        .layer(
            // The first is the outermost.
            ServiceBuilder::new()
                .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
                .layer(
                    // Handlers log themselves, with more detail.
                    TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(()).on_failure(()),
                )
                .layer(PropagateRequestIdLayer::new(REQUEST_ID))
                .layer(CatchPanicLayer::custom(refusal::after_panic)),
        )
}

/// Fields of bounded size only: the route, not the path as sent. At level error, so that warnings keep their request id
/// however the log is filtered.
fn span(request: &Request) -> Span {
    let id = request.extensions().get::<RequestId>();
    let route = request.extensions().get::<MatchedPath>();
    tracing::error_span!(
        "request",
        request.id = id
            .and_then(|id| id.header_value().to_str().ok())
            .filter(|id| id.len() <= MAX_LOGGED_ID),
        http.method = %request.method(),
        http.route = route.map(MatchedPath::as_str),
    )
}

#[cfg(test)]
mod tests;
