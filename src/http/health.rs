//! Probes: is the process alive, and can it store an event now.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::App;
use super::refusal::{NotReady, Refusal};
use crate::store::health::{Access, access, schema_version};

/// Probes run every few seconds and do not wait longer.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// For how long a check that succeeded counts.
const FRESH: Duration = Duration::from_secs(1);

/// When the database was last found ready. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LastReady(Arc<Mutex<Option<Instant>>>);

/// `GET /healthz`: 200 as long as the process answers. Says nothing about the database, which a restart of the process
/// would not mend.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "alive": true }))
}

/// `GET /readyz`: 200 when the database answers, takes writes, has the migrations this binary needs, and intake is
/// connected to it.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    timeout(TIME_LIMIT, check(&app)).await.unwrap_or(Err(NotReady::NoDatabase)).map_err(Refusal::NotReady)?;
    Ok(Json(json!({ "ready": true })))
}

async fn check(app: &App) -> Result<(), NotReady> {
    // However many ask, the database is asked once: anybody may send these requests.
    let mut last_ready = app.last_ready.0.lock().await;
    if last_ready.is_none_or(|at| at.elapsed() > FRESH) {
        ask(app).await?;
        *last_ready = Some(Instant::now());
    }
    drop(last_ready);
    if app.intake.is_available() { Ok(()) } else { Err(NotReady::NoIntake) }
}

async fn ask(app: &App) -> Result<(), NotReady> {
    let mut conn = app.pool.acquire().await.map_err(|_| NotReady::NoDatabase)?;
    match access(&mut conn).await.map_err(|_| NotReady::NoDatabase)? {
        Access::ReadWrite => {}
        Access::Standby | Access::ReadOnly => {
            // A session keeps its server and its settings: the next probe needs a new one.
            conn.close_on_drop();
            return Err(NotReady::ReadOnly);
        }
    }
    let version = schema_version(&mut conn).await.map_err(|_| NotReady::NoDatabase)?;
    if version.is_none_or(|version| version < app.required_version) { Err(NotReady::NotMigrated) } else { Ok(()) }
}
