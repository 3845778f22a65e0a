//! The admin listener: metrics and the probes. Never on the public listener.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

use super::{App, finish, health};

/// The Prometheus text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The admin routes.
pub fn router(app: App, metrics: PrometheusHandle) -> Router {
    let render = async move || ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()).into_response();
    let routes = Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    finish(routes, app)
}
