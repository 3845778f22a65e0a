//! Postgres runs, and does not do what is asked.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::time::sleep;

use crate::trial::Trial;

/// The name of connections that somebody else has.
const TAKER: &str = "somebody else";

/// A lock on the ledger.
pub async fn lock_table(trial: &Trial, time: Duration) {
    hold(trial, "lock table clawback.events in access exclusive mode", time).await;
}

/// Locks on every payment and every follow-up that there is.
pub async fn lock_rows(trial: &Trial, time: Duration) {
    let rows = "do $$ begin
                    perform from clawback.payments for update skip locked;
                    perform from clawback.follow_ups for update skip locked;
                end $$";
    hold(trial, rows, time).await;
}

async fn hold(trial: &Trial, statement: &'static str, time: Duration) {
    let mut conn = trial.db.pool.acquire().await.expect("a connection").detach();
    let mut transaction = conn.begin().await.expect("a transaction");
    sqlx::raw_sql(statement).execute(&mut *transaction).await.expect("the locks");
    sleep(time).await;
    transaction.rollback().await.expect("a rollback");
}

/// The service's role may not insert events.
pub async fn revoke(trial: &Trial, time: Duration) {
    trial.db.execute("revoke insert on clawback.events from service").await;
    sleep(time).await;
    trial.db.execute("grant insert on clawback.events to service").await;
}

/// The database is read-only, as a standby is.
pub async fn make_read_only(trial: &Trial, time: Duration) {
    let name = &trial.db.name;
    let set = async |setting: &str| {
        trial
            .server
            .admin(&format!("alter role service in database {name} set default_transaction_read_only = {setting}"))
            .await;
        end_sessions(trial).await;
    };
    set("on").await;
    sleep(time).await;
    set("off").await;
}

/// Somebody else has all connections.
pub async fn take_connections(trial: &Trial, time: Duration) {
    let url = trial.server.owner_url(&trial.db.name, trial.server.straight_port());
    let options = PgConnectOptions::from_str(&url).expect("a URL of our own making").application_name(TAKER);
    let mut taken: Vec<PgConnection> = Vec::new();
    let began = Instant::now();
    while began.elapsed() < time {
        while let Ok(conn) = options.connect().await {
            taken.push(conn);
        }
        // Whoever is faster has the ones that become free.
        end_sessions(trial).await;
    }
    drop(taken);
}

/// Ends all sessions of the service's role, but for those that were taken from it.
pub async fn end_sessions(trial: &Trial) {
    let name = &trial.db.name;
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and usename = 'service'
         and application_name <> '{TAKER}'"
    );
    sqlx::raw_sql(AssertSqlSafe(end)).execute(&trial.db.pool).await.expect("they end");
}

/// Stripe does not answer.
pub async fn lose_stripe(trial: &Trial, time: Duration) {
    let seconds = time.as_secs().max(1);
    let outage = serde_json::json!({ "path": "/v1/*", "kind": "unavailable", "seconds": seconds });
    trial.world.control("faults", outage).await;
    sleep(time).await;
    trial.world.end_faults().await;
}
