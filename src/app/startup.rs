//! What happens before the first event is processed: migrations, and the settings of the first start.
//!
//! Both are retried while the database is unavailable. The service listens meanwhile, answers 503 and is not ready.

use anyhow::ensure;
use sqlx::Connection;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;

use super::acting::Acting;
use super::config::Misconfigured;
use super::migrate::{migrate, place, why};
use crate::backoff;
use crate::evidence::Product;
use crate::store::{health, retention, session, settings, sqlstate};
use crate::terminal::error_chain::error_chain;

/// What is prepared.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub run_migrations: bool,
    /// The metadata key of the order reference.
    pub order_key: &'a str,
    /// Whether another order key than before is intended.
    pub is_change_confirmed: bool,
    /// The keys and policies that are recorded.
    pub acting: &'a Acting,
    /// Whether what is old enough is removed.
    pub prunes: bool,
    /// What is sold, where nobody says otherwise.
    pub product: Option<Product>,
}

/// Runs pending migrations if the plan says so, and records the order key, and which modes have an API key.
///
/// # Errors
/// When a migration fails for a reason that does not pass, or the database has another order key and the change is not
/// confirmed.
pub(super) async fn prepare(database: &PgConnectOptions, plan: Plan<'_>) -> anyhow::Result<()> {
    let order_key = plan.order_key;
    let mut retry = Retry::new(database);
    while plan.run_migrations
        && let Err(error) = migrate(database).await
    {
        let reason = format!("cannot migrate the database on {}: {}", place(database), why(&error));
        ensure!(is_transient(&error), reason);
        retry.wait(reason).await;
    }
    loop {
        match begin(database, plan).await {
            Ok(begun) if begun.order_key == order_key => {
                let version = begun.schema_version;
                tracing::info!(schema.version = version, "processing started on schema version {version}");
                return Ok(());
            }
            Ok(begun) => return Err(other_order_key(&begun.order_key, order_key).into()),
            Err(error) => {
                retry.wait(format!("cannot start processing on {}: {}", retry.place, error_chain(&error))).await
            }
        }
    }
}

/// Waits between attempts, and logs each reason once.
struct Retry {
    place: String,
    failures: u32,
    logged: String,
}

impl Retry {
    fn new(database: &PgConnectOptions) -> Self {
        Self { place: place(database), failures: 0, logged: String::new() }
    }

    async fn wait(&mut self, reason: String) {
        if self.logged != reason {
            tracing::warn!("{reason}; retrying");
            self.logged = reason;
        }
        self.failures += 1;
        sleep(backoff::delay(self.failures)).await;
    }
}

/// What a database says at the start.
struct Begun {
    /// The order key in use.
    order_key: String,
    /// The newest applied migration.
    schema_version: i64,
}

async fn begin(database: &PgConnectOptions, plan: Plan<'_>) -> sqlx::Result<Begun> {
    let Plan { order_key, is_change_confirmed, acting, prunes, product, .. } = plan;
    let mut conn = session::open(database).await?;
    let mut known = settings::begin(&mut conn, order_key).await?;
    if known != order_key && is_change_confirmed {
        settings::change_order_key(&mut conn, order_key).await?;
        tracing::info!("the order key changes from {known} to {order_key}: rebuilding every payment");
        order_key.clone_into(&mut known);
    }
    acting.begin(&mut conn).await?;
    retention::begin(&mut conn, prunes).await?;
    settings::sells(&mut conn, product.map(|product| product.to_string()).as_deref()).await?;
    let schema_version = health::schema_version(&mut conn).await?.unwrap_or_default();
    conn.close().await?;
    Ok(Begun { order_key: known, schema_version })
}

fn other_order_key(known: &str, given: &str) -> Misconfigured {
    Misconfigured::new(format!(
        "CLAWBACK_ORDER_KEY is {given}, but this database uses {known}: set it back, or start \
         once with --order-key-changed, which rebuilds every payment"
    ))
}

/// Whether a failed migration is worth retrying: the server is unreachable (08), read-only or a standby (25006),
/// starting or stopping (57), out of resources (53; 58 and XX where Postgres itself cannot write its files, as on a full
/// disk), refuses the password (28) or lacks the database as yet (3D000), or another replica was first (23505, 40, 42P06,
/// 42P07, 55). Anything else needs a person.
fn is_transient(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    let codes = ["08", "23505", "25006", "28", "3D000", "40", "42P06", "42P07", "53", "55", "57", "58", "XX"];
    error.as_database_error().is_none() || sqlstate::is_any(error, &codes)
}
