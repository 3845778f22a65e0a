//! The admin listener: metrics and the probes. Never on the public listener.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::PrometheusHandle;

use super::{App, finish, health};

/// The Prometheus text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The admin routes. The recorder must be installed by then, for the help texts of what is counted on
/// the way of an event into the inbox.
pub fn router(app: App, metrics: PrometheusHandle) -> Router {
    describe();
    let render = async move || ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()).into_response();
    let routes = Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    finish(routes, app)
}

fn describe() {
    describe_counter!(
        "clawback_events_received_total",
        "Verified events that are committed, by outcome: new or duplicate."
    );
    describe_counter!(
        "clawback_refusals_total",
        "Requests not answered with a 2xx, by reason. Those answered before a request was read \
         (431, malformed HTTP) are not among them."
    );
    describe_gauge!(
        "clawback_intake_available",
        "1 while the writer holds a connection to a server that commits durably."
    );
    describe_histogram!("clawback_intake_batch_size", "Events in one statement of the writer.");
}
