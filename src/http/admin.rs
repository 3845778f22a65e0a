//! The admin listener: metrics and the probes. Never on the public listener.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::timeout;

use super::{App, finish, health, refusal, server};
use crate::domain::kinds;
use crate::store::gauges::{self, Gauges};
use crate::telemetry;

/// The Prometheus text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long a scrape waits for the database.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The admin routes. The recorder must be installed by then.
pub fn router(app: App, metrics: PrometheusHandle) -> Router {
    telemetry::describe();
    refusal::begin_counting();
    server::begin_counting();
    let scrape = async move |State(app): State<Arc<App>>| {
        observe(&app).await;
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()).into_response()
    };
    let routes = Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    finish(routes, app)
}

/// Sets the gauges to their current values.
async fn observe(app: &App) {
    let idle = app.pool.num_idle();
    gauge!(telemetry::POOL_CONNECTIONS, "state" => "idle").set(idle as f64);
    gauge!(telemetry::POOL_CONNECTIONS, "state" => "used").set((app.pool.size() as usize).saturating_sub(idle) as f64);
    gauge!(telemetry::INTAKE_AVAILABLE).set(f64::from(u8::from(app.intake.is_available())));
    gauge!(telemetry::INTAKE_WAITING).set(app.intake.waiting() as f64);
    gauge!(telemetry::INTAKE_FREE_BYTES).set(app.bodies.left() as f64);
    let read = timeout(TIME_LIMIT, async { gauges::read(&mut *app.pool.acquire().await?).await }).await;
    match read {
        Ok(Ok(gauges)) => set(&gauges),
        Ok(Err(_)) | Err(_) => gauge!(telemetry::DATABASE_UP).set(0.0),
    }
}

fn set(gauges: &Gauges) {
    gauge!(telemetry::DATABASE_UP).set(1.0);
    gauge!(telemetry::PENDING_EVENTS).set(gauges.pending as f64);
    gauge!(telemetry::OLDEST_PENDING_SECONDS).set(gauges.oldest_pending_seconds);
    gauge!(telemetry::FAILED_EVENTS).set(gauges.failed as f64);
    for due in &gauges.due {
        let mode = if due.livemode { "live" } else { "test" };
        gauge!(telemetry::EVIDENCE_DUE_SECONDS, "mode" => mode).set(due.evidence_seconds.unwrap_or(f64::INFINITY));
        gauge!(telemetry::DRAFTS_DUE, "mode" => mode).set(due.drafts as f64);
    }
    gauge!(telemetry::EVIDENCE_OVERDUE).set(gauges.evidence_overdue as f64);
    gauge!(telemetry::UNLINKED_PAYMENTS).set(gauges.unlinked as f64);
    gauge!(telemetry::NEWEST_EVENT_SECONDS).set(gauges.newest_event_seconds);
    gauge!(telemetry::API_CALLS_WAITING).set(gauges.waiting.calls as f64);
    gauge!(telemetry::API_OLDEST_SECONDS).set(gauges.waiting.oldest);
    gauge!(telemetry::API_PROBLEMS).set(gauges.waiting.problems as f64);
    gauge!(telemetry::SYNC_AGE_SECONDS).set(gauges.sync_age_seconds);
    gauge!(telemetry::PRUNE_AGE_SECONDS).set(gauges.prune_age_seconds);
    // Missing kinds and states are set to 0: a gauge keeps its value until it is set again.
    for kind in kinds() {
        let of_kind = || gauges.follow_ups.iter().filter(|row| row.kind == kind);
        for state in ["ready", "leased", "dead"] {
            let count: i64 = of_kind().filter(|row| row.state == state).map(|row| row.count).sum();
            gauge!(telemetry::FOLLOW_UPS, "kind" => kind, "state" => state).set(count as f64);
        }
        let oldest = of_kind().filter(|row| row.state == "ready").map(|row| row.oldest_seconds).fold(0.0, f64::max);
        gauge!(telemetry::OLDEST_READY_SECONDS, "kind" => kind).set(oldest);
    }
}
