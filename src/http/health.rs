//! Probes: does the process live, and could it store an event now.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::App;
use super::refusal::{NotReady, Refusal};
use crate::store::health::schema_version;
use crate::store::inbox::{Durability, durability};

/// Probes are asked every few seconds: an answer that takes longer is no answer.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// `GET /healthz`: 200 as long as the process answers at all. Says nothing of the database: to start
/// a process anew does not mend one.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "alive": true }))
}

/// `GET /readyz`: 200 when the database answers, can be written, commits durably, is migrated at
/// least to what this binary needs, and intake is connected to it.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<Json<Value>, Refusal> {
    timeout(TIME_LIMIT, check(&app)).await.unwrap_or(Err(NotReady::NoDatabase)).map_err(Refusal::NotReady)?;
    Ok(Json(json!({ "ready": true })))
}

async fn check(app: &App) -> Result<(), NotReady> {
    let mut conn = app.pool.acquire().await.map_err(|_| NotReady::NoDatabase)?;
    let durability = durability(&mut conn).await.map_err(|_| NotReady::NoDatabase)?;
    if durability != Durability::Durable {
        // A session keeps the settings it began with, and the server it is on: the next probe begins another.
        conn.close_on_drop();
    }
    match durability {
        Durability::Durable => (),
        Durability::Standby | Durability::ReadOnly => return Err(NotReady::ReadOnly),
    }
    let version = schema_version(&mut conn).await.map_err(|_| NotReady::NoDatabase)?;
    if version.is_none_or(|version| version < app.required_version) {
        return Err(NotReady::NotMigrated);
    }
    if !app.intake.is_available() {
        return Err(NotReady::NoIntake);
    }
    Ok(())
}
