//! The migrations, built into the binary. They keep their own table in schema `clawback`, so that a role
//! which owns nothing else of the database can run them.

use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migrator};

/// All migrations of this binary. A database that is further along than this binary is no error: an
/// older release runs beside a newer one while it is replaced.
#[must_use]
pub fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.create_schema("clawback");
    migrator.dangerous_set_table_name("clawback.migrations");
    migrator.set_ignore_missing(true);
    migrator
}

/// The version a database must have reached for this binary.
#[must_use]
pub fn required_version() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Runs what is pending; safe to run from several replicas at once.
pub async fn migrate(conn: &mut PgConnection) -> Result<(), MigrateError> {
    // `run` asks for an `Acquire`, with which no future of ours would be `Send`.
    migrator().run_direct(None, conn, false).await
}
